package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.SizeTuning;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

/** Responses to discs of rising diameter, and to rings of rising inner diameter. */
public final class SizeExperiment implements Experiment<SizeExperiment.Condition> {
  private static final double[] DIAMETERS = {3, 5, 9, 13, 19, 25, 33, 45, 61, 85};
  private static final double[] INNER = {9, 17, 29, 45};
  private static final double[] MORE_INNER = {5, 9, 13, 17, 23, 29, 37, 45, 57};

  /** A ring that evokes less, as a fraction of the best disc's response, is outside the field. */
  static final double SILENT = 0.05;

  /** An index from which a unit counts as suppressed, as in Cavanaugh et al. (2002). */
  private static final double SUPPRESSED = 0.1;

  /** A stimulus; lengths in pixels. */
  public sealed interface Condition {}

  /** The probe in a disc. */
  record Disc(int probe, double contrast, double diameter) implements Condition {}

  /** The probe in a ring. */
  record Ring(int probe, double innerDiameter) implements Condition {}

  /** Measures of a unit. */
  record Unit(
      int probe,
      double preferredDiameterPx,
      double summationFieldPx,
      double suppressionIndex,
      double surroundDiameterPx,
      double fitCenterWidthPx,
      double fitSurroundWidthPx,
      double fitRSquared,
      double summationFieldLowContrastPx) {}

  /**
   * Per probe, the center and the ring with which experiments on surrounds begin.
   *
   * @param centerDiameterPx median summation field of the probe's units
   * @param ringInnerDiameterPx of the smallest ring that leaves their median response below 5 % of
   *     that to the best disc
   * @param ringAloneIsSilent whether there is such a ring
   */
  record Fields(
      double[] centerDiameterPx, double[] ringInnerDiameterPx, boolean[] ringAloneIsSilent) {
    /** What the experiment found; a center of 25 px and a ring from 33 px for a preview. */
    static Fields of(RunContext context) {
      int n = context.settings().probes();
      return context
          .findings("size_tuning", Summary.class)
          .map(Summary::fields)
          .orElseGet(
              () ->
                  new Fields(
                      Samples.fill(n, i -> context.pixels(25)),
                      Samples.fill(n, i -> context.pixels(33)),
                      new boolean[n]));
    }
  }

  /** Numbers of the experiment. */
  record Summary(
      double[] diametersPx,
      double[] innerDiametersPx,
      double[] contrasts,
      Fields fields,
      int n,
      Statistics.Interval suppressionIndex,
      double fractionSuppressed,
      double summationFieldMedianPx,
      double summationFieldLowContrastMedianPx) {}

  @Override
  public Description description() {
    return Description.of(
            "size_tuning",
            "Size tuning",
            "Each unit's probe grating in discs of rising diameter, and in rings of rising inner"
                + " diameter; the response to a blank is subtracted. The summation field is the"
                + " smallest disc that evokes 95 % of the largest response. The suppression index"
                + " is the fraction of the largest response that is lost with the largest disc, at"
                + " most 1. Curves are fitted with a ratio of Gaussians (Cavanaugh, Bair and"
                + " Movshon 2002).")
        .literature(
            "Cavanaugh, Bair and Movshon (2002) measured each cell with its own best grating: 148"
                + " of 190 cells had an index of at least 0.1. Here units share a few probes, at"
                + " one phase, which drive them to half of their largest response or more. The"
                + " index is not negative by its definition, so that units without suppression have"
                + " a mean above 0: what counts is the difference to control networks.")
        .primary("suppression_index")
        .requires("orientation");
  }

  private static double[] diameters(RunContext context) {
    return Samples.upTo(2 * context.frame().largestRadius(), context.pixels(DIAMETERS));
  }

  private static double outerDiameter(RunContext context) {
    return Math.min(context.pixels(85), 2 * context.frame().largestRadius());
  }

  private static double[] innerDiameters(RunContext context) {
    return Samples.upTo(
        outerDiameter(context) - context.pixels(8),
        context.pixels(context.settings().full() ? MORE_INNER : INNER));
  }

  private static double[] contrasts(RunContext context) {
    double c = context.settings().contrast();
    return context.settings().full() ? new double[] {c, c / 5} : new double[] {c};
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, contrasts(context), diameters(context), innerDiameters(context));
  }

  private static Design<Condition> design(
      RunContext context, double[] contrasts, double[] diameters, double[] inner) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    for (int p = 0; p < probes.size(); p++) {
      Preferences.Probe probe = probes.get(p);
      for (double c : contrasts) {
        for (double d : diameters) {
          design.add(new Disc(p, c, d), probe.grating(context.frame(), c, d));
        }
      }
      for (double i : inner) {
        var ring =
            new CenterSurround.Ring(
                probe.sine(context.settings().contrast()), i / 2, outerDiameter(context) / 2);
        design.add(new Ring(p, i), new CenterSurround(context.frame(), null, ring));
      }
    }
    return design;
  }

  private static List<Disc> discs(int probe, double contrast, double[] diameters) {
    return Arrays.stream(diameters).mapToObj(d -> new Disc(probe, contrast, d)).toList();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    double[] diameters = diameters(context);
    double[] contrasts = contrasts(context);
    UnitTable<Unit> units =
        probed.table(
            Unit.class,
            (u, probe) -> {
              double[] r = u.curve(discs(probe, contrasts[0], diameters));
              SizeTuning tuning = SizeTuning.of(diameters, r, 0);
              boolean fitted =
                  u.at().isMain() && Arrays.stream(r).max().orElse(0) > 1e-12 && r.length >= 6;
              SizeTuning.Fit fit =
                  fitted ? SizeTuning.fit(diameters, r, SizeTuning.Model.RATIO_OF_GAUSSIANS) : null;
              double low =
                  contrasts.length < 2
                      ? Double.NaN
                      : SizeTuning.of(diameters, u.curve(discs(probe, contrasts[1], diameters)), 0)
                          .summationField();
              return new Unit(
                  probe + 1,
                  tuning.preferredDiameter(),
                  tuning.summationField(),
                  Math.min(1, tuning.suppressionIndex()),
                  tuning.surroundDiameter(),
                  fit == null ? Double.NaN : fit.centerWidth(),
                  fit == null ? Double.NaN : fit.surroundWidth(),
                  fit == null ? Double.NaN : fit.rSquared(),
                  low);
            });
    List<Series> curves =
        Charts.ofStates(
            context,
            s ->
                Series.mean(s.word(), diameters, normalized(probed, s, diameters), context.seed()));
    List<Series> suppression = units.dynamics(Unit::suppressionIndex);
    List<double[]> rings = new ArrayList<>();
    var summary =
        new Summary(
            diameters,
            innerDiameters(context),
            contrasts,
            fields(probed, rings),
            probed.n(),
            units.mean(Unit::suppressionIndex),
            Samples.mean(units.values(m -> m.suppressionIndex >= SUPPRESSED ? 1 : 0)),
            Samples.median(units.values(Unit::summationFieldPx)),
            Samples.median(units.values(Unit::summationFieldLowContrastPx)));
    double[] inner = innerDiameters(context);
    Panel discs =
        Panel.at(0, 0, "discs")
            .title("Size", probed.n())
            .axes("Diameter (px)", "Response (fraction of largest)")
            .add(curves);
    Panel ringPanel =
        Panel.at(0, 1, "rings")
            .title("Rings")
            .axes("Inner diameter (px)", "Response (fraction of best disc)")
            .horizontal(0)
            .criterion(SILENT);
    if (inner.length > 0) {
      ringPanel.add(
          Series.mean(
              context.mainState().word(),
              inner,
              Samples.columns(rings, inner.length),
              context.seed()));
    }
    Findings findings =
        Findings.of(summary, units)
            .figure(
                FigureSpec.of(
                    "size_tuning",
                    12,
                    4.6,
                    "A: responses to discs, each unit's divided by its largest; mean and bootstrap"
                        + " interval of 95 % over units. B: median response to rings, mean over"
                        + " probes; a ring below the dashed line, 5 %, counts as outside the"
                        + " field. C: suppression index after each timestep.",
                    discs,
                    ringPanel,
                    Charts.dynamics(0, 2, context, "Suppression over time", "Suppression index")
                        .add(suppression)))
            .value("Units", probed.n())
            .value("Suppression index, mean [95 %]", summary.suppressionIndex)
            .value(
                "Units with an index of at least 0.1",
                "%s, n = %s".formatted(Format.percent(summary.fractionSuppressed), probed.n()))
            .value(
                "Summation field, median",
                "%s px (%s deg)"
                    .formatted(
                        Format.number(summary.summationFieldMedianPx),
                        Format.number(
                            summary.summationFieldMedianPx / context.settings().pixelsPerDegree())))
            .overview(discs)
            .overviewDynamics("size suppression", suppression.getFirst())
            .overviewValue("size suppression", Format.number(summary.suppressionIndex.value()));
    return contrasts.length < 2
        ? findings
        : findings.value(
            "Summation field at a fifth of the contrast, median",
            Format.number(summary.summationFieldLowContrastMedianPx, " px"));
  }

  private static double[][] normalized(Probed<Condition> probed, State state, double[] diameters) {
    double contrast = probed.context().settings().contrast();
    return probed.normalized(state, diameters.length, p -> discs(p, contrast, diameters));
  }

  /** Fields per probe; {@code rings} gets the medians of the probe's units for each ring. */
  private static Fields fields(Probed<Condition> probed, List<double[]> rings) {
    RunContext context = probed.context();
    Preferences preferences = probed.preferences();
    Recording<Condition>.At at = probed.recording().last();
    double[] diameters = diameters(context);
    double[] inner = innerDiameters(context);
    int probes = preferences.probes().size();
    double[] center = new double[probes];
    double[] ring = new double[probes];
    boolean[] silent = new boolean[probes];
    for (int p = 0; p < probes; p++) {
      int probe = p;
      int[] units = preferences.testedWith(p);
      List<Disc> discs = discs(p, context.settings().contrast(), diameters);
      double[] top = Samples.fill(units.length, i -> Samples.maximum(at.curve(discs, units[i])));
      double summation =
          Samples.median(
              Samples.fill(
                  units.length,
                  i -> SizeTuning.of(diameters, at.curve(discs, units[i]), 0).summationField()));
      center[p] =
          Math.clamp(
              Double.isNaN(summation) ? context.pixels(13) : summation,
              context.pixels(5),
              context.pixels(45)); // room for a ring
      double[] fractions =
          Samples.fill(
              inner.length,
              k ->
                  Samples.median(
                      Samples.fill(
                          units.length,
                          i ->
                              top[i] > 1e-12
                                  ? at.evoked(new Ring(probe, inner[k]), units[i]) / top[i]
                                  : Double.NaN)));
      rings.add(fractions);
      int chosen = inner.length;
      while (chosen > 0 && Math.abs(fractions[chosen - 1]) < SILENT) {
        chosen--;
      }
      silent[p] = chosen < inner.length;
      ring[p] =
          Math.max(
              silent[p] ? inner[chosen] : center[p] + context.pixels(4),
              center[p] + context.pixels(2));
    }
    return new Fields(center, ring, silent);
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "size_tuning",
        "discs",
        "diameter in px, response as a fraction of the largest",
        (context, d) -> design(context, contrasts(context), d, new double[0]),
        (context, recording, d) ->
            normalized(Probed.of(context, recording), context.mainState(), d));
  }
}
