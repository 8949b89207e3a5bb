package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.protocols.PopulationExperiment.Condition;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;

/** The gratings of {@link PopulationExperiment} in a run, and the responses to them as curves. */
record PopulationStimuli(RunContext context) {
  private static final int PHASES = 4;
  private static final double[] ORIENTATIONS = Samples.fill(12, i -> 15 * i);
  private static final double[] WAVELENGTHS = {8, 12.8, 20};

  List<PixelPoint> positions() {
    int n = context.settings().full() ? 5 : 3;
    int size = context.size();
    List<PixelPoint> out = new ArrayList<>();
    for (int i = 0; i < n * n; i++) {
      // The border, where kernels reach beyond the image, is left out.
      out.add(
          new PixelPoint(
              size / 4 + (i / n) * size / 2 / (n - 1), size / 4 + (i % n) * size / 2 / (n - 1)));
    }
    return out;
  }

  Design<Condition> design() {
    var design = new Design<Condition>().pooling(Pooling.units(positions()));
    for (int w = 0; w < WAVELENGTHS.length; w++) {
      for (int o = 0; o < ORIENTATIONS.length; o++) {
        for (int p = 0; p < PHASES; p++) {
          var sine =
              new Sine(
                  ORIENTATIONS[o],
                  context.cycles(WAVELENGTHS[w]),
                  2 * Math.PI * p / PHASES,
                  context.settings().contrast());
          design.add(new Condition(w, o, p), new Grating(context.frame(), sine, null));
        }
      }
    }
    return design;
  }

  /** The curve of a unit. */
  OrientationCurve curve(Recording<Condition>.At at, int unit) {
    double[][][] raw = new double[WAVELENGTHS.length][ORIENTATIONS.length][];
    for (int w = 0; w < WAVELENGTHS.length; w++) {
      for (int o = 0; o < ORIENTATIONS.length; o++) {
        int wavelength = w;
        int orientation = o;
        raw[w][o] =
            Samples.fill(PHASES, p -> at.response(new Condition(wavelength, orientation, p))[unit]);
      }
    }
    return OrientationCurve.of(ORIENTATIONS, raw, at.blank(unit));
  }

  /** The wavelength at which a curve is measured, pixels. */
  double wavelength(OrientationCurve curve) {
    return context.pixels(WAVELENGTHS[curve.frequency()]);
  }
}
