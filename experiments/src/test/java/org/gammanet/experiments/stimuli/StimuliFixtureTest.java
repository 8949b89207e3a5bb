package org.gammanet.experiments.stimuli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.gammanet.experiments.Golden;
import org.gammanet.experiments.Mode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden stimulus of the manifest, with the metadata that it lists. */
class StimuliFixtureTest {
  static Stream<String> files() {
    return StreamSupport.stream(Golden.json("manifest.json").path("files").spliterator(), false)
        .map(f -> f.path("file").asText())
        .filter(f -> f.startsWith("stimuli/"));
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
    if (file.contains("parity_bar")) {
      // Angles whose sine or cosine is one half have exact ties.
      int different = 0;
      for (int i = 0; i < expected.length; i++) {
        different += expected[i] == actual[i] ? 0 : 1;
      }
      System.out.printf("%-52s %d pixels differ%n", file, different);
      assertTrue(different == 0, () -> file + " differs");
    } else {
      Golden.check(file, expected, actual, tolerance);
    }
    if (entry.has("order")) {
      assertEquals(entry.path("order").size(), metas.size());
      for (int i = 0; i < metas.size(); i++) {
        checkMeta(entry.path("order").get(i), metas.get(i));
      }
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
      JsonNode value = e.getValue();
      Object wanted = value.isNull() ? null : value.isNumber() ? value.asDouble() : value.asText();
      if (wanted instanceof Double w && actual instanceof Number a) {
        assertEquals(w, a.doubleValue(), 1e-9, e.getKey());
      } else {
        String type = meta.type();
        boolean centerOfPair = "kinoshita_center_only".equals(type);
        if (e.getKey().equals("condition") || !centerOfPair) {
          assertEquals(wanted, actual, e.getKey());
        }
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
                          d(p, "orientation"),
                          d(p, "spatial_frequency"),
                          d(p, "phase"),
                          d(p, "center_contrast"),
                          d(p, "surround_contrast"),
                          d(p, "center_diameter"),
                          d(p, "surround_diameter")))),
              metas);
      case "parity_bar" ->
          Patterns.parityBar(p.get("length").asInt(), p.get("width").asInt(), d(p, "orientation"))
              .values();
      case "parity_kapadia", "parity_kapadia_off" -> all(kapadia(p), metas);
      case "parity_kinoshita" -> all(kinoshita(p), metas);
      case "parity_texture" ->
          all(
              TextureStimuli.builder()
                  .frame(frame(p))
                  .mode(Mode.PARITY)
                  .orientations(a(p, "orientations"))
                  .differences(a(p, "orientation_differences"))
                  .spatialFrequency(d(p, "spatial_frequency"))
                  .build()
                  .generate(),
              metas);
      case "parity_tilt" ->
          all(
              TiltStimuli.builder()
                  .frame(frame(p))
                  .mode(Mode.PARITY)
                  .centerOrientations(a(p, "center_orientations"))
                  .tilts(a(p, "surround_tilts"))
                  .radii(d(p, "center_radius"), 5, d(p, "surround_radius"))
                  .spatialFrequency(d(p, "spatial_frequency"))
                  .build()
                  .generate(),
              metas);
      case "parity_batch_zscore" -> {
        StimulusSet set = gratings(Golden.entry("stimuli/grating_set_0.npy").path("params"));
        yield Golden.doubles(set.toInput(InputScaling.ZSCORE, 0, 3));
      }
      case "own_flank" -> flank(p);
      case "own_centre_surround" -> centerSurround(p);
      case "own_texture" ->
          all(
              StimulusSet.of(
                  List.of(
                      new TextureBoundary(
                          frame(p),
                          d(p, "first"),
                          d(p, "second"),
                          d(p, "cycles"),
                          d(p, "contrast"),
                          p.get("boundary").asText().equals("vertical")
                              ? TextureBoundary.Boundary.VERTICAL
                              : TextureBoundary.Boundary.HORIZONTAL,
                          d(p, "offset"),
                          d(p, "phase1"),
                          d(p, "phase2"),
                          0,
                          0,
                          Mode.OWN))),
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
            .mode(Mode.PARITY)
            .orientations(a(p, "orientations"))
            .spatialFrequencies(a(p, "spatial_frequencies"))
            .contrasts(a(p, "contrasts"));
    if (!p.path("stimulus_diameter").isNull()) {
      builder.diameter(d(p, "stimulus_diameter"));
    }
    return builder.build().generate();
  }

  private static StimulusSet kapadia(JsonNode p) {
    double[] contrasts = a(p, "contrasts");
    var builder =
        FlankedBarStimuli.builder()
            .frame(frame(p))
            .mode(Mode.PARITY)
            .orientations(a(p, "orientations"))
            .distances(a(p, "flanker_distances"))
            .angles(a(p, "flanker_angles"))
            .targetContrasts(contrasts[0])
            .flankerContrast(contrasts[1])
            .bar(d(p, "bar_length"), d(p, "bar_width"));
    StimulusSet flanked = builder.build().generate();
    return flanked.plus(builder.centerOnly().build().generate());
  }

  private static StimulusSet kinoshita(JsonNode p) {
    double[] contrasts = a(p, "contrasts");
    return CenterSurroundStimuli.builder()
        .frame(frame(p))
        .mode(Mode.PARITY)
        .centerOrientations(a(p, "center_orientations"))
        .radii(d(p, "center_radius"), d(p, "surround_inner_radius"), d(p, "surround_outer_radius"))
        .spatialFrequency(d(p, "spatial_frequency"))
        .contrasts(contrasts[0], contrasts[1])
        .build()
        .generate();
  }

  private static double[] flank(JsonNode p) {
    var builder =
        FlankedBarStimuli.builder()
            .frame(frame(p))
            .orientations(d(p, "angle"))
            .distances(d(p, "distance"))
            .angles(d(p, "relative_angle"))
            .laterals(0, 6)
            .targetContrasts(d(p, "target_contrast"))
            .flankerContrast(d(p, "flanker_contrast"))
            .bar(d(p, "length"), d(p, "width"));
    // target; both; flankers; both displaced; flankers displaced; blank
    StimulusSet set = builder.build().generate();
    assertEquals(6, set.size());
    for (float v : set.get(5).values()) {
      assertEquals(0.5f, v);
    }
    List<double[]> parts = new ArrayList<>();
    for (int i : new int[] {1, 0, 2, 3}) {
      parts.add(Golden.doubles(set.get(i).values()));
    }
    return concatenate(parts);
  }

  private static double[] centerSurround(JsonNode p) {
    Double plaid = p.path("plaid").isNull() ? null : d(p, "plaid");
    var center =
        new CenterSurround.Center(
            plaid, d(p, "centre_phase"), d(p, "centre_contrast"), d(p, "centre_radius"));
    var surround =
        new CenterSurround.Surround(
            d(p, "surround"),
            d(p, "surround_phase"),
            d(p, "surround_contrast"),
            d(p, "inner"),
            d(p, "outer"));
    var alone =
        new CenterSurround(
            frame(p), "trott_born", center, null, d(p, "centre"), d(p, "cycles"), Mode.OWN);
    var both =
        new CenterSurround(
            frame(p), "trott_born", center, surround, d(p, "centre"), d(p, "cycles"), Mode.OWN);
    return all(StimulusSet.of(List.of(alone, both)), new ArrayList<>());
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
