package org.gammanet.experiments.study;

import java.io.Serializable;
import java.util.List;
import org.gammanet.experiments.responses.State;
import org.jspecify.annotations.Nullable;

/**
 * How the experiment {@code perturbation} changes a population of the layer: in a disc, or in a
 * ring, around the recorded units.
 *
 * @param population excitatory or inhibitory; null for each in turn
 * @param added doses of activation, multiples of the population's mean response that are added at
 *     each timestep; above 0
 * @param factors of inactivation, by which activity is multiplied at each timestep; from 0, which
 *     silences, to below 1
 * @param radius of the disc or ring, pixels of the image; null for an eighth of the image
 * @param innerRadius that is spared, pixels of the image; 0 for a disc
 * @param from first timestep, from 0
 * @param to last timestep; null for that of the recording
 */
public record Stimulation(
    @Nullable State population,
    List<Double> added,
    List<Double> factors,
    @Nullable Double radius,
    double innerRadius,
    int from,
    @Nullable Integer to)
    implements Serializable {

  /** Both populations in turn, in a disc, at all timesteps. */
  public static final Stimulation DEFAULTS =
      new Stimulation(null, List.of(0.5, 1.0, 2.0), List.of(0.5, 0.0), null, 0, 0, null);

  /** Checks the ranges. */
  public Stimulation {
    added = List.copyOf(added);
    factors = List.copyOf(factors);
    if (population != null && population != State.EXCITATORY && population != State.INHIBITORY) {
      throw new IllegalArgumentException(
          "the excitatory or the inhibitory population is changed, not " + population.word());
    }
    if (added.isEmpty() && factors.isEmpty()) {
      throw new IllegalArgumentException("there is neither activation nor inactivation");
    }
    for (double a : added) {
      if (!(a > 0 && Double.isFinite(a))) {
        throw new IllegalArgumentException("a dose of activation must be positive, not " + a);
      }
    }
    for (double f : factors) {
      if (!(f >= 0 && f < 1)) {
        throw new IllegalArgumentException(
            "a factor of inactivation must be at least 0 and below 1, not " + f);
      }
    }
    if (radius != null && !(radius > 0 && Double.isFinite(radius))) {
      throw new IllegalArgumentException("the radius must be positive, not " + radius);
    }
    if (!(innerRadius >= 0 && (radius == null || innerRadius < radius))) {
      throw new IllegalArgumentException(
          "the inner radius must be at least 0 and below the outer one, not " + innerRadius);
    }
    if (from < 0 || (to != null && to < from)) {
      throw new IllegalArgumentException(
          "timesteps %s to %s are no period from 0 on"
              .formatted(from, to == null ? "the end" : to));
    }
  }
}
