package org.gammanet.experiments.opto;

/**
 * What multiplying the excitatory state of one place does to the rest of the layer, for a grid of
 * places. Each number sums, over all pixels but the perturbed disc, the mean over channels of the
 * change Δ of the excitatory state at the last timestep; with parity over all pixels.
 *
 * @param layer cell
 * @param factor of the excitatory state at each timestep
 * @param rows of the places, pixels of the layer's map
 * @param columns of the places
 * @param total sum of |Δ|: [rows][columns]
 * @param facilitation sum of max(Δ, 0)
 * @param suppression sum of max(-Δ, 0)
 * @param byDistance mean of the channel mean of Δ against distance from the place, over all places:
 *     entry k for pixels at k - ½ to k + ½; NaN within the perturbed disc
 */
public record InfluenceMap(
    String layer,
    double factor,
    int[] rows,
    int[] columns,
    double[][] total,
    double[][] facilitation,
    double[][] suppression,
    double[] byDistance) {}
