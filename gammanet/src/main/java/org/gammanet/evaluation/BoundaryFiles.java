package org.gammanet.evaluation;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.gammanet.data.GroundTruth;
import org.gammanet.data.MatFile;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.jspecify.annotations.Nullable;

/**
 * The benchmark's files: maps of detectors in, result tables out, in the columns and the number
 * format of the BSDS500's own program.
 */
public final class BoundaryFiles {
  /** Endings of maps by other programs, then of those that the command detect writes. */
  private static final List<String> MAPS =
      List.of(".png", ".npy", ".mat", "-edges.npy", "-edges-16.png", "-edges.png");

  private BoundaryFiles() {}

  /**
   * The map of an image in a folder: {@code <id>.png}, {@code .npy} or {@code .mat}, or else a map
   * that {@code gammanet detect} has written, the most exact one.
   *
   * @throws DataException if there is none
   */
  public static Path find(Path folder, String id) {
    return MAPS.stream()
        .map(ending -> folder.resolve(id + ending))
        .filter(Files::isRegularFile)
        .findFirst()
        .orElseThrow(
            () ->
                new DataException("there is no %s.png, .npy or .mat in %s".formatted(id, folder)));
  }

  /** The image whose map a file is, by its name; null for a file of another kind. */
  public static @Nullable String idOf(Path file) {
    String name = String.valueOf(file.getFileName());
    if (!name.matches("(?i)[^.].*\\.(png|npy|mat)") || name.matches(".*-edges-t[0-9]+\\.png")) {
      return null;
    }
    return name.substring(0, name.lastIndexOf('.')).replaceFirst("(?<=.)-edges(-16)?$", "");
  }

  /**
   * Reads a detector's answer: a gray picture of 8 or 16 bits, an array {@code [height, width]} in
   * [0, 1], or a MAT file with {@code ucm2} (contours between pixels, twice the size and one more),
   * with {@code segs} (a cell array of segmentations), or with a single matrix in [0, 1].
   *
   * @throws DataException if it is something else, damaged, or has values outside of [0, 1]; the
   *     message names the file
   * @throws IOException if a picture cannot be read
   */
  public static BoundaryBenchmark.Prediction read(Path file) throws IOException {
    String name = file.toString().toLowerCase(Locale.ROOT);
    if (!Files.exists(file)) {
      throw new DataException("There is no file " + file);
    }
    try {
      return name.endsWith(".npy")
          ? ofArray(Npy.read(file))
          : name.endsWith(".mat") ? ofVariables(MatFile.read(file)) : ofPicture(file);
    } catch (DataException e) {
      String message = String.valueOf(e.getMessage());
      throw message.contains(file.toString()) ? e : new DataException(file + ": " + message, e);
    }
  }

  private static BoundaryBenchmark.Strengths ofPicture(Path file) throws IOException {
    EdgeMap map = Images.readEdgeMap(file);
    double[] values = new double[map.values().length];
    for (int i = 0; i < values.length; i++) {
      // The samples again, also those of 8 bits (255 divides 65535), divided in double precision:
      // a level on a threshold must pass it.
      values[i] = Math.round(map.values()[i] * 65535.0) / 65535.0;
    }
    return new BoundaryBenchmark.Strengths(map.height(), map.width(), values);
  }

  private static BoundaryBenchmark.Strengths ofArray(Npy array) {
    int[] shape = Arrays.stream(array.shape()).filter(n -> n != 1).toArray();
    if (array.shape().length == 2) {
      shape = array.shape();
    }
    if (shape.length != 2) {
      throw new DataException(
          "the shape is %s; a map is [height, width]".formatted(Arrays.toString(array.shape())));
    }
    return new BoundaryBenchmark.Strengths(shape[0], shape[1], array.doubles());
  }

  private static BoundaryBenchmark.Prediction ofVariables(Map<String, MatFile.Value> variables) {
    if (variables.get("ucm2") instanceof MatFile.Numbers ucm && ucm.dimensions().length == 2) {
      return everySecond(ucm);
    }
    if (variables.get("segs") instanceof MatFile.Cells cells) {
      return segmentations(cells);
    }
    List<MatFile.Numbers> matrices =
        variables.values().stream()
            .filter(MatFile.Numbers.class::isInstance)
            .map(MatFile.Numbers.class::cast)
            .filter(m -> m.dimensions().length == 2 && m.count() > 1)
            .toList();
    if (matrices.size() != 1) {
      throw new DataException(
          "expected a variable 'ucm2' or 'segs' or a single matrix, found " + variables.keySet());
    }
    MatFile.Numbers matrix = matrices.getFirst();
    return new BoundaryBenchmark.Strengths(
        matrix.dimensions()[0], matrix.dimensions()[1], matrix.rows());
  }

  /** Contours live between pixels: rows and columns 3, 5, … (from 1) are those of the image. */
  private static BoundaryBenchmark.Strengths everySecond(MatFile.Numbers ucm) {
    int rows = ucm.dimensions()[0];
    int columns = ucm.dimensions()[1];
    if (rows < 3 || columns < 3 || rows % 2 == 0 || columns % 2 == 0) {
      throw new DataException(
          "'ucm2' is %sx%s; it must have 2H+1 rows and 2W+1 columns".formatted(rows, columns));
    }
    int height = (rows - 1) / 2;
    int width = (columns - 1) / 2;
    double[] values = new double[height * width];
    for (int x = 0; x < width; x++) {
      for (int y = 0; y < height; y++) {
        values[y * width + x] = ucm.get((2 * x + 2) * rows + 2 * y + 2);
      }
    }
    return new BoundaryBenchmark.Strengths(height, width, values);
  }

  private static BoundaryBenchmark.Segmentations segmentations(MatFile.Cells cells) {
    int height = 0;
    int width = 0;
    List<byte[]> masks = new ArrayList<>();
    for (MatFile.Value cell : cells.values()) {
      if (!(cell instanceof MatFile.Numbers labels) || labels.dimensions().length != 2) {
        throw new DataException("segmentation %s is not a matrix".formatted(masks.size() + 1));
      }
      int rows = labels.dimensions()[0];
      int columns = labels.dimensions()[1];
      if (!masks.isEmpty() && (rows != height || columns != width)) {
        throw new DataException(
            "segmentations are of different sizes, %sx%s and %sx%s"
                .formatted(width, height, columns, rows));
      }
      height = rows;
      width = columns;
      masks.add(GroundTruth.bordersOf(labels.rows(), height, width));
    }
    return new BoundaryBenchmark.Segmentations(height, width, masks);
  }

  /** A number as C's {@code %10g} prints it: six significant digits, ten columns. */
  static String g(double value) {
    return " ".repeat(Math.max(0, 10 - general(value).length())) + general(value);
  }

  private static String general(double value) {
    if (!Double.isFinite(value)) {
      return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0" : "0";
    }
    // C rounds the exact binary value.
    BigDecimal rounded =
        new BigDecimal(value)
            .round(new MathContext(6, RoundingMode.HALF_EVEN))
            .stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent >= -4 && exponent < 6) {
      return rounded.toPlainString();
    }
    String digits = rounded.unscaledValue().abs().toString();
    return (value < 0 ? "-" : "")
        + digits.charAt(0)
        + (digits.length() > 1 ? "." + digits.substring(1) : "")
        + String.format(Locale.ROOT, "e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  private static String line(double... values) {
    return DoubleStream.of(values).mapToObj(BoundaryFiles::g).collect(Collectors.joining(" "))
        + "\n";
  }

  private static String line(BoundaryScores.Point p) {
    return line(p.threshold(), p.recall(), p.precision(), p.f());
  }

  /** {@code eval_bdry.txt}: threshold, R, P, F of the best scale; R, P, F of ODS per image; AP. */
  public static String summary(BoundaryScores scores) {
    BoundaryScores.Point ods = scores.ods();
    BoundaryScores.Point ois = scores.ois();
    return line(
        ods.threshold(),
        ods.recall(),
        ods.precision(),
        ods.f(),
        ois.recall(),
        ois.precision(),
        ois.f(),
        scores.ap());
  }

  /** {@code eval_bdry_thr.txt}: threshold, R, P, F of each threshold over the whole set. */
  public static String curve(BoundaryScores scores) {
    return scores.curve().stream().map(BoundaryFiles::line).collect(Collectors.joining());
  }

  /** {@code eval_bdry_img.txt}: number from 1, best threshold, R, P, F of each image. */
  public static String images(BoundaryScores scores) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < scores.images().size(); i++) {
      text.append(String.format(Locale.ROOT, "%10d ", i + 1))
          .append(line(scores.images().get(i).best()));
    }
    return text.toString();
  }

  /** {@code <id>_ev1.txt}: threshold, cntR, sumR, cntP, sumP of an image at each threshold. */
  public static String counts(BoundaryCounts c) {
    StringBuilder text = new StringBuilder();
    for (int k = 0; k < c.thresholds().length; k++) {
      // Whole, also beyond the six digits at which the original program rounds.
      text.append(
          String.format(
              Locale.ROOT,
              "%s %10d %10d %10d %10d\n",
              g(c.thresholds()[k]),
              c.cntR()[k],
              c.sumR()[k],
              c.cntP()[k],
              c.sumP()[k]));
    }
    return text.toString();
  }

  /**
   * Reads {@code <id>_ev1.txt}; thresholds come back with six digits.
   *
   * @throws DataException if the file cannot be read or is damaged
   */
  public static BoundaryCounts readCounts(Path file, String id) {
    try {
      List<String> lines = Files.readAllLines(file);
      double[][] columns = new double[5][lines.size()];
      for (int k = 0; k < lines.size(); k++) {
        String[] fields = lines.get(k).strip().split("\\s+");
        if (fields.length != 5) {
          throw new DataException(
              "%s, line %s: expected 5 columns, found %s".formatted(file, k + 1, fields.length));
        }
        for (int i = 0; i < 5; i++) {
          columns[i][k] = Double.parseDouble(fields[i]);
        }
      }
      return new BoundaryCounts(
          id,
          columns[0],
          longs(columns[1]),
          longs(columns[2]),
          longs(columns[3]),
          longs(columns[4]));
    } catch (CharacterCodingException e) {
      throw new DataException(file + " is not UTF-8 text", e);
    } catch (IOException | IllegalArgumentException e) {
      throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  private static long[] longs(double[] values) {
    return DoubleStream.of(values).mapToLong(Math::round).toArray();
  }
}
