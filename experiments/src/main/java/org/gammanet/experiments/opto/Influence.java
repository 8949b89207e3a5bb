package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Measures the effect of exciting one site on all others.
 *
 * @param stimulus a set of one stimulus
 * @param factor of the excitatory state at each timestep
 */
record Influence(Simulation simulation, StimulusSet stimulus, String layer, double factor) {

  /** The effects of the sites of a grid. */
  InfluenceMap map(int spacing) {
    int batchSize = simulation.batchSize();
    int[] size = simulation.mapSize(layer, stimulus.height(), stimulus.width());
    int[] rows = grid(size[0], spacing);
    int[] columns = grid(size[1], spacing);
    int total = rows.length * columns.length;
    double[][][] sums = new double[3][rows.length][columns.length];
    double[] byDistance = new double[(int) Math.ceil(Math.hypot(size[0], size[1])) + 1];
    long[] pixels = new long[byDistance.length];
    double[] baseline;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      baseline = excited(simulation.input(stimulus, 0, 1), null).toDoubleArray();
    }
    int plane = size[0] * size[1];
    int channels = baseline.length / plane;
    for (int from = 0; from < total; from += batchSize) {
      simulation.tick("influence map", from, total);
      int to = Math.min(total, from + batchSize);
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        float[] gains = new float[(to - from) * plane];
        for (int s = from; s < to; s++) {
          var at = new PixelPoint(rows[s / columns.length], columns[s % columns.length]);
          System.arraycopy(simulation.gains(size, at, factor), 0, gains, (s - from) * plane, plane);
        }
        Tensor gain =
            Tensor.of(gains, to - from, 1, size[0], size[1]).to(simulation.network().device());
        Tensor images =
            Ops.expand(simulation.input(stimulus, 0, 1), to - from, -1, -1, -1).contiguous();
        float[] e = excited(images, gain).toFloatArray();
        for (int s = from; s < to; s++) {
          int row = s / columns.length;
          int column = s % columns.length;
          for (int p = 0; p < plane; p++) {
            boolean inside = gains[(s - from) * plane + p] != 1;
            if (inside && !simulation.definitions().influenceIncludesSite()) {
              continue;
            }
            double mean = 0;
            double absolute = 0;
            double up = 0;
            for (int c = 0; c < channels; c++) {
              double d = e[((s - from) * channels + c) * plane + p] - baseline[c * plane + p];
              mean += d / channels;
              absolute += Math.abs(d) / channels;
              up += Math.max(d, 0) / channels;
            }
            sums[0][row][column] += absolute;
            sums[1][row][column] += up;
            sums[2][row][column] += absolute - up;
            double distance = Math.hypot(p / size[1] - rows[row], p % size[1] - columns[column]);
            int ring = (int) Math.floor(distance + 0.5);
            byDistance[ring] += mean;
            pixels[ring]++;
          }
        }
      }
    }
    simulation.tick("influence map", total, total);
    Arrays.setAll(byDistance, k -> pixels[k] == 0 ? Double.NaN : byDistance[k] / pixels[k]);
    return new InfluenceMap(layer, factor, rows, columns, sums[0], sums[1], sums[2], byDistance);
  }

  private int[] grid(int length, int spacing) {
    int margin = (int) Math.ceil(simulation.patchSize());
    int[] sites = IntStream.iterate(margin, p -> p < length - margin, p -> p + spacing).toArray();
    if (sites.length == 0) {
      throw new IllegalArgumentException(
          "a map of %s pixels has no room for a patch of %s with a margin of the same size"
              .formatted(length, simulation.patchSize()));
    }
    return sites;
  }

  /**
   * Excitatory states of the last timestep; before it, they are multiplied by {@code gain} at each
   * timestep.
   */
  private Tensor excited(Tensor images, @Nullable Tensor gain) {
    List<Light> lights =
        gain == null
            ? List.of()
            : List.of(
                new Light(layer, State.EXCITATORY, gain, null, 0, simulation.timesteps() - 2));
    return simulation.respond(images, layer, simulation.options().withHooks(Light.hooks(lights)));
  }
}
