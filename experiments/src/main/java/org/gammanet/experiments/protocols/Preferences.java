package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.stimuli.Aperture;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.RunContext;
import org.jspecify.annotations.Nullable;

/**
 * What units prefer, and the probe gratings with which later experiments test them. Testing each
 * unit with its own best grating would take as many series of stimuli as there are units. A few
 * probes come close to it: they are chosen one after the other so that the mean, over units, of the
 * fraction of the largest response that the best probe evokes increases most. Responses are means
 * over phases, or modulations by phase in simple cells, as in the measures of tuning.
 *
 * @param preferred orientation of each unit, degrees of modulation; NaN where it has none
 * @param simple whether a unit is measured by its modulation with phase
 * @param largest evoked response of each unit to a grating, of each recorded population in turn
 * @param probe the probe that drives each unit best
 * @param drive fraction of the unit's largest response that this probe evokes
 * @param probes the probe gratings
 */
public record Preferences(
    double[] preferred,
    boolean[] simple,
    double[][] largest,
    int[] probe,
    double[] drive,
    List<Probe> probes) {

  /**
   * A grating.
   *
   * @param modulation direction of its modulation, degrees
   * @param cycles spatial frequency, cycles per image height
   * @param phase radians; of a probe, the one to which its units respond most
   */
  public record Probe(double modulation, double cycles, double phase) {
    /** The direction of its stripes, degrees. */
    double axis() {
      return (modulation + 90) % 180;
    }

    /** The grating, whole or in a disc. */
    Grating grating(Frame frame, double contrast, @Nullable Double diameter) {
      return new Grating(frame, sine(contrast), diameter == null ? null : Aperture.disc(diameter));
    }

    /** The grating without borders. */
    Sine sine(double contrast) {
      return new Sine(modulation, cycles, phase, contrast);
    }

    /**
     * The grating in one of the phases of {@link Probed}.
     *
     * @param which its index
     */
    Probe shifted(int which) {
      return new Probe(modulation, cycles, Probed.phase(which));
    }
  }

  /** Fraction of its largest response that a unit's probe must evoke for the unit to be tested. */
  private static final double LEAST_DRIVE = 0.5;

  /** What the orientation experiment found; evenly spread orientations for a preview. */
  static Preferences of(RunContext context) {
    return context
        .findings("orientation_tuning", OrientationExperiment.Summary.class)
        .map(OrientationExperiment.Summary::probes)
        .orElseGet(() -> spread(context));
  }

  private static Preferences spread(RunContext context) {
    int n = context.settings().probes();
    double[] angles = Samples.fill(n, i -> (45 + 180.0 * i / n) % 180);
    return new Preferences(
        angles,
        new boolean[n],
        new double[][] {Samples.fill(n, i -> 1)},
        IntStream.range(0, n).toArray(),
        Samples.fill(n, i -> 1),
        Arrays.stream(angles).mapToObj(a -> new Probe(a, context.cycles(12.8), 0)).toList());
  }

  /**
   * Chooses probes.
   *
   * @param curves of each unit, of each recorded population in turn; those of the first decide
   * @param frequencies cycles per image height
   * @param phases radians
   */
  static Preferences choose(
      List<List<OrientationCurve>> curves, double[] frequencies, double[] phases, int count) {
    List<OrientationCurve> units = curves.getFirst();
    int n = units.size();
    double[] preferred = new double[n];
    boolean[] simple = new boolean[n];
    double[] largest = new double[n];
    for (int u = 0; u < n; u++) {
      OrientationCurve c = units.get(u);
      preferred[u] = c.responsive() ? c.measures().preferredVector() : Double.NaN;
      simple[u] = c.simple();
      largest[u] = Double.isNaN(preferred[u]) ? 0 : c.largest(c.simple());
    }
    double[] drive = new double[n];
    int[] probe = new int[n];
    List<Probe> chosen = new ArrayList<>();
    double[] thetas = n == 0 ? new double[] {0} : units.getFirst().orientations();
    for (int p = 0; p < count; p++) {
      int[] best = best(units, largest, drive, thetas.length, frequencies.length);
      if (best == null) {
        break;
      }
      for (int u = 0; u < n; u++) {
        double fraction = fraction(units.get(u), largest[u], best[0], best[1]);
        if (fraction > drive[u]) {
          drive[u] = fraction;
          probe[u] = p;
        }
      }
      chosen.add(new Probe(thetas[best[1]], frequencies[best[0]], 0));
    }
    for (int p = 0; p < chosen.size(); p++) {
      int which = p;
      int[] driven = IntStream.range(0, n).filter(u -> probe[u] == which && drive[u] > 0).toArray();
      chosen.set(p, withBestPhase(chosen.get(p), units, largest, driven, frequencies, phases));
    }
    if (chosen.isEmpty()) {
      chosen.add(new Probe(thetas[0], frequencies[0], phases[0])); // no unit responds
    }
    double[][] all = new double[curves.size()][n];
    for (int s = 0; s < all.length; s++) {
      for (int u = 0; u < n; u++) {
        all[s][u] = curves.get(s).get(u).largest(simple[u]);
      }
    }
    return new Preferences(preferred, simple, all, probe, drive, chosen);
  }

  private static double fraction(OrientationCurve unit, double largest, int f, int t) {
    return largest > 1e-12 ? unit.strength()[f][t] / largest : 0;
  }

  /** The frequency and the orientation that add most; null where none adds anything. */
  private static int @Nullable [] best(
      List<OrientationCurve> units, double[] largest, double[] drive, int thetas, int frequencies) {
    int[] best = null;
    double most = 1e-9;
    for (int t = 0; t < thetas; t++) {
      for (int f = 0; f < frequencies; f++) {
        double gain = 0;
        for (int u = 0; u < drive.length; u++) {
          gain += Math.max(0, fraction(units.get(u), largest[u], f, t) - drive[u]);
        }
        if (gain > most) {
          most = gain + 1e-9; // of equal ones the first
          best = new int[] {f, t};
        }
      }
    }
    return best;
  }

  private static Probe withBestPhase(
      Probe probe,
      List<OrientationCurve> units,
      double[] largest,
      int[] driven,
      double[] frequencies,
      double[] phases) {
    int f = Arrays.binarySearch(frequencies, probe.cycles);
    double[] sum = new double[phases.length];
    for (int u : driven) {
      OrientationCurve unit = units.get(u);
      int t = Arrays.binarySearch(unit.orientations(), probe.modulation);
      for (int k = 0; k < sum.length; k++) {
        sum[k] += (unit.raw()[f][t][k] - unit.blank()) / largest[u];
      }
    }
    int best = 0;
    for (int k = 1; k < sum.length; k++) {
      best = sum[k] > sum[best] + 1e-9 ? k : best;
    }
    return new Probe(probe.modulation, probe.cycles, phases[best]);
  }

  int units() {
    return preferred.length;
  }

  /** The units that are tested: they respond, and their probe drives them. */
  int[] tested() {
    return IntStream.range(0, units()).filter(u -> drive[u] >= LEAST_DRIVE).toArray();
  }

  /** The units that are tested with a probe. */
  int[] testedWith(int which) {
    return Arrays.stream(tested()).filter(u -> probe[u] == which).toArray();
  }

  /** The probe of a unit. */
  Probe probeOf(int unit) {
    return probes.get(probe[unit]);
  }

  /** The spatial frequency that most tested units are tested with, cycles per image height. */
  double commonFrequency() {
    double best = probes.get(0).cycles;
    long most = 0;
    for (Probe p : probes) {
      long n = Arrays.stream(tested()).filter(u -> probes.get(probe[u]).cycles == p.cycles).count();
      if (n > most) {
        most = n;
        best = p.cycles;
      }
    }
    return best;
  }
}
