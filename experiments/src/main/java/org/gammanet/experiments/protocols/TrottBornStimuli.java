package org.gammanet.experiments.protocols;

import org.gammanet.experiments.protocols.CenterResponses.Shown;
import org.gammanet.experiments.protocols.TrottBornExperiment.Condition;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;

/** The gratings, plaids and surrounds of {@link TrottBornExperiment} in a run. */
record TrottBornStimuli(RunContext context) {
  /** Between the components of a plaid, degrees. */
  static final double PLAID = 60;

  /** Orientations of centers, and of surrounds relative to them, degrees. */
  double[] orientations() {
    int n = context.settings().full() ? 12 : 6;
    return Samples.fill(n, i -> 180.0 * i / n);
  }

  double cycles() {
    return Preferences.of(context).commonFrequency();
  }

  double centerRadius() {
    return Math.max(context.pixels(8), Samples.median(Fields.of(context).centerDiameterPx()) / 2);
  }

  double ringRadius() {
    double ring = Samples.median(Fields.of(context).ringInnerDiameterPx()) / 2;
    return Math.max(ring, centerRadius() + context.pixels(2));
  }

  /** Gratings without surrounds. */
  Design<Condition> gratings() {
    var design = new Design<Condition>();
    for (double theta : orientations()) {
      add(design, Shown.grating(theta));
    }
    return design;
  }

  /** Gratings within surrounds, and plaids without and within them. */
  Design<Condition> surrounds() {
    var design = new Design<Condition>();
    for (double theta : orientations()) {
      for (double d : orientations()) {
        add(design, Shown.grating(theta).with(d));
      }
      Shown plaid = Shown.plaid(theta);
      add(design, plaid);
      add(design, plaid.with(0));
      add(design, plaid.with(PLAID));
    }
    return design;
  }

  private void add(Design<Condition> design, Shown shown) {
    double outer = Fields.outerRadius(context);
    double radius = Math.min(centerRadius(), outer / 2);
    double inner = Math.min(ringRadius(), outer - context.pixels(4));
    for (int k = 0; k < Probed.PHASES; k++) {
      var sine = new Sine(shown.center(), cycles(), Probed.phase(k), context.settings().contrast());
      Double second = shown.plaid() ? shown.center() + PLAID : null;
      design.add(
          shown.at(k),
          new CenterSurround(
              context.frame(),
              new CenterSurround.Disc(sine, second, radius),
              shown.isAlone()
                  ? null
                  : new CenterSurround.Ring(sine.rotated(shown.surround()), inner, outer)));
    }
  }
}
