package org.gammanet.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.config.Attention;
import org.gammanet.config.FgruConfig;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.FgruV2Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Resources;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

class KernelsTest {
  @Test
  void reasonsAreGiven() {
    Layers layers = new Layers();
    FgruConfig attentive = FgruConfig.CLASS_DEFAULTS.withAttention(Attention.SE, 1);
    var cell = new FgruV2Cell(layers, "cell", 8, 3, attentive);
    assertSame(cell, Kernels.lower(cell));
    assertEquals("cells with attention have no native kernels", Kernels.fallbackReason(cell));
    assertEquals(
        "native kernels work in float32 only", Kernels.fallbackReason(Device.CPU, DType.FLOAT64));
  }

  /** Passes of different precision share a network: neither takes the other's weights away. */
  @Test
  void precisionsLiveSideBySide() {
    assumeTrue(NativeKernels.supports(Precision.BFLOAT16));
    long before = Tensor.liveHandles();
    Layers layers = new Layers();
    Layers.Conv conv = layers.conv("conv", 32, 32, 3);
    layers.parameters().forEach(p -> p.initialize(1));
    Segment block = Kernels.lower(new Segments.ConvBlock("block", List.of(conv), true));
    Map<Precision, float[]> expected = new EnumMap<>(Precision.class);
    for (Precision precision : Precision.values()) {
      expected.put(precision, run(block, precision));
    }
    IntStream.range(0, 64)
        .parallel()
        .forEach(
            k -> {
              Precision precision = Precision.values()[k % 2];
              assertArrayEquals(expected.get(precision), run(block, precision));
            });
    assertTrue(layers.parameters().stream().map(Parameter::name).toList().contains("conv.bias"));
    Resources.closeAll(layers.parameters());
    assertEquals(before, Tensor.liveHandles());
  }

  private static float[] run(Segment block, Precision precision) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      float[] values = new float[32 * 9 * 9];
      for (int i = 0; i < values.length; i++) {
        values[i] = (i * 31 % 97) / 48f - 1;
      }
      return block
          .forward(ForwardContext.of(9, 9, null, precision, false), Tensor.of(values, 1, 32, 9, 9))[
          0]
          .toFloatArray();
    }
  }
}
