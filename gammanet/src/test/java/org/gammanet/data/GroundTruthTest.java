package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.MatWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GroundTruthTest {
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
        List.copyOf(DatasetIndex.annotations(root, "test").keySet()));
    assertEquals(
        root.resolve("groundTruth/val/1.mat"), DatasetIndex.annotations(root, "val").get("1"));
    assertEquals(List.of("2018"), List.copyOf(DatasetIndex.images(root, "test").keySet()));
  }

  @Test
  void foldersWithoutSplitsAndOnesOwnDrawings() throws IOException {
    touch("edges/a.png", "edges/b/1.png", "edges/b/2.png", "edges/c.npy", "edges/c.png");
    var found = DatasetIndex.annotations(root, "test");
    assertEquals(List.of("a", "b", "c"), List.copyOf(found.keySet()));
    assertEquals(root.resolve("edges/c.npy"), found.get("c"));
    assertEquals(root.resolve("edges/b"), found.get("b"));
  }

  @Test
  void missingFoldersSayWhatToGive() throws IOException {
    touch("groundTruth/train/1.mat");
    for (String split : List.of("test", "val")) {
      DataException e =
          assertThrows(DataException.class, () -> DatasetIndex.annotations(root, split));
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
      GroundTruth truth = GroundTruth.read(root.resolve(file));
      assertEquals(2, truth.height());
      assertEquals(3, truth.width());
      assertArrayEquals(mask, truth.boundaries().getFirst(), file);
    }
    Files.createDirectories(root.resolve("c"));
    Images.writePng8(root.resolve("c/1.png"), new EdgeMap(3, 2, drawn));
    Images.writePng16(root.resolve("c/2.png"), new EdgeMap(3, 2, new float[6]));
    assertEquals(2, GroundTruth.read(root.resolve("c")).boundaries().size());
    Images.writePng16(root.resolve("c/3.png"), new EdgeMap(2, 2, new float[4]));
    assertThrows(DataException.class, () -> GroundTruth.read(root.resolve("c")));
  }

  @Test
  void regionsWithoutBoundariesAreOutlined() throws IOException {
    byte[] regions = MatWriter.matrix("", 2, 4, 1, 1, 2, 2, 1, 1, 2, 2);
    byte[] one = MatWriter.struct(List.of("Segmentation"), List.of(regions));
    Path file =
        MatWriter.write(root.resolve("a.mat"), MatWriter.cells("groundTruth", List.of(one)));
    assertArrayEquals(
        new byte[] {0, 1, 0, 0, 0, 1, 0, 0}, GroundTruth.read(file).boundaries().getFirst());
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
      DataException e = assertThrows(DataException.class, () -> GroundTruth.read(file));
      assertTrue(String.valueOf(e.getMessage()).contains("odd.mat"), e.getMessage());
    }
  }

  /** The mean of two or four annotators is exact, that of three or five is rounded. */
  @Test
  void aMeanIsOneDrawingWhateverItsLevels() throws IOException {
    Path drawings = Files.createDirectories(root.resolve("drawings"));
    for (int n = 1; n <= 16; n++) {
      float[] mean = new float[n + 1];
      byte[] half = new byte[n + 1];
      for (int k = 0; k <= n; k++) {
        mean[k] = (float) k / n;
        half[k] = (byte) (2 * k >= n ? 1 : 0);
      }
      Npy.write(root.resolve("mean.npy"), mean, 1, n + 1);
      GroundTruth.Annotated read = GroundTruth.readAnnotation(root.resolve("mean.npy"));
      assertArrayEquals(mean, read.annotation().consensus(), 1e-6f, "training keeps the mean");
      assertEquals(1, read.drawings().boundaries().size(), n + " annotators");
      assertArrayEquals(half, read.drawings().boundaries().getFirst(), n + " annotators");
      Npy.write(drawings.resolve("1.npy"), mean, 1, n + 1);
      assertArrayEquals(half, GroundTruth.read(drawings).boundaries().getFirst());
    }
  }

  @Test
  void trainingAndEvaluationReadTheSameAnnotations() throws IOException {
    float[] soft = {0, 0.2f, 0.4f, 1, 0.6f, 0};
    Npy.write(root.resolve("soft.npy"), soft, 2, 3);
    GroundTruth.Annotated read = GroundTruth.readAnnotation(root.resolve("soft.npy"));
    assertArrayEquals(soft, read.annotation().consensus(), 1e-6f, "training keeps the mean");
    assertArrayEquals(new byte[] {0, 0, 0, 1, 1, 0}, read.drawings().boundaries().getFirst());
    Npy.write(root.resolve("bytes.npy"), new float[] {0, 255, 51, 255, 0, 0}, 2, 3);
    assertArrayEquals(
        new float[] {0, 1, 0.2f, 1, 0, 0},
        GroundTruth.readAnnotation(root.resolve("bytes.npy")).annotation().consensus(),
        1e-6f);
    Npy.write(root.resolve("ignore.npy"), new float[] {-1, 1, 0, 0, 0, 0}, 2, 3);
    assertTrue(
        GroundTruth.readAnnotation(root.resolve("ignore.npy")).annotation().consensus()[0] < 0);
    for (float bad : new float[] {256, Float.NaN, Float.POSITIVE_INFINITY}) {
      Npy.write(root.resolve("bad.npy"), new float[] {0, bad}, 1, 2);
      assertThrows(DataException.class, () -> GroundTruth.read(root.resolve("bad.npy")));
    }
    // Labels 0 and 1 of 8 and of 16 bits.
    EdgeMap eight = new EdgeMap(3, 1, new float[] {0, 1 / 255f, 0});
    EdgeMap sixteen = new EdgeMap(3, 1, new float[] {0, 1 / 65535f, 0});
    Images.writePng8(root.resolve("8.PNG"), eight);
    Images.writePng16(root.resolve("16.png"), sixteen);
    for (String file : List.of("8.PNG", "16.png")) {
      assertArrayEquals(
          new float[] {0, 1, 0},
          GroundTruth.readAnnotation(root.resolve(file)).annotation().consensus());
    }
  }

  @Test
  void labelsThatAreProbablyWrongAreNoticed() throws IOException {
    float[] inverted = new float[100];
    java.util.Arrays.fill(inverted, 10, 100, 1);
    float[] right = new float[100];
    java.util.Arrays.fill(right, 0, 10, 1);
    Images.writePng8(root.resolve("inverted.png"), new EdgeMap(10, 10, inverted));
    Images.writePng8(root.resolve("empty.png"), new EdgeMap(10, 10, new float[100]));
    Images.writePng8(root.resolve("right.png"), new EdgeMap(10, 10, right));
    assertTrue(warning("inverted.png").contains("90 %"));
    assertTrue(warning("empty.png").endsWith("empty.png has no edge pixel"));
    assertEquals("", warning("right.png"));
    float[] faint = new float[100]; // labels 0 and 100, of a program that counts objects
    faint[3] = 100 / 255f;
    Images.writePng8(root.resolve("faint.png"), new EdgeMap(10, 10, faint));
    assertTrue(warning("faint.png").contains("greatest value is 0.392 of white"));
    RgbImage colored = new RgbImage(1, 1, new byte[] {0, 0, -1});
    Images.writePng(root.resolve("colored.png"), colored);
    DataException e =
        assertThrows(
            DataException.class, () -> GroundTruth.readAnnotation(root.resolve("colored.png")));
    assertTrue(String.valueOf(e.getMessage()).contains("has colors"), e.getMessage());
  }

  private String warning(String file) {
    return GroundTruth.readAnnotation(root.resolve(file)).warning(root.resolve(file)).orElse("");
  }

  @Test
  void variablesThatNobodyNeedsDoNoHarm() throws IOException {
    byte[] map = MatWriter.matrix("", 1, 3, 0, 1, 0);
    byte[] good = MatWriter.struct(List.of("Boundaries"), List.of(map));
    byte[] cells = MatWriter.cells("groundTruth", List.of(good));
    for (int type : new int[] {3, 16, 17, 18}) {
      Path file = MatWriter.write(root.resolve("a.mat"), MatWriter.other("x", type), cells);
      assertArrayEquals(new byte[] {0, 1, 0}, GroundTruth.read(file).boundaries().getFirst());
    }
    byte[] beside =
        MatWriter.struct(
            List.of("Segmentation", "Boundaries"), List.of(MatWriter.other("", 3), map));
    Path file =
        MatWriter.write(
            root.resolve("b.mat"),
            MatWriter.complex("c"),
            MatWriter.cells("groundTruth", List.of(beside)));
    assertArrayEquals(new byte[] {0, 1, 0}, GroundTruth.read(file).boundaries().getFirst());
    byte[] only = MatWriter.struct(List.of("Boundaries"), List.of(MatWriter.other("", 3)));
    Path bad =
        MatWriter.write(root.resolve("c.mat"), MatWriter.cells("groundTruth", List.of(only)));
    assertTrue(
        String.valueOf(assertThrows(DataException.class, () -> GroundTruth.read(bad)).getMessage())
            .contains("annotator 1 has no matrix 'Boundaries'"));
  }

  @Test
  void filesOfSciPy() throws IOException {
    for (String name : List.of("scipy_compressed.mat", "scipy_plain.mat")) {
      Path file = Fixtures.resource("mat/" + name);
      GroundTruth truth = GroundTruth.read(file);
      assertEquals(2, truth.height());
      assertEquals(3, truth.width());
      assertArrayEquals(new byte[] {0, 1, 0, 1, 0, 0}, truth.boundaries().get(0));
      assertArrayEquals(new byte[] {0, 1, 0, 0, 0, 1}, truth.boundaries().get(1));
      assertInstanceOf(MatFile.Other.class, MatFile.read(file).get("big"));
    }
    var map = BoundaryFiles.read(Fixtures.resource("mat/scipy_sparse_map.mat"));
    assertArrayEquals(
        new double[] {0, 0.5, 0, 1, 0, 0.25},
        assertInstanceOf(BoundaryBenchmark.Strengths.class, map).values());
  }

  /** As SciPy writes a structured array, and as anybody saves a map. */
  @Test
  void aStructArrayStandsForCells() throws IOException {
    byte[] first = MatWriter.matrix("", 1, 3, 0, 1, 0);
    byte[] second = MatWriter.matrix("", 1, 3, 1, 0, 0);
    byte[] structs =
        MatWriter.structs("groundTruth", List.of("Boundaries"), List.of(first, second));
    GroundTruth truth = GroundTruth.read(MatWriter.write(root.resolve("s.mat"), structs));
    assertEquals(2, truth.boundaries().size());
    assertArrayEquals(new byte[] {1, 0, 0}, truth.boundaries().getLast());
    Path plain =
        MatWriter.write(root.resolve("p.mat"), MatWriter.matrix("groundTruth", 1, 3, 0, 1, 0));
    DataException e = assertThrows(DataException.class, () -> GroundTruth.read(plain));
    assertTrue(String.valueOf(e.getMessage()).contains("is no cell array"), e.getMessage());
  }

  @Test
  void sparseAndUnsignedBoundaries() throws IOException {
    // Column-major: row 1 of column 0 and row 0 of column 2 are set.
    byte[] sparse = MatWriter.sparse("", 2, 3, new int[] {1, 0}, new int[] {0, 1, 1, 2}, 1, 1);
    byte[] one = MatWriter.struct(List.of("Boundaries"), List.of(sparse));
    Path file =
        MatWriter.write(root.resolve("s.mat"), MatWriter.cells("groundTruth", List.of(one)));
    assertArrayEquals(
        new byte[] {0, 0, 1, 1, 0, 0}, GroundTruth.read(file).boundaries().getFirst());
    byte[] damaged = MatWriter.sparse("", 2, 3, new int[] {2, 0}, new int[] {0, 1, 1, 2}, 1, 1);
    byte[] two = MatWriter.struct(List.of("Boundaries"), List.of(damaged));
    Path bad = MatWriter.write(root.resolve("d.mat"), MatWriter.cells("groundTruth", List.of(two)));
    assertThrows(DataException.class, () -> GroundTruth.read(bad));
    byte[] huge = MatWriter.sparse("x", 30_000, 2, new int[0], new int[] {0, 0, 0});
    ByteBuffer.wrap(huge).order(ByteOrder.LITTLE_ENDIAN).putInt(32, 1 << 30);
    // A sparse matrix that nobody needs may be of any size.
    Path claims =
        MatWriter.write(root.resolve("h.mat"), huge, MatWriter.cells("groundTruth", List.of(one)));
    assertInstanceOf(MatFile.Other.class, MatFile.read(claims).get("x"));
    assertArrayEquals(
        new byte[] {0, 0, 1, 1, 0, 0}, GroundTruth.read(claims).boundaries().getFirst());
    byte[] longs = MatWriter.unsigned("", 1, 3, 0, -1, 0); // uint64, the greatest
    byte[] three = MatWriter.struct(List.of("Boundaries"), List.of(longs));
    Path wide =
        MatWriter.write(root.resolve("u.mat"), MatWriter.cells("groundTruth", List.of(three)));
    assertArrayEquals(new byte[] {0, 1, 0}, GroundTruth.read(wide).boundaries().getFirst());
  }

  @Test
  void unpackingIsBoundedOverTheWholeFile() throws IOException {
    // Compressed empty cells, field names of one byte, and matrices, each many times.
    byte[] emptyCells = MatWriter.compressed(MatWriter.emptyCells("x", 300_000));
    Path file = MatWriter.write(root.resolve("cells.mat"), emptyCells);
    assertTrue(
        String.valueOf(assertThrows(DataException.class, () -> MatFile.read(file)).getMessage())
            .contains("values"));
    byte[] zeros = MatWriter.compressed(MatWriter.matrix("x", 1, 1 << 23, new double[1 << 23]));
    byte[][] many = new byte[10][];
    java.util.Arrays.fill(many, zeros);
    Path bomb = MatWriter.write(root.resolve("many.mat"), many);
    assertTrue(
        String.valueOf(assertThrows(DataException.class, () -> MatFile.read(bomb)).getMessage())
            .contains("unpacks to more than"));
  }
}
