package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.testing.MatWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Bsds500Test {
  @TempDir Path root;

  private void touch(String... files) throws IOException {
    for (String file : files) {
      Path path = root.resolve(file);
      Files.createDirectories(path.getParent());
      Files.createFile(path);
    }
  }

  @Test
  void listsASplitInByteOrder() throws IOException {
    touch(
        "groundTruth/test/2018.mat",
        "groundTruth/test/10081.mat",
        "groundTruth/test/100007.mat",
        "groundTruth/test/Thumbs.db",
        "groundTruth/test/.hidden.mat",
        "groundTruth/val/1.mat",
        "images/test/2018.jpg",
        "images/test/Thumbs.db");
    assertEquals(
        List.of("100007", "10081", "2018"),
        List.copyOf(Bsds500.groundTruth(root, "test").keySet()));
    assertEquals(root.resolve("groundTruth/val/1.mat"), Bsds500.groundTruth(root, "val").get("1"));
    assertEquals(List.of("2018"), List.copyOf(Bsds500.images(root, "test").keySet()));
  }

  @Test
  void foldersWithoutSplitsAndOnesOwnDrawings() throws IOException {
    touch("edges/a.png", "edges/b/1.png", "edges/b/2.png", "edges/c.npy", "edges/c.png");
    var found = Bsds500.groundTruth(root, "test");
    assertEquals(List.of("a", "b", "c"), List.copyOf(found.keySet()));
    assertEquals(root.resolve("edges/c.npy"), found.get("c"));
    assertEquals(root.resolve("edges/b"), found.get("b"));
  }

  @Test
  void missingFoldersSayWhatToGive() throws IOException {
    touch("groundTruth/train/1.mat");
    for (String split : List.of("test", "val")) {
      DataException e = assertThrows(DataException.class, () -> Bsds500.groundTruth(root, split));
      assertTrue(String.valueOf(e.getMessage()).contains("groundTruth/" + split), e.getMessage());
    }
  }

  @Test
  void readsPicturesAndArrays() throws IOException {
    float[] drawn = {0, 1, 0, 0.4f, 0.6f, 1};
    byte[] mask = {0, 1, 0, 0, 1, 1};
    Images.writePng8(root.resolve("a.png"), new EdgeMap(3, 2, drawn));
    Npy.write(root.resolve("a.npy"), drawn, 2, 3);
    // Labels 0 and 1 as they are in the picture.
    Images.writePng8(
        root.resolve("b.png"),
        new EdgeMap(3, 2, new float[] {0, 1 / 255f, 0, 0, 1 / 255f, 1 / 255f}));
    for (String file : List.of("a.png", "a.npy", "b.png")) {
      Bsds500.GroundTruth truth = Bsds500.read(root.resolve(file));
      assertEquals(2, truth.height());
      assertEquals(3, truth.width());
      assertArrayEquals(mask, truth.boundaries().getFirst(), file);
    }
    Files.createDirectories(root.resolve("c"));
    Images.writePng8(root.resolve("c/1.png"), new EdgeMap(3, 2, drawn));
    Images.writePng16(root.resolve("c/2.png"), new EdgeMap(3, 2, new float[6]));
    assertEquals(2, Bsds500.read(root.resolve("c")).boundaries().size());
    Images.writePng16(root.resolve("c/3.png"), new EdgeMap(2, 2, new float[4]));
    assertThrows(DataException.class, () -> Bsds500.read(root.resolve("c")));
  }

  @Test
  void regionsWithoutBoundariesAreOutlined() throws IOException {
    byte[] regions = MatWriter.matrix("", 2, 4, 1, 1, 2, 2, 1, 1, 2, 2);
    byte[] one = MatWriter.struct(List.of("Segmentation"), List.of(regions));
    Path file =
        MatWriter.write(root.resolve("a.mat"), MatWriter.cells("groundTruth", List.of(one)));
    assertArrayEquals(
        new byte[] {0, 1, 0, 0, 0, 1, 0, 0}, Bsds500.read(file).boundaries().getFirst());
  }

  @Test
  void otherContentIsNamed() throws IOException {
    byte[] number = MatWriter.matrix("", 1, 1, 1);
    for (byte[] variable :
        List.of(
            MatWriter.matrix("groundTruth", 1, 2, 0, 1),
            MatWriter.cells("groundTruth", List.of()),
            MatWriter.cells("groundTruth", List.of(number)),
            MatWriter.cells(
                "groundTruth", List.of(MatWriter.struct(List.of("Other"), List.of(number)))),
            MatWriter.cells("other", List.of(number)))) {
      Path file = MatWriter.write(root.resolve("odd.mat"), variable);
      DataException e = assertThrows(DataException.class, () -> Bsds500.read(file));
      assertTrue(String.valueOf(e.getMessage()).contains("odd.mat"), e.getMessage());
    }
  }
}
