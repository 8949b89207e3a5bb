package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.responses.Perturbation;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Stimulation;

/**
 * What {@link PerturbationExperiment} does to a population.
 *
 * @param dose multiple of the population's mean response that is added, or factor
 */
record Treatment(State state, Perturbation.Kind kind, double dose, Where where) {
  /** Where a population is perturbed. */
  enum Where {
    SITE,
    SHAM,
    SURROUND;

    String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  String word() {
    return kind == Perturbation.Kind.ADDITIVE ? "activation" : "inactivation";
  }

  static Stimulation stimulation(RunContext context) {
    Stimulation chosen = context.settings().stimulation();
    return chosen == null ? Stimulation.DEFAULTS : chosen;
  }

  static double radius(RunContext context) {
    Double chosen = stimulation(context).radius();
    double radius = chosen == null ? context.size() / 8.0 : chosen;
    if (radius > context.size() / 6.0) {
      throw new IllegalArgumentException(
          "a radius of %s px leaves no room for a sham beside it in an image of %s x %s pixels; at most %s px do"
              .formatted(
                  Format.number(radius), context.size(), context.size(), context.size() / 6));
    }
    return radius;
  }

  /** The strongest activation; NaN without one. */
  static double most(Stimulation stimulation) {
    return stimulation.added().stream().mapToDouble(a -> a).max().orElse(Double.NaN);
  }

  /** The strongest inactivation; NaN without one. */
  static double least(Stimulation stimulation) {
    return stimulation.factors().stream().mapToDouble(f -> f).min().orElse(Double.NaN);
  }

  static List<Treatment> all(RunContext context) {
    Stimulation how = stimulation(context);
    State only = how.population();
    List<Treatment> out = new ArrayList<>();
    for (State state : only == null ? List.of(State.EXCITATORY, State.INHIBITORY) : List.of(only)) {
      for (double dose : how.added()) {
        out.add(new Treatment(state, Perturbation.Kind.ADDITIVE, dose, Where.SITE));
      }
      for (double factor : how.factors()) {
        out.add(new Treatment(state, Perturbation.Kind.MULTIPLICATIVE, factor, Where.SITE));
      }
      if (!how.added().isEmpty()) {
        out.add(new Treatment(state, Perturbation.Kind.ADDITIVE, most(how), Where.SHAM));
      }
      if (!how.factors().isEmpty()) {
        out.add(new Treatment(state, Perturbation.Kind.MULTIPLICATIVE, least(how), Where.SHAM));
      }
      out.add(new Treatment(state, Perturbation.Kind.MULTIPLICATIVE, 0, Where.SURROUND));
    }
    return out;
  }

  /**
   * This treatment in the network.
   *
   * @param mean response of the population
   */
  Perturbation in(RunContext context, double mean) {
    Stimulation how = stimulation(context);
    Integer to = how.to();
    int last = to == null ? context.lastStep() : to;
    if (last > context.lastStep() || how.from() > last) {
      throw new IllegalArgumentException(
          "timesteps %s to %s are not among those of the recording, 0 to %s"
              .formatted(how.from(), last, context.lastStep()));
    }
    int size = context.size();
    double r = radius(context);
    var center = new PixelPoint(size / 2, size / 2);
    return new Perturbation(
        context.layer(),
        state,
        context.stride(),
        kind,
        kind == Perturbation.Kind.ADDITIVE ? dose * mean : dose,
        where == Where.SHAM ? new PixelPoint(size / 6, size / 6) : center,
        where == Where.SURROUND ? r : how.innerRadius(),
        where == Where.SURROUND ? 2.0 * size : r,
        how.from(),
        last);
  }
}
