package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gammanet.io.DataException;
import org.gammanet.testing.Fixtures;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Reads the whole BSDS500 where it is at hand. */
class MatFileFixtureTest {
  @TempDir Path temporary;

  @Test
  void boundaryPixelsOfAKnownImage() {
    var truth = GroundTruth.read(Fixtures.folder("bsds-eval").resolve("groundTruth/2018.mat"));
    List<Integer> counts =
        truth.boundaries().stream()
            .map(m -> IntStream.range(0, m.length).map(i -> m[i]).sum())
            .toList();
    assertEquals(List.of(5093, 2470, 2595, 1827, 2333), counts);
    assertEquals(481, truth.height());
    assertEquals(321, truth.width());
  }

  /** Annotators per image, orientation and consensus of each split. */
  @ParameterizedTest
  @CsvSource({
    "train, '{4=2, 5=131, 6=49, 7=15, 8=2, 9=1}', 137, 6.39, 2.01, 0.73, 4.38",
    "val, '{5=69, 6=18, 7=11, 8=2}', 77, 6.45, 1.86, 0.66, 4.59",
    "test, '{4=1, 5=145, 6=47, 7=4, 8=3}', 134, 6.63, 2.12, 0.78, 4.51"
  })
  void wholeSplits(
      String split,
      String annotators,
      int landscape,
      double anyone,
      double third,
      double half,
      double minority)
      throws IOException {
    Path folder = Fixtures.data("BSDS500").resolve("groundTruth").resolve(split);
    List<Path> files;
    try (Stream<Path> list = Files.list(folder)) {
      files = list.filter(f -> f.toString().endsWith(".mat")).toList();
    }
    TreeMap<Integer, Integer> counts = new TreeMap<>();
    int wide = 0;
    double[] fractions = new double[4];
    for (Path file : files) {
      GroundTruth truth = GroundTruth.read(file);
      counts.merge(truth.boundaries().size(), 1, Integer::sum);
      assertEquals(321 * 481, truth.height() * truth.width());
      wide += truth.width() == 481 ? 1 : 0;
      double share = 100.0 / (321 * 481) / files.size();
      for (float m : truth.layers().consensus()) {
        fractions[0] += m > 0 ? share : 0;
        fractions[1] += m >= 0.3f ? share : 0;
        fractions[2] += m >= 0.5f ? share : 0;
        fractions[3] += m > 0 && m < 0.3f ? share : 0;
      }
    }
    assertEquals(annotators, counts.toString());
    assertEquals(landscape, wide);
    assertEquals(anyone, fractions[0], 0.01);
    assertEquals(third, fractions[1], 0.01);
    assertEquals(half, fractions[2], 0.01);
    assertEquals(minority, fractions[3], 0.01);
  }

  @Test
  void damagedFilesEndInOneSentence() throws IOException {
    byte[] good = Files.readAllBytes(Fixtures.folder("bsds-eval").resolve("groundTruth/2018.mat"));
    Path file = temporary.resolve("damaged.mat");
    Random random = new Random(11);
    int refused = 0;
    for (int round = 0; round < 300; round++) {
      byte[] bad = good.clone();
      if (round % 3 == 0) {
        bad = java.util.Arrays.copyOf(bad, random.nextInt(bad.length));
      } else {
        bad[round % 3 == 1 ? 120 + random.nextInt(20) : 136 + random.nextInt(bad.length - 136)] ^=
            (byte) (1 << random.nextInt(8));
      }
      Files.write(file, bad);
      try {
        GroundTruth.read(file);
      } catch (DataException e) {
        assertTrue(e.getMessage().contains("damaged.mat"), e.getMessage());
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
        refused++;
      }
    }
    assertTrue(refused > 100, "refused: " + refused); // at least those that are cut off
    Files.write(file, java.util.Arrays.copyOf(good, 4000));
    assertThrows(DataException.class, () -> GroundTruth.read(file));
    Files.writeString(file, "no MAT file at all".repeat(20));
    assertThrows(DataException.class, () -> GroundTruth.read(file));
  }
}
