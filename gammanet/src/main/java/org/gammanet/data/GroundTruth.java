package org.gammanet.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.gammanet.data.Example.Annotation;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;

/**
 * Edges that people marked in one image: one binary mask per annotator, as the benchmark matches
 * them.
 *
 * @param height rows
 * @param width columns
 * @param boundaries per annotator, row-major, 1 on an edge and 0 elsewhere
 */
public record GroundTruth(int height, int width, List<byte[]> boundaries) {
  /** Masks share the bits of a pixel in {@link Example.Layers}. */
  private static final int MAX_ANNOTATORS = 16;

  /** More edge pixels than this are nearly always a map with black edges on white. */
  private static final double MAX_EDGE_FRACTION = 0.3;

  public GroundTruth {
    boundaries = List.copyOf(boundaries);
  }

  /**
   * What a file of annotations holds, as training uses it.
   *
   * @param height rows
   * @param width columns
   * @param annotation masks of annotators, or a map of real values
   */
  public record Annotated(int height, int width, Annotation annotation) {
    /** One mask per annotator, or that of pixels where the consensus is at least one half. */
    public GroundTruth drawings() {
      return GroundTruth.of(height, width, annotation);
    }

    /**
     * A sentence about labels that are probably wrong: no pixel that is at least one half, or so
     * many that black and white are probably exchanged.
     *
     * @param file named in the sentence
     */
    public Optional<String> warning(Path file) {
      int edges = 0;
      float most = 0;
      for (float value : annotation.consensus()) {
        edges += value >= 0.5f ? 1 : 0;
        most = Math.max(most, value);
      }
      double fraction = (double) edges / (height * width);
      if (edges == 0) {
        return Optional.of(
            file
                + " has no edge pixel"
                + (most > 0
                    ? String.format(
                        Locale.ROOT,
                        ": its greatest value is %.3f of white, and edges have at least half of it",
                        most)
                    : ""));
      }
      return fraction <= MAX_EDGE_FRACTION
          ? Optional.empty()
          : Optional.of(
              String.format(
                      Locale.ROOT,
                      "%s marks %.0f %% of all pixels as edges: edges must be white (1) on black"
                          + " (0); are",
                      file,
                      100 * fraction)
                  + " the two exchanged?");
    }
  }

  /** The drawings of annotators, or else one mask of the pixels with at least one half. */
  static GroundTruth of(int height, int width, Annotation annotation) {
    List<byte[]> masks = new ArrayList<>();
    if (annotation instanceof Example.Layers layers && layers.drawings()) {
      for (int k = 0; k < layers.weights().length; k++) {
        byte[] mask = new byte[layers.bits().length];
        for (int i = 0; i < mask.length; i++) {
          mask[i] = (byte) (layers.bits()[i] >> k & 1);
        }
        masks.add(mask);
      }
    } else {
      float[] consensus = annotation.consensus();
      byte[] mask = new byte[consensus.length];
      for (int i = 0; i < mask.length; i++) {
        mask[i] = (byte) (consensus[i] >= 0.5f ? 1 : 0);
      }
      masks.add(mask);
    }
    return new GroundTruth(height, width, masks);
  }

  /** The same masks with shared pixels. */
  public Example.Layers layers() {
    short[] bits = new short[height * width];
    for (int k = 0; k < boundaries.size(); k++) {
      byte[] mask = boundaries.get(k);
      for (int i = 0; i < bits.length; i++) {
        bits[i] |= (short) (mask[i] << k);
      }
    }
    return Example.Layers.equal(bits, boundaries.size(), true);
  }

  /**
   * Reads the masks of an image for the benchmark.
   *
   * @throws DataException as {@link #readAnnotation}
   */
  public static GroundTruth read(Path file) {
    return readAnnotation(file).drawings();
  }

  /**
   * Reads the annotation of an image; training and evaluation read it here.
   *
   * <ul>
   *   <li>{@code .mat}: a cell array {@code groundTruth} of structs, or a struct array, with a
   *       matrix {@code Boundaries}, or only {@code Segmentation}, whose regions are then outlined.
   *   <li>{@code .npy}: {@code [height, width]} from 0 to 1, or from 0 to 255. Negative values say
   *       "ignore".
   *   <li>Images: gray, white is edge. Where all samples are 0 and 1, 1 is edge.
   *   <li>A folder: one image or array per annotator, on an edge where it is at least one half.
   * </ul>
   *
   * @throws DataException if it cannot be read or holds something else; the message names the file
   */
  public static Annotated readAnnotation(Path file) {
    if (Files.isDirectory(file)) {
      return readFolder(file);
    }
    String name = file.toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".mat")) {
      return readMat(file);
    }
    EdgeArray map = name.endsWith(".npy") ? readArray(file) : readImage(file);
    return new Annotated(
        map.height, map.width, new Example.Soft(map.values).layered(map.height, map.width));
  }

  private static Annotated readFolder(Path folder) {
    Map<String, Path> drawings = DatasetIndex.files(folder, DatasetIndex.DRAWINGS, false);
    if (drawings.isEmpty() || drawings.size() > MAX_ANNOTATORS) {
      throw new DataException(
          "%s has %s drawings (.npy, .png); 1 to %s can be used"
              .formatted(folder, drawings.size(), MAX_ANNOTATORS));
    }
    List<GroundTruth> each = drawings.values().stream().map(GroundTruth::read).toList();
    GroundTruth first = each.getFirst();
    for (GroundTruth other : each) {
      if (other.height != first.height || other.width != first.width) {
        throw new DataException(
            "%s has drawings of different sizes, %sx%s and %sx%s"
                .formatted(folder, first.width, first.height, other.width, other.height));
      }
    }
    return new Annotated(
        first.height,
        first.width,
        new GroundTruth(
                first.height, first.width, each.stream().map(t -> t.boundaries.getFirst()).toList())
            .layers());
  }

  private static Map<String, MatFile.Value> fields(MatFile.Value cell) {
    return cell instanceof MatFile.Structs structs && structs.elements().size() == 1
        ? structs.elements().getFirst()
        : Map.of();
  }

  private static Annotated readMat(Path file) {
    Map<String, MatFile.Value> variables = MatFile.read(file);
    MatFile.Value groundTruth = variables.get("groundTruth");
    List<Map<String, MatFile.Value>> annotators =
        switch (groundTruth) {
          case MatFile.Cells cells -> cells.values().stream().map(GroundTruth::fields).toList();
          case MatFile.Structs structs -> structs.elements();
          case null ->
              throw new DataException(
                  "%s has no cell array 'groundTruth'; it has %s"
                      .formatted(file, variables.keySet().stream().limit(20).toList()));
          default ->
              throw new DataException(
                  "%s: its 'groundTruth' is no cell array of structs; plain maps may be .npy or .png"
                      .formatted(file));
        };
    if (annotators.isEmpty() || annotators.size() > MAX_ANNOTATORS) {
      throw new DataException(
          "%s has %s annotators; 1 to %s can be used"
              .formatted(file, annotators.size(), MAX_ANNOTATORS));
    }
    List<byte[]> boundaries = new ArrayList<>();
    int height = -1;
    int width = -1;
    for (Map<String, MatFile.Value> fields : annotators) {
      boolean drawn = fields.get("Boundaries") instanceof MatFile.Numbers;
      if (!(fields.get(drawn ? "Boundaries" : "Segmentation") instanceof MatFile.Numbers map)
          || map.dimensions().length != 2
          || map.count() == 0) {
        throw new DataException(
            "%s: annotator %s has no matrix 'Boundaries'".formatted(file, boundaries.size() + 1));
      }
      if (height >= 0 && (map.dimensions()[0] != height || map.dimensions()[1] != width)) {
        throw new DataException(
            "%s: annotators have maps of different sizes, %sx%s and %s"
                .formatted(file, height, width, Arrays.toString(map.dimensions())));
      }
      height = map.dimensions()[0];
      width = map.dimensions()[1];
      if (drawn) {
        byte[] mask = new byte[map.count()];
        for (int i = 0; i < mask.length; i++) { // by columns
          mask[i % height * width + i / height] = (byte) (map.get(i) > 0 ? 1 : 0);
        }
        boundaries.add(mask);
      } else {
        byte[] mask = bordersOf(map.rows(), height, width);
        Thinning.thin(mask, height, width);
        boundaries.add(mask);
      }
    }
    return new Annotated(height, width, new GroundTruth(height, width, boundaries).layers());
  }

  /** A map in [0, 1] or negative. */
  private record EdgeArray(int height, int width, float[] values) {}

  private static EdgeArray readArray(Path file) {
    Npy array = Npy.read(file);
    int[] shape = array.shape();
    if (shape.length != 2 || shape[0] < 1 || shape[1] < 1) {
      throw new DataException(
          "%s has the shape %s; a drawing is [height, width]"
              .formatted(file, Arrays.toString(shape)));
    }
    float[] values = array.floats();
    float most = 0;
    for (float v : values) {
      most = Math.max(most, v); // NaN stays NaN
    }
    if (!(most <= 255)) {
      throw new DataException(
          "%s has the value %s; a drawing has values from 0 to 1, or from 0 to 255"
              .formatted(file, most));
    }
    if (most > 1.001f) { // bytes, as in an image
      for (int i = 0; i < values.length; i++) {
        values[i] /= 255;
      }
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.min(values[i], 1);
    }
    return new EdgeArray(shape[0], shape[1], values);
  }

  private static EdgeArray readImage(Path file) {
    EdgeMap map;
    try {
      map = Images.readEdgeMap(file);
    } catch (IOException e) {
      throw new DataException(e.getMessage() == null ? "Cannot read " + file : e.getMessage(), e);
    }
    float[] values = map.values().clone();
    float most = 0;
    for (float v : values) {
      most = Math.max(most, v);
    }
    if (most > 0 && most <= 1 / 254f) { // labels 0 and 1, as they are in the samples
      for (int i = 0; i < values.length; i++) {
        values[i] = values[i] == most ? 1 : 0;
      }
    }
    return new EdgeArray(map.height(), map.width(), values);
  }

  /**
   * Borders between regions on the pixels above and to the left of them: a pixel is set when it and
   * its neighbors to the right, below and diagonally below are not all of one region. The lines are
   * up to two pixels wide; thinned, they are the {@code Boundaries} of the BSDS500 (Arbelaez,
   * Maire, Fowlkes and Malik, TPAMI 2011).
   *
   * @param labels region of each pixel, row-major
   */
  public static byte[] bordersOf(double[] labels, int height, int width) {
    byte[] mask = new byte[labels.length];
    for (int y = 0; y < height; y++) {
      int below = y + 1 < height ? width : 0;
      for (int x = 0; x < width; x++) {
        int i = y * width + x;
        int right = x + 1 < width ? 1 : 0;
        boolean same =
            labels[i] == labels[i + right]
                && labels[i] == labels[i + below]
                && labels[i] == labels[i + below + right];
        mask[i] = (byte) (same ? 0 : 1);
      }
    }
    return mask;
  }
}
