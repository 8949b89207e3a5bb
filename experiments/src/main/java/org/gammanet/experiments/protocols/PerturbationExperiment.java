package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.Perturbation;
import org.gammanet.experiments.responses.State;
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
import org.gammanet.experiments.study.Stimulation;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** Activation and inactivation of one population, at the recorded units, elsewhere, and around. */
public final class PerturbationExperiment implements Experiment<PerturbationExperiment.Condition> {
  /** A probe grating over the whole image, or in the disc that is perturbed. */
  public record Condition(int probe, boolean whole) {}

  /**
   * A unit under a treatment.
   *
   * @param dose multiple of the population's mean response that is added, or factor
   * @param changeExcitatory of the response to the whole grating, over the mean response of the
   *     tested units
   * @param suppression of the response to the disc by the whole grating, in [-1, 1]
   */
  record Unit(
      String population,
      String kind,
      double dose,
      String where,
      double changeExcitatory,
      double changeInhibitory,
      double suppression) {}

  /** Numbers of the experiment; intervals are over units. */
  record Summary(
      double radiusPx,
      Stimulation stimulation,
      int n,
      Interval excitatoryActivationOnInhibitory,
      Interval excitatoryInactivationOnInhibitory,
      Interval inhibitoryActivationOnExcitatory,
      Interval inhibitoryInactivationOnExcitatory,
      Interval shamOnExcitatory,
      Interval suppressionIntact,
      Interval suppressionSurroundExcitatorySilent,
      Interval suppressionSurroundInhibitorySilent) {}

  @Override
  public Description description() {
    return Descriptions.of("perturbation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    double contrast = context.settings().contrast();
    for (int p = 0; p < probes.size(); p++) {
      Preferences.Probe probe = probes.get(p);
      design.add(new Condition(p, true), probe.grating(context.frame(), contrast, null));
      design.add(
          new Condition(p, false),
          probe.grating(context.frame(), contrast, 2 * Math.floor(Treatment.radius(context))));
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Preferences preferences = Preferences.of(context);
    int[] tested = preferences.tested();
    if (context.states().size() < 2) {
      return DynamicsExperiment.notMeasured("the units have no inhibitory population");
    }
    double[] mean = new double[2];
    for (int k = 0; k < 2; k++) {
      Recording<Condition>.At at = recording.at(State.values()[k], context.lastStep());
      mean[k] =
          Arrays.stream(tested)
              .mapToDouble(u -> Math.abs(at.response(whole(preferences, u))[u]))
              .average()
              .orElse(Double.NaN);
    }
    var units = new UnitTable<Unit>(context, Unit.class);
    for (int u : tested) {
      units.add(
          context.mainState(),
          u,
          context.lastStep(),
          new Unit(
              "none", "none", 0, "site", 0, 0, suppression(context, recording, preferences, u)));
    }
    for (Treatment t : Treatment.all(context)) {
      double m = mean[t.state() == State.EXCITATORY ? 0 : 1];
      Recording<Condition> treated = context.record(recording.design(), t.in(context, m));
      if (treated == null) {
        return DynamicsExperiment.notMeasured("there is no network behind these units");
      }
      for (int u : tested) {
        double[] change = new double[2];
        for (int k = 0; k < 2; k++) {
          State state = State.values()[k];
          Condition c = whole(preferences, u);
          double before = recording.at(state, context.lastStep()).response(c)[u];
          double after = treated.at(state, context.lastStep()).response(c)[u];
          change[k] = (after - before) / mean[k];
        }
        units.add(
            context.mainState(),
            u,
            context.lastStep(),
            new Unit(
                t.state().word(),
                t.kind() == Perturbation.Kind.ADDITIVE ? "activation" : "inactivation",
                t.dose(),
                t.where().name().toLowerCase(java.util.Locale.ROOT),
                change[0],
                change[1],
                suppression(context, treated, preferences, u)));
      }
    }
    return findings(context, units, tested.length);
  }

  private static Condition whole(Preferences preferences, int unit) {
    return new Condition(preferences.probe()[unit], true);
  }

  private static double suppression(
      RunContext context, Recording<Condition> recording, Preferences preferences, int unit) {
    Recording.Unit<Condition> last = new Recording.Unit<>(recording.last(), unit);
    double disc = last.evoked(new Condition(preferences.probe()[unit], false));
    double base = Probed.of(context, recording).base(last, disc);
    return Samples.suppression(base, last.evoked(whole(preferences, unit)));
  }

  private static double[] of(
      UnitTable<Unit> units,
      State population,
      String kind,
      double dose,
      String where,
      java.util.function.ToDoubleFunction<Unit> measure) {
    return units.values(
        m ->
            m.population.equals(population.word())
                && m.kind.equals(kind)
                && Math.abs(m.dose - dose) < 1e-9 // 1 + (f - 1) need not be f
                && m.where.equals(where),
        measure);
  }

  private static Findings findings(RunContext context, UnitTable<Unit> units, int n) {
    State e = State.EXCITATORY;
    State i = State.INHIBITORY;
    long seed = context.seed();
    Stimulation how = Treatment.stimulation(context);
    double most = Treatment.most(how);
    double least = Treatment.least(how);
    var summary =
        new Summary(
            Treatment.radius(context),
            how,
            n,
            Series.mean(of(units, e, "activation", most, "site", Unit::changeInhibitory), seed),
            Series.mean(of(units, e, "inactivation", least, "site", Unit::changeInhibitory), seed),
            Series.mean(of(units, i, "activation", most, "site", Unit::changeExcitatory), seed),
            Series.mean(of(units, i, "inactivation", least, "site", Unit::changeExcitatory), seed),
            Series.mean(of(units, i, "inactivation", least, "sham", Unit::changeExcitatory), seed),
            units.mean(m -> m.kind.equals("none"), Unit::suppression),
            Series.mean(of(units, e, "inactivation", 0, "surround", Unit::suppression), seed),
            Series.mean(of(units, i, "inactivation", 0, "surround", Unit::suppression), seed));
    double[] doses =
        DoubleStream.concat(
                DoubleStream.concat(
                    how.factors().stream().mapToDouble(f -> f - 1), DoubleStream.of(0)),
                how.added().stream().mapToDouble(a -> a))
            .sorted()
            .toArray();
    Series onE =
        dose("I changed: E", doses, units, i, Unit::changeExcitatory, seed)
            .style(Style.EXCITATORY.label("change of E when I is changed"));
    Series onI =
        dose("E changed: I", doses, units, e, Unit::changeInhibitory, seed)
            .style(Style.INHIBITORY.label("change of I when E is changed"));
    Interval[] suppression = {
      summary.suppressionIntact,
      summary.suppressionSurroundExcitatorySilent,
      summary.suppressionSurroundInhibitorySilent
    };
    var bars =
        new Series(
            "suppression",
            new double[] {0, 1, 2},
            Arrays.stream(suppression).mapToDouble(Interval::value).toArray(),
            Arrays.stream(suppression).mapToDouble(Interval::low).toArray(),
            Arrays.stream(suppression).mapToDouble(Interval::high).toArray(),
            n,
            Series.Look.POINTS,
            Style.series(0));
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "perturbation",
                9,
                4,
                "A: change of one population's response when the other is changed at the site, over"
                    + " its mean response; doses below 0 are the fraction of activity that is taken"
                    + " away, above 0 multiples of the mean response that are added. B: suppression"
                    + " by the whole grating with the surround intact and silenced. Means and"
                    + " bootstrap intervals of 95 % over units.",
                Panel.at(0, 0, "dose")
                    .title("Dose and response", n)
                    .axes(Axis.linear("Dose"), Axis.linear("Change / mean response"))
                    .horizontal(0)
                    .add(onE, onI),
                Panel.at(0, 1, "surround")
                    .title("Surround silenced", n)
                    .axes(
                        Axis.names("", List.of("intact", "E silent", "I silent")),
                        Axis.linear("Suppression index"))
                    .horizontal(0)
                    .add(bars)))
        .value("Radius of the disc", summary.radiusPx)
        .value("Units", n)
        .value(
            "E activated by %s of its mean: change of I".formatted(Format.percent(most)),
            summary.excitatoryActivationOnInhibitory)
        .value(
            "E inactivated to %s: change of I".formatted(Format.percent(least)),
            summary.excitatoryInactivationOnInhibitory)
        .value(
            "I activated by %s of its mean: change of E".formatted(Format.percent(most)),
            summary.inhibitoryActivationOnExcitatory)
        .value(
            "I inactivated to %s: change of E".formatted(Format.percent(least)),
            summary.inhibitoryInactivationOnExcitatory)
        .value(
            "I inactivated to %s elsewhere (sham): change of E".formatted(Format.percent(least)),
            summary.shamOnExcitatory)
        .value("Suppression, surround intact", summary.suppressionIntact)
        .value("Suppression, E of the surround silent", summary.suppressionSurroundExcitatorySilent)
        .value("Suppression, I of the surround silent", summary.suppressionSurroundInhibitorySilent)
        .note(
            "Changes are over the mean response of the tested units before the perturbation."
                + " Untrained networks, --control random:N, are the control for effects of the"
                + " architecture alone.");
  }

  /** Change by dose; inactivation by a factor f is a dose of f - 1. */
  private static Series dose(
      String name,
      double[] doses,
      UnitTable<Unit> units,
      State population,
      java.util.function.ToDoubleFunction<Unit> measure,
      long seed) {
    double[][] at =
        Arrays.stream(doses)
            .mapToObj(
                d ->
                    d == 0
                        ? new double[] {0, 0}
                        : of(
                            units,
                            population,
                            d < 0 ? "inactivation" : "activation",
                            d < 0 ? 1 + d : d,
                            "site",
                            measure))
            .toArray(double[][]::new);
    return Series.mean(name, doses, at, seed);
  }
}
