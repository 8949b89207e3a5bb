package org.gammanet.javacell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Random;
import java.util.stream.Stream;
import org.gammanet.config.FgruConfig;
import org.gammanet.nn.FgruV2Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Parameter;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.GoldenCase;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The cell in Java, with vectors and without, against PyTorch and against the composed cell. */
class JavaCellTest {
  static Stream<GoldenCase> cases() {
    return Fixtures.files("model/cells", ".json").stream()
        .map(GoldenCase::read)
        .filter(golden -> golden.kind().equals("cell_v2"))
        .filter(golden -> supported(config(golden)));
  }

  private static FgruConfig config(GoldenCase golden) {
    return FgruConfig.parseJson(golden.json().get("fgru").toString(), golden.name());
  }

  private static boolean supported(FgruConfig config) {
    try {
      new JavaCell(config, 8, 1, name -> new float[3 * 16 * 8], false);
      return true;
    } catch (IllegalArgumentException e) {
      assertTrue(e.getMessage().startsWith("the Java cell has neither"), e.getMessage());
      return false;
    }
  }

  private static float[] channelsLast(Tensor map) {
    return Ops.contiguous(Ops.permute(map, 0, 2, 3, 1)).toFloatArray();
  }

  private static Tensor channelsFirst(float[] map, long n, long c, long h, long w) {
    return Ops.contiguous(Ops.permute(Tensor.of(map, n, h, w, c), 0, 3, 1, 2));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalsPyTorch(GoldenCase golden) {
    try (var scope = TensorScope.open()) {
      JsonNode json = golden.json();
      int channels = json.get("hidden_channels").asInt();
      JsonNode kernel = json.get("kernel_size");
      int side = kernel.isArray() ? kernel.get(0).asInt() : kernel.asInt();
      Tensor x = golden.input("ff_input");
      int n = (int) x.size(0);
      int h = (int) x.size(2);
      int w = (int) x.size(3);
      for (boolean vector : new boolean[] {false, true}) {
        JavaCell cell =
            new JavaCell(
                config(golden),
                channels,
                side,
                name ->
                    DeterministicWeights.parameter(
                        name, golden.seed(), GoldenCase.longs(json.get("parameters").get(name))),
                vector);
        float[] e = channelsLast(golden.input("h_exc"));
        float[] i = channelsLast(golden.input("h_inh"));
        cell.step(channelsLast(x), e, i, e, i, n, h, w, 2);
        golden.check("out_exc", channelsFirst(e, n, channels, h, w));
        golden.check("out_inh", channelsFirst(i, n, channels, h, w));
      }
    }
  }

  /** Channels and widths with all kinds of tails, several steps. */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 3",
    "3, 5, 2, 3",
    "16, 4, 33, 3",
    "19, 7, 31, 5",
    "65, 3, 9, 3",
    "70, 2, 67, 1"
  })
  void equalsTheComposedCell(int channels, int height, int width, int side) {
    FgruConfig config = FgruConfig.CLASS_DEFAULTS.withUseDynamicParameters(channels != 19);
    Layers layers = new Layers();
    FgruV2Cell composed = new FgruV2Cell(layers, "", channels, side, config);
    Random random = new Random(channels);
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      for (Parameter p : layers.parameters()) {
        p.initialize(3);
        if (p.shape().length == 1) {
          p.set(random(random, p.shape()));
        }
      }
      Tensor x = random(random, 2, channels, height, width);
      Tensor e = Ops.abs(random(random, x.shape()));
      Tensor i = Ops.abs(random(random, x.shape()));
      float[][] maps = {channelsLast(x), channelsLast(e), channelsLast(i)};
      float[][] other = {maps[1].clone(), maps[2].clone()};
      var scalar = new JavaCell(config, channels, side, name -> value(layers, name), false);
      var vector = new JavaCell(config, channels, side, name -> value(layers, name), true);
      for (int t = 0; t < 3; t++) {
        Tensor[] states = composed.step(ForwardContext.plain(), x, e, i);
        e = states[0];
        i = states[1];
        scalar.step(maps[0], maps[1], maps[2], maps[1], maps[2], 2, height, width, 1);
        vector.step(maps[0], other[0], other[1], other[0], other[1], 2, height, width, 2);
      }
      assertArrayEquals(channelsLast(e), maps[1], 2e-5f);
      assertArrayEquals(channelsLast(i), maps[2], 2e-5f);
      assertArrayEquals(maps[1], other[0], 2e-5f);
      assertArrayEquals(maps[2], other[1], 2e-5f);
    }
    layers.parameters().forEach(Parameter::close);
  }

  private static float[] value(Layers layers, String name) {
    for (Parameter p : layers.parameters()) {
      if (p.name().equals(name)) {
        return p.tensor().toFloatArray();
      }
    }
    throw new AssertionError(name);
  }

  private static Tensor random(Random random, long... shape) {
    int n = 1;
    for (long s : shape) {
      n *= (int) s;
    }
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, shape);
  }

  @Test
  void wrongSizesAreNamed() {
    var cell = new JavaCell(FgruConfig.CLASS_DEFAULTS, 1, 1, name -> new float[3], true);
    float[] map = new float[6];
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> cell.step(map, map, map, map, new float[5], 1, 2, 3, 1));
    assertEquals("a map of 1 x 2 x 3 x 1 has 6 elements, not 5", e.getMessage());
  }
}
