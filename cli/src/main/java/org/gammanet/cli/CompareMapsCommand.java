package org.gammanet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.ClassicDetector;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.FolderLock;
import org.gammanet.model.ForwardOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Several detectors on the boundary benchmark: one plot, one table, paired intervals. */
@Command(
    name = "maps",
    header = "Score several detectors by the boundary benchmark, and compare them.",
    description = {
      "Each SOURCE is one of: bundled or full (networks of this project); a checkpoint, or"
          + " the folder of a training run; canny or sobel; a folder of maps; the output folder of"
          + " 'gammanet evaluate', whose counts are taken as they are. NAME=SOURCE names it in plot"
          + " and table. The others are compared with the first.",
      "",
      "Writes comparison.csv, .json, report.html, and pr_curves.svg and .png. What is scored here"
          + " has the files of 'gammanet evaluate' in a folder of its name, and is not scored again"
          + " when the command is repeated. Intervals (95 %%) come from drawing the images anew,"
          + " the same ones for both detectors of a difference."
    },
    footer = {
      "Examples:",
      "  gammanet compare maps bundled canny sobel -d BSDS500",
      "  gammanet compare maps old=runs/first new=runs/second hed=maps/hed -d BSDS500",
      "  gammanet compare maps eval_results other_results"
    })
final class CompareMapsCommand implements Callable<Integer> {
  @Parameters(paramLabel = "SOURCE", arity = "0..*", description = "Detectors, at least two.")
  List<String> words = new ArrayList<>();

  @Option(
      names = {"-d", "--data-dir"},
      paramLabel = "DIR",
      description =
          "Folder that contains images and groundTruth; needed for all but results of evaluate.")
  @Nullable Path dataDir;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = "comparison",
      description = "Folder for the results; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("comparison");

  @Option(
      names = {"-f", "--force"},
      description = "Replace scores of other settings in the folder.")
  boolean force;

  @Option(
      names = "--nms",
      paramLabel = "KIND",
      completionCandidates = EvaluateCommand.Suppressions.class,
      description =
          "Non-maximum suppression of every source: one of ${COMPLETION-CANDIDATES}; default:"
              + " smooth for networks, none for maps and classic detectors.")
  @Nullable EdgeNms nms;

  @ArgGroup(exclusive = false, heading = ScoringOptions.HEADING)
  ScoringOptions scoring = new ScoringOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  CompareMapsCommand() {}

  /** What a word of the command line stands for. */
  private sealed interface Kind {
    /** A checkpoint, or the word of a network that ships with the program. */
    record Net(Path checkpoint) implements Kind {}

    record Classic(ClassicDetector detector) implements Kind {}

    record Maps(Path folder) implements Kind {}

    /** Results of the command evaluate. */
    record Scored(Path folder) implements Kind {}
  }

  private record Source(String name, Kind kind) {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    console = new Console(spec);
    List<Source> sources = sources();
    boolean scores = sources.stream().anyMatch(s -> !(s.kind instanceof Kind.Scored));
    Path root = dataDir;
    if (scores && root == null) {
      throw new UsageException(
          "--data-dir is missing: the folder that contains images and groundTruth");
    }
    scoring.settings();
    EvaluationData data = scores && root != null ? EvaluationData.open(root, scoring.split) : null;
    boolean complete = true;
    List<MapComparison.Entry> entries = new ArrayList<>();
    try (FolderLock lock = FolderLock.take(output)) {
      for (Source source : sources) {
        if (source.kind instanceof Kind.Scored scored) {
          entries.add(scored(source.name, scored.folder));
        } else if (data != null) {
          EvaluationOutcome outcome = score(source, data);
          complete &= outcome.failures().isEmpty();
          entries.add(
              new MapComparison.Entry(
                  source.name, Evaluation.protocol(settings(source.kind)), outcome.counts()));
        }
      }
      var comparison = MapComparison.of(entries, seed());
      comparison.notes().forEach(console::note);
      comparison.write(study());
      console.print(comparison.text());
      console.print(output.resolve("report.html"));
    }
    return complete ? 0 : Failures.FAILED;
  }

  /** The comparison as a run of its own, which replaces an earlier one. */
  private Study study() throws IOException {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("sources", words);
    settings.put("split", scoring.split);
    settings.put("thresholds", scoring.thresholds);
    settings.put("nms", nms == null ? "of each source" : nms);
    settings.put("seed", seed());
    return Study.open(
        output,
        "comparison.json",
        new Study.Identity("compare_maps", settings, ""),
        Map.of("version", GammanetCommand.Version.program()),
        Study.Existing.REPLACE,
        Progress.NONE);
  }

  /** Seed of the draws of images: several detectors have no configuration in common. */
  private long seed() {
    return compute.seed == null ? 1 : compute.seed;
  }

  private List<Source> sources() throws IOException {
    if (words.size() < 2) {
      throw new UsageException("name at least two detectors to compare");
    }
    List<Source> sources = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (String word : words) {
      int equals = word.indexOf('=');
      boolean named = equals > 0 && !Files.exists(Path.of(word));
      String what = named ? word.substring(equals + 1) : word;
      String name = named ? word.substring(0, equals) : shortName(what);
      if (!name.matches("[^/\\\\.][^/\\\\]*")) {
        throw new UsageException("'" + name + "' cannot be the name of a folder: choose another");
      }
      if (!names.add(name)) {
        throw new UsageException(
            "two sources are called '" + name + "': name them, as in first=" + what);
      }
      sources.add(new Source(name, kind(what)));
    }
    return sources;
  }

  private static String shortName(String what) {
    Path last = Path.of(what).toAbsolutePath().normalize().getFileName();
    return last == null ? what : last.toString().replaceFirst("\\.(safetensors|pt|pth)$", "");
  }

  private static Kind kind(String what) throws IOException {
    Path path = Path.of(what);
    if (NetworkOptions.shipped(path) != null) {
      return new Kind.Net(path);
    }
    for (ClassicDetector classic : ClassicDetector.values()) {
      if (what.equalsIgnoreCase(classic.name())) {
        return new Kind.Classic(classic);
      }
    }
    if (Files.isRegularFile(path)) {
      return new Kind.Net(path);
    }
    if (!Files.isDirectory(path)) {
      throw new CommandException(
          "there is no file or folder %s, and no detector of that name: there are bundled, full, %s"
              .formatted(what, String.join(", ", Converters.words(ClassicDetector.values()))));
    }
    if (Files.isRegularFile(path.resolve(Evaluation.FILE))) {
      return new Kind.Scored(path);
    }
    try (Stream<Path> files = Files.list(path)) {
      boolean run =
          Files.isDirectory(path.resolve("checkpoints"))
              || files.anyMatch(f -> f.toString().matches(".*\\.(safetensors|pt|pth)"));
      return run ? new Kind.Net(path) : new Kind.Maps(path);
    }
  }

  private Settings settings(Kind kind) {
    EdgeNms chosen = nms;
    return new Settings(
        scoring.thresholds,
        BoundaryBenchmark.Settings.DEFAULT.maxDistance(),
        true,
        chosen != null ? chosen : kind instanceof Kind.Net ? EdgeNms.SMOOTH : EdgeNms.NONE,
        false);
  }

  private EvaluationOutcome score(Source source, EvaluationData data)
      throws IOException, InterruptedException {
    return switch (source.kind) {
      case Kind.Net net -> {
        NetworkOptions options = new NetworkOptions();
        options.weights.checkpoint = net.checkpoint;
        try (GammaNet model = compute.applyTo(options.open(compute, console))) {
          yield score(
              source,
              data,
              ImageDetector.of(
                  model,
                  options,
                  compute,
                  data,
                  EvaluateCommand.Passes.NONE,
                  ForwardOptions.DEFAULTS,
                  List.of()));
        }
      }
      case Kind.Classic classic ->
          score(
              source,
              data,
              ImageDetector.of(classic.detector, classic.detector.defaultSigma(), data, List.of()));
      case Kind.Maps maps -> score(source, data, new MapFolder(maps.folder));
      case Kind.Scored scored -> throw new AssertionError(scored);
    };
  }

  private EvaluationOutcome score(Source source, EvaluationData data, Evaluation.Detector detector)
      throws IOException, InterruptedException {
    EvaluationOutcome outcome;
    try (var evaluation =
        new Evaluation(
            console,
            detector,
            data,
            settings(source.kind),
            List.of(new Evaluation.Output(output.resolve(source.name), "", Map.of())),
            compute.workers(),
            scoring.limit(),
            null,
            force ? Study.Existing.REPLACE : Study.Existing.CONTINUE)) {
      outcome = evaluation.run(() -> console.note("scoring " + source.name)).getFirst();
    }
    if (outcome.counts().isEmpty()) {
      throw new CommandException("no image of " + source.name + " could be scored");
    }
    return outcome;
  }

  /** The counts of a run of evaluate, and how it made its maps comparable. */
  private static MapComparison.Entry scored(String name, Path folder) throws IOException {
    JsonNode json = Study.read(folder, Evaluation.FILE);
    List<BoundaryCounts> counts = new ArrayList<>();
    for (JsonNode image : json.path("images")) {
      String id = image.path("id").asText();
      counts.add(BoundaryFiles.readCounts(folder.resolve(id + "_ev1.txt"), id));
    }
    if (counts.isEmpty()) {
      throw new CommandException(folder + " holds no scores");
    }
    return new MapComparison.Entry(
        name, json.at("/metadata/manifest/protocol").asText("unknown"), counts);
  }
}
