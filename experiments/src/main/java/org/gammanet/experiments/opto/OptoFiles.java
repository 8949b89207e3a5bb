package org.gammanet.experiments.opto;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.Npy;

/** Texts, JSON and arrays of the experiments' results. */
final class OptoFiles {
  static final ObjectMapper JSON = new ObjectMapper();

  private static final String STATE = "state";
  private static final String SETTINGS = "settings.json";

  /** Settings that may change from run to run in a folder: more starts, another name of a file. */
  private static final Set<String> MORE_OF_THE_SAME = Set.of("random starts", "checkpoint");

  private OptoFiles() {}

  /**
   * Begins a run in a folder, or goes on with it.
   *
   * @param settings of the run by name, which are noted in the folder
   * @param replace whether what is there is removed first
   * @return its sub-folder for what later runs need not do again
   * @throws IllegalStateException where the folder holds a run of other settings; it says which
   */
  static Path begin(Path folder, Map<String, Object> settings, boolean replace) throws IOException {
    if (replace) {
      discard(folder);
    }
    Path state = folder.resolve(STATE);
    Path file = state.resolve(SETTINGS);
    Map<String, Object> determining = new LinkedHashMap<>(settings);
    MORE_OF_THE_SAME.forEach(determining::remove);
    ObjectNode is = settings(determining);
    if (Files.exists(file)) {
      JsonNode was;
      try {
        was = JSON.readTree(file.toFile());
      } catch (JsonProcessingException e) {
        throw new IllegalStateException(
            file + " is damaged: choose another folder, or replace what is there", e);
      }
      List<String> differences = new ArrayList<>();
      is.fields()
          .forEachRemaining(
              f -> {
                String before = was.path(f.getKey()).asText();
                if (!before.equals(f.getValue().asText())) {
                  differences.add(
                      "%s: %s, not %s".formatted(f.getKey(), before, f.getValue().asText()));
                }
              });
      if (!differences.isEmpty()) {
        throw new IllegalStateException(
            "%s holds the results of another run (%s): choose another folder, or replace what is there"
                .formatted(folder, String.join("; ", differences)));
      }
    } else {
      writeJson(file, is);
    }
    return state;
  }

  /** Removes what runs have left in a folder for later ones, and the pictures of a grid's pairs. */
  private static void discard(Path folder) throws IOException {
    List<Path> files = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (Stream<Path> all = Files.walk(folder, 3)) {
        all.filter(Files::isRegularFile)
            .filter(
                f -> {
                  String name = folder.relativize(f).toString().replace('\\', '/');
                  return name.matches(
                      "state/(.*/)?[^/]*\\.safetensors|state/settings\\.json|"
                          + "center_[\\d.]+_surround_[\\d.]+/optimization_results_\\w+\\.(png|svg)");
                })
            .forEach(files::add);
      }
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }

  static void writeText(Path file, String text) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    AtomicFile.write(
        file,
        channel -> {
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  static void writeJson(Path file, ObjectNode json) throws IOException {
    writeText(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
  }

  /** A number; null where it is not finite, for which JSON has no word. */
  static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    } else {
      node.putNull(name);
    }
  }

  static ArrayNode array(double... values) {
    ArrayNode out = JSON.createArrayNode();
    DoubleStream.of(values)
        .forEach(
            v -> {
              if (Double.isFinite(v)) {
                out.add(v);
              } else {
                out.addNull();
              }
            });
    return out;
  }

  static ArrayNode matrix(double[][] rows) {
    ArrayNode out = JSON.createArrayNode();
    for (double[] row : rows) {
      out.add(array(row));
    }
    return out;
  }

  static ObjectNode settings(Map<String, Object> settings) {
    ObjectNode out = JSON.createObjectNode();
    settings.forEach(
        (name, value) -> {
          switch (value) {
            case Integer i -> out.put(name, i);
            case Long l -> out.put(name, l);
            case Double d -> put(out, name, d);
            default -> out.put(name, String.valueOf(value));
          }
        });
    return out;
  }

  static ObjectNode decoder(OrientationDecoder decoder) {
    ObjectNode out = JSON.createObjectNode();
    put(out, "r2", decoder.r2());
    put(out, "mean_angular_error", decoder.error());
    put(out, "left_out_r2", decoder.leftOutR2());
    put(out, "left_out_mean_angular_error", decoder.leftOutError());
    put(out, "ridge_penalty", decoder.penalty());
    out.set("losses", array(decoder.losses()));
    return out;
  }

  /** What the optimisation gave, without the maps. */
  static ObjectNode result(MultiOrientationResult result) {
    ObjectNode out = JSON.createObjectNode();
    out.put("layer", result.layer());
    put(out, "factor", result.factor());
    out.put("injection", result.injection().name().toLowerCase(Locale.ROOT));
    out.put("reach", result.reach());
    ArrayNode rescues = out.putArray("orientations");
    for (OrientationRescue rescue : result.rescues()) {
      ObjectNode one = rescues.addObject();
      put(one, "orientation", rescue.orientation());
      put(one, "initial_loss", rescue.initialLoss());
      put(one, "final_loss", rescue.finalLoss());
      put(one, "rescue", rescue.rescue());
      put(one, "angle_before", OrientationDecoder.angle(rescue.target()));
      put(one, "angle_perturbed", OrientationDecoder.angle(rescue.perturbed()));
      put(one, "angle_rescued", OrientationDecoder.angle(rescue.rescued()));
      one.set("reading_before", array(rescue.target()));
      one.set("reading_perturbed", array(rescue.perturbed()));
      one.set("reading_rescued", array(rescue.rescued()));
      one.set("losses", array(rescue.losses()));
    }
    for (Aggregation how : Aggregation.values()) {
      ObjectNode maps = out.putObject("averaged_map_" + how.name().toLowerCase(Locale.ROOT));
      SurroundMap e = result.averagedExcitatory().aggregate(how);
      SurroundMap i = result.averagedInhibitory().aggregate(how);
      maps.set("excitatory", map(e, result));
      maps.set("inhibitory", map(i, result));
      maps.set("balance", map(e.minus(i), result));
    }
    return out;
  }

  private static ObjectNode map(SurroundMap map, MultiOrientationResult result) {
    ObjectNode out = JSON.createObjectNode();
    Numbers numbers = Numbers.of(map, result);
    put(out, "mean", numbers.mean);
    put(out, "sd", numbers.sd);
    put(out, "min", numbers.min);
    put(out, "max", numbers.max);
    put(out, "elongation_index", map.elongation().index());
    put(out, "elongation_axis", map.elongation().axis());
    put(out, "along_to_across", map.alongToAcross(MultiOrientationResult.COLLINEAR_AXIS));
    out.set("radial_mean", array(map.radialMean()));
    out.set("angular_mean", array(map.angularMean(result.patchSize() / 2, result.radius(), 12)));
    return out;
  }

  /** Statistics over the pixels whose states may change. */
  record Numbers(double mean, double sd, double min, double max) {
    static Numbers of(SurroundMap map, MultiOrientationResult result) {
      double[] inside = map.within(result.patchSize() / 2, result.radius());
      double mean = DoubleStream.of(inside).average().orElse(Double.NaN);
      double square =
          DoubleStream.of(inside).map(v -> (v - mean) * (v - mean)).average().orElse(Double.NaN);
      return new Numbers(
          mean,
          Math.sqrt(square),
          DoubleStream.of(inside).min().orElse(Double.NaN),
          DoubleStream.of(inside).max().orElse(Double.NaN));
    }
  }

  /** Adds the maps of a result: each orientation's as optimised, and the averages. */
  static void addMaps(Map<String, Npy> arrays, String prefix, MultiOrientationResult result) {
    int n = result.rescues().size();
    ChannelMaps first = result.rescues().getFirst().excitatory();
    int each = first.values().length;
    for (String name : new String[] {"excitatory", "inhibitory"}) {
      float[] all = new float[Math.multiplyExact(n, each)];
      for (int k = 0; k < n; k++) {
        OrientationRescue rescue = result.rescues().get(k);
        ChannelMaps maps = name.equals("excitatory") ? rescue.excitatory() : rescue.inhibitory();
        System.arraycopy(maps.values(), 0, all, k * each, each);
      }
      arrays.put(prefix + name, Npy.of(all, n, first.channels(), first.height(), first.width()));
      ChannelMaps averaged =
          name.equals("excitatory") ? result.averagedExcitatory() : result.averagedInhibitory();
      arrays.put(
          prefix + name + "_averaged",
          Npy.of(averaged.values(), first.channels(), first.height(), first.width()));
    }
    arrays.put(
        prefix + "orientations",
        Npy.of(result.rescues().stream().mapToDouble(OrientationRescue::orientation).toArray(), n));
    arrays.put(prefix + "centre", Npy.of(new double[] {first.centreY(), first.centreX()}, 2));
    double[] losses =
        result.rescues().stream().flatMapToDouble(r -> DoubleStream.of(r.losses())).toArray();
    arrays.put(prefix + "losses", Npy.of(losses, n, losses.length / n));
  }

  static String number(double value) {
    return Double.isNaN(value) ? "n/a" : String.format(Locale.ROOT, "%.4g", value);
  }
}
