package org.gammanet.experiments.responses;

import java.util.List;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.model.ForwardHooks;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Light on one population of a cell: at some timesteps the cell's output becomes {@code gain ·
 * state + current}. A gain of 0 silences, one above 1 excites what is active, a current drives.
 *
 * @param cell name, such as {@code fgru_0}
 * @param population excitatory (or the only one) or inhibitory
 * @param gain factor of the state, (N or 1, 1 or C, h, w); null for 1
 * @param current what is added, shaped as the gain; null for 0
 * @param from first timestep, from 0
 * @param to last timestep
 */
public record Light(
    String cell,
    State population,
    @Nullable Tensor gain,
    @Nullable Tensor current,
    int from,
    int to) {

  /** Hooks for a pass under these lights, which act in their order. */
  public static ForwardHooks hooks(List<Light> lights) {
    return new ForwardHooks() {
      @Override
      public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
        Tensor[] out = states;
        for (Light light : lights) {
          if (light.cell.equals(cell) && timestep >= light.from && timestep <= light.to) {
            out = light.on(out);
          }
        }
        return out;
      }
    };
  }

  /** 1 where a pixel's distance to a point is at most {@code radius}, else 0; height x width. */
  public static float[] disc(int height, int width, PixelPoint at, double radius) {
    return ring(height, width, at, -1, radius);
  }

  /** 1 where a pixel's distance to a point is above {@code inner} and at most {@code outer}. */
  static float[] ring(int height, int width, PixelPoint at, double inner, double outer) {
    float[] out = new float[height * width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double distance = Math.hypot(y - at.y(), x - at.x());
        if (distance > inner && distance <= outer) {
          out[y * width + x] = 1;
        }
      }
    }
    return out;
  }

  /** The states of the cell under this light, whatever the timestep. */
  Tensor[] on(Tensor[] states) {
    int which = population == State.INHIBITORY ? 1 : 0;
    if (which >= states.length) {
      throw new IllegalArgumentException(cell + " has no inhibitory state");
    }
    Tensor[] changed = states.clone();
    if (gain != null) {
      changed[which] = Ops.mul(changed[which], gain);
    }
    if (current != null) {
      changed[which] = Ops.add(changed[which], current);
    }
    return changed;
  }
}
