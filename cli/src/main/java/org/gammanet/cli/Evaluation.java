package org.gammanet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.InputChecks;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;
import org.gammanet.io.Images;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * A benchmark run of any detector with everything that it prints and writes: a {@link Study} for
 * each map that the detector gives of an image. The counts of each image are partial work of the
 * study, known again by the files that they depend on.
 */
final class Evaluation implements AutoCloseable {
  /** Gives the maps of images. */
  interface Detector {
    /** A name for headings. */
    String name();

    /** What its maps depend on, apart from weights and the files of {@link #inputs}. */
    Map<String, String> settings();

    /** What else tells it apart from others, for the manifest. */
    Map<String, String> about();

    /** Digest of the network's weights; empty where there is no network. */
    default String digest() {
      return "";
    }

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
   * @param settings in addition to, or in place of, those of the detector
   */
  record Output(Path folder, String label, Map<String, String> settings) {}

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

  /** Name of the results file. */
  static final String FILE = "eval.json";

  /** The step whose partial work the counts of images are; grows when the counting changes. */
  private static final String COUNTS = "counts1";

  /** How many of the best and how many of the worst images the report shows. */
  private static final int SHOWN = 4;

  /** One of the detector's maps, and what is known of its images; {@code kept} names files. */
  private record Target(
      Output output,
      Study study,
      Map<String, BoundaryCounts> counts,
      Map<String, String> kept,
      Map<String, String> failures) {
    Target(Output output, Study study) {
      this(output, study, new HashMap<>(), new HashMap<>(), new HashMap<>());
    }
  }

  /** An image that has to be scored for a target; {@code kept} is null if a file is missing. */
  private record Job(Target target, String id, @Nullable Partial kept) {}

  private final Console console;
  private final Detector detector;
  private final Data data;
  private final Settings settings;
  private final List<Output> outputs;
  private final int threads;
  private final boolean limited;
  private final @Nullable Shard shard;
  private final List<String> ids = new ArrayList<>();

  /** Those that this run scores. */
  private final List<String> own;

  private final BoundaryBenchmark benchmark;
  private final Interrupt interrupt;
  private final Progress progress;
  private final List<Target> targets = new ArrayList<>();
  private final InputChecks checks = new InputChecks();
  private final Map<String, String> parameters = new LinkedHashMap<>();

  /** Maps of the images that were detected last. */
  private final Map<String, List<? extends Prediction>> recent = new LinkedHashMap<>();

  private final MapCache shown = new MapCache();

  /**
   * Opens the folders of the outputs.
   *
   * @param outputs one for each map that the detector gives of an image
   * @param limit how many images at most, the first ones
   * @param shard the part of the images that is scored, for {@link MergeCommand}; null for all
   * @throws CommandException where a folder holds another run's results
   */
  Evaluation(
      Console console,
      Detector detector,
      Data data,
      Settings settings,
      List<Output> outputs,
      int threads,
      int limit,
      @Nullable Shard shard,
      Study.Existing existing)
      throws IOException {
    this.console = console;
    this.shard = shard;
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
    own = shard == null ? ids : shard.every(ids);
    describe();
    benchmark = new BoundaryBenchmark(settings, threads);
    interrupt = Interrupt.handle(benchmark::cancel);
    progress = new StudyProgress(console, interrupt);
    try {
      for (Output output : outputs) {
        targets.add(new Target(output, open(output, existing)));
      }
    } catch (IllegalStateException e) {
      interrupt.close();
      throw new CommandException(String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      interrupt.close();
      throw e;
    }
  }

  private Study open(Output output, Study.Existing existing) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("detector", detector.name());
    all.putAll(detector.settings());
    all.putAll(output.settings);
    all.put("split", data.split);
    Json.object(settings).fields().forEachRemaining(f -> all.put(f.getKey(), f.getValue()));
    Study study =
        Study.open(
            output.folder,
            FILE,
            new Study.Identity("evaluate", all, detector.digest()),
            Map.of(),
            existing,
            progress);
    ObjectNode manifest = study.metadata().putObject("manifest");
    parameters(output).forEach((name, value) -> manifest.put(key(name), value));
    manifest.put("threads", threads);
    study.metadata().put("complete", false);
    if (shard != null) {
      Shards.mark(study, shard, ids);
    }
    return study;
  }

  @Override
  public void close() {
    interrupt.close();
  }

  private void describe() throws IOException {
    parameters.put("detector", detector.name());
    parameters.putAll(detector.about());
    if (!detector.digest().isEmpty()) {
      parameters.put("network sha256", detector.digest());
    }
    parameters.putAll(detector.settings());
    parameters.put(
        "data",
        "%s, split %s, %s"
            .formatted(
                data.root,
                data.split,
                limited
                    ? "only the first %s of %s images".formatted(ids.size(), data.truth.size())
                    : ids.size() + " images"));
    parameters.put("drawings sha256", hashOfDrawings());
    parameters.put("protocol", protocol(settings));
    int n = settings.thresholds();
    parameters.put(
        "thresholds", n + ", k/" + (n + 1) + (n == 99 ? "" : " (compare only equal numbers)"));
    parameters.put("max. distance", settings.maxDistance() + " of the image's diagonal");
    parameters.put("nms", Json.name(settings.nms()));
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
    all.putAll(output.settings);
    return all;
  }

  private static String key(String parameter) {
    return parameter.replace(". ", "_").replace(' ', '_');
  }

  /** Prints everything that moves the score. */
  void printParameters(Path folder) {
    parameters.forEach((name, value) -> console.printf("%-16s %s%n", name, value));
    console.printf("%-16s %s%n", "output", folder);
  }

  /** Scores, and writes the results; images that have been counted before are not read again. */
  List<Outcome> run() throws IOException, InterruptedException {
    return run(() -> {});
  }

  /**
   * Scores, and writes the results; images that have been counted before are not read again.
   *
   * @param scoring is run before the first image is scored, and not where all have been
   */
  List<Outcome> run(Runnable scoring) throws IOException, InterruptedException {
    for (Target target : targets) {
      target.study.save(); // fails at once where the folder cannot be written to
    }
    Map<String, Job> jobs = new HashMap<>();
    List<BoundaryBenchmark.Image> missing = new ArrayList<>();
    for (String id : own) {
      String inputs = hash(id);
      boolean again = detector.isWanted(id);
      for (int k = 0; k < targets.size(); k++) {
        Target target = targets.get(k);
        Partial kept = inputs == null ? null : target.study.partial(COUNTS, id, inputs);
        if (kept != null) {
          target.kept.put(id, kept.name());
        }
        if (kept != null && !kept.isEmpty() && !again) {
          target.counts.put(id, read(kept, id));
          export(target, id);
        } else {
          String name = id + target.output.label;
          jobs.put(name, new Job(target, id, kept));
          int map = k;
          missing.add(new BoundaryBenchmark.Image(name, () -> checked(id, map), () -> truth(id)));
        }
      }
    }
    if (!missing.isEmpty()) {
      scoring.run();
    }
    progress.begin("images", 1, 1);
    try {
      benchmark.run(missing, new Listener(jobs, own.size() * targets.size() - missing.size()));
    } catch (CancellationException e) {
      throw interrupt.happened()
          ? interrupt.exception(
              "interrupted; the images counted so far are kept, and the same command continues"
                  + " there")
          : e;
    }
    Terminal.clear();
    checks.remarks(settings).forEach(progress::note);
    List<Outcome> outcomes = new ArrayList<>();
    for (Target target : targets) {
      var result = BoundaryBenchmark.Result.of(own, target.counts, target.failures);
      var outcome =
          new Outcome(
              target.output,
              result.counts().isEmpty() ? null : BoundaryScores.of(result.counts()),
              result.counts(),
              result.failures());
      if (shard == null) {
        write(target, outcome);
      } else {
        writeShard(target, outcome);
      }
      outcomes.add(outcome);
    }
    return outcomes;
  }

  /** Hash of all files that an image's counts depend on; null if one of them cannot be read. */
  private @Nullable String hash(String id) {
    MessageDigest sha = Sha256.digest();
    try {
      for (Path input : detector.inputs(id)) {
        Sha256.update(sha, input);
      }
      Path truth = data.truth.get(id);
      if (truth != null) {
        Sha256.update(sha, truth);
      }
      return Sha256.hex(sha);
    } catch (IOException e) {
      return null;
    }
  }

  private static BoundaryCounts read(Partial kept, String id) {
    try {
      return new BoundaryCounts(
          id,
          kept.doubles("thresholds"),
          longs(kept, "cntR"),
          longs(kept, "sumR"),
          longs(kept, "cntP"),
          longs(kept, "sumP"));
    } catch (IllegalArgumentException e) {
      throw new DataException("the counts that were kept are damaged: " + e.getMessage(), e);
    }
  }

  private static long[] longs(Partial kept, String name) {
    return Arrays.stream(kept.doubles(name)).mapToLong(v -> (long) v).toArray();
  }

  private static void keep(Partial kept, BoundaryCounts c) throws IOException {
    kept.put("thresholds", c.thresholds())
        .put("cntR", doubles(c.cntR()))
        .put("sumR", doubles(c.sumR()))
        .put("cntP", doubles(c.cntP()))
        .put("sumP", doubles(c.sumP()))
        .save();
  }

  private static double[] doubles(long[] counts) {
    return Arrays.stream(counts).mapToDouble(v -> v).toArray();
  }

  /** Writes the counts of an image for the original program; they are never read. */
  private static void export(Target target, String id) throws IOException {
    String name = id + "_ev1.txt";
    String text = BoundaryFiles.counts(Objects.requireNonNull(target.counts.get(id)));
    Path file = target.study.folder().resolve(name);
    if (!Files.isRegularFile(file) || !text.equals(Files.readString(file))) {
      target.study.write(name, text);
    } else {
      target.study.noted(file); // written by a run that was killed before it could say so
    }
  }

  /** Keeps counts before they are reported, and shows what went wrong. */
  private final class Listener implements BoundaryBenchmark.Listener {
    private final Map<String, Job> jobs;
    private final int known;

    Listener(Map<String, Job> jobs, int known) {
      this.jobs = jobs;
      this.known = known;
    }

    private Job job(String name) {
      return Objects.requireNonNull(jobs.get(name));
    }

    private void advance(int finished, int total) {
      progress.advance("images", known + finished, known + total, "");
    }

    @Override
    public void scored(BoundaryCounts c, int finished, int total) {
      Job job = job(c.id());
      try {
        if (job.kept != null) {
          keep(job.kept, c);
        }
        job.target.counts.put(
            job.id,
            new BoundaryCounts(job.id, c.thresholds(), c.cntR(), c.sumR(), c.cntP(), c.sumP()));
        export(job.target, job.id);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      advance(finished, total);
    }

    @Override
    public void failed(String name, String reason, int finished, int total) {
      Job job = job(name);
      job.target.failures.put(job.id, reason);
      console.error((reason.contains(job.id) ? "" : name + ": ") + reason);
      advance(finished, total);
    }
  }

  /**
   * What a report says besides the scores.
   *
   * @param name of the detector
   * @param all images of the split, of which {@code limited} may have left out some
   */
  private record About(
      String name,
      Map<String, String> parameters,
      int images,
      int all,
      boolean limited,
      boolean bsds500) {}

  private About about(Output output) {
    return new About(
        detector.name() + output.label,
        parameters(output),
        ids.size(),
        data.truth.size(),
        limited,
        data.isBsds500());
  }

  private void write(Target target, Outcome outcome) throws IOException {
    int map = targets.indexOf(target);
    finish(
        target.study,
        about(outcome.output),
        settings,
        outcome,
        checks.remarks(settings),
        id -> sample(id, map));
  }

  /** Writes the results of a run, or of all its shards. */
  private static void finish(
      Study study,
      About about,
      Settings settings,
      Outcome outcome,
      List<String> noticed,
      EvaluationReport.Samples samples)
      throws IOException {
    BoundaryScores scores = outcome.scores;
    if (scores == null) {
      return;
    }
    ObjectNode failures = study.results().putObject("failures");
    outcome.failures.forEach(failures::put);
    study.results().setAll(json(scores));
    study.write("eval_bdry.txt", BoundaryFiles.summary(scores));
    study.write("eval_bdry_thr.txt", BoundaryFiles.curve(scores));
    study.write("eval_bdry_img.txt", BoundaryFiles.images(scores));
    List<String> remarks = new ArrayList<>(noticed);
    if (about.limited) {
      remarks.add(
          "Only the first %s of %s images were scored: these scores are not comparable with published ones."
              .formatted(about.images, about.all));
    }
    new EvaluationReport(
            about.name,
            scores,
            settings,
            about.parameters,
            outcome.failures,
            remarks,
            about.bsds500)
        .write(study, samples, SHOWN);
    study.complete(true);
  }

  // Shards

  /** Step of a shard's results. */
  private static final String PART = "part";

  /**
   * What a shard leaves for the merge.
   *
   * @param ids its images
   * @param kept files of partial work by image, for those that were scored
   * @param failures reasons by image
   */
  private record Part(
      About about,
      Settings settings,
      String root,
      String split,
      List<String> ids,
      Map<String, String> kept,
      Map<String, String> failures,
      InputChecks.Noticed noticed) {}

  /** Writes what the merge needs, with the maps of images that its report may show. */
  private void writeShard(Target target, Outcome outcome) throws IOException {
    int map = targets.indexOf(target);
    Map<String, String> kept = new LinkedHashMap<>();
    for (BoundaryCounts counts : outcome.counts) {
      String name = target.kept.get(counts.id());
      if (name == null) {
        throw new DataException("the files of " + counts.id() + " changed while it was scored");
      }
      kept.put(counts.id(), name);
    }
    if (outcome.scores != null) {
      for (String id : EvaluationReport.shown(outcome.scores, SHOWN)) {
        keepMap(
            target.study.partialNamed(Objects.requireNonNull(kept.get(id))), sample(id, map).map());
      }
    }
    target.study.put(
        PART,
        new Part(
            about(outcome.output),
            settings,
            data.root.toAbsolutePath().normalize().toString(),
            data.split,
            own,
            kept,
            outcome.failures,
            checks.noticed()));
    target.study.complete(true);
  }

  private static void keepMap(Partial kept, Prediction map) throws IOException {
    switch (map) {
      case BoundaryBenchmark.Strengths s -> kept.put("map", s.values(), s.height(), s.width());
      case BoundaryBenchmark.Segmentations s -> {
        ByteBuffer masks = ByteBuffer.allocate(s.masks().size() * s.height() * s.width());
        s.masks().forEach(masks::put);
        kept.put(
            "masks",
            new StoredTensor(
                ElementType.U8,
                new long[] {s.masks().size(), s.height(), s.width()},
                masks.flip()));
      }
    }
    kept.save();
  }

  private static Prediction map(Partial kept) {
    if (!kept.hasTensor("masks")) {
      StoredTensor map = kept.tensor("map");
      double[] values = new double[map.data().remaining() / Double.BYTES];
      map.data().asDoubleBuffer().get(values);
      return new BoundaryBenchmark.Strengths((int) map.shape()[0], (int) map.shape()[1], values);
    }
    StoredTensor stored = kept.tensor("masks");
    int height = (int) stored.shape()[1];
    int width = (int) stored.shape()[2];
    ByteBuffer data = stored.data().duplicate();
    List<byte[]> masks = new ArrayList<>();
    for (int k = 0; k < stored.shape()[0]; k++) {
      byte[] mask = new byte[height * width];
      data.get(mask);
      masks.add(mask);
    }
    return new BoundaryBenchmark.Segmentations(height, width, masks);
  }

  /**
   * Joins the shards of an evaluation, and writes the results of the whole run. Its report shows
   * images and drawings where the data set still is.
   *
   * @throws IllegalStateException where the folder holds another run
   */
  static Outcome merge(Shards shards, Path output, Study.Existing existing, Console console)
      throws IOException {
    List<Part> parts =
        shards.results().stream().map(r -> Json.read(r.path(PART), Part.class)).toList();
    Study study = shards.open(output, existing, Progress.NONE);
    shards.link(output, to -> true);
    study.results().remove(PART);
    Map<String, BoundaryCounts> counts = new HashMap<>();
    Map<String, String> names = new HashMap<>();
    Map<String, String> failures = new HashMap<>();
    var checks = new InputChecks();
    for (Part part : parts) {
      for (Map.Entry<String, String> kept : part.kept.entrySet()) {
        counts.put(kept.getKey(), read(study.partialNamed(kept.getValue()), kept.getKey()));
      }
      names.putAll(part.kept);
      failures.putAll(part.failures);
      checks.add(part.noticed);
    }
    Part first = parts.getFirst();
    List<String> ids = Shards.join(parts.stream().map(Part::ids).toList());
    var result = BoundaryBenchmark.Result.of(ids, counts, failures);
    var outcome =
        new Outcome(
            new Output(output, "", Map.of()),
            result.counts().isEmpty() ? null : BoundaryScores.of(result.counts()),
            result.counts(),
            result.failures());
    List<String> noticed = checks.remarks(first.settings);
    noticed.forEach(console::note);
    Path root = Path.of(first.root);
    finish(
        study,
        first.about,
        first.settings,
        outcome,
        noticed,
        id -> {
          Data data = Data.open(root, first.split);
          Path photo = data.images().get(id);
          Path truth = data.truth.get(id);
          if (truth == null) {
            throw new DataException("it has no ground truth any more in " + root);
          }
          return new EvaluationReport.Sample(
              photo == null ? null : Images.read(photo),
              map(study.partialNamed(Objects.requireNonNull(names.get(id)))),
              GroundTruth.readAnnotation(truth).drawings());
        });
    return outcome;
  }

  /** The scores as JSON; {@code results} has them under the names of the original program. */
  private static ObjectNode json(BoundaryScores scores) {
    ObjectNode root = Json.MAPPER.createObjectNode();
    root.put("ods", scores.ods().f());
    root.put("ois", scores.ois().f());
    root.put("ap", scores.ap());
    root.put("r50", scores.r50());
    root.put("threshold", scores.ods().threshold());
    root.set("ods_point", Json.object(scores.ods()));
    root.set("ois_point", Json.object(scores.ois()));
    ArrayNode images = root.putArray("images");
    for (BoundaryScores.ImageScore image : scores.images()) {
      images.addObject().put("id", image.id()).setAll(Json.object(image.best()));
    }
    ArrayNode curve = root.putArray("curve");
    scores.curve().forEach(p -> curve.add(Json.object(p)));
    ObjectNode results = root.putObject("results");
    results.put("ods_f1", scores.ods().f());
    results.put("ois_f1", scores.ois().f());
    results.put("ods_threshold", scores.ods().threshold());
    results.put("ap", scores.ap());
    return root;
  }

  /** Writes the results of the last output to another file, too. */
  void copyTo(Path file) throws IOException {
    Files.createDirectories(Objects.requireNonNull(file.toAbsolutePath().getParent()));
    AtomicFile.write(file, Files.readString(targets.getLast().study.file()));
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
  static void printScores(Console console, BoundaryScores scores) {
    BoundaryScores.Point ods = scores.ods();
    BoundaryScores.Point ois = scores.ois();
    console.printf(
        "%nODS %.4f  (recall %.4f, precision %.4f, threshold %.4f)%n",
        ods.f(), ods.recall(), ods.precision(), ods.threshold());
    console.printf(
        "OIS %.4f  (recall %.4f, precision %.4f)%n", ois.f(), ois.recall(), ois.precision());
    console.printf("AP  %.4f%nR50 %.4f%n", scores.ap(), scores.r50());
  }
}
