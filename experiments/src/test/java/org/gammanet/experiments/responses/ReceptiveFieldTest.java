package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Occluded;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

/** Fields of units whose fields are known. */
class ReceptiveFieldTest {
  private static final int SIZE = 40;

  /**
   * Fraction of the largest value that rounding in fast convolutions may leave outside of a field.
   */
  private static final double NOISE = 1e-6;

  /**
   * One level of two channels, each the sum over a 5x5 window that two uniform 3x3 convolutions
   * make, and horizontal kernels that reach to the neighbors, or do not.
   */
  private static GammaNet summing(int timesteps, boolean horizontal) {
    GammaNet net =
        GammaNet.empty(
            GammaNetConfig.shipped(
                "default",
                List.of(
                    "model.layers=[conv1_1, conv1_2]",
                    "model.hidden_channels=2",
                    "model.kernel_size=3",
                    "model.timesteps=" + timesteps,
                    "model.fgru.normalization_type=none",
                    "model.fgru.use_dynamic_parameters=false")),
            Device.CPU);
    fill(net, "block1_conv.layers.0.weight", 0.02f);
    fill(net, "block1_conv.layers.0.bias", 1);
    fill(net, "block1_conv.layers.2.weight", 0.01f);
    fill(net, "fgru_0.in_proj.weight", 0.1f);
    float[] kernel = new float[2 * 2 * 9];
    for (int i = 0; i < kernel.length; i++) {
      kernel[i] = horizontal || i % 9 == 4 ? 0.2f : 0;
    }
    set(net, "fgru_0.W_exc", kernel);
    set(net, "fgru_0.W_inh", kernel);
    fill(net, "fgru_0.mu", 0.3f);
    fill(net, "fgru_0.omega", 1);
    return net;
  }

  private static void fill(GammaNet net, String name, float value) {
    float[] values = new float[(int) net.network().parameter(name).tensor().numel()];
    Arrays.fill(values, value);
    set(net, name, values);
  }

  private static void set(GammaNet net, String name, float[] values) {
    Parameter parameter = net.network().parameter(name);
    try (var scope = TensorScope.open()) {
      parameter.set(Tensor.of(values, parameter.shape()));
    }
  }

  @Test
  void theGradientCoversTheConvolutions() {
    for (int timesteps : new int[] {1, 3}) {
      try (GammaNet net = summing(timesteps, false)) {
        ReceptiveField field = ReceptiveFieldMapper.forModel(net).gradient("fgru_0", SIZE);
        assertEquals(5, field.extent(1e-3)); // rounding in fast convolutions leaves 1e-6
        assertEquals(5, field.extent());
        assertArrayEquals(new double[] {20, 20}, field.center(), 0.05);
        // Weights of two uniform kernels one after the other: 1 2 3 2 1.
        double middle = field.values()[20 * SIZE + 20];
        assertEquals(2 / 3.0, field.values()[20 * SIZE + 21] / middle, 0.02);
        assertEquals(1 / 3.0, field.values()[20 * SIZE + 22] / middle, 0.02);
      }
    }
  }

  @Test
  void horizontalConnectionsWidenItByTwoPixelsASideAndStep() {
    for (int timesteps = 1; timesteps <= 3; timesteps++) {
      try (GammaNet net = summing(timesteps, true)) {
        ReceptiveField field = ReceptiveFieldMapper.forModel(net).draws(2).gradient("fgru_0", SIZE);
        assertEquals(5 + 2 * (2 * timesteps - 1), field.extent(NOISE), timesteps + " timesteps");
        assertTrue(field.extent() <= field.extent(NOISE));
      }
    }
  }

  @Test
  void anotherPlaceAndChannel() {
    try (GammaNet net = summing(1, false)) {
      ReceptiveFieldMapper mapper =
          ReceptiveFieldMapper.forModel(net).location(new PixelPoint(10, 30)).channel(1).seed(7);
      ReceptiveField field = mapper.gradient("fgru_0", SIZE);
      assertArrayEquals(new double[] {10, 30}, field.center(), 0.05);
      assertArrayEquals(field.values(), mapper.gradient("fgru_0", SIZE).values());
      assertThrows(IllegalArgumentException.class, () -> mapper.channel(2).gradient("fgru_0", 40));
      assertTrue(
          assertThrows(IllegalArgumentException.class, () -> mapper.gradient("fgru_7", SIZE))
              .getMessage()
              .contains("fgru_0"));
      assertThrows(IllegalArgumentException.class, () -> mapper.state(State.FEEDFORWARD));
    }
  }

  @Test
  void occlusionFindsAWindow() {
    // The unit sums the image over rows 14 to 25 and columns 18 to 23; squares have 4 px.
    StimulusSet grid = Occluded.grid(new Blank(Frame.of(SIZE, SIZE), 1), 4, 15, 1);
    assertEquals(2 + 31 * 31, grid.size());
    float[][] responses = new float[grid.size()][1];
    for (int i = 0; i < responses.length; i++) {
      float[] image = grid.get(i).values();
      for (int y = 14; y <= 25; y++) {
        for (int x = 18; x <= 23; x++) {
          responses[i][0] += image[y * SIZE + x] - 0.5f;
        }
      }
    }
    ReceptiveField field = ReceptiveFieldMapper.occlusion(responses, grid).getFirst();
    assertEquals(16 / 72.0, field.largest(), 1e-6);
    assertEquals(12 + 4 - 1, field.extent(0)); // every square that touches the window
    // Squares' middles are half a pixel right of and below their centers.
    assertArrayEquals(new double[] {20, 21}, field.center(), 1e-6);
  }

  @Test
  void occlusionOfANetworkStaysNearItsField() {
    try (GammaNet net = summing(1, false)) {
      List<ReceptiveField> maps =
          ReceptiveFieldMapper.forModel(net)
              .occlusion("fgru_0", new Blank(Frame.of(SIZE, SIZE), 1), 3, 10, 1);
      assertEquals(2, maps.size());
      assertEquals(5 + 3 - 1, maps.getFirst().extent(0.001));
    }
  }
}
