package org.gammanet.experiments.protocols;

import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Context.PopulationGain;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.protocols.CenterResponses.Shown;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Whether a surround scales the response to its center, or acts on the component it matches. */
public final class TrottBornExperiment implements Experiment<TrottBornExperiment.Condition> {
  /** A population whose vector errs by more, degrees, on gratings alone codes no orientation. */
  private static final double LARGEST_ERROR = 15;

  /**
   * A stimulus; orientations in degrees of modulation.
   *
   * @param center of the center's grating, or of a plaid's first component
   * @param plaid whether a second component is added at 60° to the first
   * @param surround orientation of the surround relative to the center; NaN without one
   * @param phase index of the phase of all
   */
  public record Condition(double center, boolean plaid, double surround, int phase) {}

  /** Measures of a unit, averaged over centers. */
  record Unit(
      double preferredDeg, double responseAlone, double responseIsoSurround, double gainIso) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] centerOrientations,
      double[] orientationDifferences,
      double plaidAngleDeg,
      double spatialFrequency,
      double centerRadiusPx,
      double ringInnerRadiusPx,
      int n,
      double decodingErrorDeg,
      @Nullable Interval plaidShiftAwayDeg,
      @Nullable Interval scaleIso,
      @Nullable Interval residualIso,
      @Nullable Interval scaleCross) {}

  @Override
  public Description description() {
    return Description.of(
            "trott_born",
            "Input gain or response gain",
            """
            Population responses to gratings, and to plaids of two gratings 60° apart, without and \
            with a surround, after Trott and Born (2015). A surround that controls the gain of the \
            response scales the population's profile. A surround that controls the gain of the \
            input suppresses the component of a plaid that it matches, so that the population's \
            peak moves away from that component.\
            """)
        .literature(
            """
            Trott and Born recorded arrays of many cells under all pairs of center and surround. \
            Here there are 6 centers and 6 surrounds, all pairs (12 and 12 with --full), in four \
            phases; the units are the channels of one position. Where their population vector errs \
            by more than 15° on gratings without a surround, nothing else is shown or measured.\
            """)
        .primary("plaid_shift_away_deg")
        .requires("orientation", "size_tuning");
  }

  /** Gratings alone, by which the population is judged. */
  @Override
  public Design<Condition> design(RunContext context) {
    return new TrottBornStimuli(context).gratings();
  }

  @Override
  public StimulusSet preview(RunContext context) {
    return new TrottBornStimuli(context).surrounds().stimuli();
  }

  @Override
  public int stimuli(RunContext context) {
    var stimuli = new TrottBornStimuli(context);
    return stimuli.gratings().conditions().size() + stimuli.surrounds().conditions().size() + 2;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> alone = Probed.of(context, recording);
    CenterResponses population = CenterResponses.of(alone, null);
    boolean any = population.units().length >= 2;
    double error = any ? population.error() : Double.NaN;
    if (!(error <= LARGEST_ERROR)) {
      Summary none = summary(context, population, error, null, null, null, null);
      return Findings.of(none, new UnitTable<>(context, Unit.class))
          .warning(
              any
                  ? "The population vector errs by %s on gratings without a surround, more than %s°: these units do not code the orientation whose shift would be measured."
                      .formatted(Format.number(error, "°"), Format.number(LARGEST_ERROR))
                  : "Fewer than two units prefer an orientation: there is no population to"
                      + " measure.");
    }
    Design<Condition> surrounds = new TrottBornStimuli(context).surrounds();
    CenterResponses all = CenterResponses.of(alone, Probed.of(context, context.record(surrounds)));
    CenterResponses.At last = all.last();
    long seed = context.seed();
    Interval scaleIso = Series.mean(last.overCenters(0, PopulationGain::scale), seed);
    Interval residualIso = Series.mean(last.overCenters(0, PopulationGain::residual), seed);
    Interval scaleCross = Series.mean(last.overCenters(90, PopulationGain::scale), seed);
    Interval shift = Series.mean(last.shifts(), seed);
    return Findings.of(
            summary(context, all, error, shift, scaleIso, residualIso, scaleCross),
            table(context, all))
        .figure(
            new TrottBornFigures(context, all)
                .figure(surrounds.stimulus(Shown.plaid(0).with(0).at(1))))
        .value("Units", all.units().length)
        .value("Error of the population vector, gratings alone", Format.number(error, "°"))
        .value("Scale, parallel surround, mean [95 %]", scaleIso)
        .value("Scale, orthogonal surround", scaleCross)
        .value("Residual of scaling, parallel", residualIso)
        .value("Shift away for plaids (deg)", shift);
  }

  /** Each unit's responses averaged over centers, for every population and timestep. */
  private static UnitTable<Unit> table(RunContext context, CenterResponses all) {
    var units = new UnitTable<>(context, Unit.class);
    for (State state : context.states()) {
      for (int t = 0; t < context.timesteps(); t++) {
        CenterResponses.At at = all.at(state, t);
        double[] alone = at.averaged(Shown::grating);
        double[] iso = at.averaged(c -> Shown.grating(c).with(0));
        for (int i = 0; i < alone.length; i++) {
          double gain = Context.normalized(alone[i], iso[i]);
          units.add(state, all.units()[i], t, new Unit(all.preferred()[i], alone[i], iso[i], gain));
        }
      }
    }
    return units;
  }

  private static Summary summary(
      RunContext context,
      CenterResponses population,
      double error,
      @Nullable Interval shift,
      @Nullable Interval scaleIso,
      @Nullable Interval residualIso,
      @Nullable Interval scaleCross) {
    var stimuli = new TrottBornStimuli(context);
    return new Summary(
        stimuli.orientations(),
        stimuli.orientations(),
        TrottBornStimuli.PLAID,
        stimuli.cycles(),
        stimuli.centerRadius(),
        stimuli.ringRadius(),
        population.units().length,
        error,
        shift,
        scaleIso,
        residualIso,
        scaleCross);
  }
}
