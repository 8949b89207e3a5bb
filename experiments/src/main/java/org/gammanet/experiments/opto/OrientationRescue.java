package org.gammanet.experiments.opto;

/**
 * What the optimisation of initial states for one grating gave.
 *
 * @param orientation of the grating, degrees, direction of modulation
 * @param target what the decoder reads without perturbation: [sin 2θ, cos 2θ] as it estimates them
 * @param perturbed what it reads under the perturbation
 * @param rescued what it reads under the perturbation with the optimised states
 * @param initialLoss under the perturbation without any states put in
 * @param losses before each update; the first is that of the random start
 * @param finalLoss with the optimised states
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

  /** {@code 1 - final / initial}: 1 when the reading is restored; NaN if it was not perturbed. */
  public double rescue() {
    return initialLoss > 0 ? 1 - finalLoss / initialLoss : Double.NaN;
  }
}
