package org.gammanet.experiments.responses;

import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.model.ForwardHooks;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

/**
 * Simulated optogenetics: {@link Light} of one dose on a population of a layer, in a disc or a ring
 * of the image, during some timesteps. It acts on what the cell returns, and so on all that reads
 * it from the same timestep on, and on the cell itself from the next.
 *
 * @param layer a cell, such as {@code fgru_0}
 * @param state excitatory or inhibitory
 * @param stride pixels of the image from one unit of the layer to the next
 * @param kind how activity is changed
 * @param dose what is added, or multiplied by
 * @param center of the disc, a pixel of the image
 * @param inner radius that is spared, pixels of the image; 0 for a disc
 * @param outer radius of the disc or ring, pixels of the image
 * @param from first timestep, from 0
 * @param to last timestep
 */
public record Perturbation(
    String layer,
    State state,
    int stride,
    Kind kind,
    double dose,
    PixelPoint center,
    double inner,
    double outer,
    int from,
    int to)
    implements ForwardHooks {

  /** How activity is changed. */
  public enum Kind {
    /** A number is added; the sum is not below 0, as a rate. */
    ADDITIVE,
    /** Activity is multiplied by a number: 0 silences. */
    MULTIPLICATIVE
  }

  /** Checks populations, radii and timesteps. */
  public Perturbation {
    if (state != State.EXCITATORY && state != State.INHIBITORY) {
      throw new IllegalArgumentException(
          "the excitatory or the inhibitory state is perturbed, not " + state.word());
    }
    if (!(inner >= 0 && outer > inner)) {
      throw new IllegalArgumentException(
          "a ring needs radii 0 <= inner < outer, not %s and %s".formatted(inner, outer));
    }
    if (from < 0 || to < from) {
      throw new IllegalArgumentException(
          "timesteps %s to %s are no period from 0 on".formatted(from, to));
    }
    if (!Double.isFinite(dose) || kind == Kind.MULTIPLICATIVE && dose < 0) {
      throw new IllegalArgumentException("a population cannot be changed by " + dose);
    }
  }

  @Override
  public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
    if (!cell.equals(layer) || timestep < from || timestep > to) {
      return states;
    }
    Tensor mask = mask(states[0]);
    boolean factor = kind == Kind.MULTIPLICATIVE;
    Tensor gain = factor ? Ops.add(Ops.mul(mask, dose - 1), 1) : null;
    Tensor current = factor ? null : Ops.mul(mask, dose);
    Tensor[] out = new Light(layer, state, gain, current, from, to).on(states);
    if (!factor && dose < 0) {
      int which = state == State.EXCITATORY ? 0 : 1;
      Tensor least = Ops.minimum(states[which], Ops.mul(states[which], 0));
      out[which] = Ops.maximum(out[which], least);
    }
    return out;
  }

  /** 1 at the units whose place in the image is in the disc or ring, (1, 1, h, w). */
  private Tensor mask(Tensor map) {
    int h = (int) map.size(2);
    int w = (int) map.size(3);
    // The unit of an image point is that of floor(point / stride).
    var at = new PixelPoint(center.y() / stride, center.x() / stride);
    double spared = inner == 0 ? -1 : inner / stride;
    return Tensor.of(Light.ring(h, w, at, spared, outer / stride), 1, 1, h, w).to(map.device());
  }
}
