package org.gammanet.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;

/**
 * Ground truth of the Berkeley segmentation data set (Arbelaez, Maire, Fowlkes and Malik, TPAMI
 * 2011): several people's boundaries for each image. One's own drawings can take the same place as
 * pictures.
 */
public final class Bsds500 {
  /** Kinds of files that hold drawings, the first that is there counts. */
  private static final List<String> ANNOTATIONS = List.of("mat", "npy", "png");

  private static final List<String> SPLITS = List.of("train", "val", "test");

  /** What fits the bits of a pixel in {@link Example.Layers}. */
  private static final int MOST_ANNOTATORS = 16;

  /** Order of images in which the benchmark lists them: 100007, 10081, 2018. */
  private static final Comparator<String> BYTE_ORDER =
      Comparator.comparing(s -> s.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  private Bsds500() {}

  /**
   * The annotations of one image.
   *
   * @param height rows
   * @param width columns
   * @param boundaries per annotator, row-major, 1 on a boundary and 0 elsewhere
   */
  public record GroundTruth(int height, int width, List<byte[]> boundaries) {
    public GroundTruth {
      boundaries = List.copyOf(boundaries);
    }

    /** The same as masks that share pixels. */
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
  }

  /**
   * Finds the drawings of a split: {@code groundTruth/<split>} (or {@code edges/<split>}) below the
   * root, or that folder itself where it is not divided into splits. An image has a file {@code
   * <id>.mat}, {@code .npy} or {@code .png}, or a folder {@code <id>} with a picture for each
   * annotator.
   *
   * @return files or folders by image, in the byte order of the names
   * @throws DataException if there is no such folder or nothing in it
   */
  public static Map<String, Path> groundTruth(Path root, String split) {
    Map<String, Path> found = byId(folder(root, split, "groundTruth", "edges"), ANNOTATIONS, true);
    if (found.isEmpty()) {
      throw new DataException("There is no ground truth (.mat, .npy or .png) below " + root);
    }
    return found;
  }

  /**
   * Finds the images of a split in the same way, below {@code images}.
   *
   * @return files by image, in the byte order of the names
   * @throws DataException if there is no such folder
   */
  public static Map<String, Path> images(Path root, String split) {
    return byId(
        folder(root, split, "images"), List.of("jpg", "jpeg", "png", "bmp", "gif", "tif"), false);
  }

  private static Path folder(Path root, String split, String... names) {
    for (String name : names) {
      Path folder = root.resolve(name);
      if (Files.isDirectory(folder.resolve(split))) {
        return folder.resolve(split);
      }
      if (Files.isDirectory(folder)
          && SPLITS.stream().noneMatch(s -> Files.isDirectory(folder.resolve(s)))) {
        return folder;
      }
    }
    throw new DataException(
        "%s has no folder %s/%s: give the folder that contains images and groundTruth"
            .formatted(root, names[0], split));
  }

  /**
   * Files by their names without the ending, in byte order.
   *
   * @param endings which are listed, lower case; where an id has several, the first in this list
   * @param folders whether a folder counts as an entry of its name
   */
  private static Map<String, Path> byId(Path folder, List<String> endings, boolean folders) {
    Map<String, Path> found = new TreeMap<>(BYTE_ORDER);
    Map<String, Integer> ranks = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        boolean whole = folders && Files.isDirectory(file);
        int rank =
            whole
                ? endings.size()
                : dot <= 0 ? -1 : endings.indexOf(lower(name.substring(dot + 1)));
        String id = whole ? name : dot <= 0 ? "" : name.substring(0, dot);
        if (rank >= 0
            && !name.startsWith(".")
            && rank < ranks.getOrDefault(id, endings.size() + 1)) {
          ranks.put(id, rank);
          found.put(id, file);
        }
      }
    } catch (IOException e) {
      throw new DataException("Cannot list " + folder + ": " + e.getMessage(), e);
    }
    return found;
  }

  private static String lower(String ending) {
    return ending.toLowerCase(Locale.ROOT);
  }

  /**
   * Reads the drawings of an image.
   *
   * <p>A MAT file has a cell array {@code groundTruth} of structs with a field {@code Boundaries},
   * or only {@code Segmentation}, whose regions' borders are then taken and thinned. A picture or
   * an array is one annotator, on a boundary where it is at least half of white or of 1 (in a
   * picture that has only samples 0 and 1: where it is 1). A folder has one picture an annotator.
   *
   * @throws DataException if it cannot be read or holds something else; the message names the file
   */
  public static GroundTruth read(Path file) {
    if (Files.isDirectory(file)) {
      Map<String, Path> drawings = byId(file, List.of("png", "npy"), false);
      if (drawings.isEmpty() || drawings.size() > MOST_ANNOTATORS) {
        throw new DataException(
            "%s has %d drawings (.png or .npy); 1 to %d can be used"
                .formatted(file, drawings.size(), MOST_ANNOTATORS));
      }
      List<GroundTruth> each = drawings.values().stream().map(Bsds500::read).toList();
      GroundTruth first = each.getFirst();
      for (GroundTruth other : each) {
        if (other.height != first.height || other.width != first.width) {
          throw new DataException(
              "%s has drawings of different sizes, %dx%d and %dx%d"
                  .formatted(file, first.width, first.height, other.width, other.height));
        }
      }
      return new GroundTruth(
          first.height, first.width, each.stream().map(t -> t.boundaries.getFirst()).toList());
    }
    String name = lower(file.toString());
    return name.endsWith(".mat")
        ? readMat(file)
        : name.endsWith(".npy") ? drawing(file, Npy.read(file)) : readPicture(file);
  }

  private static GroundTruth readMat(Path file) {
    Map<String, MatFile.Value> variables = MatFile.read(file);
    if (!(variables.get("groundTruth") instanceof MatFile.Cells cells)) {
      throw new DataException(
          "%s has no cell array 'groundTruth'; it has %s".formatted(file, variables.keySet()));
    }
    if (cells.values().isEmpty() || cells.values().size() > MOST_ANNOTATORS) {
      throw new DataException(
          "%s has %d annotators; 1 to %d can be used"
              .formatted(file, cells.values().size(), MOST_ANNOTATORS));
    }
    List<byte[]> boundaries = new ArrayList<>();
    int height = -1;
    int width = -1;
    for (MatFile.Value cell : cells.values()) {
      Map<String, MatFile.Value> fields =
          cell instanceof MatFile.Structs structs && structs.elements().size() == 1
              ? structs.elements().getFirst()
              : Map.of();
      boolean drawn = fields.get("Boundaries") instanceof MatFile.Numbers;
      if (!(fields.get(drawn ? "Boundaries" : "Segmentation") instanceof MatFile.Numbers map)
          || map.dimensions().length != 2
          || map.count() == 0) {
        throw new DataException(
            "%s: annotator %d has no matrix 'Boundaries'".formatted(file, boundaries.size() + 1));
      }
      if (height >= 0 && (map.dimensions()[0] != height || map.dimensions()[1] != width)) {
        throw new DataException(
            "%s: annotators have maps of different sizes, %dx%d and %s"
                .formatted(file, height, width, Arrays.toString(map.dimensions())));
      }
      height = map.dimensions()[0];
      width = map.dimensions()[1];
      double[] values = map.rows();
      byte[] mask = drawn ? mask(values, 1e-300) : bordersOf(values, height, width);
      if (!drawn) {
        Thinning.thin(mask, height, width);
      }
      boundaries.add(mask);
    }
    return new GroundTruth(height, width, boundaries);
  }

  private static GroundTruth drawing(Path file, Npy array) {
    int[] shape = array.shape();
    if (shape.length != 2 || shape[0] < 1 || shape[1] < 1) {
      throw new DataException(
          "%s has the shape %s; a drawing is [height, width]"
              .formatted(file, Arrays.toString(shape)));
    }
    double[] values = array.doubles();
    // Bytes may be 0 and 255 as in a picture.
    boolean grey = Arrays.stream(values).max().orElse(0) > 1;
    return new GroundTruth(shape[0], shape[1], List.of(mask(values, grey ? 127.5 : 0.5)));
  }

  private static GroundTruth readPicture(Path file) {
    try {
      EdgeMap map = Images.readEdgeMap(file);
      double[] values = new double[map.values().length];
      boolean labels = true;
      for (int i = 0; i < values.length; i++) {
        values[i] = map.values()[i];
        labels &= values[i] <= 1 / 254.0;
      }
      return new GroundTruth(map.height(), map.width(), List.of(mask(values, labels ? 1e-6 : 0.5)));
    } catch (IOException e) {
      throw new DataException(e.getMessage() == null ? "Cannot read " + file : e.getMessage(), e);
    }
  }

  private static byte[] mask(double[] values, double least) {
    byte[] mask = new byte[values.length];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = (byte) (values[i] >= least ? 1 : 0);
    }
    return mask;
  }

  /**
   * Borders between regions on the pixels above and to the left of them: a pixel is set when it and
   * its neighbours to the right, below and diagonally below are not all of one region. The lines
   * are up to two pixels wide; thinned, they are the {@code Boundaries} of the data set.
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
