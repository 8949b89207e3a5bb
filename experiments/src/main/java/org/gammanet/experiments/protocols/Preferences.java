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
 * fraction of the largest response that the best probe evokes increases most.
 *
 * @param preferred orientation of each unit, degrees of modulation; NaN where it has none
 * @param probe the probe that drives each unit best
 * @param drive fraction of the unit's largest response that this probe evokes
 * @param probes the probe gratings
 */
public record Preferences(double[] preferred, int[] probe, double[] drive, List<Probe> probes) {

  /**
   * A grating.
   *
   * @param modulation direction of its modulation, degrees
   * @param cycles spatial frequency, cycles per image height
   * @param phase radians
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
        IntStream.range(0, n).toArray(),
        Samples.fill(n, i -> 1),
        Arrays.stream(angles).mapToObj(a -> new Probe(a, context.cycles(12.8), 0)).toList());
  }

  /**
   * Chooses probes.
   *
   * @param evoked a row per grating, in each one response per unit
   * @param preferred orientation of each unit; NaN for one that is not responsive, which gets no
   *     probe
   */
  static Preferences choose(
      double[][] evoked, List<Probe> gratings, double[] preferred, int count) {
    int units = preferred.length;
    double[] largest = new double[units];
    for (double[] row : evoked) {
      for (int u = 0; u < units; u++) {
        largest[u] = Double.isNaN(preferred[u]) ? 0 : Math.max(largest[u], row[u]);
      }
    }
    double[] drive = new double[units];
    int[] probe = new int[units];
    List<Probe> chosen = new ArrayList<>();
    for (int p = 0; p < Math.min(count, gratings.size()); p++) {
      int best = -1;
      double most = 0;
      for (int s = 0; s < evoked.length; s++) {
        double gain = 0;
        for (int u = 0; u < units; u++) {
          if (largest[u] > 1e-12) {
            gain += Math.max(0, evoked[s][u] / largest[u] - drive[u]);
          }
        }
        if (gain > most + 1e-9) {
          most = gain;
          best = s;
        }
      }
      if (best < 0) {
        break;
      }
      for (int u = 0; u < units; u++) {
        double fraction = largest[u] > 1e-12 ? evoked[best][u] / largest[u] : 0;
        if (fraction > drive[u]) {
          drive[u] = fraction;
          probe[u] = p;
        }
      }
      chosen.add(gratings.get(best));
    }
    if (chosen.isEmpty()) {
      chosen.add(gratings.get(0)); // no unit responds
    }
    return new Preferences(preferred, probe, drive, chosen);
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
