package org.gammanet.cli;

import static org.gammanet.experiments.study.Format.score;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.gammanet.GammaNet;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.ClassicDetector;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.study.Csv;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.FolderLock;
import org.gammanet.model.ForwardOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The boundary benchmark of the BSDS500. */
@Command(
    name = "evaluate",
    header = "Score edge maps by the BSDS500 boundary benchmark.",
    description = {
      "Scores a network, a folder of maps (--maps) or a classic detector (--baseline) against what"
          + " people drew, as the benchmark's own program does: ODS, OIS, AP and R50.",
      "",
      "Ground truth is DIR/groundTruth/SPLIT/ID.mat (or .npy, .png, or a folder ID with a picture"
          + " for each annotator), images are DIR/images/SPLIT/ID.jpg (or .png); the SPLIT folders"
          + " may be missing. Maps are ID.png (8 or 16 bits), ID.npy, ID.mat with ucm2 or segs, or"
          + " what 'gammanet detect' has written.",
      "",
      "Writes eval_bdry.txt, eval_bdry_thr.txt, eval_bdry_img.txt, eval.json, images.csv,"
          + " pr_curve.svg and .png, report.html, and ID_ev1.txt with the counts of each image. A"
          + " run that was interrupted continues when it is started again; scores of another"
          + " detector or other settings are replaced with --force only."
    },
    footer = {
      "Examples:",
      "  gammanet evaluate -d BSDS500",
      "  gammanet evaluate -d BSDS500 -c runs/first",
      "  gammanet evaluate -d BSDS500 --maps maps --nms smooth"
    })
final class EvaluateCommand implements Callable<Integer> {
  /** What is scored in place of a network. */
  static final class Other {
    @Option(
        names = "--maps",
        paramLabel = "DIR",
        description = "Score the maps in a folder, in place of a network.")
    @Nullable Path maps;

    @Option(
        names = "--baseline",
        paramLabel = "NAME",
        completionCandidates = Baselines.class,
        description = "Score a classic detector, one of ${COMPLETION-CANDIDATES}.")
    @Nullable ClassicDetector baseline;
  }

  /** Words of --baseline. */
  static final class Baselines extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Baselines() {
      super(Converters.words(ClassicDetector.values()));
    }
  }

  /** Words of --nms. */
  static final class Suppressions extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Suppressions() {
      super(Converters.words(EdgeNms.values()));
    }
  }

  @Option(
      names = {"-d", "--data-dir"},
      paramLabel = "DIR",
      description =
          "Folder that contains images and groundTruth; default: the configuration's"
              + " data.test_path.")
  @Nullable Path dataDir;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = "eval_results",
      description = "Folder for the results; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("eval_results");

  @Option(
      names = {"-f", "--force"},
      description = "Replace the results of another run in the folder.")
  boolean force;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write what eval.json contains to another file too.")
  @Nullable Path json;

  @Option(
      names = "--save-maps",
      description = "Write the maps as 16-bit PNG, before any suppression, to maps in the output.")
  boolean saveMaps;

  @Mixin ShardOption sharding = new ShardOption();

  @ArgGroup(exclusive = true)
  Other other = new Other();

  @Option(
      names = "--sigma",
      paramLabel = "X",
      description = "Standard deviation of the baseline's smoothing in pixels; default: 2.")
  @Nullable Double sigma;

  @ArgGroup(exclusive = false, heading = ScoringOptions.HEADING)
  ScoringOptions scoring = new ScoringOptions();

  /** How maps become the lines that are matched. */
  static final class Matching {
    @Option(
        names = "--nms",
        paramLabel = "KIND",
        completionCandidates = Suppressions.class,
        description =
            "Non-maximum suppression before the cut: one of ${COMPLETION-CANDIDATES}; smooth"
                + " filters by a triangle first, as published results of learned detectors do."
                + " Default: smooth for networks, none for --maps and --baseline.")
    @Nullable EdgeNms nms;

    @Option(
        names = "--max-dist",
        paramLabel = "X",
        defaultValue = "0.0075",
        description =
            "Largest distance of matching pixels as a fraction of the image's diagonal; default:"
                + " ${DEFAULT-VALUE}.")
    double maxDistance = 0.0075;

    @Option(
        names = "--no-thinning",
        description = "Match masks as they are; for maps whose lines are thin.")
    boolean noThinning;

    @Option(
        names = "--resize",
        description = "Resize maps of another size than their ground truth.")
    boolean resize;
  }

  @ArgGroup(exclusive = false, heading = "%nMatching:%n")
  Matching matching = new Matching();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  /** How a network is applied. */
  static final class Passes {
    /** One pass for each image. */
    static final Passes NONE = new Passes();

    @Option(
        names = "--epoch",
        paramLabel = "N",
        description = "With a run's folder as --checkpoint: the weights after this epoch.")
    @Nullable Integer epoch;

    @Option(
        names = "--all-timesteps",
        description =
            "Score the map after each timestep: results in t1, t2, … of the output, and a table of"
                + " them in timesteps.csv.")
    boolean allTimesteps;

    @Option(
        names = "--tta",
        description = "Average over flips and rotations by 90 degrees (6 passes).")
    boolean tta;

    @Option(names = "--multiscale", description = "Average over scales 0.5, 1 and 1.5 (3 passes).")
    boolean multiscale;
  }

  @ArgGroup(exclusive = false, heading = "%nPasses of the network:%n")
  Passes passes = new Passes();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  EvaluateCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    console = new Console(spec);
    check();
    if (json != null) {
      AtomicFile.requireWritable(json);
    }
    Shard shard = sharding.shard;
    if (shard != null) {
      output = shard.folder(output);
    }
    boolean network = other.maps == null && other.baseline == null;
    Path root = dataDir == null ? model.describedConfig(console).data().testPath() : dataDir;
    if (root == null) {
      throw new UsageException(
          "--data-dir is missing: the folder that contains images and groundTruth");
    }
    EvaluationData data = EvaluationData.open(root, scoring.split);
    EdgeNms nms = matching.nms;
    BoundaryBenchmark.Settings settings =
        new BoundaryBenchmark.Settings(
            scoring.thresholds,
            matching.maxDistance,
            !matching.noThinning,
            nms != null ? nms : network ? EdgeNms.SMOOTH : EdgeNms.NONE,
            matching.resize);
    try (FolderLock lock = FolderLock.take(output)) {
      if (!network) {
        return evaluate(detector(data), data, settings, List.of(single()));
      }
      Integer epoch = passes.epoch;
      if (epoch != null) {
        model.weights.checkpoint = epoch(epoch);
      }
      try (GammaNet net = compute.applyTo(model.open(compute, console))) {
        return evaluate(network(net, data), data, settings, outputs(net));
      }
    }
  }

  private void check() {
    if ((other.maps != null || other.baseline != null)
        && (model.weights.checkpoint != null || model.weights.random)) {
      throw new UsageException("only one of --checkpoint, --maps and --baseline can be scored");
    }
    if (other.maps != null && !Files.isDirectory(other.maps)) {
      throw new CommandException("there is no folder " + other.maps);
    }
    boolean ofNetworks =
        passes.tta
            || passes.multiscale
            || model.timesteps != null
            || passes.allTimesteps
            || passes.epoch != null;
    if ((other.maps != null || other.baseline != null) && ofNetworks) {
      throw new UsageException(
          "--tta, --multiscale, --timesteps, --all-timesteps and --epoch are for networks");
    }
    if (other.maps != null && saveMaps) {
      throw new UsageException("--save-maps is for detectors; --maps are there already");
    }
    if (passes.allTimesteps && json != null) {
      throw new UsageException(
          "--json is for one run; --all-timesteps makes several, each with its eval.json");
    }
    if (sharding.shard != null && (passes.allTimesteps || json != null)) {
      throw new UsageException(
          "--shard makes a part of one run, without --all-timesteps and --json");
    }
    if (sigma != null && other.baseline == null) {
      throw new UsageException("--sigma is for --baseline");
    }
    try {
      var unused =
          new BoundaryBenchmark.Settings(
              scoring.thresholds, matching.maxDistance, true, EdgeNms.NONE, false);
      if (other.baseline != null && sigma != null) {
        other.baseline.checkSigma(sigma);
      }
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  /** The checkpoint after an epoch, in the folder of a run. */
  private Path epoch(int epoch) {
    Path run = model.weights.checkpoint;
    if (run == null || !Files.isDirectory(run)) {
      throw new UsageException("--epoch needs a --checkpoint that is a run's folder");
    }
    return NetworkOptions.inRun(run, List.of("checkpoint_epoch_" + epoch));
  }

  private Evaluation.Output single() {
    return new Evaluation.Output(output, "", Map.of());
  }

  private List<Evaluation.Output> outputs(GammaNet net) {
    if (!passes.allTimesteps) {
      return List.of(single());
    }
    List<Evaluation.Output> outputs = new ArrayList<>();
    for (int t = 1; t <= net.config().model().timesteps(); t++) {
      outputs.add(
          new Evaluation.Output(
              output.resolve("t" + t),
              " after timestep " + t,
              Map.of("timesteps", Integer.toString(t))));
    }
    return outputs;
  }

  private int evaluate(
      Evaluation.Detector detector,
      EvaluationData data,
      BoundaryBenchmark.Settings settings,
      List<Evaluation.Output> outputs)
      throws IOException, InterruptedException {
    Shard shard = sharding.shard;
    try (var evaluation =
        new Evaluation(
            console,
            detector,
            data,
            settings,
            outputs,
            compute.workers(),
            scoring.limit(),
            shard,
            force ? Study.Existing.REPLACE : Study.Existing.CONTINUE)) {
      evaluation.printParameters(output);
      List<EvaluationOutcome> outcomes = evaluation.run();
      EvaluationOutcome last = outcomes.getLast();
      if (shard != null) {
        ShardOption.done(shard, console);
        return last.status();
      }
      last.requireScores();
      if (json != null) {
        evaluation.copyTo(json);
      }
      last.print(console);
      if (passes.allTimesteps) {
        printTimesteps(outcomes);
      } else {
        console.print(output.resolve("report.html"));
      }
      return last.status();
    }
  }

  private void printTimesteps(List<EvaluationOutcome> outcomes) throws IOException {
    var csv = new Csv().row(List.of("timestep", "ods", "ois", "ap", "r50"));
    for (EvaluationOutcome outcome : outcomes) {
      BoundaryScores s = outcome.scores();
      if (s != null) {
        csv.row(
            List.of(
                outcome.output().settings().getOrDefault("timesteps", ""),
                score(s.ods().f()),
                score(s.ois().f()),
                score(s.ap()),
                score(s.r50())));
      }
    }
    Path table = output.resolve("timesteps.csv");
    AtomicFile.write(table, csv.toString());
    console.print("");
    csv.toString().lines().forEach(line -> console.print(line.replace(",", "\t")));
    console.print(table);
  }

  /** Maps that are there, or a classic detector. */
  private Evaluation.Detector detector(EvaluationData data) {
    ClassicDetector classic = other.baseline;
    Path maps = other.maps;
    if (classic == null && maps != null) {
      return new MapFolder(maps);
    }
    ClassicDetector baseline = Objects.requireNonNull(classic);
    double s = sigma == null ? baseline.defaultSigma() : sigma;
    return ImageDetector.of(
        baseline, s, data, saveMaps ? List.of(output.resolve("maps")) : List.of());
  }

  private Evaluation.Detector network(GammaNet net, EvaluationData data) {
    ForwardOptions options =
        passes.allTimesteps ? ForwardOptions.DEFAULTS.withEveryTimestep() : ForwardOptions.DEFAULTS;
    List<Path> saved =
        saveMaps ? outputs(net).stream().map(o -> o.folder().resolve("maps")).toList() : List.of();
    return ImageDetector.of(net, model, compute, data, passes, options, saved);
  }
}
