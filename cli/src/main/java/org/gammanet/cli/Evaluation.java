package org.gammanet.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentSkipListMap;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryEvaluation;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.io.DataException;
import org.gammanet.io.Images;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

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

    /** Files that an image's map depends on. */
    List<Path> inputs(String id);

    /**
     * The map of an image; called by one thread at a time.
     *
     * @throws IOException or {@link DataException} if there is none
     */
    Prediction map(String id) throws IOException;

    /** Whether its map has to be made even if the counts are known, for it to be written. */
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

    private boolean isBsds500() {
      return split.equals("test")
          && truth.keySet().stream().allMatch(id -> id.matches("[0-9]{4,6}"));
    }
  }

  /**
   * What came out.
   *
   * @param scores null if no image could be scored
   */
  record Outcome(
      @Nullable BoundaryScores scores,
      List<BoundaryCounts> counts,
      Map<String, String> failures,
      Duration time,
      Instant end) {}

  private final CommandSpec spec;
  private final Detector detector;
  private final Data data;
  private final Settings settings;
  private final Path folder;
  private final int threads;
  private final List<String> ids = new ArrayList<>();
  private final BoundaryEvaluation evaluation;
  private final MapCache maps = new MapCache();
  private final Map<String, String> parameters = new LinkedHashMap<>();

  /**
   * Prepares a run.
   *
   * @param folder for what it writes
   * @param limit how many images at most, the first ones
   */
  Evaluation(
      CommandSpec spec,
      Detector detector,
      Data data,
      Settings settings,
      Path folder,
      int threads,
      int limit)
      throws IOException {
    this.spec = spec;
    this.detector = detector;
    this.data = data;
    this.settings = settings;
    this.folder = folder;
    this.threads = threads;
    data.truth.keySet().stream().limit(limit).forEach(ids::add);
    if (limit >= data.truth.size()) {
      for (String id : detector.ids()) {
        if (!data.truth.containsKey(id) && !data.elsewhere.contains(id)) {
          ids.add(id);
        }
      }
    }
    evaluation = new BoundaryEvaluation(folder, settings, detector.key(), threads);
    describe();
  }

  private void describe() throws IOException {
    parameters.put("detector", detector.name());
    parameters.putAll(detector.facts());
    parameters.put("data", data.root + ", split " + data.split + ", " + ids.size() + " images");
    parameters.put("drawings sha256", hashOfDrawings());
    int n = settings.thresholds();
    parameters.put(
        "thresholds", n + ", k/" + (n + 1) + (n == 99 ? "" : " (compare only equal numbers)"));
    parameters.put(
        "max. distance",
        String.format(Locale.ROOT, "%s of the image's diagonal", settings.maxDistance()));
    parameters.put(
        "nms",
        switch (settings.nms()) {
          case NONE -> "none";
          case PLAIN -> "plain, then rounded to 8 bits";
          case SMOOTH -> "smooth (3-pixel triangle first), then rounded to 8 bits";
        });
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

  /**
   * Requires that the folder holds no scores of another detector, of other images or of other
   * settings. Counts of single images are never mixed up; this is about the results' files.
   *
   * @throws CommandException if it does; it says in what they differ
   */
  void requireOwnFolder() throws IOException {
    Path file = folder.resolve("eval.json");
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
    List<String> differences = new ArrayList<>();
    parameters.forEach(
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
              .formatted(folder, String.join("; ", differences)));
    }
  }

  /** Parameters that may differ between runs in a folder: how many images, where, with what. */
  private static final Set<String> NOT_DECISIVE =
      Set.of("data", "drawings sha256", "gammanet", "java", "device", "checkpoint", "folder");

  private static String key(String parameter) {
    return parameter.replace(". ", "_").replace(' ', '_');
  }

  /** Prints everything that moves the score. */
  void printParameters() {
    PrintWriter out = spec.commandLine().getOut();
    parameters.forEach((name, value) -> out.printf("%-16s %s%n", name, value));
    out.printf("%-16s %s%n", "output", folder);
    out.flush();
  }

  /** Scores, and writes the results; what has been counted before is taken over. */
  Outcome run() throws IOException, InterruptedException {
    Instant start = Instant.now();
    List<BoundaryEvaluation.Item> items = new ArrayList<>();
    for (String id : ids) {
      Path truth = data.truth.get(id);
      List<Path> inputs = new ArrayList<>(detector.inputs(id));
      if (truth != null) {
        inputs.add(truth);
      }
      items.add(
          new BoundaryEvaluation.Item(
              new BoundaryBenchmark.Image(id, () -> map(id), () -> truth(id)),
              inputs,
              detector.isWanted(id)));
    }
    BoundaryBenchmark.Result result;
    try (var interrupt = Interrupt.handle(evaluation::cancel)) {
      try {
        result = evaluation.run(items, new Progress(spec, evaluation));
      } catch (CancellationException e) {
        Terminal.clear();
        throw interrupt.happened()
            ? new InterruptedByUser(
                interrupt.signal(),
                "interrupted; the images counted so far are in "
                    + folder
                    + ", and the same command goes on from there")
            : e;
      }
    }
    Terminal.clear();
    printWarnings();
    Instant end = Instant.now();
    Duration time = Duration.between(start, end);
    if (result.counts().isEmpty()) {
      return new Outcome(null, List.of(), result.failures(), time, end);
    }
    BoundaryScores scores = BoundaryScores.of(result.counts());
    BoundaryFiles.write(folder, scores);
    Outcome outcome = new Outcome(scores, result.counts(), result.failures(), time, end);
    writeJson(folder.resolve("eval.json"), outcome);
    new EvaluationReport(
            detector.name(), scores, settings, parameters, result.failures(), data.isBsds500())
        .write(folder, this::sample, 4);
    return outcome;
  }

  /** Sentences about maps and drawings that look wrong, by what they are about. */
  private final Map<String, String> warnings = new ConcurrentSkipListMap<>();

  private Prediction map(String id) throws IOException {
    if (data.truth.get(id) == null) {
      throw new DataException(
          "%s has no ground truth in %s".formatted(id, data.root.resolve("groundTruth")));
    }
    synchronized (detector) {
      Prediction map = detector.map(id);
      if (map instanceof Strengths strengths) {
        warnAboutBrightness(id, strengths.values());
      }
      maps.put(id, map);
      return map;
    }
  }

  private GroundTruth truth(String id) {
    Path file = data.truth.get(id);
    if (file == null) {
      throw new DataException(id + " has no ground truth");
    }
    GroundTruth.Annotated truth = GroundTruth.readAnnotation(file);
    truth.warning(file).ifPresent(sentence -> warnings.putIfAbsent(file.toString(), sentence));
    return truth.drawings();
  }

  /** Maps of detectors are mostly dark; black edges on white score next to nothing. */
  private void warnAboutBrightness(String id, double[] map) {
    long bright = Arrays.stream(map).filter(v -> v > 0.5).count();
    if (bright > 0.5 * map.length) {
      warnings.putIfAbsent(
          "map of " + id,
          "most of the map of %s is bright: edges must be white on black".formatted(id));
    }
  }

  private void printWarnings() {
    PrintWriter err = spec.commandLine().getErr();
    warnings.values().stream()
        .limit(3)
        .forEach(sentence -> err.println("gammanet: note: " + sentence));
    if (warnings.size() > 3) {
      err.println("gammanet: note: the same holds for %d more".formatted(warnings.size() - 3));
    }
    err.flush();
  }

  private EvaluationReport.Sample sample(String id) throws IOException {
    Path photo = data.images().get(id);
    Prediction map = maps.get(id);
    return new EvaluationReport.Sample(
        photo == null ? null : Images.read(photo), map == null ? map(id) : map, truth(id));
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
    PrintWriter out = spec.commandLine().getOut();
    BoundaryScores.Point ods = scores.ods();
    BoundaryScores.Point ois = scores.ois();
    out.printf(
        Locale.ROOT,
        "%nODS %.4f  (recall %.4f, precision %.4f, threshold %.4f)%n",
        ods.f(),
        ods.recall(),
        ods.precision(),
        ods.threshold());
    out.printf(
        Locale.ROOT,
        "OIS %.4f  (recall %.4f, precision %.4f)%n",
        ois.f(),
        ois.recall(),
        ois.precision());
    out.printf(Locale.ROOT, "AP  %.4f%nR50 %.4f%n", scores.ap(), scores.r50());
    out.flush();
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
    parameters.forEach((name, value) -> manifest.put(key(name), value));
    manifest.put("threads", threads);
    manifest.put("seconds", outcome.time.toMillis() / 1000.0);
    manifest.put("created", outcome.end.truncatedTo(ChronoUnit.SECONDS).toString());
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

  /** A bar on a terminal, and a line now and then elsewhere. */
  private static final class Progress implements BoundaryBenchmark.Listener {
    private static final long LINE_SECONDS = 30;

    private final CommandSpec spec;
    private final BoundaryEvaluation evaluation;
    private final long start = System.nanoTime();
    private long line = start;

    Progress(CommandSpec spec, BoundaryEvaluation evaluation) {
      this.spec = spec;
      this.evaluation = evaluation;
    }

    @Override
    public void scored(BoundaryCounts counts, int finished, int total) {
      draw(finished, total);
    }

    @Override
    public void failed(String id, String reason, int finished, int total) {
      Terminal.clear();
      spec.commandLine()
          .getErr()
          .println("gammanet: " + (reason.contains(id) ? "" : id + ": ") + reason);
      draw(finished, total);
    }

    private void draw(int finished, int total) {
      long now = System.nanoTime();
      int done = finished - evaluation.reused();
      double seconds = (now - start) / 1e9;
      long left = Math.round(seconds / done * (total - finished));
      String text =
          String.format(
              Locale.ROOT,
              "%d/%d images  %.1f a minute  %d:%02d left",
              finished,
              total,
              60 * done / seconds,
              left / 60,
              left % 60);
      if (Terminal.errIsTerminal()) {
        Terminal.draw(Terminal.bar((double) finished / total) + " " + text);
      } else if (now - line > LINE_SECONDS * 1_000_000_000L) {
        line = now;
        spec.commandLine().getErr().println(text);
      }
    }
  }
}
