package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.TestTimeAugmentation;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.ClassicDetector;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The boundary benchmark of the BSDS500. */
@Command(
    name = "evaluate",
    header = "Score edge maps by the BSDS500 boundary benchmark.",
    description = {
      "Scores a network (the trained one that comes with the program, unless --checkpoint,"
          + " --random, --config or --set say otherwise), a folder of maps (--maps) or a classic"
          + " detector (--baseline) against what people drew, as the benchmark's own program does:"
          + " ODS, OIS, AP and R50.",
      "",
      "Ground truth is DIR/groundTruth/SPLIT/ID.mat (or .npy, .png, or a folder ID with a picture"
          + " for each annotator), images are DIR/images/SPLIT/ID.jpg (or .png); the SPLIT folders"
          + " may be missing. Maps are ID.png (8 or 16 bits), ID.npy, or ID.mat with ucm2 or segs.",
      "",
      "Writes eval_bdry.txt, eval_bdry_thr.txt, eval_bdry_img.txt, eval.json, images.csv,"
          + " pr_curve.svg and .png, report.html, and ID_ev1.txt with the counts of each image. A"
          + " run that was interrupted goes on when it is started again; scores of another detector"
          + " or other settings are replaced with --force alone."
    },
    footer = {
      "Examples:",
      "  gammanet evaluate --data-dir BSDS500",
      "  gammanet evaluate --checkpoint runs/first --data-dir BSDS500",
      "  gammanet evaluate --maps my-maps --data-dir BSDS500 --nms smooth"
    })
final class EvaluateCommand implements Callable<Integer> {
  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description =
          "Folder that contains images and groundTruth; default: the configuration's"
              + " data.test_path.")
  @Nullable Path dataDir;

  @Option(
      names = "--split",
      paramLabel = "NAME",
      defaultValue = "test",
      description = "Folder below images and groundTruth: test, val or train; default: test.")
  String split = "test";

  @Option(
      names = "--maps",
      paramLabel = "DIR",
      description = "Score the maps in a folder, in place of a network.")
  @Nullable Path maps;

  @Option(
      names = "--baseline",
      paramLabel = "NAME",
      description = "Score a classic detector, canny or sobel, in place of a network.")
  @Nullable ClassicDetector baseline;

  @Option(
      names = "--sigma",
      paramLabel = "X",
      description = "Standard deviation of the baseline's smoothing, pixels; default: 2.")
  @Nullable Double sigma;

  @Option(
      names = {"--output", "--output-dir"},
      paramLabel = "DIR",
      defaultValue = "eval_results",
      description = "Folder for the results; default: eval_results.")
  Path output = Path.of("eval_results");

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write what eval.json contains to another file too.")
  @Nullable Path json;

  @Option(
      names = {"--save-maps", "--save-predictions"},
      description = "Write the maps as 16-bit PNG, before any suppression, to maps in the output.")
  boolean saveMaps;

  @Option(
      names = "--thresholds",
      paramLabel = "N",
      defaultValue = "99",
      description = "Number of thresholds k/(N+1); default: 99. Compare only equal numbers.")
  int thresholds = 99;

  @Option(
      names = "--max-dist",
      paramLabel = "X",
      defaultValue = "0.0075",
      description =
          "Largest distance of matching pixels, of the image's diagonal; default: 0.0075.")
  double maxDistance = 0.0075;

  @Option(
      names = "--nms",
      paramLabel = "KIND",
      description =
          "Suppression before the cut: smooth (a triangle filter first, as published results of"
              + " learned detectors), plain or none. Default: smooth for networks, none for --maps"
              + " and --baseline.")
  @Nullable EdgeNms nms;

  @Option(
      names = "--no-thinning",
      description = "Match masks as they are; for maps whose lines are thin.")
  boolean noThinning;

  @Option(names = "--resize", description = "Resize maps of another size than their ground truth.")
  boolean resize;

  @Option(
      names = "--limit",
      paramLabel = "N",
      description = "Only the first N images: a quick look, not comparable with anything.")
  @Nullable Integer limit;

  @Option(
      names = "--epoch",
      paramLabel = "N",
      description = "Of a --checkpoint that is a run's folder, the weights after this epoch.")
  @Nullable Integer epoch;

  @Option(
      names = "--force",
      description = "Replace the scores of another detector or other settings in the folder.")
  boolean force;

  @Option(names = "--timesteps", paramLabel = "N", description = "Timesteps of the recurrence.")
  int timesteps;

  @Option(
      names = "--all-timesteps",
      description =
          "Score the map after each timestep: results in t1, t2, … of the output, and a table of"
              + " them in timesteps.csv.")
  boolean allTimesteps;

  @Option(
      names = "--tta",
      description = "Average over the image's mirror images and turns by 90 degrees (6 passes).")
  boolean tta;

  @Option(names = "--multiscale", description = "Average over sizes 0.5, 1 and 1.5 (3 passes).")
  boolean multiscale;

  @Mixin PrecisionOption precision;
  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  EvaluateCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    check();
    Path root = dataDir == null ? model.readConfig().data().testPath() : dataDir;
    if (root == null) {
      throw usage("--data-dir is missing: the folder that contains images and groundTruth");
    }
    Evaluation.Data data = Evaluation.Data.open(root, split);
    EdgeNms suppression = nms;
    if (suppression == null) {
      suppression = maps != null || baseline != null ? EdgeNms.NONE : EdgeNms.SMOOTH;
    }
    BoundaryBenchmark.Settings settings =
        new BoundaryBenchmark.Settings(thresholds, maxDistance, !noThinning, suppression, resize);
    if (maps != null) {
      return evaluate(new MapFolder(maps), data, settings, output, json).failed();
    }
    Path saved = saveMaps ? output.resolve("maps") : null;
    ClassicDetector classic = baseline;
    if (classic != null) {
      double s = sigma == null ? classic.defaultSigma() : sigma;
      return evaluate(
              new ImageDetector(
                  classic.name().toLowerCase(Locale.ROOT) + " baseline",
                  Map.of("sigma", s + " pixels"),
                  data.images(),
                  image -> classic.detect(image, s),
                  saved),
              data,
              settings,
              output,
              json)
          .failed();
    }
    model.checkpoint = checkpointFile();
    try (GammaNet net = precision.applyTo(model.openTrained(true))) {
      return allTimesteps
          ? everyTimestep(net, data, settings)
          : evaluate(network(net, timesteps, data, saved), data, settings, output, json).failed();
    }
  }

  /** Scores the same images after one timestep, after two, and so on. */
  private int everyTimestep(GammaNet net, Evaluation.Data data, BoundaryBenchmark.Settings settings)
      throws IOException, InterruptedException {
    int last = timesteps == 0 ? net.config().model().timesteps() : timesteps;
    StringBuilder csv = new StringBuilder("timestep,ods,ois,ap,r50\n");
    int failed = 0;
    for (int t = 1; t <= last; t++) {
      Path folder = output.resolve("t" + t);
      Path saved = saveMaps ? folder.resolve("maps") : null;
      Scored scored = evaluate(network(net, t, data, saved), data, settings, folder, null);
      BoundaryScores s = scored.scores();
      csv.append(
          String.format(
              Locale.ROOT,
              "%d,%.4f,%.4f,%.4f,%.4f%n",
              t,
              s.ods().f(),
              s.ois().f(),
              s.ap(),
              s.r50()));
      failed = Math.max(failed, scored.failed());
    }
    Path table = output.resolve("timesteps.csv");
    BoundaryFiles.write(table, csv.toString());
    PrintWriter out = spec.commandLine().getOut();
    out.println();
    csv.toString().lines().forEach(line -> out.println(line.replace(",", "\t")));
    out.println(table);
    return failed;
  }

  /** What a run came to, and the exit status. */
  private record Scored(BoundaryScores scores, int failed) {}

  private void check() {
    if (maps != null && baseline != null
        || (maps != null || baseline != null) && model.checkpoint != null) {
      throw usage("only one of --checkpoint, --maps and --baseline can be scored");
    }
    if (maps != null && !Files.isDirectory(maps)) {
      throw new CommandException("there is no folder " + maps);
    }
    boolean ofNetworks = tta || multiscale || timesteps != 0 || allTimesteps || epoch != null;
    if ((maps != null || baseline != null) && ofNetworks) {
      throw usage("--tta, --multiscale, --timesteps, --all-timesteps and --epoch are for networks");
    }
    if (maps != null && saveMaps) {
      throw usage("--save-maps is for detectors; --maps are there already");
    }
    if (timesteps < 0 || limit != null && limit < 1 || model.threads != null && model.threads < 1) {
      throw usage("--timesteps, --limit and --threads must be at least 1");
    }
    if (allTimesteps && json != null) {
      throw usage("--json is for one run; --all-timesteps makes several, each with its eval.json");
    }
    if (sigma != null && baseline == null) {
      throw usage("--sigma is for --baseline");
    }
    try {
      var unused =
          new BoundaryBenchmark.Settings(thresholds, maxDistance, true, EdgeNms.NONE, false);
      if (baseline != null && sigma != null) {
        baseline.checkSigma(sigma);
      }
    } catch (IllegalArgumentException e) {
      throw usage(String.valueOf(e.getMessage()));
    }
  }

  private ParameterException usage(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }

  private Scored evaluate(
      Evaluation.Detector detector,
      Evaluation.Data data,
      BoundaryBenchmark.Settings settings,
      Path folder,
      @Nullable Path copy)
      throws IOException, InterruptedException {
    int threads =
        model.threads == null ? Runtime.getRuntime().availableProcessors() : model.threads;
    Evaluation evaluation =
        new Evaluation(
            spec,
            detector,
            data,
            settings,
            folder,
            threads,
            limit == null ? Integer.MAX_VALUE : limit);
    if (!force) {
      evaluation.requireOwnFolder();
    }
    evaluation.printParameters();
    Evaluation.Outcome outcome = evaluation.run();
    BoundaryScores scores = outcome.scores();
    if (copy != null) {
      evaluation.writeJson(copy, outcome);
    }
    if (scores == null) {
      throw new CommandException("no image could be scored");
    }
    evaluation.printScores(scores);
    PrintWriter out = spec.commandLine().getOut();
    if (!outcome.failures().isEmpty()) {
      out.printf(
          "%d of %d images have no score%n",
          outcome.failures().size(), outcome.failures().size() + scores.images().size());
    }
    out.println(folder.resolve("report.html"));
    return new Scored(scores, outcome.failures().isEmpty() ? 0 : Failures.FAILED);
  }

  /** The file that --checkpoint and --epoch mean; null without a checkpoint. */
  private @Nullable Path checkpointFile() {
    Path given = model.checkpoint;
    if (given == null || !Files.isDirectory(given) && epoch == null) {
      if (epoch != null) {
        throw usage("--epoch needs a --checkpoint: a run's folder");
      }
      return given;
    }
    Path folder = given;
    if (!Files.isDirectory(folder)) {
      Path parent = folder.toAbsolutePath().getParent();
      folder = parent == null ? folder : parent;
    }
    if (Files.isDirectory(folder.resolve("checkpoints"))) {
      folder = folder.resolve("checkpoints");
    }
    List<String> names =
        epoch == null ? List.of("best_model", "last") : List.of("checkpoint_epoch_" + epoch);
    for (String name : names) {
      for (String ending : List.of(".safetensors", ".pt", ".pth")) {
        Path file = folder.resolve(name + ending);
        if (Files.isRegularFile(file)) {
          return file;
        }
      }
    }
    throw new CommandException(
        "there is no " + String.join(" or ", names) + ".safetensors, .pt or .pth in " + folder);
  }

  private Evaluation.Detector network(
      GammaNet net, int timesteps, Evaluation.Data data, @Nullable Path saved) throws IOException {
    var augmentation = new TestTimeAugmentation(tta, multiscale);
    ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps);
    Map<String, String> facts = new LinkedHashMap<>();
    String hash = model.fileHash();
    if (hash != null) {
      facts.put("checkpoint", model.network());
      facts.put("weights sha256", hash);
    } else {
      long seed = model.seed == null ? net.config().seed() : model.seed;
      facts.put("seed", seed + " (random weights)");
    }
    facts.put("network", net.config().model().name());
    facts.put(
        "timesteps",
        Integer.toString(timesteps == 0 ? net.config().model().timesteps() : timesteps));
    facts.put("tta", tta ? "on" : "off");
    facts.put("multiscale", multiscale ? "on" : "off");
    facts.put("device", net.network().device().toString());
    return new ImageDetector(
        net.config().model().name() + ", " + model.title(),
        facts,
        data.images(),
        image -> augmentation.detect(image, i -> net.detect(i, options).getFirst()),
        saved);
  }

  /** A detector that looks at the images. */
  static final class ImageDetector implements Evaluation.Detector {
    /** Finds edges. */
    @FunctionalInterface
    interface Method {
      EdgeMap detect(RgbImage image);
    }

    private final String name;
    private final Map<String, String> facts;
    private final Map<String, Path> images;
    private final Method method;
    private final @Nullable Path saved;

    ImageDetector(
        String name,
        Map<String, String> facts,
        Map<String, Path> images,
        Method method,
        @Nullable Path saved) {
      this.name = name;
      this.facts = facts;
      this.images = images;
      this.method = method;
      this.saved = saved;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public String key() {
      return name + facts;
    }

    @Override
    public Map<String, String> facts() {
      return facts;
    }

    @Override
    public Iterable<String> ids() {
      return images.keySet();
    }

    @Override
    public List<Path> inputs(String id) {
      return List.of(images.getOrDefault(id, Path.of(id)));
    }

    @Override
    public boolean isWanted(String id) {
      return saved != null && !Files.exists(saved.resolve(id + ".png"));
    }

    @Override
    public BoundaryBenchmark.Prediction map(String id) throws IOException {
      Path file = images.get(id);
      if (file == null) {
        throw new DataException("there is no image " + id);
      }
      EdgeMap map;
      try {
        map = method.detect(Images.read(file));
      } catch (TorchException | IllegalStateException e) {
        throw new DataException(file + ": " + e.getMessage(), e);
      }
      if (saved != null) {
        Files.createDirectories(saved);
        Images.writePng16(saved.resolve(id + ".png"), map);
      }
      return BoundaryBenchmark.Strengths.of(map.values(), map.height(), map.width());
    }
  }

  /** Maps that are there already. */
  static final class MapFolder implements Evaluation.Detector {
    private final Path folder;

    MapFolder(Path folder) {
      this.folder = folder;
    }

    @Override
    public String name() {
      return "maps in " + folder.toAbsolutePath().normalize().getFileName();
    }

    @Override
    public String key() {
      return "maps";
    }

    @Override
    public Map<String, String> facts() {
      return Map.of("folder", folder.toString());
    }

    @Override
    public Iterable<String> ids() {
      var ids = new TreeSet<String>();
      try (Stream<Path> files = Files.list(folder)) {
        files
            .map(f -> String.valueOf(f.getFileName()))
            .filter(n -> n.matches("(?i)[^.].*\\.(png|npy|mat)"))
            .forEach(n -> ids.add(n.substring(0, n.lastIndexOf('.'))));
      } catch (IOException e) {
        throw new DataException("Cannot list " + folder + ": " + e.getMessage(), e);
      }
      return ids;
    }

    @Override
    public List<Path> inputs(String id) {
      try {
        return List.of(BoundaryFiles.find(folder, id));
      } catch (DataException e) {
        return List.of(folder.resolve(id + ".png")); // its absence is reported when it is read
      }
    }

    @Override
    public BoundaryBenchmark.Prediction map(String id) throws IOException {
      return BoundaryFiles.read(BoundaryFiles.find(folder, id));
    }
  }
}
