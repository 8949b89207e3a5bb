package org.gammanet.experiments.protocols;

import java.util.List;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Both;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Center;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Condition;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Ring;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;

/** The centers and rings of {@link KinoshitaExperiment} in a run. */
record KinoshitaStimuli(RunContext context) {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {
    -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90
  };

  double[] differences() {
    return context.settings().full() ? ALL_DIFFERENCES : DIFFERENCES;
  }

  Design<Condition> design(double[] differences) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    Fields fields = Fields.of(context);
    double outer = Fields.outerRadius(context);
    for (int p = 0; p < probes.size(); p++) {
      double radius = Math.min(fields.centerDiameterPx()[p] / 2, outer / 2);
      double inner = Math.min(fields.ringInnerDiameterPx()[p] / 2, outer - context.pixels(4));
      for (int k = 0; k < Probed.PHASES; k++) {
        Sine sine = probes.get(p).shifted(k).sine(context.settings().contrast());
        var center = CenterSurround.Disc.of(sine, radius);
        design.add(new Center(p, k), new CenterSurround(context.frame(), center, null));
        for (double d : differences) {
          Sine other = sine.rotated(d);
          for (boolean opposite : new boolean[] {false, true}) {
            Sine shown = other.phase(sine.phase() + (opposite ? Math.PI : 0));
            var ring = new CenterSurround.Ring(shown, inner, outer);
            design.add(
                new Both(p, d, k, opposite), new CenterSurround(context.frame(), center, ring));
          }
        }
        for (double d : new double[] {0, 90}) {
          Sine shown = sine.rotated(d);
          var ring = new CenterSurround.Ring(shown, inner, outer);
          design.add(new Ring(p, d, k), new CenterSurround(context.frame(), null, ring));
        }
      }
    }
    return design;
  }
}
