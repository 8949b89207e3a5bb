package org.gammanet.experiments.opto;

/**
 * Effect of multiplying the excitatory state of one site on the rest of the layer, for a grid of
 * sites. Each number sums, over all pixels but the perturbed disc, the mean over channels of the
 * change Δ of the excitatory state at the last timestep.
 *
 * @param layer cell
 * @param factor gain of the excitatory state at each timestep
 * @param rows of the sites, pixels of the layer's map
 * @param columns of the sites
 * @param total sum of |Δ|: [rows][columns]
 * @param facilitation sum of max(Δ, 0)
 * @param suppression sum of max(-Δ, 0)
 * @param byDistance mean of the channel mean of Δ against distance from the site, over all sites:
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
