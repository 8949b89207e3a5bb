package org.gammanet.experiments.stimuli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.gammanet.experiments.Golden;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden stimulus of the manifest, with the metadata that it lists. */
class StimuliFixtureTest {
  static Stream<String> files() {
    return StreamSupport.stream(Golden.json("manifest.json").path("files").spliterator(), false)
        .map(f -> f.path("file").asText())
        .filter(f -> f.startsWith("stimuli/"))
        .filter(f -> !f.startsWith("stimuli/parity_"));
  }

  @ParameterizedTest
  @MethodSource("files")
  void equalsGoldenStimulus(String file) {
    JsonNode entry = Golden.entry(file);
    double[] expected = Golden.npy(file).doubles();
    List<StimulusMeta> metas = new ArrayList<>();
    double[] actual = draw(file, entry.path("params"), metas);
    double tolerance = entry.path("atol").asDouble();
    assertEquals(expected.length, actual.length);
    Golden.check(file, expected, actual, tolerance);
    if (entry.has("order")) {
      assertEquals(entry.path("order").size(), metas.size());
      for (int i = 0; i < metas.size(); i++) {
        checkMeta(entry.path("order").get(i), metas.get(i));
      }
    }
  }

  private static void checkMeta(JsonNode expected, StimulusMeta meta) {
    for (Map.Entry<String, JsonNode> e : expected.properties()) {
      Object actual =
          switch (e.getKey()) {
            case "type" -> meta.type();
            case "orientation" -> meta.orientation().modulation();
            case "contrast" -> meta.contrast();
            default -> meta.parameters().get(e.getKey());
          };
      JsonNode value = e.getValue();
      Object wanted = value.isNull() ? null : value.isNumber() ? value.asDouble() : value.asText();
      if (wanted instanceof Double w && actual instanceof Number a) {
        assertEquals(w, a.doubleValue(), 1e-9, e.getKey());
      } else {
        assertEquals(wanted, actual, e.getKey());
      }
    }
  }

  private static double[] draw(String file, JsonNode p, List<StimulusMeta> metas) {
    String name = file.substring("stimuli/".length()).replaceAll("(_\\d+)?\\.npy$", "");
    return switch (name) {
      case "grating_raw" ->
          Patterns.grating(
              frame(p),
              d(p, "orientation"),
              d(p, "spatial_frequency"),
              d(p, "phase"),
              d(p, "contrast"));
      case "gabor" ->
          Patterns.gabor(
              frame(p),
              d(p, "orientation"),
              d(p, "spatial_frequency"),
              d(p, "sigma"),
              d(p, "phase"),
              d(p, "contrast"));
      case "mask_disc" -> Patterns.disc(frame(p), d(p, "radius"));
      case "mask_ring" -> Patterns.ring(frame(p), d(p, "inner"), d(p, "outer"));
      case "grating_set" -> all(gratings(p), metas);
      case "hybrid" ->
          all(
              StimulusSet.of(
                  List.of(
                      new HybridContrast(
                          frame(p),
                          Sine.of(d(p, "orientation"), d(p, "spatial_frequency"))
                              .phase(d(p, "phase")),
                          new HybridContrast.Zone(d(p, "center_diameter"), d(p, "center_contrast")),
                          new HybridContrast.Zone(
                              d(p, "surround_diameter"), d(p, "surround_contrast"))))),
              metas);
      case "own_flank" -> flank(p);
      case "own_centre_surround" -> centerSurround(p);
      case "own_texture" ->
          all(
              StimulusSet.of(
                  List.of(
                      new TextureBoundary(
                          frame(p),
                          new Sine(d(p, "first"), d(p, "cycles"), d(p, "phase1"), d(p, "contrast")),
                          new Sine(
                              d(p, "second"), d(p, "cycles"), d(p, "phase2"), d(p, "contrast")),
                          p.get("boundary").asText().equals("vertical")
                              ? TextureBoundary.Boundary.VERTICAL
                              : TextureBoundary.Boundary.HORIZONTAL,
                          d(p, "offset")))),
              metas);
      case "own_size_series" -> all(sizes(p), metas);
      case "own_soft_disc" -> {
        Frame f = frame(p);
        var center =
            new PixelPoint(
                f.center().y() + p.get("cy").asInt(), f.center().x() + p.get("cx").asInt());
        yield Patterns.disc(new Frame(f.height(), f.width(), center), d(p, "radius"), d(p, "soft"));
      }
      case "own_imagenet" -> {
        StimulusSet set = sizes(Golden.entry("stimuli/own_size_series.npy").path("params"));
        yield Golden.doubles(set.toInput(InputScaling.IMAGENET, set.size() - 1, set.size()));
      }
      default -> throw new AssertionError("no generator for " + file);
    };
  }

  private static StimulusSet gratings(JsonNode p) {
    var builder =
        GratingStimuli.builder()
            .frame(frame(p))
            .orientations(a(p, "orientations"))
            .spatialFrequencies(a(p, "spatial_frequencies"))
            .contrasts(a(p, "contrasts"));
    if (!p.path("stimulus_diameter").isNull()) {
      builder.diameter(d(p, "stimulus_diameter"));
    }
    return builder.build().generate();
  }

  private static double[] flank(JsonNode p) {
    var element = FlankedBars.Element.bar(d(p, "length"), d(p, "width"));
    double target = d(p, "target_contrast");
    var flankers =
        FlankedBars.Flankers.at(d(p, "distance"), d(p, "flanker_contrast"))
            .angle(d(p, "relative_angle"));
    double axis = d(p, "angle");
    return all(
        StimulusSet.of(
            List.of(
                new FlankedBars(frame(p), axis, element, target, flankers),
                new FlankedBars(frame(p), axis, element, target, null),
                new FlankedBars(frame(p), axis, element, null, flankers),
                new FlankedBars(frame(p), axis, element, target, flankers.lateral(6)))),
        new ArrayList<>());
  }

  private static double[] centerSurround(JsonNode p) {
    Double plaid = p.path("plaid").isNull() ? null : d(p, "plaid");
    var sine =
        new Sine(d(p, "centre"), d(p, "cycles"), d(p, "centre_phase"), d(p, "centre_contrast"));
    var center = new CenterSurround.Disc(sine, plaid, d(p, "centre_radius"));
    var ring =
        new CenterSurround.Ring(
            new Sine(
                d(p, "surround"),
                d(p, "cycles"),
                d(p, "surround_phase"),
                d(p, "surround_contrast")),
            d(p, "inner"),
            d(p, "outer"));
    return all(
        StimulusSet.of(
            List.of(
                new CenterSurround(frame(p), center, null),
                new CenterSurround(frame(p), center, ring))),
        new ArrayList<>());
  }

  private static StimulusSet sizes(JsonNode p) {
    return GratingStimuli.builder()
        .frame(frame(p))
        .orientations(d(p, "orientation"))
        .spatialFrequencies(d(p, "cycles"))
        .contrasts(d(p, "contrast"))
        .phases(new double[] {d(p, "phase")})
        .diameters(a(p, "diameters"))
        .aperture(ApertureRule.EXACT_DIAMETER)
        .build()
        .generate();
  }

  private static double[] all(StimulusSet set, List<StimulusMeta> metas) {
    List<double[]> parts = new ArrayList<>();
    for (StimulusImage image : set) {
      parts.add(Golden.doubles(image.values()));
      metas.add(image.meta());
    }
    return concatenate(parts);
  }

  private static double[] concatenate(List<double[]> parts) {
    return parts.stream().flatMapToDouble(java.util.Arrays::stream).toArray();
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
}
