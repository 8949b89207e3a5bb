package org.gammanet.experiments.protocols;

import org.gammanet.experiments.protocols.SizeExperiment.Condition;
import org.gammanet.experiments.protocols.SizeExperiment.Disc;
import org.gammanet.experiments.protocols.SizeExperiment.Ring;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;

/** The discs and rings of {@link SizeExperiment} in a run; lengths in pixels. */
record SizeStimuli(RunContext context) {
  private static final double[] DIAMETERS = {3, 5, 9, 13, 19, 25, 33, 45, 61, 85};
  private static final double[] INNER = {9, 17, 29, 45};
  private static final double[] MORE_INNER = {5, 9, 13, 17, 23, 29, 37, 45, 57};

  static Probed.Shown<Condition> discs(double contrast) {
    return (probe, diameter, phase) -> new Disc(probe, contrast, diameter, phase);
  }

  double[] diameters() {
    return Samples.upTo(2 * context.frame().largestRadius(), context.pixels(DIAMETERS));
  }

  private double outerDiameter() {
    return Math.min(context.pixels(85), 2 * context.frame().largestRadius());
  }

  double[] innerDiameters() {
    return Samples.upTo(
        outerDiameter() - context.pixels(8),
        context.pixels(context.settings().full() ? MORE_INNER : INNER));
  }

  double[] contrasts() {
    double c = context.settings().contrast();
    return context.settings().full() ? new double[] {c, c / 5} : new double[] {c};
  }

  Design<Condition> design(double[] diameters, double[] inner) {
    var design = new Design<Condition>();
    Frame frame = context.frame();
    double contrast = context.settings().contrast();
    double outer = outerDiameter() / 2;
    for (int p = 0; p < Preferences.of(context).probes().size(); p++) {
      for (double c : contrasts()) {
        Probed.show(
            design, context, p, diameters, discs(c), (probe, d) -> probe.grating(frame, c, d));
      }
      Probed.show(
          design,
          context,
          p,
          inner,
          Ring::new,
          (probe, i) ->
              new CenterSurround(
                  frame, null, new CenterSurround.Ring(probe.sine(contrast), i / 2, outer)));
    }
    return design;
  }
}
