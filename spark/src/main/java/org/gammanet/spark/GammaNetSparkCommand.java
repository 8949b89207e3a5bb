package org.gammanet.spark;

import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.study.Control;
import org.gammanet.experiments.study.Settings;
import org.gammanet.kernels.Precision;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What spark-submit runs. Results are Parquet; folders are those of Hadoop's file systems. */
@Command(
    name = "gammanet-spark",
    mixinStandardHelpOptions = true,
    header = "GammaNet on Spark: edge maps, scores, experiments and ablations as Parquet.",
    subcommands = {
      GammaNetSparkCommand.Detect.class,
      GammaNetSparkCommand.Evaluate.class,
      GammaNetSparkCommand.Experiment.class,
      GammaNetSparkCommand.Ablate.class,
      HelpCommand.class
    },
    synopsisSubcommandLabel = "COMMAND")
public final class GammaNetSparkCommand {
  private GammaNetSparkCommand() {}

  /** Runs a command and exits with its status: 0 done, 1 failed, 2 wrong usage. */
  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT);
    var line = new CommandLine(new GammaNetSparkCommand());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(
        (e, words) -> {
          e.getCommandLine().getErr().println("gammanet-spark: " + e.getMessage());
          return 2;
        });
    line.setExecutionExceptionHandler(
        (e, command, parsed) -> {
          boolean known = e instanceof IllegalArgumentException || e instanceof AnalysisException;
          command.getErr().println("gammanet-spark: " + GammaNetSpark.sentence(e));
          if (!known) {
            e.printStackTrace(command.getErr());
          }
          return known ? 2 : 1;
        });
    int status = line.execute(arguments);
    SparkSession.getActiveSession()
        .foreach(
            session -> {
              session.stop();
              return null;
            });
    System.exit(status);
  }

  private static SparkSession session() {
    return SparkSession.builder().appName("gammanet").getOrCreate();
  }

  private static Dataset<Row> files(SparkSession spark, List<String> paths) {
    return spark.read().format("binaryFile").load(paths.toArray(String[]::new));
  }

  /** Where results go. */
  static final class Output {
    @Option(
        names = {"-o", "--output"},
        paramLabel = "DIR",
        required = true,
        description = "Folder for the Parquet files.")
    String folder = "";

    @Option(
        names = {"-f", "--force"},
        description = "Replace what the folder holds.")
    boolean force;

    /** Writes rows, and reads them again. */
    Dataset<Row> write(Dataset<Row> rows, String below) {
      String to = below.isEmpty() ? folder : folder + "/" + below;
      rows.write().mode(force ? SaveMode.Overwrite : SaveMode.ErrorIfExists).parquet(to);
      return rows.sparkSession().read().parquet(to);
    }

    void show(Dataset<Row> written, String things) {
      long failed = written.filter("error is not null").count();
      System.out.printf(
          "%s %s and %s errors in %s%n", written.count() - failed, things, failed, folder);
    }
  }

  /** Which network, and how it computes. */
  static final class Network {
    @Option(
        names = {"-c", "--checkpoint"},
        paramLabel = "NAME",
        defaultValue = "bundled",
        description =
            "Weights: a file with the same path on all machines, or one sent with spark-submit"
                + " --files and named without its folder; bundled, full; default:"
                + " ${DEFAULT-VALUE}.")
    String checkpoint = "bundled";

    @Option(
        names = {"-s", "--set"},
        paramLabel = "KEY=VALUE",
        description = "Override a key of the configuration, such as model.timesteps=8. Repeatable.")
    List<String> set = new ArrayList<>();

    @Option(
        names = "--precision",
        paramLabel = "TYPE",
        defaultValue = "float32",
        description = "float32 or bf16; default: ${DEFAULT-VALUE}.")
    String precision = "float32";

    /**
     * The network of a point of a grid.
     *
     * @param point keys of the configuration, which contain a dot, and {@code checkpoint} are read
     */
    SparkNetwork at(Map<String, String> point) {
      List<String> all = new ArrayList<>(set);
      point.forEach(
          (key, value) -> {
            if (key.contains(".")) {
              all.add(key + "=" + value);
            }
          });
      Precision type =
          switch (precision) {
            case "float32" -> Precision.FLOAT32;
            case "bf16" -> Precision.BFLOAT16;
            default ->
                throw new IllegalArgumentException(
                    "--precision is float32 or bf16, not '%s'".formatted(precision));
          };
      return SparkNetwork.of(point.getOrDefault("checkpoint", checkpoint))
          .with(all)
          .withPrecision(type);
    }
  }

  /** Refuses axes of a grid that would have no effect. */
  private static void check(List<Map<String, String>> grid, List<String> keys) {
    for (String key : grid.getFirst().keySet()) {
      if (!key.contains(".") && !keys.contains(key)) {
        throw new IllegalArgumentException(
            "%s cannot be varied, but %s and keys of the configuration can"
                .formatted(key, String.join(", ", keys)));
      }
    }
  }

  /** How the benchmark scores. */
  static final class Scoring {
    @Option(
        names = "--split",
        paramLabel = "NAME",
        defaultValue = "test",
        description = "Folder below images and groundTruth; default: ${DEFAULT-VALUE}.")
    String split = "test";

    @Option(
        names = "--thresholds",
        paramLabel = "N",
        defaultValue = "99",
        description = "Number of thresholds; default: ${DEFAULT-VALUE}.")
    int thresholds = 99;

    @Option(
        names = "--nms",
        paramLabel = "KIND",
        defaultValue = "smooth",
        description = "none, plain or smooth; default: ${DEFAULT-VALUE}.")
    EdgeNms nms = EdgeNms.SMOOTH;

    BoundaryBenchmark.Settings settings() {
      return BoundaryBenchmark.Settings.DEFAULT.withThresholds(thresholds).withNms(nms);
    }
  }

  @Command(
      name = "detect",
      mixinStandardHelpOptions = true,
      header = "Edge maps of images, the same bytes as gammanet detect writes.",
      description =
          "Writes a row for each file: path, width, height, png (or map), seconds, error.")
  static final class Detect implements Callable<Integer> {
    @Parameters(paramLabel = "PATH", arity = "1..*", description = "Folders or patterns of images.")
    List<String> inputs = new ArrayList<>();

    @Option(
        names = {"-r", "--recursive"},
        description = "Look into folders in folders.")
    boolean recursive;

    @Option(
        names = "--max-side",
        paramLabel = "N",
        description =
            "Working size in pixels, 0 for every image at its own; default: ${DEFAULT-VALUE}.")
    int maxSide = DetectorOptions.DEFAULT_MAX_SIDE;

    @Option(names = "--floats", description = "Probabilities in place of pictures.")
    boolean floats;

    @Mixin Output output = new Output();
    @Mixin Network network = new Network();

    @Override
    public Integer call() {
      SparkNetwork net = network.at(Map.of());
      DetectorOptions options = DetectorOptions.DEFAULTS.withMaxSide(maxSide);
      Dataset<Row> files =
          session()
              .read()
              .format("binaryFile")
              .option("recursiveFileLookup", recursive)
              .load(inputs.toArray(String[]::new));
      Dataset<Row> maps = GammaNetSpark.detect(files, net, options, floats).union(empty(files));
      output.show(output.write(maps, ""), "edge maps");
      return 0;
    }

    /** Rows of files without a byte, which binaryFile leaves out. */
    private static Dataset<Row> empty(Dataset<Row> files) {
      List<String> all =
          Arrays.stream(files.inputFiles())
              .map(file -> new Path(URI.create(file)).toString())
              .toList();
      Dataset<Row> found = files.select(files.col("path").as("found"));
      Dataset<Row> named = files.sparkSession().createDataset(all, Encoders.STRING()).toDF("path");
      MapFunction<Row, Row> row =
          missing -> {
            String path = missing.getString(0);
            return GammaNetSpark.failed(GammaNetSpark.MAPS, 0, path + " is empty", path);
          };
      return named
          .join(found, named.col("path").equalTo(found.col("found")), "left_anti")
          .map(row, Encoders.row(GammaNetSpark.MAPS));
    }
  }

  @Command(
      name = "evaluate",
      mixinStandardHelpOptions = true,
      header = "Score networks by the BSDS500 boundary benchmark.",
      description =
          "Writes counts (a row for each network and image) and scores (a row for each network).")
  static final class Evaluate implements Callable<Integer> {
    private static final StructType SCORES =
        new StructType()
            .add("network", DataTypes.StringType)
            .add("ods", DataTypes.DoubleType)
            .add("ois", DataTypes.DoubleType)
            .add("ap", DataTypes.DoubleType)
            .add("r50", DataTypes.DoubleType);

    @Option(
        names = {"-d", "--data-dir"},
        paramLabel = "DIR",
        required = true,
        description = "Folder that contains images and groundTruth.")
    String data = "";

    @Option(
        names = "--vary",
        paramLabel = "KEY=A,B",
        description =
            "Score several networks: checkpoint, or a key of the configuration, has each of these"
                + " values. Repeatable, for all combinations.")
    List<String> axes = new ArrayList<>();

    @Mixin Scoring scoring = new Scoring();
    @Mixin Output output = new Output();
    @Mixin Network network = new Network();

    @Override
    public Integer call() {
      List<Map<String, String>> grid = Grid.points(axes);
      check(grid, List.of("checkpoint"));
      BoundaryBenchmark.Settings settings = scoring.settings();
      List<SparkNetwork> networks = grid.stream().map(network::at).toList();
      SparkSession spark = session();
      Dataset<Row> images = files(spark, List.of(data + "/images/" + scoring.split));
      Dataset<Row> drawings = files(spark, List.of(data + "/groundTruth/" + scoring.split));
      Dataset<Row> all = null;
      for (int i = 0; i < grid.size(); i++) {
        Dataset<Row> counts =
            GammaNetSpark.count(images, drawings, networks.get(i), settings)
                .withColumn("network", functions.lit(name(grid.get(i))));
        all = all == null ? counts : all.union(counts);
      }
      Dataset<Row> written = output.write(Objects.requireNonNull(all), "counts");
      List<Row> rows = new ArrayList<>();
      System.out.println("ODS     OIS     AP      R50     network");
      for (Map<String, String> point : grid) {
        BoundaryScores s =
            GammaNetSpark.scores(written.filter(written.col("network").equalTo(name(point))));
        rows.add(RowFactory.create(name(point), s.ods().f(), s.ois().f(), s.ap(), s.r50()));
        System.out.printf(
            Locale.ROOT,
            "%.4f  %.4f  %.4f  %.4f  %s%n",
            s.ods().f(),
            s.ois().f(),
            s.ap(),
            s.r50(),
            name(point));
      }
      output.write(spark.createDataset(rows, Encoders.row(SCORES)).coalesce(1), "scores");
      output.show(written, "images scored");
      return 0;
    }

    private String name(Map<String, String> point) {
      return point.isEmpty() ? network.checkpoint : Grid.name(point);
    }
  }

  @Command(
      name = "experiment",
      mixinStandardHelpOptions = true,
      header = "Run experiments of virtual physiology in many conditions.",
      description =
          "Writes a row for each condition and experiment: condition, experiment, number (the"
              + " primary one), value, low, high, n, findings (JSON), seconds, error.")
  static final class Experiment implements Callable<Integer> {
    private static final List<String> KEYS =
        List.of("checkpoint", "layer", "control", "contrast", "pixels_per_degree", "seed");

    @Parameters(
        paramLabel = "NAME",
        arity = "1..*",
        description = "Experiments as gammanet insilico has them, or all.")
    List<String> experiments = new ArrayList<>();

    @Option(
        names = "--vary",
        paramLabel = "KEY=A,B",
        description =
            "Conditions: checkpoint, layer, control (none, random:1, lesion:horizontal), contrast,"
                + " pixels_per_degree, seed, or a key of the configuration, has each of these"
                + " values. Repeatable, for all combinations.")
    List<String> axes = new ArrayList<>();

    @Option(
        names = "--size",
        paramLabel = "N",
        defaultValue = "128",
        description = "Height and width of the stimuli in pixels; default: ${DEFAULT-VALUE}.")
    int size = 128;

    @Option(names = "--full", description = "All conditions of each experiment.")
    boolean full;

    @Mixin Output output = new Output();
    @Mixin Network network = new Network();

    @Override
    public Integer call() {
      List<Map<String, String>> grid = Grid.points(axes);
      check(grid, KEYS);
      List<SparkSweeps.Condition> conditions = grid.stream().map(this::condition).toList();
      SparkSession spark = session();
      output.show(
          output.write(SparkSweeps.experiments(spark, conditions), ""), "results of experiments");
      return 0;
    }

    private SparkSweeps.Condition condition(Map<String, String> point) {
      Settings settings = Settings.DEFAULTS.withFull(full);
      for (Map.Entry<String, String> e : point.entrySet()) {
        settings =
            switch (e.getKey()) {
              case "contrast" -> settings.withContrast(number(e.getValue()));
              case "pixels_per_degree" -> settings.withPixelsPerDegree(number(e.getValue()));
              case "seed" -> settings.withSeed((long) number(e.getValue()));
              default -> settings;
            };
      }
      return new SparkSweeps.Condition(
          point.isEmpty() ? network.checkpoint : Grid.name(point),
          network.at(point),
          point.get("layer"),
          size,
          experiments,
          settings,
          control(point.getOrDefault("control", "none")));
    }

    private static @Nullable Control control(String text) {
      return text.equals("none") ? null : Control.parse(List.of(text)).getLast();
    }

    private static double number(String text) {
      try {
        return Double.parseDouble(text);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException("'%s' is no number".formatted(text), e);
      }
    }
  }

  @Command(
      name = "ablate",
      mixinStandardHelpOptions = true,
      header = "Train and score networks that lack one mechanism each.",
      description = {
        "Each NETWORK is full, one of its ablations, v1, v2 or backbone, as for gammanet ablate."
            + " Writes a row for each: network, parameters, updates, loss, ods, ois, ap, r50,"
            + " images, failed, seconds, error.",
        "",
        "A training whose executor is lost begins again; gammanet ablate --shard continues its"
            + " trainings."
      })
  static final class Ablate implements Callable<Integer> {
    @Parameters(paramLabel = "NETWORK", arity = "1..*", description = "Names of networks.")
    List<String> names = new ArrayList<>();

    @Option(
        names = {"-d", "--data-dir"},
        paramLabel = "DIR",
        required = true,
        description =
            "Folder that contains images and groundTruth, with the same path on all machines.")
    String data = "";

    @Option(
        names = "--updates",
        paramLabel = "N",
        required = true,
        description = "Updates of each network, whose last weights are scored.")
    long updates;

    @Option(
        names = {"-s", "--set"},
        paramLabel = "KEY=VALUE",
        description = "Override a key of all configurations. Repeatable.")
    List<String> set = new ArrayList<>();

    @Option(
        names = "--vary",
        paramLabel = "KEY=A,B",
        description =
            "A key of the configuration has each of these values. Repeatable, for all"
                + " combinations.")
    List<String> axes = new ArrayList<>();

    @Mixin Scoring scoring = new Scoring();
    @Mixin Output output = new Output();

    @Override
    public Integer call() {
      List<Map<String, String>> grid = Grid.points(axes);
      check(grid, List.of());
      Map<String, GammaNetConfig> networks = new LinkedHashMap<>();
      for (String name : names) {
        for (Map<String, String> point : grid) {
          List<String> all = new ArrayList<>();
          for (String key : List.of("train_path", "val_path", "test_path")) {
            all.add("data.%s='%s'".formatted(key, data.replace("'", "''")));
          }
          all.addAll(set);
          point.forEach((key, value) -> all.add(key + "=" + value));
          GammaNetConfig config = GammaNetConfig.variant(name, all);
          if (config == null) {
            throw new IllegalArgumentException(name + " is no network that can be compared");
          }
          networks.put((name + " " + Grid.name(point)).strip(), config);
        }
      }
      Dataset<Row> rows =
          SparkSweeps.ablate(session(), networks, updates, scoring.split, scoring.settings());
      output.show(output.write(rows, ""), "networks");
      return 0;
    }
  }
}
