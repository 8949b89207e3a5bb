package org.gammanet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.model.NetworkWeights;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GammaNetTest {
  /** VGG16 up to its third pooling, cells of 48 channels, eight timesteps. */
  private static final String QUICK_EXAMPLE =
      """
      model:
        layers: [conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2,
                 conv3_1, conv3_2, conv3_3, pool3]
        kernel_size: 3
        hidden_channels: 48
        num_timesteps: 8
      """;

  private static final String SMALL =
      """
      model: {layers: [conv1_1, conv1_2, pool1, conv2_1, conv2_2], hidden_channels: 8, timesteps: 2}
      """;

  @TempDir Path folder;

  private GammaNetConfig config(String yaml) throws IOException {
    Path file = folder.resolve("model.yaml");
    Files.writeString(file, yaml);
    return GammaNetConfig.load(file, List.of(), note -> {});
  }

  private static BufferedImage noise(int width, int height, long seed) {
    Random random = new Random(seed);
    var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, random.nextInt(0x1000000));
      }
    }
    return image;
  }

  @Test
  void exampleOfTheReadme() throws IOException {
    Path checkpoint = folder.resolve("model.safetensors");
    File file = folder.resolve("photo.png").toFile();
    ImageIO.write(noise(40, 30, 1), "png", file);
    float[] expected;
    try (var untrained = GammaNet.random(config(SMALL), 7, Device.CPU)) {
      untrained.save(checkpoint);
      expected = untrained.detect(Images.read(file.toPath())).values();
    }

    try (var model = GammaNet.load(checkpoint, Device.best())) {
      EdgeMap edges =
          model.detect(ImageIO.read(file)); // probabilities in [0, 1], of the image's size
      assertEquals(40, edges.width());
      assertEquals(30, edges.height());
      float least = 1;
      float most = 0;
      for (float p : edges.values()) {
        assertTrue(p >= 0 && p <= 1);
        least = Math.min(least, p);
        most = Math.max(most, p);
      }
      assertTrue(most > least, "a map of noise is not uniform");
      // Saved and loaded, and decoded by AWT, it is the same on the same device.
      assertArrayEquals(expected, edges.values(), Device.best().equals(Device.CPU) ? 0 : 1e-3f);
    }
  }

  @Test
  void aSavedNetworkDetectsTheSame() throws IOException {
    Path checkpoint = folder.resolve("model.safetensors");
    BufferedImage image = noise(33, 21, 2);
    try (var before = GammaNet.random(config(SMALL), 7, Device.CPU)) {
      before.save(checkpoint);
      try (var after = GammaNet.load(checkpoint, Device.CPU)) {
        assertArrayEquals(before.detect(image).values(), after.detect(image).values());
        assertEquals(before.config().toJson(), after.config().toJson());
      }
    }
  }

  @Test
  void theQuickExampleRunsAsItStands() throws IOException {
    GammaNetConfig config = config(QUICK_EXAMPLE);
    assertEquals(8, config.model().timesteps());
    try (var model = GammaNet.random(config, 1, Device.CPU)) {
      var options = ForwardOptions.DEFAULTS.withEveryTimestep();
      assertEquals(8, model.detect(RgbImage.of(noise(24, 16, 3)), options).size());
    }
  }

  @Test
  void weightsAloneTellOtherWidthsThanVgg16s() {
    GammaNetConfig narrow =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.base_channels=6",
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]"));
    Path file = folder.resolve("narrow.safetensors");
    RgbImage image = RgbImage.of(noise(24, 16, 3));
    EdgeMap expected;
    try (var model = GammaNet.random(narrow, 1, Device.CPU)) {
      assertArrayEquals(
          new long[] {12, 6, 3, 3},
          model.network().parameter("block2_conv.layers.5.weight").tensor().shape());
      Checkpoint.of(NetworkWeights.of(model.network()), Map.of(), Map.of()).save(file);
      expected = model.detect(image, ForwardOptions.DEFAULTS).getFirst();
    }
    try (var model = GammaNet.load(file, Device.CPU)) {
      assertEquals(6, model.config().model().baseChannels());
      assertArrayEquals(
          expected.values(), model.detect(image, ForwardOptions.DEFAULTS).getFirst().values());
    }
  }

  @Test
  void imagesSmallerThanTheHierarchyAreExtended() throws IOException {
    try (var model = GammaNet.random(config(QUICK_EXAMPLE), 1, Device.CPU)) {
      EdgeMap edges = model.detect(noise(1, 2, 4));
      assertEquals(2, edges.values().length);
    }
  }

  @Test
  void aThousandImagesLeaveNothingBehind() throws IOException {
    try (var model = GammaNet.random(config(SMALL), 1, Device.CPU)) {
      model.detect(noise(32, 32, 0));
      long before = Tensor.liveHandles();
      for (int k = 0; k < 1000; k++) {
        model.detect(noise(16 + k % 17, 16 + k % 13, k));
      }
      assertEquals(before, Tensor.liveHandles());
    }
  }

  @Test
  void severalImagesInOnePassGiveWhatEachGivesAlone() throws IOException {
    try (var model = GammaNet.random(config(SMALL), 1, Device.CPU)) {
      List<RgbImage> images =
          Stream.of(1, 2, 3).map(seed -> RgbImage.of(noise(20, 18, seed))).toList();
      var options = ForwardOptions.DEFAULTS.withEveryTimestep();
      List<List<EdgeMap>> together = model.detect(images, options);
      for (int i = 0; i < 3; i++) {
        List<EdgeMap> alone = model.detect(images.get(i), options);
        for (int t = 0; t < 2; t++) {
          assertArrayEquals(alone.get(t).values(), together.get(i).get(t).values(), 1e-6f);
        }
      }
      RgbImage other = RgbImage.of(noise(18, 20, 4));
      assertThrows(
          IllegalArgumentException.class,
          () -> model.detect(List.of(images.get(0), other), options));
    }
  }

  @Test
  void aNetworkThatRunsAwaySaysSo() throws IOException {
    long before = Tensor.liveHandles();
    try (var model = GammaNet.random(config(SMALL), 1, Device.CPU)) {
      Tensor bias = model.network().parameters().getLast().tensor();
      try (Tensor infinite = Tensor.full(Double.POSITIVE_INFINITY, bias.shape())) {
        bias.copy_(infinite);
      }
      assertThrows(DivergenceException.class, () -> model.detect(noise(16, 16, 1)));
    }
    assertEquals(before, Tensor.liveHandles());
  }

  /** With one state, excitation is quadratic: large enough kernels make it grow without bound. */
  @Test
  void theTimestepFromWhichItRunsAwayIsNamed() {
    try (var model =
        GammaNet.random(
            GammaNetConfig.shipped(
                "default",
                List.of(
                    "model.model_version=v1",
                    "model.layers=[conv1_1, conv1_2]",
                    "model.hidden_channels=4",
                    "model.timesteps=12")),
            1,
            Device.CPU)) {
      try (Tensor large = TensorScope.detach(Ops.mul(kernel(model), 50))) {
        kernel(model).copy_(large);
      }
      var e = assertThrows(DivergenceException.class, () -> model.detect(noise(16, 16, 1)));
      String message = String.valueOf(e.getMessage());
      Matcher finite = Pattern.compile("finite with (\\d+) timesteps").matcher(message);
      assertTrue(finite.find(), message);
      int steps = Integer.parseInt(finite.group(1));
      RgbImage image = RgbImage.of(noise(16, 16, 1));
      model.detect(image, ForwardOptions.DEFAULTS.withTimesteps(steps));
      assertThrows(
          DivergenceException.class,
          () -> model.detect(image, ForwardOptions.DEFAULTS.withTimesteps(steps + 1)));
    }
  }

  private static Tensor kernel(GammaNet model) {
    return model.network().parameter("fgru_block1.W_exc").tensor();
  }

  /** Torchvision's names; the blocks that this network does not have, and the classifier, drop. */
  @ParameterizedTest
  @ValueSource(strings = {"vgg16.pth", "vgg16.safetensors"})
  void torchvisionsVgg16StartsTheBackbone(String name) throws IOException {
    Map<String, StoredTensor> vgg16 = new LinkedHashMap<>();
    long[][] shapes = {{64, 3, 3, 3}, {64, 64, 3, 3}, {128, 64, 3, 3}, {128, 128, 3, 3}};
    int[] numbers = {0, 2, 5, 7};
    for (int i = 0; i < shapes.length; i++) {
      try (Tensor weight = Tensor.full(i + 1, shapes[i]);
          Tensor bias = Tensor.full(-i - 1, shapes[i][0])) {
        vgg16.put("features." + numbers[i] + ".weight", StoredTensor.of(weight));
        vgg16.put("features." + numbers[i] + ".bias", StoredTensor.of(bias));
      }
    }
    try (Tensor weight = Tensor.ones(10, 20, 3, 3)) {
      vgg16.put("features.10.weight", StoredTensor.of(weight));
      vgg16.put("classifier.0.weight", StoredTensor.of(weight));
    }
    Path file = folder.resolve(name);
    Checkpoint checkpoint = Checkpoint.of(vgg16, Map.of(), Map.of());
    if (name.endsWith(".pth")) {
      checkpoint.saveTorch(file);
    } else {
      checkpoint.save(file);
    }
    GammaNetConfig config = config(SMALL).with(List.of("model.pretrained=" + file));
    try (var model = GammaNet.random(config, 1, Device.CPU)) {
      for (int i = 0; i < shapes.length; i++) {
        String block = "block" + (i / 2 + 1) + "_conv.layers." + numbers[i];
        assertEquals(i + 1, first(model, block + ".weight"));
        assertEquals(-i - 1, first(model, block + ".bias"));
      }
    }
    CheckpointException e =
        assertThrows(CheckpointException.class, () -> GammaNet.load(file, Device.CPU));
    assertTrue(e.getMessage().contains("model.pretrained"), e.getMessage());

    vgg16.remove("features.5.bias");
    Checkpoint.of(vgg16, Map.of(), Map.of()).save(file);
    e = assertThrows(CheckpointException.class, () -> GammaNet.random(config, 1, Device.CPU));
    assertTrue(e.getMessage().contains("1 missing: block2_conv.layers.5.bias"), e.getMessage());
  }

  private static double first(GammaNet model, String name) {
    return model.network().parameters().stream()
        .filter(p -> p.name().equals(name))
        .findFirst()
        .orElseThrow()
        .tensor()
        .toDoubleArray()[0];
  }

  @Test
  void aClosedModelSaysSo() throws IOException {
    var model = GammaNet.random(config(SMALL), 1, Device.CPU);
    Network network = model.network();
    model.close();
    model.close();
    assertThrows(IllegalStateException.class, () -> model.detect(noise(16, 16, 5)));
    assertThrows(IllegalStateException.class, () -> network.parameters().getFirst().tensor());
  }

  /** A small network with weights of 16 bits stands in for those that come in jars. */
  @Test
  void aNetworkFromAJarCarriesItsConfiguration() throws IOException {
    Path exact = folder.resolve("exact.safetensors");
    Path half = folder.resolve("half.safetensors");
    try (GammaNet net = GammaNet.random(config(SMALL), 3, Device.CPU)) {
      net.save(exact);
    }
    Checkpoint stored = Checkpoint.load(exact);
    Map<String, StoredTensor> weights = new LinkedHashMap<>();
    stored.weights().forEach((name, w) -> weights.put(name, w.rounded(ElementType.F16)));
    Checkpoint.of(weights, Map.of(), stored.metadata()).save(half);
    PretrainedModel model =
        new PretrainedModel() {
          @Override
          public String name() {
            return "stand-in";
          }

          @Override
          public InputStream open() throws IOException {
            return Files.newInputStream(half);
          }
        };
    assertEquals(PretrainedModel.BUNDLED, model.word());
    BufferedImage image = noise(32, 32, 4);
    try (GammaNet rounded = GammaNet.of(model, Device.CPU);
        GammaNet before = GammaNet.load(exact, Device.CPU)) {
      assertEquals(before.config().model(), rounded.config().model());
      // 11 bits of each weight, through two timesteps
      assertArrayEquals(before.detect(image).values(), rounded.detect(image).values(), 0.01f);
    }
    if (PretrainedModel.find(PretrainedModel.FULL).isEmpty()) {
      CheckpointException e =
          assertThrows(CheckpointException.class, () -> GammaNet.full(Device.CPU));
      assertTrue(e.getMessage().contains("mvn -Pfull"), e.getMessage());
    }
  }
}
