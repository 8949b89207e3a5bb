package org.gammanet.experiments.opto;

/**
 * Initial states optimized for one grating.
 *
 * @param orientation of the grating, degrees, direction of modulation
 * @param target decoded [sin 2θ, cos 2θ] without perturbation
 * @param perturbed decoded under the perturbation
 * @param rescued decoded under the perturbation with the optimized states
 * @param initialLoss under the perturbation with states of zero
 * @param losses before each update; the first is that of the random start
 * @param finalLoss with the optimized states
 * @param excitatory A_E, zero at the perturbed disc and beyond the extra-classical radius
 * @param inhibitory A_I, likewise
 */
public record OrientationRescue(
    double orientation,
    double[] target,
    double[] perturbed,
    double[] rescued,
    double initialLoss,
    double[] losses,
    double finalLoss,
    ChannelMaps excitatory,
    ChannelMaps inhibitory) {

  /** {@code 1 - final / initial}: 1 for full restoration; NaN without an effect to rescue. */
  public double rescue() {
    return initialLoss > 0 ? 1 - finalLoss / initialLoss : Double.NaN;
  }
}
