package org.gammanet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
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
import java.util.concurrent.CancellationException;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.InputChecks;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;
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
   * Where the results of one of the detector's maps go.
   *
   * @param label tells it apart from the others; empty for a single one
   * @param settings in addition to, or in place of, those of the detector
   */
  record Output(Path folder, String label, Map<String, String> settings) {}

  /** Name of the results file. */
  static final String FILE = "eval.json";

  /** The step whose partial work the counts of images are; grows when the counting changes. */
  private static final String COUNTS = "counts1";

  /**
   * One of the outputs, and what is known of its images.
   *
   * @param number of the output and of the detector's map, from 0
   * @param kept names of files with counts, by image
   */
  private record Target(
      int number,
      Output output,
      Study study,
      Map<String, BoundaryCounts> counts,
      Map<String, String> kept,
      Map<String, String> failures) {
    Target(int number, Output output, Study study) {
      this(number, output, study, new HashMap<>(), new HashMap<>(), new HashMap<>());
    }
  }

  /** An image that has to be scored for a target; {@code kept} is null if a file is missing. */
  private record Job(Target target, String id, @Nullable Partial kept) {}

  private final Console console;
  private final Detector detector;
  private final EvaluationData data;
  private final Settings settings;
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
  private final EvaluationMaps maps;
  private final InputChecks checks = new InputChecks();
  private final Map<String, String> parameters = new LinkedHashMap<>();

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
      EvaluationData data,
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
    this.threads = threads;
    maps = new EvaluationMaps(detector);
    limited = limit < data.truth().size();
    data.truth().keySet().stream().limit(limit).forEach(ids::add);
    if (!limited) {
      for (String id : detector.ids()) {
        if (!data.truth().containsKey(id) && !data.elsewhere().contains(id)) {
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
        targets.add(new Target(targets.size(), output, open(output, existing)));
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
    all.put("split", data.split());
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
                data.root(),
                data.split(),
                limited
                    ? "only the first %s of %s images".formatted(ids.size(), data.truth().size())
                    : ids.size() + " images"));
    parameters.put("drawings sha256", data.digest(ids));
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
  List<EvaluationOutcome> run() throws IOException, InterruptedException {
    return run(() -> {});
  }

  /**
   * Scores, and writes the results; images that have been counted before are not read again.
   *
   * @param scoring is run before the first image is scored, and not where all have been
   */
  List<EvaluationOutcome> run(Runnable scoring) throws IOException, InterruptedException {
    for (Target target : targets) {
      target.study.save(); // fails at once where the folder cannot be written to
    }
    Map<String, Job> jobs = new HashMap<>();
    List<BoundaryBenchmark.Image> missing = new ArrayList<>();
    for (String id : own) {
      String inputs = hash(id);
      boolean again = detector.isWanted(id);
      for (Target target : targets) {
        Partial kept = inputs == null ? null : target.study.partial(COUNTS, id, inputs);
        if (kept != null) {
          target.kept.put(id, kept.name());
        }
        if (kept != null && !kept.isEmpty() && !again) {
          target.counts.put(id, EvaluationPartials.counts(kept, id));
          export(target, id);
        } else {
          String name = id + target.output.label;
          jobs.put(name, new Job(target, id, kept));
          missing.add(
              new BoundaryBenchmark.Image(
                  name, () -> prediction(id, target.number), () -> truth(id)));
        }
      }
    }
    if (!missing.isEmpty()) {
      scoring.run();
    }
    score(missing, jobs);
    checks.remarks(settings).forEach(progress::note);
    List<EvaluationOutcome> outcomes = new ArrayList<>();
    for (Target target : targets) {
      var outcome = EvaluationOutcome.of(target.output, own, target.counts, target.failures);
      if (shard == null) {
        outcome.write(
            target.study,
            about(target.output),
            settings,
            checks.remarks(settings),
            id -> sample(id, target.number));
      } else {
        writeShard(target, outcome);
      }
      outcomes.add(outcome);
    }
    return outcomes;
  }

  private void score(List<BoundaryBenchmark.Image> missing, Map<String, Job> jobs)
      throws IOException, InterruptedException {
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
  }

  /** Hash of all files that an image's counts depend on; null if one of them cannot be read. */
  private @Nullable String hash(String id) {
    MessageDigest sha = Sha256.digest();
    try {
      for (Path input : detector.inputs(id)) {
        Sha256.update(sha, input);
      }
      Path truth = data.truth().get(id);
      if (truth != null) {
        Sha256.update(sha, truth);
      }
      return Sha256.hex(sha);
    } catch (IOException e) {
      return null;
    }
  }

  /** Writes the counts of an image for the original program; they are never read. */
  private static void export(Target target, String id) throws IOException {
    String name = id + "_ev1.txt";
    String text = BoundaryFiles.counts(Objects.requireNonNull(target.counts.get(id)));
    Path file = target.study.folder().resolve(name);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (!Files.isRegularFile(file) || !Arrays.equals(bytes, Files.readAllBytes(file))) {
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
          EvaluationPartials.keep(job.kept, c);
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

  private EvaluationOutcome.About about(Output output) {
    return new EvaluationOutcome.About(
        detector.name() + output.label,
        parameters(output),
        ids.size(),
        data.truth().size(),
        limited,
        data.isBsds500());
  }

  /** Writes what the merge needs, with the maps of images that its report may show. */
  private void writeShard(Target target, EvaluationOutcome outcome) throws IOException {
    Map<String, String> kept = new LinkedHashMap<>();
    for (BoundaryCounts counts : outcome.counts()) {
      String name = target.kept.get(counts.id());
      if (name == null) {
        throw new DataException("the files of " + counts.id() + " changed while it was scored");
      }
      kept.put(counts.id(), name);
    }
    if (outcome.scores() != null) {
      for (String id : EvaluationReport.shown(outcome.scores(), EvaluationOutcome.SHOWN)) {
        EvaluationPartials.keep(
            target.study.partialNamed(Objects.requireNonNull(kept.get(id))),
            sample(id, target.number).map());
      }
    }
    new EvaluationShard(
            about(target.output),
            settings,
            data.root().toAbsolutePath().normalize().toString(),
            data.split(),
            own,
            kept,
            outcome.failures(),
            checks.noticed())
        .write(target.study);
  }

  /** Writes the results of the last output to another file, too. */
  void copyTo(Path file) throws IOException {
    Files.createDirectories(Objects.requireNonNull(file.toAbsolutePath().getParent()));
    AtomicFile.write(file, Files.readString(targets.getLast().study.file()));
  }

  // What is scored, and shown

  private Prediction prediction(String id, int output) throws IOException {
    if (data.truth().get(id) == null) {
      throw new DataException(
          "%s has no ground truth in %s".formatted(id, data.root().resolve("groundTruth")));
    }
    Prediction prediction = maps.detect(id, output);
    checks.map(prediction);
    maps.keep(id, output, prediction);
    return prediction;
  }

  private GroundTruth truth(String id) {
    Path file = data.truth().get(id);
    if (file == null) {
      throw new DataException(id + " has no ground truth");
    }
    GroundTruth.Annotated truth = GroundTruth.readAnnotation(file);
    truth.warning(file).ifPresent(checks::truth);
    return truth.drawings();
  }

  private EvaluationReport.Sample sample(String id, int output) throws IOException {
    return new EvaluationReport.Sample(data.photo(id), maps.shown(id, output), truth(id));
  }
}
