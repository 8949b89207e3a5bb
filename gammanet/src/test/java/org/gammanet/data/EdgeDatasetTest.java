package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.testing.Fixtures;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EdgeDatasetTest {
  @TempDir Path folder;

  private static void picture(Path file, int w, int h, int type, long seed) throws IOException {
    Files.createDirectories(file.getParent());
    Random random = new Random(seed);
    BufferedImage image = new BufferedImage(w, h, type);
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        if (type == BufferedImage.TYPE_BYTE_GRAY) {
          image.getRaster().setSample(x, y, 0, random.nextInt(6) * 51);
        } else {
          image.setRGB(x, y, random.nextInt());
        }
      }
    }
    ImageIO.write(image, "png", file.toFile());
  }

  private EdgeDataset pictures(int n) throws IOException {
    for (int i = 0; i < n; i++) {
      picture(folder.resolve("images/im" + i + ".png"), 40, 30, BufferedImage.TYPE_INT_RGB, i);
      picture(
          folder.resolve("edges/im" + i + ".png"), 40, 30, BufferedImage.TYPE_BYTE_GRAY, 99 + i);
    }
    return EdgeDataset.open(folder, "train");
  }

  @Test
  void foldersOfPictures() throws IOException {
    EdgeDataset data = pictures(3);
    assertEquals(3, data.size());
    Example example = data.load(1);
    assertSame(example, data.load(1));
    assertEquals("im1", example.id());
    float[] m = example.annotation().consensus();
    for (float v : m) {
      assertEquals(Math.round(v * 5) / 5f, v, 1e-6f);
    }
    assertTrue(IntStream.range(0, m.length).anyMatch(i -> m[i] > 0.7f));
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    String message =
        assertThrows(DataException.class, () -> EdgeDataset.open(folder, "train")).getMessage();
    assertTrue(message.contains("images"), message);
    pictures(1);
    picture(folder.resolve("images/lonely.png"), 8, 8, BufferedImage.TYPE_INT_RGB, 1);
    message =
        assertThrows(DataException.class, () -> EdgeDataset.open(folder, "train")).getMessage();
    assertTrue(message.contains("lonely"), message);
    picture(folder.resolve("edges/lonely.png"), 9, 8, BufferedImage.TYPE_BYTE_GRAY, 1);
    EdgeDataset data = EdgeDataset.open(folder, "train");
    message = assertThrows(DataException.class, () -> data.load(1)).getMessage();
    assertTrue(message.contains("8x8") && message.contains("9x8"), message);
  }

  @Test
  void imagesOfOneNameAreNotChosenFrom() throws IOException {
    pictures(2);
    picture(folder.resolve("images/im1.bmp"), 8, 8, BufferedImage.TYPE_INT_RGB, 1);
    String message =
        assertThrows(DataException.class, () -> EdgeDataset.open(folder, "train")).getMessage();
    assertTrue(message.contains("im1.bmp and im1.png have the same name"), message);
  }

  @Test
  void subsetsAreNested() throws IOException {
    EdgeDataset data = pictures(20);
    Set<String> larger = new HashSet<>();
    for (double fraction : new double[] {1, 0.5, 0.1, 0.01}) {
      EdgeDataset part = data.subset(fraction, 7);
      assertEquals(Math.max(1, Math.round(20 * fraction)), part.size());
      Set<String> ids = new HashSet<>();
      for (int i = 0; i < part.size(); i++) {
        ids.add(part.id(i));
      }
      assertTrue(larger.isEmpty() || larger.containsAll(ids));
      larger = ids;
    }
    assertNotEquals(data.subset(0.5, 7).fingerprint(), data.subset(0.5, 8).fingerprint());
    assertEquals(20, data.tenth(true).size() + data.tenth(false).size());
  }

  @Test
  void whatTrainingOnBothSplitsHoldsOutCanBeNamed() throws IOException {
    for (int i = 0; i < 40; i++) {
      String name = (i % 2 == 0 ? "train/" : "val/") + "im" + i + ".png";
      picture(folder.resolve("images").resolve(name), 8, 8, BufferedImage.TYPE_INT_RGB, i);
      picture(folder.resolve("groundTruth").resolve(name), 8, 8, BufferedImage.TYPE_BYTE_GRAY, i);
    }
    EdgeDataset all =
        EdgeDataset.concat(
            List.of(EdgeDataset.open(folder, "train"), EdgeDataset.open(folder, "val")));
    EdgeDataset heldOut = all.tenth(true);
    Set<String> expected = new HashSet<>();
    for (int i = 0; i < heldOut.size(); i++) {
      expected.add(heldOut.id(i));
    }
    assertFalse(expected.isEmpty());
    assertEquals(expected, DatasetIndex.images(folder, DatasetIndex.HELD_OUT).keySet());
    assertEquals(expected, DatasetIndex.annotations(folder, DatasetIndex.HELD_OUT).keySet());
  }

  @Test
  void samplesDoNotDependOnThreads() throws Exception {
    EdgeDataset data = pictures(5);
    Augmentation augmentation =
        new Augmentation(
            16,
            new double[] {0.5, 1, 1.5},
            16,
            0.5,
            0,
            Augmentation.ColorJitter.REFERENCE,
            0,
            false,
            false,
            Preprocessing.IMAGENET);
    BatchSource source = new BatchSource(data, augmentation, 42, 11, 2);
    assertEquals(5, source.batchesPerEpoch());
    List<Batch> expected = new ArrayList<>();
    for (int i = 0; i < 15; i++) {
      expected.add(source.batch(i));
    }
    for (int threads : new int[] {1, 4}) {
      try (Prefetcher<Batch> loader = new Prefetcher<>(0, 15, threads, 3, source::batch)) {
        for (Batch e : expected) {
          Batch b = loader.next();
          assertEquals(e.ids(), b.ids());
          assertArrayEquals(e.images(), b.images());
          assertArrayEquals(e.targets(), b.targets());
          assertTrue(Arrays.equals(e.valid(), b.valid()));
        }
        assertTrue(!loader.hasNext());
      }
    }
    // An interrupted run continues in the middle of an epoch.
    try (Prefetcher<Batch> loader = new Prefetcher<>(7, 15, 2, 3, source::batch)) {
      Batch b = loader.next();
      assertEquals(1, b.epoch());
      assertEquals(2, b.index());
      assertArrayEquals(expected.get(7).images(), b.images());
    }
  }

  @Test
  void everyImageIsSeenEquallyOften() throws IOException {
    BatchSource source =
        new BatchSource(pictures(5), Augmentation.none(Preprocessing.IMAGENET), 1, 10, 2);
    int[] seen = new int[5];
    for (int i = 0; i < source.batchesPerEpoch(); i++) {
      source.batch(i).ids().forEach(id -> seen[id.charAt(2) - '0']++);
    }
    assertArrayEquals(new int[] {2, 2, 2, 2, 2}, seen);
  }

  @Test
  void errorsOfLoadersReachTheCallerAndClosingStopsThem() {
    try (Prefetcher<Integer> loader =
        new Prefetcher<>(
            0,
            10,
            2,
            4,
            i -> {
              if (i == 2) {
                throw new DataException("broken.jpg");
              }
              return (int) i;
            })) {
      assertEquals(0, assertDoesNotThrowInterrupted(loader));
      assertEquals(1, assertDoesNotThrowInterrupted(loader));
      assertEquals("broken.jpg", assertThrows(DataException.class, loader::next).getMessage());
    }
    Prefetcher<Integer> closed = new Prefetcher<>(0, 10, 2, 4, i -> (int) i);
    closed.close();
    assertThrows(
        IllegalStateException.class,
        () -> {
          while (closed.hasNext()) {
            closed.next();
          }
        });
  }

  private static int assertDoesNotThrowInterrupted(Prefetcher<Integer> loader) {
    try {
      return loader.next();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void trainingSeesTheSamplesThatDetectionSees() throws IOException {
    Files.createDirectories(folder.resolve("images"));
    Files.createDirectories(folder.resolve("edges"));
    BufferedImage gray = new BufferedImage(4, 1, BufferedImage.TYPE_BYTE_GRAY);
    BufferedImage clear = new BufferedImage(4, 1, BufferedImage.TYPE_INT_ARGB);
    for (int x = 0; x < 4; x++) {
      gray.getRaster().setSample(x, 0, 0, 32 + 60 * x);
      clear.setRGB(x, 0, (60 * x) << 24 | 0x336699);
    }
    ImageIO.write(gray, "png", folder.resolve("images/gray.PNG").toFile());
    ImageIO.write(gray, "jpg", folder.resolve("images/photo.jpeg").toFile());
    ImageIO.write(clear, "png", folder.resolve("images/clear.png").toFile());
    ImageIO.write(gray, "tif", folder.resolve("images/scan.TIFF").toFile());
    Files.writeString(folder.resolve("images/._gray.png"), "a macOS file");
    Npy.write(folder.resolve("edges/gray.npy"), new float[] {0, 1, 0, 0}, 1, 4);
    Npy.write(folder.resolve("edges/photo.npy"), new float[] {0, 1, 0, 0}, 1, 4);
    Files.createDirectories(folder.resolve("edges/clear")); // one drawing per annotator
    Images.writePng8(
        folder.resolve("edges/clear/a.png"), new EdgeMap(4, 1, new float[] {0, 1, 0, 0}));
    Images.writePng8(
        folder.resolve("edges/clear/b.png"), new EdgeMap(4, 1, new float[] {0, 1, 0, 0}));
    Images.writePng8(folder.resolve("edges/scan.PNG"), new EdgeMap(4, 1, new float[] {0, 1, 0, 0}));
    EdgeDataset data = EdgeDataset.open(folder, "train");
    assertEquals(4, data.size());
    for (int i = 0; i < 4; i++) {
      Path image = DatasetIndex.images(folder, "val").get(data.id(i));
      assertArrayEquals(Images.read(image).samples(), data.load(i).rgb(), data.id(i));
    }
    assertArrayEquals(new float[] {0, 1, 0, 0}, data.load(0).annotation().consensus());
    assertEquals(2, data.load(0).drawings().boundaries().size());
    EdgeDataset.Inspection found = data.inspect(4);
    assertEquals(List.of(), found.errors());
    assertEquals(List.of(), found.warnings());
    // 4 of 4 pixels are edges; another is of another size.
    Images.writePng8(folder.resolve("edges/scan.PNG"), new EdgeMap(4, 1, new float[] {1, 1, 1, 1}));
    Npy.write(folder.resolve("edges/photo.npy"), new float[3], 1, 3);
    found = EdgeDataset.open(folder, "train").inspect(4);
    assertEquals(1, found.errors().size());
    assertTrue(found.warnings().getFirst().contains("100 %"), found.warnings().toString());
  }

  @Test
  void berkeleyFolder() {
    Path root = Fixtures.data("BSDS500");
    EdgeDataset train = EdgeDataset.open(root, "train");
    assertEquals(200, train.size());
    assertEquals("100075", train.id(0));
    Example example = train.load(0);
    assertEquals(321 * 481 * 3, example.rgb().length);
    EdgeDataset both = EdgeDataset.concat(List.of(train, EdgeDataset.open(root, "val")));
    assertEquals(300, both.size());
  }
}
