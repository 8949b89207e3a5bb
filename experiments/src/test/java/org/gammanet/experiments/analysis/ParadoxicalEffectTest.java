package org.gammanet.experiments.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.gammanet.experiments.analysis.ParadoxicalEffect.Verdict;
import org.junit.jupiter.api.Test;

/** Rate networks with threshold-linear units, whose steady states are known. */
class ParadoxicalEffectTest {
  private static final double DT = 0.1;

  /** {@code r' = r + dt (-r + [W r + h]+)}, weights to E from E and I, to I from E and I. */
  private static final class Rates implements ParadoxicalEffect.Circuit {
    private final double[] w;
    private double e;
    private double i;

    Rates(double... w) {
      this.w = w;
    }

    @Override
    public void reset() {
      e = 0;
      i = 0;
    }

    @Override
    public double[] step(double drive) {
      double toE = Math.max(0, w[0] * e - w[1] * i + 10);
      double toI = Math.max(0, w[2] * e - w[3] * i + 1 + drive);
      e += DT * (toE - e);
      i += DT * (toI - i);
      return new double[] {e, i};
    }

    @Override
    public double excitatoryEigenvalue() {
      return 1 + DT * (w[0] - 1);
    }
  }

  private static ParadoxicalEffect of(double... weights) {
    return ParadoxicalEffect.of(new Rates(weights), new double[] {0.1, 0.5}, 2000);
  }

  /** dI/dh = (1 - wEE) / ((1 - wEE)(1 + wII) + wEI wIE). */
  @Test
  void aNetworkThatInhibitionStabilizesShowsIt() {
    ParadoxicalEffect found = of(2, 2, 2, 0.5);
    assertEquals(Verdict.PARADOXICAL, found.verdict());
    assertEquals((1 - 2) / ((1 - 2) * 1.5 + 4), found.slope(), 1e-6);
    assertTrue(found.inhibitory()[2] < found.inhibitory()[0]);
  }

  @Test
  void aNetworkWithWeakExcitationDoesNot() {
    ParadoxicalEffect found = of(0.5, 2, 2, 0.5);
    assertEquals(Verdict.EXCITATION_STABLE, found.verdict());
    assertEquals((1 - 0.5) / ((1 - 0.5) * 1.5 + 4), found.slope(), 1e-6);
  }

  @Test
  void aNetworkThatDoesNotRestIsNotTested() {
    assertEquals(Verdict.NO_STEADY_STATE, of(3, 0.5, 0.5, 0).verdict());
  }
}
