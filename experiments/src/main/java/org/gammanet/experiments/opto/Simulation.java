package org.gammanet.experiments.opto;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What all steps of a simulation share: the network with its layers and their maps, its input and
 * responses, the perturbed disc, and the run that keeps unfinished work.
 *
 * @param patchSize diameter of the perturbed disc, pixels of the layer's map
 * @param seed of the decoder's initial weights and of the random starts
 * @param timesteps T of each forward pass
 * @param batchSize stimuli per forward pass where nothing is optimized
 * @param study keeps unfinished work; null for none
 */
record Simulation(
    Network network,
    double patchSize,
    long seed,
    int timesteps,
    Definitions definitions,
    int batchSize,
    @Nullable Study study,
    Progress progress) {

  /**
   * Requires a layer whose drive can be perturbed and whose cell has an inhibitory state.
   *
   * @throws IllegalArgumentException if there is no such layer, it has a single state, or is driven
   *     by top-down connections
   */
  void requireRescuable(String layer) {
    List<String> able =
        network.sites().stream()
            .filter(p -> p.states().size() == 2 && p.block() != null)
            .map(CellSite::name)
            .toList();
    if (able.isEmpty()) {
      throw new IllegalArgumentException(
          "the network %s has a single state per cell, so there is no inhibitory state to optimize;"
                  .formatted(network.config().name())
              + " optogenetics needs VGG16GammaNetV2 with model.fgru.use_separate_ei_states: true");
    }
    if (!able.contains(site(layer).name())) {
      throw new IllegalArgumentException(
          "%s is driven by top-down connections and cannot be perturbed; layers with a feed-forward drive: %s"
              .formatted(layer, String.join(", ", able)));
    }
  }

  CellSite site(String layer) {
    return network
        .site(layer)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "there is no layer %s; this network has %s"
                        .formatted(
                            layer,
                            network.sites().stream()
                                .map(CellSite::name)
                                .collect(Collectors.joining(", ")))));
  }

  /** Height and width of a layer's map, for images of this size. */
  int[] mapSize(String layer, int height, int width) {
    int smallest = network.minimumSize();
    if (height < smallest || width < smallest) {
      throw new IllegalArgumentException(
          "stimuli of %s x %s pixels are too small for this network, which needs %s x %s"
              .formatted(width, height, smallest, smallest));
    }
    long[] shape = network.stateShapes(1, height, width).get(site(layer).states().getFirst());
    if (shape == null) {
      throw new AssertionError(layer + " has no state");
    }
    return new int[] {(int) shape[2], (int) shape[3]};
  }

  /**
   * A location in a layer's map; its center for null.
   *
   * @throws IllegalArgumentException where it lies outside
   */
  PixelPoint locate(String layer, @Nullable PixelPoint location, StimulusSet set) {
    int[] size = mapSize(layer, set.height(), set.width());
    if (location == null) {
      return new PixelPoint(size[0] / 2, size[1] / 2);
    }
    if (location.y() < 0
        || location.x() < 0
        || location.y() >= size[0]
        || location.x() >= size[1]) {
      throw new IllegalArgumentException(
          "the location (y %s, x %s) lies outside the map of %s, which has %s x %s pixels (height x width)"
              .formatted(location.y(), location.x(), layer, size[0], size[1]));
    }
    return location;
  }

  /** Stimuli {@code from} to {@code to - 1} as network input: (N, 3, H, W). */
  Tensor input(StimulusSet set, int from, int to) {
    return Tensor.of(
            set.toInput(definitions.input(), from, to), to - from, 3, set.height(), set.width())
        .to(network.device());
  }

  /** As many timesteps as each pass has. */
  ForwardOptions options() {
    return ForwardOptions.DEFAULTS.withTimesteps(timesteps);
  }

  /** Excitatory states of a layer at the last timestep. */
  Tensor respond(Tensor images, String layer, ForwardOptions options) {
    return signal(network.respond(images, List.of(layer), options), layer)[0];
  }

  /** A signal of a cell that must be there. */
  static <T> T signal(Map<String, T> signals, String name) {
    T signal = signals.get(name);
    if (signal == null) {
      throw new AssertionError("a cell did not report " + name);
    }
    return signal;
  }

  /** The values of all samples and channels at one pixel of a map. */
  static double[] pixel(Tensor map, PixelPoint at) {
    return Ops.narrow(Ops.narrow(map, 2, at.y(), 1), 3, at.x(), 1).toDoubleArray();
  }

  /** Gains of a map, {@code factor} inside the perturbed disc and 1 elsewhere. */
  float[] gains(int[] size, PixelPoint at, double factor) {
    float[] gains = Light.disc(size[0], size[1], at, patchSize / 2);
    for (int i = 0; i < gains.length; i++) {
      gains[i] = gains[i] == 1 ? (float) factor : 1;
    }
    return gains;
  }

  Tensor gain(int[] size, PixelPoint at, double factor) {
    return Tensor.of(gains(size, at, factor), 1, 1, size[0], size[1]).to(network.device());
  }

  /**
   * Reports progress.
   *
   * @throws CancellationException when the run is canceled
   */
  void tick(String what, int done, int total) {
    progress.advance(what, done, total, "");
    if (progress.canceled()) {
      throw new CancellationException("canceled during " + what);
    }
  }

  /** Unfinished work of a step, which belongs to these keys; null without a run. */
  @Nullable Partial partial(String step, Object... key) {
    if (study == null) {
      return null;
    }
    Stream<Object> same =
        Stream.of(
            network.digest(),
            Json.name(network.precision()),
            timesteps,
            definitions.name(),
            seed,
            patchSize);
    return study.partial(step, Stream.concat(Arrays.stream(key), same).toArray());
  }

  static void save(Partial partial) {
    try {
      partial.save();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
