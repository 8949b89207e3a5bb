package org.gammanet.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.GroundTruth;
import org.gammanet.detection.Detector;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.study.Control;
import org.gammanet.experiments.study.NetworkSource;
import org.gammanet.experiments.study.Settings;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of a Spark in this process are what the library gives without Spark. */
class GammaNetSparkTest {
  private static final SparkNetwork NETWORK =
      SparkNetwork.BUNDLED.with(List.of("model.timesteps=1"));

  private static SparkSession spark;

  @TempDir Path folder = Path.of("");

  @BeforeAll
  static void start() {
    spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", false)
            .config("spark.sql.shuffle.partitions", 3)
            .config("spark.sql.files.maxPartitionBytes", 1 << 20)
            .config("spark.sql.files.openCostInBytes", 1 << 19)
            .getOrCreate();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private Dataset<Row> files(Path path) {
    return spark.read().format("binaryFile").load(path.toString());
  }

  private static Map<String, Row> byName(Dataset<Row> rows, String column) {
    Map<String, Row> found = new TreeMap<>();
    for (Row row : rows.collectAsList()) {
      String name = row.getAs(column);
      assertNull(found.put(name.substring(name.lastIndexOf('/') + 1), row), name);
    }
    return found;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  @Test
  void mapsAreThoseOfTheDetectorAndWhatFailsIsARow() throws IOException {
    Pictures.write(folder, 5);
    Files.writeString(folder.resolve("images/test/text.jpg"), "no picture");
    Files.write(folder.resolve("images/test/short.png"), new byte[] {1, 2});
    DetectorOptions options = DetectorOptions.DEFAULTS.withMaxSide(40);
    Dataset<Row> photos = files(folder.resolve("images/test"));
    Map<String, Row> pictures =
        byName(GammaNetSpark.detect(photos, NETWORK, options, false), "path");
    Map<String, Row> floats = byName(GammaNetSpark.detect(photos, NETWORK, options, true), "path");
    assertEquals(7, pictures.size());
    try (GammaNet net = NETWORK.open(Device.CPU)) {
      for (Map.Entry<String, Row> e : pictures.entrySet()) {
        Row row = e.getValue();
        assertTrue(row.<Double>getAs("seconds") >= 0);
        if (e.getKey().matches("text.jpg|short.png")) {
          String error = row.getAs("error");
          assertTrue(error.contains(e.getKey()) && error.length() > 20, error);
          assertNull(row.getAs("png"));
          continue;
        }
        assertNull(row.getAs("error"));
        byte[] file = Files.readAllBytes(folder.resolve("images/test").resolve(e.getKey()));
        EdgeMap map = new Detector(net, options).detect(file, e.getKey());
        assertEquals(map.width(), row.<Integer>getAs("width"));
        assertEquals(map.height(), row.<Integer>getAs("height"));
        assertArrayEquals(bytes(Images.png8(map)), row.getAs("png"), e.getKey());
        List<Float> values = floats.get(e.getKey()).getList(4);
        for (int i = 0; i < map.values().length; i++) {
          assertEquals(map.values()[i], values.get(i), 0f);
        }
      }
    }
  }

  @Test
  void scoresOfPartialSumsAreThoseOfAllImages() throws IOException {
    Pictures.write(folder, 7);
    Files.delete(folder.resolve("images/test/p3.png"));
    Files.writeString(folder.resolve("groundTruth/test/p4.png"), "no drawing");
    BoundaryBenchmark.Settings settings =
        BoundaryBenchmark.Settings.DEFAULT.withNms(EdgeNms.SMOOTH);
    Dataset<Row> counts =
        GammaNetSpark.count(
            files(folder.resolve("images/test")),
            files(folder.resolve("groundTruth/test")),
            NETWORK,
            settings);
    Map<String, Row> rows = byName(counts, "id");
    assertEquals(7, rows.size());
    assertEquals("there is no image p3", rows.get("p3").getAs("error"));
    assertTrue(rows.get("p4").<String>getAs("error").contains("groundTruth/test/p4.png"));
    List<BoundaryCounts> all = new ArrayList<>();
    try (GammaNet net = NETWORK.open(Device.CPU)) {
      for (String id : List.of("p0", "p1", "p2", "p5", "p6")) {
        all.add(
            GammaNetSpark.count(
                net,
                id,
                Images.read(folder.resolve("images/test/" + id + ".png")),
                GroundTruth.read(folder.resolve("groundTruth/test/" + id + ".png")),
                settings));
        assertEquals(99, rows.get(id).getList(2).size());
      }
    }
    BoundaryScores whole = BoundaryScores.of(all);
    BoundaryScores sums = GammaNetSpark.scores(counts);
    assertEquals(whole.ods(), sums.ods());
    assertEquals(whole.ois(), sums.ois());
    assertEquals(whole.ap(), sums.ap());
    assertEquals(whole.r50(), sums.r50());
    assertEquals(whole.curve(), sums.curve());
    assertThrows(
        DataException.class, () -> GammaNetSpark.scores(counts.filter("error is not null")));
  }

  @Test
  void conditionsOfExperimentsAreRows() {
    var random =
        new SparkNetwork(
            new NetworkSource(
                null,
                null,
                List.of(
                    "model.layers=[conv1_1, conv1_2]",
                    "model.hidden_channels=4",
                    "model.timesteps=2"),
                null,
                true),
            Precision.FLOAT32);
    List<SparkSweeps.Condition> conditions = new ArrayList<>();
    for (double contrast : new double[] {0.25, 0.5}) {
      conditions.add(
          new SparkSweeps.Condition(
              "contrast " + contrast,
              random,
              null,
              48,
              List.of("contrast"),
              Settings.DEFAULTS.withContrast(contrast),
              null));
    }
    conditions.add(
        new SparkSweeps.Condition(
            "lesion",
            random,
            null,
            48,
            List.of("contrast"),
            Settings.DEFAULTS,
            Control.parse(List.of("lesion:horizontal")).getFirst()));
    conditions.add(
        new SparkSweeps.Condition(
            "wrong", random, "no_layer", 48, List.of("contrast"), Settings.DEFAULTS, null));
    Map<String, Row> rows = byName(SparkSweeps.experiments(spark, conditions), "condition");
    assertEquals(4, rows.size());
    assertTrue(rows.get("wrong").<String>getAs("error").contains("no_layer"));
    for (String name : List.of("contrast 0.25", "contrast 0.5", "lesion")) {
      Row row = rows.get(name);
      assertNull(row.getAs("error"), name);
      assertEquals("contrast_response", row.getAs("experiment"));
      assertTrue(row.<String>getAs("findings").contains("\"" + row.getAs("number") + "\""));
    }
  }

  @Test
  void networksAreTrainedAndScored() throws IOException {
    Pictures.write(folder, 3);
    Map<String, GammaNetConfig> networks = new LinkedHashMap<>();
    for (String name : List.of("v1")) {
      networks.put(
          name,
          GammaNetConfig.variant(
              name,
              List.of(
                  "data.train_path='" + folder + "'",
                  "data.test_path='" + folder + "'",
                  "data.train_splits=[test]",
                  "data.augmentation.random_crop=32",
                  "model.layers=[conv1_1, conv1_2]",
                  "model.hidden_channels=4",
                  "model.timesteps=1",
                  "training.batch_size=1",
                  "training.samples_per_epoch=4",
                  "logging.tensorboard=false")));
    }
    networks.put(
        "nowhere",
        GammaNetConfig.variant("v1", List.of("data.train_path='" + folder + "/nowhere'")));
    Map<String, Row> rows =
        byName(
            SparkSweeps.ablate(
                spark, networks, 2, "test", BoundaryBenchmark.Settings.DEFAULT.withThresholds(5)),
            "network");
    assertEquals(2, rows.size());
    assertTrue(rows.get("nowhere").<String>getAs("error").contains("nowhere"));
    for (String name : List.of("v1")) {
      Row row = rows.get(name);
      assertNull(row.getAs("error"), name);
      assertEquals(2L, row.<Long>getAs("updates"));
      assertEquals(3L, row.<Long>getAs("images"));
      assertTrue(Double.isFinite(row.<Double>getAs("loss")));
    }
  }

  @Test
  void gridsAreAllCombinations() {
    assertEquals(List.of(Map.of()), Grid.points(List.of()));
    assertEquals(
        List.of("a=1 b=x", "a=1 b=y", "a=2 b=x", "a=2 b=y"),
        Grid.points(List.of("a=1,2", "b=x,y")).stream().map(Grid::name).toList());
    for (List<String> wrong :
        List.of(List.of("a"), List.of("=1"), List.of("a="), List.of("a=1", "a=2"))) {
      assertThrows(IllegalArgumentException.class, () -> Grid.points(wrong), wrong.toString());
    }
    assertFalse(Grid.points(List.of("a=1,")).isEmpty());
  }
}
