package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
    int horizontalKernel,
    int feedforwardKernel,
    int feedforwardRepeats) {

  /** The default list: five levels going up to a quarter of the pixels' sixteenth, four back. */
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

  /** Checks every value. */
  public LayerConfig {
    Check.atLeast("features", features, 1);
    Check.oddKernel("h_kernel", horizontalKernel);
    Check.oddKernel("ff_kernel", feedforwardKernel);
    Check.atLeast("ff_repeats", feedforwardRepeats, 1);
  }

  static LayerConfig read(Section section) {
    if (!section.has("features")) {
      throw section.error("features", " is missing: the layer's number of channels");
    }
    return section.build(
        () ->
            new LayerConfig(
                section.integer("features", 1),
                section.flag("pool", false),
                kernel(section, "h_kernel", 3),
                kernel(section, "ff_kernel", 3),
                section.integer("ff_repeats", 1)));
  }

  /** An odd number, or a list of it twice. */
  static int kernel(Section section, String key, int fallback) {
    JsonNode value = section.get(key);
    if (value == null || !value.isArray()) {
      return section.integer(key, fallback);
    }
    boolean square =
        value.size() == 2 && value.get(0).isIntegralNumber() && value.get(0).equals(value.get(1));
    if (!square) {
      throw section.wrong(key, "an odd number or two equal odd numbers");
    }
    return value.get(0).intValue();
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("features", features);
    map.put("pool", pool);
    map.put("h_kernel", List.of(horizontalKernel, horizontalKernel));
    map.put("ff_kernel", List.of(feedforwardKernel, feedforwardKernel));
    map.put("ff_repeats", feedforwardRepeats);
    return map;
  }
}
