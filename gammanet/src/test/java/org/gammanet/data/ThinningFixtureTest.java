package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Map;
import org.gammanet.testing.Fixtures;
import org.junit.jupiter.api.Test;

/**
 * The data set's boundaries are its segmentations' borders, thinned by MATLAB's {@code bwmorph}:
 * about five hundred drawings on which thinning must agree pixel by pixel.
 */
class ThinningFixtureTest {
  @Test
  void boundariesOfTheDataSet() {
    int drawings = 0;
    for (Map.Entry<String, Path> image :
        DatasetIndex.annotations(Fixtures.data("BSDS500"), "val").entrySet()) {
      var cells =
          assertInstanceOf(MatFile.Cells.class, MatFile.read(image.getValue()).get("groundTruth"));
      for (MatFile.Value cell : cells.values()) {
        var fields = assertInstanceOf(MatFile.Structs.class, cell).elements().getFirst();
        var regions = assertInstanceOf(MatFile.Numbers.class, fields.get("Segmentation"));
        var drawn = assertInstanceOf(MatFile.Numbers.class, fields.get("Boundaries"));
        int height = regions.dimensions()[0];
        int width = regions.dimensions()[1];
        byte[] borders = GroundTruth.bordersOf(regions.rows(), height, width);
        Thinning.thin(borders, height, width);
        double[] thinned = new double[borders.length];
        java.util.Arrays.setAll(thinned, i -> borders[i]);
        assertArrayEquals(drawn.rows(), thinned, image.getKey());
        drawings++;
      }
    }
    assertTrue(drawings > 500, drawings + " drawings");
  }
}
