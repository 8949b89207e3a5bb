package org.gammanet.experiments.analysis;

/**
 * The paradoxical effect: in a network of excitatory and inhibitory populations whose excitation
 * alone is unstable, and which inhibition stabilizes, drive to the inhibitory population lowers its
 * activity in the steady state (Tsodyks, Skaggs, Sejnowski and McNaughton 1997; Sanzeni et al.
 * 2020).
 *
 * @param verdict what can be said
 * @param change of rates in the last timestep before the drive, relative
 * @param excitatoryEigenvalue modulus of the leading eigenvalue of a timestep of the excitatory
 *     population while the inhibitory one is held; above 1 excitation alone is unstable
 * @param drives to the inhibitory population
 * @param excitatory steady rate with each drive
 * @param inhibitory steady rate with each drive
 * @param slope of the inhibitory rate over the smallest drive
 */
public record ParadoxicalEffect(
    Verdict verdict,
    double change,
    double excitatoryEigenvalue,
    double[] drives,
    double[] excitatory,
    double[] inhibitory,
    double slope) {
  /** Relative change of rates in a timestep below which they rest. */
  private static final double RESTS = 1e-3;

  /** What the test says. */
  public enum Verdict {
    /** Rates do not come to rest, so that there is no steady state to compare. */
    NO_STEADY_STATE("cannot be tested: there is no steady state"),
    /** The precondition fails: excitation alone is stable. */
    EXCITATION_STABLE("not expected: excitation alone is stable"),
    /** Drive to the inhibitory population lowers its rate. */
    PARADOXICAL("present"),
    /** Excitation alone is unstable, but drive to the inhibitory population raises its rate. */
    ABSENT("absent, although excitation alone is unstable");

    private final String words;

    Verdict(String words) {
      this.words = words;
    }

    /** For reports. */
    public String words() {
      return words;
    }
  }

  /** A network of two populations. */
  public interface Circuit {
    /** Back to rest. */
    void reset();

    /**
     * A timestep.
     *
     * @param drive that the inhibitory population gets
     * @return the excitatory and the inhibitory rate
     */
    double[] step(double drive);

    /** The eigenvalue of excitation alone, at the present rates. */
    double excitatoryEigenvalue();
  }

  /**
   * Drives a circuit from its steady state.
   *
   * @param drives rising, above 0
   * @param settle timesteps to the steady state, and again with drive
   */
  public static ParadoxicalEffect of(Circuit circuit, double[] drives, int settle) {
    double[] excitatory = new double[drives.length + 1];
    double[] inhibitory = new double[drives.length + 1];
    double[] all = new double[drives.length + 1];
    System.arraycopy(drives, 0, all, 1, drives.length);
    double largestChange = 0;
    double eigenvalue = Double.NaN;
    for (int k = 0; k < all.length; k++) {
      circuit.reset();
      double[] rates = {0, 0};
      for (int t = 0; t < settle; t++) {
        rates = circuit.step(0);
      }
      if (k == 0) {
        eigenvalue = circuit.excitatoryEigenvalue();
      }
      double[] before = rates;
      for (int t = 0; t < settle; t++) {
        before = rates;
        rates = circuit.step(all[k]);
      }
      double size = Math.hypot(rates[0], rates[1]);
      double change = Math.hypot(rates[0] - before[0], rates[1] - before[1]) / size;
      largestChange = Math.max(largestChange, Double.isFinite(change) ? change : 1);
      excitatory[k] = rates[0];
      inhibitory[k] = rates[1];
    }
    double slope = (inhibitory[1] - inhibitory[0]) / drives[0];
    Verdict verdict =
        largestChange > RESTS
            ? Verdict.NO_STEADY_STATE
            : !(eigenvalue > 1)
                ? Verdict.EXCITATION_STABLE
                : slope < 0 ? Verdict.PARADOXICAL : Verdict.ABSENT;
    return new ParadoxicalEffect(
        verdict, largestChange, eigenvalue, all, excitatory, inhibitory, slope);
  }
}
