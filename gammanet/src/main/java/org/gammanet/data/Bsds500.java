package org.gammanet.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Ground truth of the Berkeley segmentation data set (Arbelaez, Maire, Fowlkes and Malik, TPAMI
 * 2011): several people's boundaries for each image.
 */
public final class Bsds500 {
  private Bsds500() {}

  /**
   * The annotations of one image.
   *
   * @param height rows
   * @param width columns
   * @param boundaries per annotator, row-major, 1 on a boundary and 0 elsewhere
   */
  public record GroundTruth(int height, int width, List<byte[]> boundaries) {
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
   * Reads {@code groundTruth/<split>/<id>.mat}: a cell array of structs with a field {@code
   * Boundaries}.
   *
   * @throws DataException if the file cannot be read or holds something else
   */
  public static GroundTruth read(Path file) {
    Map<String, MatFile.Value> variables = MatFile.read(file);
    if (!(variables.get("groundTruth") instanceof MatFile.Cells cells)) {
      throw new DataException(
          "%s has no cell array 'groundTruth'; it has %s".formatted(file, variables.keySet()));
    }
    if (cells.values().isEmpty() || cells.values().size() > 16) {
      throw new DataException(
          "%s has %d annotators; 1 to 16 can be used".formatted(file, cells.values().size()));
    }
    List<byte[]> boundaries = new ArrayList<>();
    int height = -1;
    int width = -1;
    for (MatFile.Value cell : cells.values()) {
      if (!(cell instanceof MatFile.Structs structs)
          || structs.elements().size() != 1
          || !(structs.elements().getFirst().get("Boundaries") instanceof MatFile.Numbers map)
          || map.dimensions().length != 2) {
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
      byte[] mask = new byte[height * width];
      int i = 0;
      // MATLAB stores columns one after the other.
      for (int x = 0; x < width; x++) {
        for (int y = 0; y < height; y++) {
          mask[y * width + x] = (byte) (map.get(i++) != 0 ? 1 : 0);
        }
      }
      boundaries.add(mask);
    }
    return new GroundTruth(height, width, boundaries);
  }
}
