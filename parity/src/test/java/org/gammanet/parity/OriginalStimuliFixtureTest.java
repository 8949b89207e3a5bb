package org.gammanet.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.gammanet.experiments.Golden;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusImage;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.TextureBoundary.Boundary;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden stimuli of the original, with the metadata that the manifest lists. */
class OriginalStimuliFixtureTest {
  static Stream<String> files() {
    return StreamSupport.stream(Golden.json("manifest.json").path("files").spliterator(), false)
        .map(f -> f.path("file").asText())
        .filter(f -> f.startsWith("stimuli/parity_"));
  }

  @ParameterizedTest
  @MethodSource("files")
  void equalsGoldenStimulus(String file) {
    JsonNode entry = Golden.entry(file);
    double[] expected = Golden.npy(file).doubles();
    List<StimulusMeta> metas = new ArrayList<>();
    double[] actual = draw(file, entry.path("params"), metas);
    Golden.check(file, expected, actual, entry.path("atol").asDouble());
    for (int i = 0; i < entry.path("order").size(); i++) {
      checkMeta(entry.path("order").get(i), metas.get(i));
    }
  }

  private static void checkMeta(JsonNode expected, StimulusMeta meta) {
    boolean bar = meta.parameters().containsKey("axis");
    for (Map.Entry<String, JsonNode> e : expected.properties()) {
      Object actual =
          switch (e.getKey()) {
            case "type" -> meta.type();
            case "orientation" -> bar ? meta.orientation().axis() : meta.orientation().modulation();
            case "contrast" -> meta.contrast();
            default -> meta.parameters().get(e.getKey());
          };
      if (e.getValue().isNumber() && actual instanceof Number a) {
        assertEquals(e.getValue().asDouble(), a.doubleValue(), 1e-9, e.getKey());
      } else if (!e.getValue().isNull()) {
        assertEquals(e.getValue().asText(), actual, e.getKey());
      }
    }
  }

  private static double[] draw(String file, JsonNode p, List<StimulusMeta> metas) {
    String name = file.substring("stimuli/parity_".length()).replaceAll("(_\\d+)?\\.npy$", "");
    return switch (name) {
      case "bar" ->
          OriginalBars.bar(p.get("length").asInt(), p.get("width").asInt(), d(p, "orientation"))
              .values();
      case "kapadia", "kapadia_off" ->
          all(bars(p, a(p, "flanker_distances")).plus(bars(p, null)), metas);
      case "kinoshita" ->
          all(
              OriginalStimuli.surrounds(
                  frame(p),
                  a(p, "center_orientations"),
                  new double[] {0, 30, 60, 90},
                  new double[] {
                    d(p, "center_radius"),
                    d(p, "surround_inner_radius"),
                    d(p, "surround_outer_radius")
                  },
                  d(p, "spatial_frequency"),
                  a(p, "contrasts")),
              metas);
      case "texture" ->
          all(
              OriginalStimuli.textures(
                  frame(p),
                  a(p, "orientations"),
                  a(p, "orientation_differences"),
                  d(p, "spatial_frequency")),
              metas);
      case "tilt" ->
          all(
              OriginalStimuli.tilts(
                  frame(p),
                  a(p, "center_orientations"),
                  a(p, "surround_tilts"),
                  d(p, "center_radius"),
                  d(p, "surround_radius"),
                  d(p, "spatial_frequency")),
              metas);
      case "batch_zscore" -> {
        JsonNode g = Golden.entry("stimuli/grating_set_0.npy").path("params");
        StimulusSet set =
            GratingStimuli.builder()
                .frame(frame(g))
                .orientations(a(g, "orientations"))
                .spatialFrequencies(a(g, "spatial_frequencies"))
                .contrasts(a(g, "contrasts"))
                .diameter(d(g, "stimulus_diameter"))
                .build()
                .generate();
        yield Golden.doubles(set.toInput(InputScaling.ZSCORE, 0, 3));
      }
      default -> throw new AssertionError("no generator for " + file);
    };
  }

  private static StimulusSet bars(JsonNode p, double[] distances) {
    double[] contrasts = a(p, "contrasts");
    return OriginalStimuli.bars(
        frame(p),
        a(p, "orientations"),
        distances,
        a(p, "flanker_angles"),
        contrasts[0],
        contrasts[1],
        p.get("bar_length").asInt(),
        p.get("bar_width").asInt());
  }

  private static double[] all(StimulusSet set, List<StimulusMeta> metas) {
    List<double[]> parts = new ArrayList<>();
    for (StimulusImage image : set) {
      parts.add(Golden.doubles(image.values()));
      metas.add(image.meta());
    }
    return parts.stream().flatMapToDouble(Arrays::stream).toArray();
  }

  private static Frame frame(JsonNode p) {
    return Frame.of(p.get("size").get(0).asInt(), p.get("size").get(1).asInt());
  }

  private static double d(JsonNode p, String name) {
    return p.path(name).asDouble();
  }

  private static double[] a(JsonNode p, String name) {
    return Golden.doubles(p.get(name));
  }

  @Test
  void jitteredTexturesHaveEmptyCorners() {
    var texture = new OriginalTexture(Frame.of(64, 64), 0, 90, 8, Boundary.VERTICAL, 40, 3);
    assertEquals(0, texture.draw()[0]);
    assertArrayEquals(texture.draw(), texture.draw());
  }
}
