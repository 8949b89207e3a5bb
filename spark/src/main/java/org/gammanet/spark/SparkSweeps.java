package org.gammanet.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.gammanet.GammaNet;
import org.gammanet.config.DataConfig;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.BoundarySums;
import org.gammanet.experiments.study.Control;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.Preparation;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.DataException;
import org.gammanet.io.Images;
import org.gammanet.training.Trainer;
import org.gammanet.training.TrainingData;
import org.gammanet.training.TrainingListener;
import org.jspecify.annotations.Nullable;

/**
 * Sweeps over conditions on Spark, each a task of its own: experiments on networks, and networks
 * that are trained and scored. A condition that fails is a row with an error.
 */
public final class SparkSweeps {
  /** Stimuli that pass at once, at most. */
  private static final int BATCH = 32;

  /**
   * Columns of experiments: {@code condition}, {@code experiment}, its primary {@code number} with
   * {@code value}, interval from {@code low} to {@code high} and sample size {@code n}, all {@code
   * findings} as JSON, {@code seconds} of the condition, {@code error}.
   */
  public static final StructType FINDINGS =
      new StructType()
          .add("condition", DataTypes.StringType)
          .add("experiment", DataTypes.StringType)
          .add("number", DataTypes.StringType)
          .add("value", DataTypes.DoubleType)
          .add("low", DataTypes.DoubleType)
          .add("high", DataTypes.DoubleType)
          .add("n", DataTypes.IntegerType)
          .add("findings", DataTypes.StringType)
          .add("seconds", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  /**
   * Columns of trained networks: {@code network}, {@code parameters}, {@code updates}, the last
   * update's {@code loss}, {@code ods}, {@code ois}, {@code ap}, {@code r50}, {@code images} that
   * were scored and {@code failed} ones, {@code seconds}, {@code error}.
   */
  public static final StructType SCORES =
      new StructType()
          .add("network", DataTypes.StringType)
          .add("parameters", DataTypes.LongType)
          .add("updates", DataTypes.LongType)
          .add("loss", DataTypes.DoubleType)
          .add("ods", DataTypes.DoubleType)
          .add("ois", DataTypes.DoubleType)
          .add("ap", DataTypes.DoubleType)
          .add("r50", DataTypes.DoubleType)
          .add("images", DataTypes.LongType)
          .add("failed", DataTypes.LongType)
          .add("seconds", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  /**
   * Experiments on a network.
   *
   * @param name of the condition in the results
   * @param layer that is recorded; null for the usual one
   * @param imageSize height and width of the stimuli in pixels
   * @param experiments names of experiments, or {@code all}
   * @param control run on in place of the network itself; null for the network
   */
  public record Condition(
      String name,
      SparkNetwork network,
      @Nullable String layer,
      int imageSize,
      List<String> experiments,
      Settings settings,
      @Nullable Control control)
      implements Serializable {}

  private SparkSweeps() {}

  // Experiments

  /**
   * Runs experiments in each condition.
   *
   * @return rows of {@link #FINDINGS}: one for each condition and experiment, or one for a
   *     condition that failed
   */
  public static Dataset<Row> experiments(SparkSession spark, List<Condition> conditions) {
    List<Condition> all = new ArrayList<>(conditions);
    FlatMapFunction<Long, Row> work = k -> run(all.get(k.intValue()));
    return numbers(spark, all.size()).flatMap(work, Encoders.row(FINDINGS));
  }

  /** A partition for each condition. */
  private static Dataset<Long> numbers(SparkSession spark, int conditions) {
    return spark.range(0, conditions, 1, Math.max(1, conditions));
  }

  private static Iterator<Row> run(Condition c) throws IOException {
    long begun = System.nanoTime();
    TaskContext task = TaskContext.get();
    Path folder = Files.createTempDirectory("gammanet-condition");
    try {
      ObjectNode results = results(c, folder, task);
      List<Row> rows = new ArrayList<>();
      for (Experiment<?> e : Experiments.named(c.experiments, c.settings.mode())) {
        JsonNode found = results.path(e.key());
        String primary = e.description().primary();
        JsonNode number = found.path(primary);
        rows.add(
            RowFactory.create(
                c.name,
                e.name(),
                primary,
                value(number.isNumber() ? number : number.path("value")),
                value(number.path("low")),
                value(number.path("high")),
                number.has("n") ? number.path("n").asInt() : null,
                found.toString(),
                GammaNetSpark.seconds(begun),
                null));
      }
      return rows.iterator();
    } catch (IOException | RuntimeException e) {
      if (task.isInterrupted()) {
        throw e;
      }
      Row failed =
          GammaNetSpark.failed(
              FINDINGS,
              GammaNetSpark.seconds(begun),
              GammaNetSpark.sentence(e),
              c.name,
              String.join(",", c.experiments));
      return List.of(failed).iterator();
    } finally {
      delete(folder);
    }
  }

  private static ObjectNode results(Condition c, Path folder, TaskContext task) throws IOException {
    GammaNet net = SharedNetworks.take(c.network);
    String layer =
        c.layer != null ? c.layer : NetworkPreparation.usualLayer(net.network(), c.settings.mode());
    boolean trained = c.network.source().trained();
    try (var whole = new NetworkPreparation(net.network(), layer, c.imageSize, 0, BATCH, trained);
        Preparation other = c.control == null ? null : whole.control(c.control)) {
      if (c.control != null && other == null) {
        throw new IllegalArgumentException("this network has no control " + c.control.name());
      }
      var progress =
          new Progress() {
            @Override
            public boolean canceled() {
              return task.isInterrupted();
            }
          };
      InSilico run =
          InSilico.open(
              folder,
              c.experiments,
              c.settings,
              other == null ? whole : other,
              null,
              Map.of("checkpoint", c.name),
              false,
              Study.Existing.CONTINUE,
              progress);
      run.run();
      return run.results();
    }
  }

  private static @Nullable Double value(JsonNode number) {
    return number.isNumber() ? number.asDouble() : null;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  // Networks that are trained and scored

  /**
   * Trains networks from random weights, and scores them by the boundary benchmark.
   *
   * @param networks configurations by name; their folders of data have the same path on all
   *     machines
   * @param updates of each network
   * @param split whose images are scored
   * @return a row of {@link #SCORES} for each network
   */
  public static Dataset<Row> ablate(
      SparkSession spark,
      Map<String, GammaNetConfig> networks,
      long updates,
      String split,
      BoundaryBenchmark.Settings settings) {
    List<String> names = new ArrayList<>(networks.keySet());
    List<String> configs =
        new ArrayList<>(networks.values().stream().map(GammaNetConfig::toJson).toList());
    MapFunction<Long, Row> work =
        k -> {
          int i = k.intValue();
          return ablated(names.get(i), configs.get(i), updates, split, settings);
        };
    return numbers(spark, names.size()).map(work, Encoders.row(SCORES));
  }

  private static Row ablated(
      String name, String json, long updates, String split, BoundaryBenchmark.Settings settings)
      throws IOException, InterruptedException {
    long begun = System.nanoTime();
    TaskContext task = TaskContext.get();
    Path folder = Files.createTempDirectory("gammanet-network");
    SharedNetworks.prepare(task);
    GammaNetConfig config = GammaNetConfig.parseStored(json, name, note -> {});
    try (GammaNet net = GammaNet.random(config, config.seed(), SharedNetworks.device(task))) {
      double loss = train(net, config, folder, updates, task);
      Scored scored = score(net, config.data(), split, settings, task);
      BoundaryScores scores = scored.sums.scores();
      return RowFactory.create(
          name,
          net.network().parameterCount(),
          updates,
          loss,
          scores.ods().f(),
          scores.ois().f(),
          scores.ap(),
          scores.r50(),
          scored.sums.images(),
          scored.failed,
          GammaNetSpark.seconds(begun),
          null);
    } catch (RuntimeException e) {
      if (task.isInterrupted()) {
        throw e;
      }
      return GammaNetSpark.failed(
          SCORES, GammaNetSpark.seconds(begun), GammaNetSpark.sentence(e), name);
    } finally {
      delete(folder);
    }
  }

  /** Trains, and returns the loss of the last update. */
  private static double train(
      GammaNet net, GammaNetConfig config, Path folder, long updates, TaskContext task)
      throws InterruptedException {
    double[] loss = {Double.NaN};
    Trainer[] running = new Trainer[1];
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void step(Step step) {
            loss[0] = step.loss();
            if (task.isInterrupted()) {
              running[0].stop();
            }
          }
        };
    try (var trainer =
        new Trainer(config, net.network(), TrainingData.open(config.data()), folder, listener)) {
      running[0] = trainer;
      if (trainer.run(updates) == Trainer.End.STOPPED) {
        throw new InterruptedException("the task was ended");
      }
    }
    return loss[0];
  }

  private record Scored(BoundarySums sums, long failed) {}

  private static Scored score(
      GammaNet net,
      DataConfig data,
      String split,
      BoundaryBenchmark.Settings settings,
      TaskContext task)
      throws InterruptedException {
    Path root = data.testPath() == null ? data.trainPath() : data.testPath();
    if (root == null) {
      throw new DataException("the configuration has no data.test_path");
    }
    Map<String, Path> images = DatasetIndex.images(root, split);
    BoundarySums sums = null;
    long failed = 0;
    for (Map.Entry<String, Path> drawing : DatasetIndex.annotations(root, split).entrySet()) {
      if (task.isInterrupted()) {
        throw new InterruptedException("the task was ended");
      }
      String id = drawing.getKey();
      try {
        Path image = images.get(id);
        if (image == null) {
          throw new DataException("there is no image " + id);
        }
        GroundTruth truth = GroundTruth.read(drawing.getValue());
        BoundarySums own =
            BoundarySums.of(GammaNetSpark.count(net, id, Images.read(image), truth, settings));
        sums = sums == null ? own : sums.plus(own);
      } catch (IOException | DataException e) {
        failed++;
      }
    }
    if (sums == null) {
      throw new DataException(
          "no image of the split %s in %s could be scored".formatted(split, root));
    }
    return new Scored(sums, failed);
  }
}
