package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Stimulation;
import org.gammanet.experiments.study.UnitTable;

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
      double suppression) {
    boolean is(State changed, String how, double size, String at) {
      return population.equals(changed.word())
          && kind.equals(how)
          && Math.abs(dose - size) < 1e-9 // 1 + (f - 1) need not be f
          && where.equals(at);
    }
  }

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
    return Description.of(
            "perturbation",
            "Activation and inactivation",
            """
            The excitatory or the inhibitory population of the layer is changed at every timestep, \
            in a disc around the recorded units: activity is added (activation) or multiplied by a \
            factor below 1 (inactivation), while a probe grating fills the image. The same \
            elsewhere is the sham. With the surround silenced instead, suppression by large \
            gratings that comes through this layer must vanish.\
            """)
        .primary("inhibitory_inactivation_on_excitatory")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    double contrast = context.settings().contrast();
    double diameter = 2 * Math.floor(Treatment.radius(context));
    for (int p = 0; p < probes.size(); p++) {
      Preferences.Probe probe = probes.get(p);
      design.add(new Condition(p, true), probe.grating(context.frame(), contrast, null));
      design.add(new Condition(p, false), probe.grating(context.frame(), contrast, diameter));
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    int[] tested = probed.tested();
    if (context.states().size() < 2) {
      return Findings.notMeasured("the units have no inhibitory population");
    }
    if (tested.length == 0) {
      return Findings.notMeasured("no unit responds to a probe grating");
    }
    double[] mean =
        Samples.fill(
            2,
            k -> {
              Recording<Condition>.At at = recording.at(State.values()[k], context.lastStep());
              return Arrays.stream(tested)
                  .mapToDouble(u -> Math.abs(at.response(whole(probed, u))[u]))
                  .average()
                  .orElse(Double.NaN);
            });
    var units = new UnitTable<Unit>(context, Unit.class);
    for (int u : tested) {
      double intact = suppression(probed, u);
      units.add(u, new Unit("none", "none", 0, "site", 0, 0, intact));
    }
    for (Treatment t : Treatment.all(context)) {
      double m = mean[t.state() == State.EXCITATORY ? 0 : 1];
      Recording<Condition> treated = context.record(recording.design(), t.in(context, m));
      if (treated == null) {
        return Findings.notMeasured("there is no network behind these units");
      }
      for (int u : tested) {
        double[] change = new double[2];
        for (int k = 0; k < 2; k++) {
          State state = State.values()[k];
          Condition c = whole(probed, u);
          double before = recording.at(state, context.lastStep()).response(c)[u];
          double after = treated.at(state, context.lastStep()).response(c)[u];
          change[k] = (after - before) / mean[k];
        }
        units.add(
            u,
            new Unit(
                t.state().word(),
                t.word(),
                t.dose(),
                t.where().word(),
                change[0],
                change[1],
                suppression(Probed.of(context, treated), u)));
      }
    }
    return new PerturbationFigures(context, units, summary(context, units, tested.length))
        .findings();
  }

  private static Condition whole(Probed<Condition> probed, int unit) {
    return new Condition(probed.probe(unit), true);
  }

  private static double suppression(Probed<Condition> probed, int unit) {
    Recording.Unit<Condition> last = probed.last(unit);
    double disc = last.evoked(new Condition(probed.probe(unit), false));
    return Samples.suppression(probed.base(last, disc), last.evoked(whole(probed, unit)));
  }

  private static Summary summary(RunContext context, UnitTable<Unit> units, int n) {
    State e = State.EXCITATORY;
    State i = State.INHIBITORY;
    Stimulation how = Treatment.stimulation(context);
    double most = Treatment.most(how);
    double least = Treatment.least(how);
    return new Summary(
        Treatment.radius(context),
        how,
        n,
        units.mean(m -> m.is(e, "activation", most, "site"), Unit::changeInhibitory),
        units.mean(m -> m.is(e, "inactivation", least, "site"), Unit::changeInhibitory),
        units.mean(m -> m.is(i, "activation", most, "site"), Unit::changeExcitatory),
        units.mean(m -> m.is(i, "inactivation", least, "site"), Unit::changeExcitatory),
        units.mean(m -> m.is(i, "inactivation", least, "sham"), Unit::changeExcitatory),
        units.mean(m -> m.kind.equals("none"), Unit::suppression),
        units.mean(m -> m.is(e, "inactivation", 0, "surround"), Unit::suppression),
        units.mean(m -> m.is(i, "inactivation", 0, "surround"), Unit::suppression));
  }
}
