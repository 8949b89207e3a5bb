package org.gammanet.detection;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.nn.MapStatistics;
import org.gammanet.nn.Tile;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DetectorTest {
  private static GammaNet network(String... more) {
    List<String> keys =
        List.of(
            "model.base_channels=4",
            "model.timesteps=2",
            "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1,"
                + " conv3_2, conv3_3, pool3]");
    return GammaNet.random(
        GammaNetConfig.shipped(
            "default", Stream.concat(keys.stream(), Arrays.stream(more)).toList()),
        3,
        Device.CPU);
  }

  /** Smooth blobs: texture of a few pixels alone would not reach the upper levels. */
  private static RgbImage image(int width, int height) {
    Random random = new Random(1);
    byte[] coarse = new byte[3 * 12 * 9];
    random.nextBytes(coarse);
    return new RgbImage(12, 9, coarse).resize(width, height);
  }

  private static double difference(EdgeMap a, EdgeMap b) {
    assertEquals(a.width(), b.width());
    double most = 0;
    for (int i = 0; i < a.values().length; i++) {
      most = Math.max(most, Math.abs(a.values()[i] - b.values()[i]));
    }
    return most;
  }

  /** With the whole image as its only tile, the statistics are those that the image has. */
  @ParameterizedTest
  @ValueSource(strings = {"model.hidden_channels=6", "model.fgru.use_attention=null"})
  void theWholeAsATileGivesTheSameMap(String key) {
    RgbImage image = image(75, 61);
    try (GammaNet net = network(key)) {
      EdgeMap whole = net.detect(image);
      var statistics = new MapStatistics();
      ForwardOptions tile = ForwardOptions.DEFAULTS.withTile(Tile.whole(61, 75, statistics));
      assertTrue(difference(whole, net.detect(image, tile).getFirst()) < 1e-4);
      assertTrue(Double.isInfinite(statistics.finishSweep()));
      assertTrue(difference(whole, net.detect(image, tile).getFirst()) < 1e-4);
      assertTrue(statistics.finishSweep() < 1e-3, "nothing changes any more");
    }
  }

  /** Odd sizes: the levels of the whole are not halves of one another. */
  @Test
  void tilesGiveTheMapOfTheWhole() {
    long before = Tensor.liveHandles();
    RgbImage image = image(357, 301);
    try (GammaNet net = network()) {
      EdgeMap whole = net.detect(image);
      var tiled = new Detector(net, DetectorOptions.NATIVE_SIZE.withTileSide(288));
      assertTrue(tiled.isCut(301, 357));
      double difference = difference(whole, tiled.detect(image));
      System.out.printf("largest difference between tiles and whole: %.6f%n", difference);
      assertTrue(difference < 1e-4, "difference " + difference);
      assertEquals(2, tiledWithEveryTimestep(net).detectTimesteps(image).size());
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  @Test
  void aListenerCallsTheWorkOffBetweenTiles() {
    long before = Tensor.liveHandles();
    try (GammaNet net = network()) {
      var tiled = new Detector(net, DetectorOptions.NATIVE_SIZE.withTileSide(288));
      int[] tiles = {0};
      tiled.onProgress(
          done -> {
            if (++tiles[0] == 2) {
              throw new CancellationException("enough");
            }
          });
      assertThrows(CancellationException.class, () -> tiled.detect(image(357, 301)));
      assertEquals(2, tiles[0]);
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  private static Detector tiledWithEveryTimestep(GammaNet net) {
    return new Detector(net, DetectorOptions.NATIVE_SIZE.withTileSide(288).withEveryTimestep());
  }

  @Test
  void networksThatLookAtTheWholeImagePassWhole() {
    try (GammaNet net = network("model.fgru.normalization_type=instance")) {
      assertTrue(net.network().tilingObstacle() != null);
      var detector = new Detector(net, DetectorOptions.NATIVE_SIZE.withTileSide(288));
      assertTrue(!detector.isCut(1000, 1000));
      ForwardOptions tile =
          ForwardOptions.DEFAULTS.withTile(Tile.whole(16, 16, new MapStatistics()));
      assertThrows(IllegalArgumentException.class, () -> net.detect(image(16, 16), tile));
    }
  }

  @Test
  void aMapHasTheSizeOfItsImageWhateverTheWorkingSize() {
    RgbImage image = image(120, 90);
    try (GammaNet net = network()) {
      EdgeMap map = new Detector(net, DetectorOptions.DEFAULTS.withMaxSide(60)).detect(image);
      assertEquals(120, map.width());
      assertEquals(90, map.height());
      assertEquals(net.detect(image.resize(60, 45)).resize(120, 90), map);
    }
  }

  /** A frame shown twice with one timestep each is a frame with two timesteps. */
  @Test
  void statesCarryOverFromFrameToFrame() {
    long before = Tensor.liveHandles();
    RgbImage frame = image(40, 32);
    try (GammaNet net = network("model.timesteps=1")) {
      EdgeMap two = net.detect(frame, ForwardOptions.DEFAULTS.withTimesteps(2)).getFirst();
      var detector = new Detector(net, DetectorOptions.DEFAULTS);
      try (Detector.Sequence sequence = detector.sequence()) {
        assertArrayEquals(net.detect(frame).values(), sequence.next(frame).values(), 0);
        assertArrayEquals(two.values(), sequence.next(frame).values(), 1e-6f);
        assertThrows(IllegalArgumentException.class, () -> sequence.next(image(32, 32)));
        sequence.close();
        assertArrayEquals(net.detect(frame).values(), sequence.next(frame).values(), 0);
      }
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }
}
