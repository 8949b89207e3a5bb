package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Device;
import org.jspecify.annotations.Nullable;

/**
 * Where a run's network comes from, by which it is opened again.
 *
 * @param checkpoint a file of weights; null for the bundled network or random weights
 * @param config a configuration file; null for that of the weights, or the default
 * @param set keys of the configuration that are overridden, such as {@code model.timesteps=8}
 * @param seed of random weights; null for the configuration's
 * @param random whether the weights are random
 */
public record NetworkSource(
    @Nullable String checkpoint,
    @Nullable String config,
    List<String> set,
    @Nullable Long seed,
    boolean random)
    implements Serializable {

  /** The bundled network. */
  public static final NetworkSource BUNDLED = new NetworkSource(null, null, List.of(), null, false);

  /** Whether the weights come from training. */
  public boolean trained() {
    return !random;
  }

  /**
   * Opens the network, which becomes the caller's.
   *
   * @throws IllegalStateException where the bundled network is not on the path
   */
  public GammaNet open(Device device, Consumer<String> notes) {
    GammaNetConfig given =
        config == null
            ? GammaNetConfig.shipped("default", set)
            : GammaNetConfig.load(Path.of(config), set, notes);
    if (random) {
      return GammaNet.random(given, seed == null ? given.seed() : seed, device);
    }
    Checkpoint loaded =
        checkpoint == null
            ? PretrainedModel.find()
                .orElseThrow(() -> new IllegalStateException("there is no bundled network"))
                .load()
            : checkpoint.equals(PretrainedModel.FULL)
                ? PretrainedModel.get(PretrainedModel.FULL).load()
                : Checkpoint.load(Path.of(checkpoint));
    GammaNetConfig stored = loaded.config(notes);
    if (config != null) {
      stored = loaded.fitted(given, notes);
    } else if (!set.isEmpty()) {
      stored = loaded.fitted(stored.with(set), notes);
    }
    return GammaNet.of(loaded, stored, device);
  }

  /** The JSON of a run's metadata. */
  ObjectNode json() {
    return Json.object(this);
  }
}
