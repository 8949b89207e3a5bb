package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;

/** The gratings of {@link OrientationExperiment} in a run, and the responses to them as curves. */
record OrientationStimuli(RunContext context) {
  static final double[] ORIENTATIONS = Samples.fill(12, i -> 15 * i);
  private static final double[] WAVELENGTHS = {25.6, 12.8, 256 / 30.0, 6.4};
  private static final double[] ALL_WAVELENGTHS = {25.6, 256 / 15.0, 12.8, 256 / 30.0, 6.4, 5.12};
  static final double[] PHASES = Samples.fill(8, i -> 2 * Math.PI * i / 8);

  double[] frequencies() {
    return Arrays.stream(context.settings().full() ? ALL_WAVELENGTHS : WAVELENGTHS)
        .map(context::cycles)
        .toArray();
  }

  Design<Preferences.Probe> design() {
    var design = new Design<Preferences.Probe>();
    double aperture = context.settings().aperture();
    for (double theta : ORIENTATIONS) {
      for (double cycles : frequencies()) {
        for (double phase : PHASES) {
          var probe = new Preferences.Probe(theta, cycles, phase);
          design.add(
              probe,
              probe.grating(
                  context.frame(), context.settings().contrast(), aperture > 0 ? aperture : null));
        }
      }
    }
    return design;
  }

  /** The curves of all units. */
  List<OrientationCurve> curves(Recording<Preferences.Probe>.At at) {
    double[] frequencies = frequencies();
    return IntStream.range(0, at.responses()[0].length)
        .mapToObj(
            u -> {
              double[][][] raw = new double[frequencies.length][ORIENTATIONS.length][];
              for (int f = 0; f < frequencies.length; f++) {
                double cycles = frequencies[f];
                for (int t = 0; t < ORIENTATIONS.length; t++) {
                  double theta = ORIENTATIONS[t];
                  raw[f][t] =
                      Arrays.stream(PHASES)
                          .map(p -> at.response(new Preferences.Probe(theta, cycles, p))[u])
                          .toArray();
                }
              }
              return OrientationCurve.of(ORIENTATIONS, raw, at.blank(u));
            })
        .toList();
  }
}
