package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.protocols.KapadiaExperiment.Both;
import org.gammanet.experiments.protocols.KapadiaExperiment.Condition;
import org.gammanet.experiments.protocols.KapadiaExperiment.Flankers;
import org.gammanet.experiments.protocols.KapadiaExperiment.Target;
import org.gammanet.experiments.stimuli.FlankedBars;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;
import org.jspecify.annotations.Nullable;

/** The bars of {@link KapadiaExperiment} in a run. */
record FlankerStimuli(RunContext context) {
  /** How flankers are arranged. */
  enum Arrangement {
    COLLINEAR(0, 0),
    ORTHOGONAL(90, 0),
    /** Collinear, but 12 px to the side. */
    DISPLACED(0, 12);

    final double angle;
    final double lateral;

    Arrangement(double angle, double lateral) {
      this.angle = angle;
      this.lateral = lateral;
    }

    String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Contrast of the targets, from the weaker one. */
  static final double[] CONTRASTS = {0.1, 0.5};

  private static final double FLANKER = 0.5;
  private static final double LONGEST = 20;

  /** Between the ends of target and flankers, pixels. */
  private static final double[] GAPS = {2, 10, 24};

  private static final double[] ALL_GAPS = {2, 6, 10, 16, 24, 34, 46};

  private boolean full() {
    return context.settings().full();
  }

  /** Axes of the probes, or eight; each once. */
  double[] axes() {
    return full()
        ? Samples.fill(8, i -> 22.5 * i)
        : Preferences.of(context).probes().stream()
            .mapToDouble(p -> Orientation.wrap(p.modulation() + 90))
            .distinct()
            .toArray();
  }

  /** The axis that is closest to a unit's preferred one. */
  double axisOf(int unit) {
    double preferred = Preferences.of(context).preferred()[unit] + 90;
    double best = Double.NaN;
    for (double axis : axes()) {
      if (Double.isNaN(best)
          || Math.abs(Orientation.difference(axis, preferred))
              < Math.abs(Orientation.difference(best, preferred))) {
        best = axis;
      }
    }
    return best;
  }

  List<Arrangement> arrangements() {
    List<Arrangement> all = List.of(Arrangement.values());
    return full() ? all : all.subList(0, 2);
  }

  /** Orthogonal flankers are the control of the weak target, where facilitation is found. */
  boolean shown(Arrangement a, double contrast) {
    return full() || a == Arrangement.COLLINEAR || contrast == CONTRASTS[0];
  }

  /**
   * Length of the bars, pixels: that of the median unit's field, which they must not exceed, and at
   * most a quarter of the image.
   */
  double length() {
    double field = Samples.median(Fields.of(context).centerDiameterPx());
    return Math.min(Math.min(context.pixels(LONGEST), context.size() / 4.0), field);
  }

  /** Center-to-center distances at which all flankers lie in the image, pixels. */
  double[] distances() {
    double length = length();
    double[] fitting =
        Arrays.stream(context.pixels(full() ? ALL_GAPS : GAPS))
            .map(gap -> length + gap)
            .filter(this::fits)
            .toArray();
    if (fitting.length == 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "flanked bars of %.0f px do not fit into an image of %d x %d pixels; at least %4$d x"
                  + " %4$d are needed",
              length,
              context.size(),
              context.size(),
              (int) Math.ceil(3 * length + context.pixels(6))));
    }
    return fitting;
  }

  private boolean fits(double distance) {
    try {
      for (double axis : axes()) {
        for (Arrangement a : arrangements()) {
          var unused = bars(axis, null, flankers(a, distance));
        }
      }
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private FlankedBars.Flankers flankers(Arrangement a, double distance) {
    return FlankedBars.Flankers.at(distance, FLANKER)
        .angle(a.angle)
        .lateral(context.pixels(a.lateral));
  }

  private FlankedBars bars(
      double axis, @Nullable Double target, FlankedBars.@Nullable Flankers flankers) {
    var bar = FlankedBars.Element.bar(length(), length() / 4);
    return new FlankedBars(context.frame(), axis, bar, target, flankers);
  }

  Design<Condition> design(double[] distances, List<Arrangement> arrangements) {
    var design = new Design<Condition>();
    for (double axis : axes()) {
      for (double c : CONTRASTS) {
        design.add(new Target(axis, c), bars(axis, c, null));
      }
      for (Arrangement a : arrangements) {
        for (double d : distances) {
          design.add(new Flankers(axis, a, d), bars(axis, null, flankers(a, d)));
          for (double c : CONTRASTS) {
            if (shown(a, c)) {
              design.add(new Both(axis, a, d, c), bars(axis, c, flankers(a, d)));
            }
          }
        }
      }
    }
    return design;
  }
}
