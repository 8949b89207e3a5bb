package org.gammanet.spark;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.gammanet.GammaNet;
import org.gammanet.data.GroundTruth;
import org.gammanet.detection.Detector;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.BoundarySums;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/**
 * GammaNet on Spark. Inputs are files as Spark's format {@code binaryFile} reads them, results are
 * rows. What fails for one image or condition is said in its row's column {@code error}, and the
 * job goes on.
 *
 * <pre>{@code
 * Dataset<Row> photos = spark.read().format("binaryFile").load("photos");
 * GammaNetSpark.detect(photos, SparkNetwork.BUNDLED).write().parquet("edges");
 * }</pre>
 *
 * <p>The tasks of an executor share one network. Each computes with {@code spark.task.cpus}
 * threads, on the GPU that Spark assigns to it if there is one.
 */
public final class GammaNetSpark {
  /**
   * Columns of edge maps: {@code path}, {@code width} and {@code height} in pixels, {@code png} or
   * {@code map} (probabilities, row by row), {@code seconds}, {@code error}.
   */
  public static final StructType MAPS =
      new StructType()
          .add("path", DataTypes.StringType)
          .add("width", DataTypes.IntegerType)
          .add("height", DataTypes.IntegerType)
          .add("png", DataTypes.BinaryType)
          .add("map", DataTypes.createArrayType(DataTypes.FloatType, false))
          .add("seconds", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  /**
   * Columns of counts, as {@link BoundaryCounts} has them: {@code id}, {@code thresholds}, {@code
   * cnt_r}, {@code sum_r}, {@code cnt_p}, {@code sum_p}, {@code seconds}, {@code error}.
   */
  public static final StructType COUNTS =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("thresholds", DataTypes.createArrayType(DataTypes.DoubleType, false))
          .add("cnt_r", DataTypes.createArrayType(DataTypes.LongType, false))
          .add("sum_r", DataTypes.createArrayType(DataTypes.LongType, false))
          .add("cnt_p", DataTypes.createArrayType(DataTypes.LongType, false))
          .add("sum_p", DataTypes.createArrayType(DataTypes.LongType, false))
          .add("seconds", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  private GammaNetSpark() {}

  // Edge maps

  /** Edge maps as {@code gammanet detect} writes them: the same bytes in column {@code png}. */
  public static Dataset<Row> detect(Dataset<Row> files, SparkNetwork network) {
    return detect(files, network, DetectorOptions.DEFAULTS, false);
  }

  /**
   * Edge maps of images.
   *
   * @param files of {@code binaryFile}: {@code path} and {@code content} are read
   * @param options the last timestep's map is taken
   * @param floats whether the column {@code map} is filled in place of {@code png}
   * @return a row of {@link #MAPS} for each file
   */
  public static Dataset<Row> detect(
      Dataset<Row> files, SparkNetwork network, DetectorOptions options, boolean floats) {
    MapPartitionsFunction<Row, Row> work =
        rows ->
            each(
                rows,
                network,
                (net, row) ->
                    map(new Detector(net, options), row.getString(0), row.getAs(1), floats));
    return files.select("path", "content").mapPartitions(work, Encoders.row(MAPS));
  }

  private static Row map(Detector detector, String path, byte[] content, boolean floats) {
    long begun = System.nanoTime();
    try {
      EdgeMap map = detector.detect(content, path);
      byte[] png = floats ? null : bytes(Images.png8(map));
      float[] values = floats ? map.values() : null;
      return RowFactory.create(path, map.width(), map.height(), png, values, seconds(begun), null);
    } catch (IOException | RuntimeException e) {
      return failed(MAPS, seconds(begun), sentence(e), path);
    }
  }

  // The benchmark

  /**
   * Counts of the boundary benchmark, for {@link #scores}. An image and its drawing have the same
   * name but for the ending.
   *
   * @param images of {@code binaryFile}
   * @param drawings of {@code binaryFile}: {@code .mat}, {@code .npy} or pictures
   * @return a row of {@link #COUNTS} for each name
   */
  public static Dataset<Row> count(
      Dataset<Row> images,
      Dataset<Row> drawings,
      SparkNetwork network,
      BoundaryBenchmark.Settings settings) {
    Dataset<Row> photos = named(images, "image");
    Dataset<Row> drawn = named(drawings, "drawing");
    Dataset<Row> both =
        photos
            .join(drawn, photos.col("id").equalTo(drawn.col("id")), "full_outer")
            .select(
                functions.coalesce(photos.col("id"), drawn.col("id")),
                photos.col("path"),
                photos.col("content"),
                drawn.col("path"),
                drawn.col("content"));
    MapPartitionsFunction<Row, Row> work =
        rows -> each(rows, network, (net, row) -> count(net, row, settings));
    return both.mapPartitions(work, Encoders.row(COUNTS));
  }

  /** With the names of files, without folder and ending. */
  private static Dataset<Row> named(Dataset<Row> files, String alias) {
    Column name = functions.regexp_extract(files.col("path"), "([^/]+?)(\\.[^./]*)?$", 1);
    return files.select(name.as("id"), files.col("path"), files.col("content")).alias(alias);
  }

  private static Row count(GammaNet net, Row row, BoundaryBenchmark.Settings settings) {
    long begun = System.nanoTime();
    String id = row.getString(0);
    try {
      if (row.isNullAt(1) || row.isNullAt(3)) {
        throw new DataException(
            "there is no %s %s".formatted(row.isNullAt(1) ? "image" : "drawing", id));
      }
      BoundaryCounts c =
          count(
              net,
              id,
              Images.decode(row.getAs(2), row.getString(1)),
              drawing(row.getString(3), row.getAs(4)),
              settings);
      return RowFactory.create(
          id, c.thresholds(), c.cntR(), c.sumR(), c.cntP(), c.sumP(), seconds(begun), null);
    } catch (IOException | RuntimeException e) {
      return failed(COUNTS, seconds(begun), sentence(e), id);
    }
  }

  /** Reads a drawing by way of a file, since its format follows from the name's ending. */
  private static GroundTruth drawing(String path, byte[] content) throws IOException {
    Path file = Files.createTempFile("drawing", path.substring(path.lastIndexOf('/') + 1));
    try {
      Files.write(file, content);
      return GroundTruth.read(file);
    } catch (DataException e) {
      throw new DataException(String.valueOf(e.getMessage()).replace(file.toString(), path), e);
    } finally {
      Files.delete(file);
    }
  }

  static BoundaryCounts count(
      GammaNet net,
      String id,
      RgbImage image,
      GroundTruth drawing,
      BoundaryBenchmark.Settings settings) {
    EdgeMap map = net.detect(image);
    var strengths = BoundaryBenchmark.Strengths.of(map.values(), map.height(), map.width());
    return BoundaryBenchmark.count(id, strengths, drawing, settings);
  }

  /**
   * The scores of a data set. Each partition adds up its images, and the driver the partitions.
   *
   * @param counts of {@link #count}; rows with an error are left out
   * @return without scores of single images
   * @throws DataException if no image has counts
   */
  public static BoundaryScores scores(Dataset<Row> counts) {
    MapPartitionsFunction<Row, BoundarySums> added = GammaNetSpark::sum;
    return counts
        .select("id", "thresholds", "cnt_r", "sum_r", "cnt_p", "sum_p")
        .mapPartitions(added, Encoders.javaSerialization(BoundarySums.class))
        .collectAsList()
        .stream()
        .reduce(BoundarySums::plus)
        .orElseThrow(() -> new DataException("no image could be scored"))
        .scores();
  }

  private static Iterator<BoundarySums> sum(Iterator<Row> rows) {
    BoundarySums sums = null;
    while (rows.hasNext()) {
      Row row = rows.next();
      if (!row.isNullAt(1)) {
        double[] thresholds = row.<Double>getList(1).stream().mapToDouble(v -> v).toArray();
        BoundarySums image =
            BoundarySums.of(
                new BoundaryCounts(
                    row.getString(0),
                    thresholds,
                    longs(row, 2),
                    longs(row, 3),
                    longs(row, 4),
                    longs(row, 5)));
        sums = sums == null ? image : sums.plus(image);
      }
    }
    return sums == null ? Collections.emptyIterator() : List.of(sums).iterator();
  }

  private static long[] longs(Row row, int column) {
    return row.<Long>getList(column).stream().mapToLong(v -> v).toArray();
  }

  // Rows

  private interface Work {
    Row apply(GammaNet net, Row row);
  }

  /** Does work on each row with the network that the tasks of this executor share. */
  private static Iterator<Row> each(Iterator<Row> rows, SparkNetwork network, Work work) {
    if (!rows.hasNext()) {
      return rows;
    }
    GammaNet net = SharedNetworks.take(network);
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Row next() {
        return work.apply(net, rows.next());
      }
    };
  }

  /** A row with its first columns, its seconds and its error, which are the last two; no more. */
  static Row failed(StructType columns, double seconds, String error, Object... first) {
    @Nullable Object[] values = Arrays.copyOf(first, columns.size());
    values[values.length - 2] = seconds;
    values[values.length - 1] = error;
    return RowFactory.create(values);
  }

  static double seconds(long begun) {
    return (System.nanoTime() - begun) / 1e9;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  /** What a row says of a failure. */
  static String sentence(Exception e) {
    String message = e.getMessage();
    return message == null ? e.toString() : message;
  }
}
