package org.gammanet.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryEvaluation;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.evaluation.InputChecks;
import org.gammanet.io.DataException;
import org.gammanet.io.Images;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/** A benchmark run of any detector with everything that it prints and writes. */
final class Evaluation {
  /** Gives the maps of images. */
  interface Detector {
    /** A name for headings. */
    String name();

    /** Whatever its maps depend on, apart from the files of {@link #inputs}. */
    String key();

    /** What tells it apart from others, for the manifest. */
    Map<String, String> facts();

    /** Files that an image's maps depend on. */
    List<Path> inputs(String id);

    /**
     * The maps of an image, one for each of the outputs; called by one thread at a time.
     *
     * @throws IOException or {@link DataException} if there are none
     */
    List<? extends Prediction> maps(String id) throws IOException;

    /** Whether its maps have to be made even if the counts are known, for them to be written. */
    default boolean isWanted(String id) {
      return false;
    }

    /** Images that it would have a map for. */
    Iterable<String> ids();
  }

  /**
   * Images with their drawings.
   *
   * @param root folder with images and groundTruth
   * @param truth drawings by image
   * @param elsewhere images whose drawings are in another split
   */
  record Data(Path root, String split, Map<String, Path> truth, TreeSet<String> elsewhere) {
    static Data open(Path root, String split) {
      if (!Files.isDirectory(root)) {
        throw new DataException("There is no folder " + root);
      }
      TreeSet<String> elsewhere = new TreeSet<>();
      for (String other : List.of("train", "val", "test")) {
        if (!other.equals(split) && Files.isDirectory(root.resolve("groundTruth").resolve(other))) {
          elsewhere.addAll(DatasetIndex.annotations(root, other).keySet());
        }
      }
      return new Data(root, split, DatasetIndex.annotations(root, split), elsewhere);
    }

    /** Pictures by image; none where there is no such folder. */
    Map<String, Path> images() {
      return Files.isDirectory(root.resolve("images"))
          ? DatasetIndex.images(root, split)
          : Map.of();
    }

    boolean isBsds500() {
      return split.equals("test")
          && truth.keySet().stream().allMatch(id -> id.matches("[0-9]{4,6}"));
    }
  }

  /**
   * Where the results of one of the detector's maps go.
   *
   * @param label tells it apart from the others; empty for a single one
   * @param facts in addition to, or in place of, those of the detector
   */
  record Output(Path folder, String label, Map<String, String> facts) {}

  /**
   * What came out for one output.
   *
   * @param scores null if no image could be scored
   */
  record Outcome(
      Output output,
      @Nullable BoundaryScores scores,
      List<BoundaryCounts> counts,
      Map<String, String> failures) {}

  private final Console console;
  private final Detector detector;
  private final Data data;
  private final Settings settings;
  private final List<Output> outputs;
  private final int threads;
  private final boolean limited;
  private final List<String> ids = new ArrayList<>();
  private final BoundaryEvaluation evaluation;
  private final InputChecks checks = new InputChecks();
  private final Map<String, String> parameters = new LinkedHashMap<>();

  /** Maps of the images that were detected last. */
  private final Map<String, List<? extends Prediction>> recent = new LinkedHashMap<>();

  private final MapCache shown = new MapCache();
  private Duration time = Duration.ZERO;
  private Instant end = Instant.EPOCH;

  /**
   * Prepares a run.
   *
   * @param outputs one for each map that the detector gives of an image
   * @param limit how many images at most, the first ones
   */
  Evaluation(
      Console console,
      Detector detector,
      Data data,
      Settings settings,
      List<Output> outputs,
      int threads,
      int limit)
      throws IOException {
    this.console = console;
    this.detector = detector;
    this.data = data;
    this.settings = settings;
    this.outputs = outputs;
    this.threads = threads;
    limited = limit < data.truth.size();
    data.truth.keySet().stream().limit(limit).forEach(ids::add);
    if (!limited) {
      for (String id : detector.ids()) {
        if (!data.truth.containsKey(id) && !data.elsewhere.contains(id)) {
          ids.add(id);
        }
      }
    }
    evaluation = new BoundaryEvaluation(settings, threads);
    describe();
  }

  private void describe() throws IOException {
    parameters.put("detector", detector.name());
    parameters.putAll(detector.facts());
    parameters.put(
        "data",
        "%s, split %s, %s"
            .formatted(
                data.root,
                data.split,
                limited
                    ? "only the first %d of %d images".formatted(ids.size(), data.truth.size())
                    : ids.size() + " images"));
    parameters.put("drawings sha256", hashOfDrawings());
    parameters.put("protocol", protocol(settings));
    int n = settings.thresholds();
    parameters.put(
        "thresholds", n + ", k/" + (n + 1) + (n == 99 ? "" : " (compare only equal numbers)"));
    parameters.put("max. distance", settings.maxDistance() + " of the image's diagonal");
    parameters.put("nms", word(settings.nms()));
    parameters.put("thinning", settings.thin() ? "on" : "off");
    parameters.put(
        "resize",
        settings.resize()
            ? "maps of another size than the drawings, bilinearly"
            : "none; another size is an error");
    parameters.put("matching", "exact: most pairs, then least distance; nothing random");
    parameters.put("gammanet", GammanetCommand.Version.program());
    parameters.put("java", Runtime.version().toString());
  }

  /** How maps become the lines that are matched. */
  static String protocol(Settings settings) {
    String thinned = settings.thin() ? ", each cut thinned" : ", cuts matched as they are";
    return switch (settings.nms()) {
      case NONE -> "maps as they are" + thinned;
      case PLAIN -> "non-maximum suppression, rounded to 8 bits" + thinned;
      case SMOOTH ->
          "3-pixel triangle filter, non-maximum suppression, rounded to 8 bits"
              + thinned
              + " (as published for learned detectors)";
    };
  }

  private String hashOfDrawings() throws IOException {
    MessageDigest sha = Sha256.digest();
    for (String id : ids) {
      Path truth = data.truth.get(id);
      if (truth != null) {
        sha.update((id + " " + Sha256.of(truth) + "\n").getBytes(StandardCharsets.UTF_8));
      }
    }
    return Sha256.hex(sha);
  }

  private Map<String, String> parameters(Output output) {
    Map<String, String> all = new LinkedHashMap<>(parameters);
    all.putAll(output.facts);
    return all;
  }

  /**
   * Requires that the folders hold no scores of another detector, of other images or of other
   * settings. Counts of single images are never mixed up; this is about the results' files.
   *
   * @throws CommandException if they do; it says in what they differ
   */
  void requireOwnFolders() throws IOException {
    for (Output output : outputs) {
      requireOwnFolder(output);
    }
  }

  private void requireOwnFolder(Output output) throws IOException {
    Path file = output.folder.resolve("eval.json");
    if (!Files.isRegularFile(file)) {
      return;
    }
    JsonNode was;
    try {
      was = new ObjectMapper().readTree(file.toFile());
    } catch (JsonProcessingException e) {
      throw new CommandException(
          file + " is damaged: choose another --output, or replace it with --force", e);
    }
    if (was.path("images").isEmpty()) {
      return; // a run without a score
    }
    List<String> differences = new ArrayList<>();
    parameters(output)
        .forEach(
            (name, value) -> {
              String before = was.path("manifest").path(key(name)).asText();
              if (!NOT_DECISIVE.contains(name) && !before.equals(value)) {
                differences.add(
                    "%s %s, not %s".formatted(name, before.isEmpty() ? "absent" : before, value));
              }
            });
    if (!was.path("split").asText().equals(data.split)) {
      differences.add("split %s, not %s".formatted(was.path("split").asText(), data.split));
    }
    if (!differences.isEmpty()) {
      throw new CommandException(
          "%s holds the scores of another run (%s): choose another --output, or replace them with --force"
              .formatted(output.folder, String.join("; ", differences)));
    }
  }

  /** Parameters that may differ between runs in a folder: how many images, where, with what. */
  private static final Set<String> NOT_DECISIVE =
      Set.of("data", "drawings sha256", "gammanet", "java", "device", "checkpoint", "folder");

  private static String key(String parameter) {
    return parameter.replace(". ", "_").replace(' ', '_');
  }

  /** Prints everything that moves the score. */
  void printParameters(Path folder) {
    parameters.forEach((name, value) -> console.printf("%-16s %s%n", name, value));
    console.printf("%-16s %s%n", "output", folder);
  }

  /** Scores, and writes the results; what has been counted before is taken over. */
  List<Outcome> run() throws IOException, InterruptedException {
    Instant start = Instant.now();
    List<BoundaryEvaluation.Item> items = new ArrayList<>();
    for (String id : ids) {
      Path truth = data.truth.get(id);
      List<Path> inputs = new ArrayList<>(detector.inputs(id));
      if (truth != null) {
        inputs.add(truth);
      }
      for (int k = 0; k < outputs.size(); k++) {
        Output output = outputs.get(k);
        int map = k;
        items.add(
            new BoundaryEvaluation.Item(
                new BoundaryBenchmark.Image(
                    id + output.label, () -> checked(id, map), () -> truth(id)),
                output.folder,
                id,
                detector.key() + output.facts,
                inputs,
                detector.isWanted(id)));
      }
    }
    BoundaryBenchmark.Result result;
    try (var interrupt = Interrupt.handle(evaluation::cancel)) {
      try {
        result = evaluation.run(items, new Progress());
      } catch (CancellationException e) {
        throw interrupt.happened()
            ? interrupt.exception(
                "interrupted; the images counted so far are kept, and the same command continues"
                    + " there")
            : e;
      }
    }
    Terminal.clear();
    checks.remarks(settings).forEach(console::note);
    end = Instant.now();
    time = Duration.between(start, end);
    List<Outcome> outcomes = new ArrayList<>();
    for (Output output : outputs) {
      outcomes.add(write(outcome(output, result)));
    }
    return outcomes;
  }

  /** The part of a result that belongs to an output. */
  private Outcome outcome(Output output, BoundaryBenchmark.Result result) {
    Map<String, BoundaryCounts> byId = new HashMap<>();
    result.counts().forEach(c -> byId.put(c.id(), c));
    List<BoundaryCounts> counts = new ArrayList<>();
    Map<String, String> failures = new LinkedHashMap<>();
    for (String id : ids) {
      BoundaryCounts c = byId.get(id + output.label);
      if (c == null) {
        failures.put(id, String.valueOf(result.failures().get(id + output.label)));
      } else {
        counts.add(new BoundaryCounts(id, c.thresholds(), c.cntR(), c.sumR(), c.cntP(), c.sumP()));
      }
    }
    return new Outcome(
        output, counts.isEmpty() ? null : BoundaryScores.of(counts), counts, failures);
  }

  private Outcome write(Outcome outcome) throws IOException {
    BoundaryScores scores = outcome.scores;
    if (scores != null) {
      Path folder = outcome.output.folder;
      BoundaryFiles.write(folder, scores);
      writeJson(folder.resolve("eval.json"), outcome);
      List<String> remarks = new ArrayList<>(checks.remarks(settings));
      if (limited) {
        remarks.add(
            "Only the first %d of %d images were scored: these scores are not comparable with published ones."
                .formatted(ids.size(), data.truth.size()));
      }
      int map = outputs.indexOf(outcome.output);
      new EvaluationReport(
              detector.name() + outcome.output.label,
              scores,
              settings,
              parameters(outcome.output),
              outcome.failures,
              remarks,
              data.isBsds500())
          .write(folder, id -> sample(id, map), 4);
    }
    return outcome;
  }

  private Prediction checked(String id, int map) throws IOException {
    if (data.truth.get(id) == null) {
      throw new DataException(
          "%s has no ground truth in %s".formatted(id, data.root.resolve("groundTruth")));
    }
    Prediction prediction = map(id, map);
    checks.map(prediction);
    shown.put(id + outputs.get(map).label, prediction);
    return prediction;
  }

  private Prediction map(String id, int map) throws IOException {
    synchronized (recent) {
      List<? extends Prediction> maps = recent.get(id);
      if (maps == null) {
        maps = detector.maps(id);
        recent.put(id, maps);
        if (recent.size() > 2) { // the benchmark reads images in order
          recent.remove(recent.keySet().iterator().next());
        }
      }
      return maps.get(map);
    }
  }

  private GroundTruth truth(String id) {
    Path file = data.truth.get(id);
    if (file == null) {
      throw new DataException(id + " has no ground truth");
    }
    GroundTruth.Annotated truth = GroundTruth.readAnnotation(file);
    truth.warning(file).ifPresent(checks::truth);
    return truth.drawings();
  }

  private EvaluationReport.Sample sample(String id, int map) throws IOException {
    Path photo = data.images().get(id);
    Prediction prediction = shown.get(id + outputs.get(map).label);
    return new EvaluationReport.Sample(
        photo == null ? null : Images.read(photo),
        prediction == null ? map(id, map) : prediction,
        truth(id));
  }

  /** Maps to show again at the end, in 8 bits, as many as a little memory holds. */
  private static final class MapCache {
    private static final long MOST_BYTES = 64 << 20;

    private record Entry(int height, int width, byte[] levels) {}

    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private long bytes;

    void put(String id, Prediction map) {
      if (map instanceof BoundaryBenchmark.Strengths s && bytes + s.values().length <= MOST_BYTES) {
        byte[] levels = new byte[s.values().length];
        for (int i = 0; i < levels.length; i++) {
          levels[i] = (byte) Math.round(255 * s.values()[i]);
        }
        entries.put(id, new Entry(s.height(), s.width(), levels));
        bytes += levels.length;
      }
    }

    @Nullable Prediction get(String id) {
      Entry entry = entries.get(id);
      if (entry == null) {
        return null;
      }
      double[] values = new double[entry.levels.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = (entry.levels[i] & 0xFF) / 255.0;
      }
      return new BoundaryBenchmark.Strengths(entry.height, entry.width, values);
    }
  }

  /** Prints the four scores. */
  void printScores(BoundaryScores scores) {
    BoundaryScores.Point ods = scores.ods();
    BoundaryScores.Point ois = scores.ois();
    console.printf(
        "%nODS %.4f  (recall %.4f, precision %.4f, threshold %.4f)%n",
        ods.f(), ods.recall(), ods.precision(), ods.threshold());
    console.printf(
        "OIS %.4f  (recall %.4f, precision %.4f)%n", ois.f(), ois.recall(), ois.precision());
    console.printf("AP  %.4f%nR50 %.4f%n", scores.ap(), scores.r50());
  }

  /** Writes everything that came out as JSON. */
  void writeJson(Path file, Outcome outcome) throws IOException {
    BoundaryScores scores = outcome.scores;
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    if (scores != null) {
      root.put("ods", scores.ods().f());
      root.put("ois", scores.ois().f());
      root.put("ap", scores.ap());
      root.put("r50", scores.r50());
      root.put("threshold", scores.ods().threshold());
      root.set("ods_point", point(mapper, scores.ods()));
      root.set("ois_point", point(mapper, scores.ois()));
      ArrayNode images = root.putArray("images");
      for (BoundaryScores.ImageScore image : scores.images()) {
        ObjectNode node = images.addObject();
        node.put("id", image.id());
        node.setAll(point(mapper, image.best()));
      }
      ArrayNode curve = root.putArray("curve");
      scores.curve().forEach(p -> curve.add(point(mapper, p)));
      ObjectNode results = root.putObject("results");
      results.put("ods_f1", scores.ods().f());
      results.put("ois_f1", scores.ois().f());
      results.put("ods_threshold", scores.ods().threshold());
      results.put("ap", scores.ap());
    }
    ObjectNode failures = root.putObject("failures");
    outcome.failures.forEach(failures::put);
    root.put("split", data.split);
    ObjectNode set = root.putObject("settings");
    set.put("thresholds", settings.thresholds());
    set.put("max_dist", settings.maxDistance());
    set.put("thinning", settings.thin());
    set.put("nms", word(settings.nms()));
    set.put("resize", settings.resize());
    ObjectNode manifest = root.putObject("manifest");
    parameters(outcome.output).forEach((name, value) -> manifest.put(key(name), value));
    manifest.put("threads", threads);
    manifest.put("seconds", time.toMillis() / 1000.0);
    manifest.put("created", end.truncatedTo(ChronoUnit.SECONDS).toString());
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    BoundaryFiles.write(
        file, mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
  }

  static String word(EdgeNms nms) {
    return nms.name().toLowerCase(Locale.ROOT);
  }

  private static ObjectNode point(ObjectMapper mapper, BoundaryScores.Point p) {
    ObjectNode node = mapper.createObjectNode();
    node.put("f", p.f());
    node.put("recall", p.recall());
    node.put("precision", p.precision());
    node.put("threshold", p.threshold());
    return node;
  }

  /** Shows progress, and what went wrong. */
  private final class Progress implements BoundaryBenchmark.Listener {
    @Override
    public void scored(BoundaryCounts counts, int finished, int total) {
      console.progress("images", finished, total, "");
    }

    @Override
    public void failed(String id, String reason, int finished, int total) {
      console.error((reason.contains(id) ? "" : id + ": ") + reason);
      console.progress("images", finished, total, "");
    }
  }
}
