package org.gammanet.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * One layer of the network that is built from scratch.
 *
 * @param features channels of the layer
 * @param pool whether 2×2 pooling follows
 * @param horizontalKernel side of the square horizontal kernel, odd
 * @param feedforwardKernel side of the square feed-forward kernel, odd
 * @param feedforwardRepeats number of feed-forward convolutions
 */
public record LayerConfig(
    int features,
    boolean pool,
    @JsonProperty("h_kernel") int horizontalKernel,
    @JsonProperty("ff_kernel") int feedforwardKernel,
    @JsonProperty("ff_repeats") int feedforwardRepeats) {

  /** The default: five encoder layers down to 1/16 of the resolution, then four decoder layers. */
  public static final List<LayerConfig> DEFAULT_LAYERS =
      List.of(
          new LayerConfig(24, true, 9, 3, 1),
          new LayerConfig(28, true, 7, 3, 1),
          new LayerConfig(36, true, 5, 3, 1),
          new LayerConfig(48, true, 3, 3, 1),
          new LayerConfig(64, false, 1, 3, 1),
          new LayerConfig(48, false, 1, 3, 1),
          new LayerConfig(36, false, 1, 3, 1),
          new LayerConfig(28, false, 1, 3, 1),
          new LayerConfig(24, false, 1, 3, 1));

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public LayerConfig {
    Check.count("features", features, 8192);
    Check.oddKernel("h_kernel", horizontalKernel);
    Check.oddKernel("ff_kernel", feedforwardKernel);
    Check.count("ff_repeats", feedforwardRepeats, 100);
  }
}
