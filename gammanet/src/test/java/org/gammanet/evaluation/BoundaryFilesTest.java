package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.evaluation.BoundaryBenchmark.Segmentations;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.MatWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BoundaryFilesTest {
  @TempDir Path folder;

  /** As printf("%10g") of C prints them. */
  @ParameterizedTest
  @CsvSource({
    "0.1666666666666667, 0.166667",
    "0.6, 0.6",
    "0, 0",
    "1, 1",
    "0.0001234567, 0.000123457",
    "0.00001234567, 1.23457e-05",
    "123456.7, 123457",
    "999999.5, 1e+06",
    "1234567, 1.23457e+06",
    "0.30762654321, 0.307627",
    "100, 100",
    "-2.5, -2.5",
    "1e300, 1e+300",
    "0.5000005, 0.5"
  })
  void numbers(double value, String text) {
    assertEquals("%10s".formatted(text), BoundaryFiles.g(value));
  }

  @Test
  void tablesHaveTheOfficialFormat() {
    String text = BoundaryFiles.images(scores());
    assertEquals("         1       0.25        0.5       0.25   0.333333\n", text);
    assertEquals(3, BoundaryFiles.curve(scores()).lines().count());
    assertEquals(8, BoundaryFiles.summary(scores()).strip().split(" +").length);
  }

  /** The program's own tables survive being parsed and printed again, byte by byte. */
  @Test
  void officialTablesPrintEqually() throws IOException {
    for (Path file : Fixtures.files("bsds-eval/expected", ".txt")) {
      for (String line : Files.readAllLines(file)) {
        StringBuilder again = new StringBuilder();
        for (String field : line.strip().split("\\s+")) {
          again.append(again.isEmpty() ? "" : " ");
          again.append(BoundaryFiles.g(Double.parseDouble(field)));
        }
        assertEquals(line.stripTrailing(), again.toString());
      }
    }
  }

  private static BoundaryScores scores() {
    long[] drawn = {100, 100, 100};
    return BoundaryScores.of(
        List.of(
            new BoundaryCounts(
                "a",
                new double[] {0.25, 0.5, 0.75},
                new long[] {50, 0, 0},
                drawn,
                new long[] {50, 0, 0},
                new long[] {200, 0, 0})));
  }

  @Test
  void countsReadBack() throws IOException {
    BoundaryCounts counts =
        new BoundaryCounts(
            "a",
            new double[] {0.25, 0.75},
            new long[] {12_345_678, 0},
            new long[] {99_999_999, 7},
            new long[] {3, 1},
            new long[] {4, 2});
    Path file = folder.resolve("a_ev1.txt");
    AtomicFile.write(file, BoundaryFiles.counts(counts));
    assertEquals(counts, BoundaryFiles.readCounts(file, "a"));
    for (String bad : List.of("", "1 2 3 4\n", "1 2 3 4 x\n")) {
      Files.writeString(file, bad);
      DataException e =
          assertThrows(DataException.class, () -> BoundaryFiles.readCounts(file, "a"));
      assertTrue(String.valueOf(e.getMessage()).contains("a_ev1.txt"), e.getMessage());
    }
    Files.writeString(file, "1 2 3 4 ü\n", StandardCharsets.ISO_8859_1);
    DataException e = assertThrows(DataException.class, () -> BoundaryFiles.readCounts(file, "a"));
    assertEquals(file + " is not UTF-8 text", e.getMessage());
  }

  @Test
  void picturesGiveExactLevels() throws IOException {
    float[] levels = new float[256];
    for (int i = 0; i < 256; i++) {
      levels[i] = i / 255f;
    }
    Path file = folder.resolve("a.png");
    for (int bits : new int[] {8, 16}) {
      if (bits == 8) {
        Images.writePng8(file, new EdgeMap(16, 16, levels));
      } else {
        Images.writePng16(file, new EdgeMap(16, 16, levels));
      }
      var map = assertInstanceOf(Strengths.class, BoundaryFiles.read(file));
      for (int i = 0; i < 256; i++) {
        assertEquals(i / 255.0, map.values()[i]);
      }
    }
    assertEquals(file, BoundaryFiles.find(folder, "a"));
  }

  @Test
  void arrays() throws IOException {
    Path file = folder.resolve("a.npy");
    Npy.write(file, new float[] {0, 0.5f, 1, 0.25f, 0, 0}, 1, 2, 3);
    var map = assertInstanceOf(Strengths.class, BoundaryFiles.read(file));
    assertEquals(2, map.height());
    assertArrayEquals(new double[] {0, 0.5, 1, 0.25, 0, 0}, map.values());
    Npy.write(file, new float[] {-1e-6f, 0.5f, 1.000001f}, 1, 3); // rounding
    map = assertInstanceOf(Strengths.class, BoundaryFiles.read(file));
    assertArrayEquals(new double[] {0, 0.5, 1}, map.values());
    Npy.write(file, new float[] {0, 1.5f}, 1, 2);
    DataException e = assertThrows(DataException.class, () -> BoundaryFiles.read(file));
    assertTrue(
        String.valueOf(e.getMessage()).contains("a.npy: the value at column 1, row 0 is 1.5"),
        e.getMessage());
    Npy.write(file, new float[8], 2, 2, 2);
    assertThrows(DataException.class, () -> BoundaryFiles.read(file));
  }

  @Test
  void contoursBetweenPixels() throws IOException {
    double[] ucm = new double[5 * 7];
    for (int i = 0; i < ucm.length; i++) {
      ucm[i] = i / 100.0;
    }
    Path file = MatWriter.write(folder.resolve("a.mat"), MatWriter.matrix("ucm2", 5, 7, ucm));
    var map = assertInstanceOf(Strengths.class, BoundaryFiles.read(file));
    assertEquals(2, map.height());
    assertEquals(3, map.width());
    assertArrayEquals(new double[] {0.16, 0.18, 0.20, 0.30, 0.32, 0.34}, map.values());
    MatWriter.write(file, MatWriter.matrix("ucm2", 4, 7, new double[28]));
    assertThrows(DataException.class, () -> BoundaryFiles.read(file));
  }

  @Test
  void segmentations() throws IOException {
    byte[] fine = MatWriter.matrix("", 2, 3, 1, 2, 3, 1, 2, 3);
    byte[] coarse = MatWriter.matrix("", 2, 3, 1, 1, 1, 1, 1, 1);
    Path file =
        MatWriter.write(folder.resolve("a.mat"), MatWriter.cells("segs", List.of(fine, coarse)));
    var map = assertInstanceOf(Segmentations.class, BoundaryFiles.read(file));
    assertArrayEquals(new byte[] {1, 1, 0, 1, 1, 0}, map.masks().getFirst());
    assertArrayEquals(new byte[6], map.masks().getLast());
    byte[] other = MatWriter.matrix("", 3, 2, new double[6]);
    MatWriter.write(file, MatWriter.cells("segs", List.of(fine, other)));
    DataException e = assertThrows(DataException.class, () -> BoundaryFiles.read(file));
    assertTrue(String.valueOf(e.getMessage()).contains("a.mat"), e.getMessage());
  }

  @Test
  void missingMapsAndOtherFiles() throws IOException {
    DataException e = assertThrows(DataException.class, () -> BoundaryFiles.find(folder, "7"));
    assertTrue(String.valueOf(e.getMessage()).startsWith("there is no 7.png"), e.getMessage());
    Path file = folder.resolve("b.mat");
    Files.writeString(file, "nothing of the kind");
    assertThrows(DataException.class, () -> BoundaryFiles.read(file));
    Path png = folder.resolve("b.png");
    Files.writeString(png, "nothing of the kind");
    assertThrows(IOException.class, () -> BoundaryFiles.read(png));
  }
}
