package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The logits of an image have the same bits whatever the batch that it is part of. */
class BatchInvarianceTest {
  private static final String LEVELS =
      "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2, conv3_3]";
  private static final int IMAGES = 8;

  private final int threads = LibTorch.threads();

  @AfterEach
  void restoreThreads() {
    LibTorch.setThreads(threads);
  }

  private static Tensor images(int height, int width) {
    float[] values = new float[IMAGES * 3 * height * width];
    Random random = new Random(height);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, IMAGES, 3, height, width);
  }

  /** The logits of the images from {@code first} on, image by image. */
  private static List<float[]> logits(
      Network network, Tensor images, int first, int count, ForwardOptions options) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor batch = Ops.narrow(images, 0, first, count).contiguous();
      ForwardResult result = network.forward(batch, options.withEveryTimestep());
      assertEquals(count, result.logits().size(0));
      List<float[]> logits = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        logits.add(Ops.narrow(result.logits(), 0, i, 1).toFloatArray());
      }
      return logits;
    }
  }

  private static void assertInvariant(
      Network network, Tensor images, ForwardOptions options, List<float[]> alone) {
    for (int count = 1; count <= IMAGES; count++) {
      for (int first : new int[] {0, IMAGES - count}) {
        List<float[]> batch = logits(network, images, first, count, options);
        for (int i = 0; i < count; i++) {
          assertArrayEquals(
              alone.get(first + i), batch.get(i), "image " + i + " of a batch of " + count);
        }
      }
    }
  }

  private static List<float[]> alone(Network network, Tensor images, ForwardOptions options) {
    List<float[]> alone = new ArrayList<>();
    for (int i = 0; i < IMAGES; i++) {
      alone.addAll(logits(network, images, i, 1, options));
    }
    return alone;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.timesteps=2",
        "model.hidden_channels=24",
        "model.fgru.normalization_type=instance"
      })
  void theBatchDoesNotMatter(String setting) {
    List<String> settings = List.of(LEVELS, "model.base_channels=32", "model.timesteps=2", setting);
    try (Network network = Network.create(GammaNetConfig.shipped("default", settings).model(), 3);
        var scope = TensorScope.open()) {
      Tensor images = images(17, 23);
      ForwardOptions composed = ForwardOptions.DEFAULTS.withComposedOnly();
      assertInvariant(network, images, composed, alone(network, images, composed));
      ForwardOptions plain = ForwardOptions.DEFAULTS;
      assertInvariant(network, images, plain, alone(network, images, plain));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void outputsOfCellsDoNotDependOnTheBatch(boolean composed) {
    List<String> settings = List.of(LEVELS, "model.base_channels=32", "model.timesteps=2");
    try (Network network = Network.create(GammaNetConfig.shipped("default", settings).model(), 3);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor images = images(17, 23);
      ForwardOptions plain = ForwardOptions.DEFAULTS;
      ForwardOptions options = composed ? plain.withComposedOnly() : plain;
      List<String> cells = List.of("td_fgru_0", "fgru_1");
      Map<String, Tensor[]> all = network.respond(images, cells, options);
      assertEquals(cells, List.copyOf(all.keySet()));
      for (int i : new int[] {0, 5}) {
        Map<String, Tensor[]> alone =
            network.respond(Ops.narrow(images, 0, i, 1).contiguous(), cells, options);
        for (String cell : cells) {
          for (int k = 0; k < 2; k++) {
            assertArrayEquals(
                alone.get(cell)[k].toFloatArray(),
                Ops.narrow(all.get(cell)[k], 0, i, 1).toFloatArray(),
                cell);
          }
        }
      }
    }
  }

  @Test
  void aNetworkFromScratchIsInvariantToo() {
    List<String> settings = List.of("model.use_backbone=false", "model.timesteps=2");
    try (Network network = Network.create(GammaNetConfig.shipped("default", settings).model(), 3);
        var scope = TensorScope.open()) {
      Tensor images = images(37, 33);
      ForwardOptions plain = ForwardOptions.DEFAULTS;
      assertInvariant(network, images, plain, alone(network, images, plain));
    }
  }

  /** For native kernels alone: LibTorch divides some sums by threads. */
  @Test
  void theNumberOfThreadsDoesNotMatterToNativeKernels() {
    List<String> settings = List.of(LEVELS, "model.base_channels=32", "model.timesteps=2");
    try (Network network = Network.create(GammaNetConfig.shipped("default", settings).model(), 3);
        var scope = TensorScope.open()) {
      assumeTrue(network.fallbackReason() == null);
      Tensor images = images(21, 19);
      List<float[]> alone = alone(network, images, ForwardOptions.DEFAULTS);
      for (int n = 1; n <= 4; n++) {
        LibTorch.setThreads(n);
        for (int count : new int[] {1, 3, IMAGES}) {
          List<float[]> batch = logits(network, images, 0, count, ForwardOptions.DEFAULTS);
          for (int i = 0; i < count; i++) {
            assertArrayEquals(alone.get(i), batch.get(i), n + " threads, batch of " + count);
          }
        }
      }
    }
  }
}
