package org.gammanet.experiments.opto;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

/**
 * A circuit that is put into a network by hand is found by the optimization: channels that see
 * orientations, and horizontal connections between neighbors of like orientation.
 */
class PlantedCircuitTest {
  private static final int SIZE = 40;
  private static final int CHANNELS = 12;
  private static final int KERNEL = 9;

  /**
   * One level of 12 channels. Channel k sees the slope of luminance along 15 k degrees, of either
   * sign, above a threshold. It excites, and inhibits a little, the same channel at the pixels that
   * {@code neighbors} says; at its own pixel it keeps the channels of other orientations silent.
   *
   * @param neighbors weight of the pixel at a distance along the stripes and across them
   */
  private static GammaNet planted(DoubleBinaryOperator neighbors) {
    GammaNet net =
        GammaNet.empty(
            GammaNetConfig.shipped(
                "default",
                List.of(
                    "model.layers=[conv1_1, conv1_2]",
                    "model.hidden_channels=" + CHANNELS,
                    "model.kernel_size=" + KERNEL,
                    "model.timesteps=3",
                    "model.fgru.normalization_type=none",
                    "model.fgru.use_dynamic_parameters=false")),
            Device.CPU);
    float[] slopes = new float[64 * 3 * 9];
    float[] pass = new float[64 * 64 * 9];
    float[] sum = new float[CHANNELS * 64];
    float[] threshold = new float[CHANNELS];
    float[] exc = new float[CHANNELS * CHANNELS * KERNEL * KERNEL];
    float[] inh = new float[exc.length];
    int r = KERNEL / 2;
    for (int k = 0; k < CHANNELS; k++) {
      double theta = Math.toRadians(180.0 * k / CHANNELS);
      for (int sign = 0; sign < 2; sign++) {
        int out = 2 * k + sign;
        for (int y = -1; y <= 1; y++) {
          for (int x = -1; x <= 1; x++) {
            double w = (x * Math.cos(theta) + y * Math.sin(theta)) / (x * x + y * y + 1);
            slopes[(out * 3) * 9 + (y + 1) * 3 + x + 1] = (float) (sign == 0 ? w : -w);
          }
        }
        pass[(out * 64 + out) * 9 + 4] = 1;
        sum[k * 64 + out] = 1;
      }
      threshold[k] = -2.6f; // of 3.5 at the best orientation: 40 degrees to either side
      for (int y = -r; y <= r; y++) {
        for (int x = -r; x <= r; x++) {
          // Stripes run at right angles to the modulation.
          double across = x * Math.cos(theta) + y * Math.sin(theta);
          double along = -x * Math.sin(theta) + y * Math.cos(theta);
          boolean center = x == 0 && y == 0;
          double w = center || Math.hypot(x, y) > r ? 0 : neighbors.applyAsDouble(along, across);
          int at = ((k * CHANNELS + k) * KERNEL + y + r) * KERNEL + x + r;
          exc[at] = (float) w;
          inh[at] = (float) (0.3 * w);
          for (int other = 0; other < CHANNELS && center; other++) {
            int apart = Math.min(Math.abs(k - other), CHANNELS - Math.abs(k - other));
            if (apart > 4) {
              exc[((k * CHANNELS + other) * KERNEL + r) * KERNEL + r] = -4;
            }
          }
          exc[((k * CHANNELS + k) * KERNEL + r) * KERNEL + r] = 0.5f;
        }
      }
    }
    set(net, "block1_conv.layers.0.weight", slopes);
    set(net, "block1_conv.layers.2.weight", pass);
    set(net, "fgru_0.in_proj.weight", sum);
    set(net, "fgru_0.in_proj.bias", threshold);
    set(net, "fgru_0.W_exc", exc);
    set(net, "fgru_0.W_inh", inh);
    set(net, "fgru_0.mu", fill(0.3f));
    set(net, "fgru_0.omega", fill(1));
    return net;
  }

  private static float[] fill(float value) {
    float[] out = new float[CHANNELS];
    Arrays.fill(out, value);
    return out;
  }

  private static void set(GammaNet net, String name, float[] values) {
    Parameter parameter = net.network().parameter(name);
    try (var scope = TensorScope.open()) {
      parameter.set(Tensor.of(values, parameter.shape()));
    }
  }

  private static MultiOrientationResult rescue(GammaNet net) {
    var opto = OptogeneticPerturbation.forModel(net).patchSize(5).seed(1).build();
    OrientationDecoder decoder =
        opto.trainDecoder(
            gratings(7, 0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165),
            DecoderOptions.layer("fgru_0").method(DecoderOptions.Method.RIDGE));
    System.out.printf(
        "decoder: left-out R² %.4f, error %.2f°%n",
        decoder.leftOutR2(), decoder.leftOutMeanAngularError());
    assertTrue(decoder.leftOutMeanAngularError() < 3);
    return opto.optimizeMultiOrientation(
        gratings(37, 0, 30, 60, 90, 120, 150),
        RescueOptions.layer("fgru_0").ecrfRadius(14).factor(1.1).steps(50).batch(6));
  }

  private static StimulusSet gratings(double diameter, double... orientations) {
    return GratingStimuli.builder()
        .size(SIZE, SIZE)
        .orientations(orientations)
        .spatialFrequencies(5)
        .diameter(diameter)
        .aperture(ApertureRule.EXACT_DIAMETER)
        .build()
        .generate();
  }

  private static SurroundMap.Elongation report(String name, MultiOrientationResult result) {
    for (OrientationRescue rescue : result.rescues()) {
      System.out.printf(
          "%s %3.0f°: loss %.3g perturbed, %.3g rescued%n",
          name, rescue.orientation(), rescue.initialLoss(), rescue.finalLoss());
      assertTrue(rescue.rescue() > 0.8, "rescue " + rescue.rescue());
    }
    SurroundMap balance = result.averagedBalance(Aggregation.MEAN);
    SurroundMap.Elongation all = balance.elongation();
    SurroundMap e = result.averagedExcitatory().aggregate(Aggregation.MEAN);
    SurroundMap i = result.averagedInhibitory().aggregate(Aggregation.MEAN);
    System.out.printf(
        "%s: elongation index %.3f about axis %.1f° (E %.3f, %.1f°; I %.3f, %.1f°), along/across"
            + " %.2f%n",
        name,
        all.index(),
        all.axis(),
        e.elongation().index(),
        e.elongation().axis(),
        i.elongation().index(),
        i.elongation().axis(),
        balance.alongToAcross(MultiOrientationResult.COLLINEAR_AXIS));
    return all;
  }

  @Test
  void collinearConnectionsGiveAMapAlongTheStripes() {
    try (GammaNet net = planted((along, across) -> Math.abs(across) < 0.8 ? 0.15 : 0)) {
      MultiOrientationResult result = rescue(net);
      SurroundMap.Elongation found = report("collinear", result);
      assertTrue(found.index() > 0.5, "index " + found.index());
      assertEquals(
          0,
          OrientationDecoder.angularError(MultiOrientationResult.COLLINEAR_AXIS, found.axis()),
          10);
      // Each grating's own map lies along its own stripes before it is turned.
      for (OrientationRescue rescue : result.rescues()) {
        SurroundMap own =
            rescue
                .excitatory()
                .aggregate(Aggregation.MEAN)
                .minus(rescue.inhibitory().aggregate(Aggregation.MEAN));
        assertEquals(
            0,
            OrientationDecoder.angularError(rescue.orientation() + 90, own.elongation().axis()),
            10,
            "at " + rescue.orientation());
      }
    }
  }

  @Test
  void flankConnectionsGiveAMapAcrossTheStripes() {
    try (GammaNet net = planted((along, across) -> Math.abs(along) < 0.8 ? 0.15 : 0)) {
      SurroundMap.Elongation found = report("flanks", rescue(net));
      assertTrue(found.index() > 0.5, "index " + found.index());
      assertEquals(0, OrientationDecoder.angularError(0, found.axis()), 10);
    }
  }

  @Test
  void isotropicConnectionsGiveAnIsotropicMap() {
    try (GammaNet net = planted((along, across) -> 0.02)) {
      SurroundMap.Elongation found = report("isotropic", rescue(net));
      assertTrue(found.index() < 0.1, "index " + found.index());
    }
  }
}
