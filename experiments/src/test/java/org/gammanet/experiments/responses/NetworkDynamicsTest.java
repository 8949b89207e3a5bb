package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.model.ForwardOptions;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

/**
 * A circuit that is linear in its states where it works, so that its eigenvalues are known: with
 * gates g1 and g2, inhibition m and excitation b,
 *
 * <pre>
 * i' = (1 - g1) i + g1 (x - m e)
 * e' = (1 - g2) e + g2 b i'
 * </pre>
 */
class NetworkDynamicsTest {
  private static final double G1 = 0.3;
  private static final double G2 = 0.4;
  private static final Stimulus STIMULUS = new Blank(Frame.of(24, 24), 0.5);

  private static GammaNet planted(double inhibition, double excitation) {
    GammaNet net =
        GammaNet.empty(
            GammaNetConfig.shipped(
                "default",
                List.of(
                    "model.layers=[conv1_1, conv1_2]",
                    "model.hidden_channels=2",
                    "model.kernel_size=3",
                    "model.timesteps=3",
                    "model.fgru.normalization_type=none",
                    "model.fgru.use_dynamic_parameters=false")),
            Device.CPU);
    float[] center = new float[2 * 2 * 9];
    center[4] = 1;
    center[3 * 9 + 4] = 1;
    set(net, "fgru_0.in_proj.bias", 5, 5);
    set(net, "fgru_0.W_exc", center);
    set(net, "fgru_0.W_inh", center);
    set(net, "fgru_0.b_gain", logit(G1), logit(G1));
    set(net, "fgru_0.b_mix", logit(G2), logit(G2));
    set(net, "fgru_0.mu", (float) inhibition, (float) inhibition);
    set(net, "fgru_0.omega", (float) excitation, (float) excitation);
    return net;
  }

  private static float logit(double p) {
    return (float) Math.log(p / (1 - p));
  }

  private static void set(GammaNet net, String name, float... values) {
    Parameter parameter = net.network().parameter(name);
    try (var scope = TensorScope.open()) {
      parameter.set(Tensor.of(values, parameter.shape()));
    }
  }

  private static NetworkDynamics.Eigenvalue leading(GammaNet net) {
    try (var dynamics = new NetworkDynamics(net.network(), ForwardOptions.DEFAULTS, STIMULUS)) {
      for (int t = 0; t < 10; t++) {
        dynamics.step();
      }
      return dynamics.leadingEigenvalue(60, 1);
    }
  }

  private static SteadyState steady(GammaNet net, int timesteps) {
    return SteadyState.of(net.network(), ForwardOptions.DEFAULTS, STIMULUS, timesteps);
  }

  /** Roots of λ² - ((1 - g1) + (1 - g2) - g1 g2 m b) λ + (1 - g1)(1 - g2). */
  @Test
  void theLeadingEigenvalueIsThatOfThePlantedCircuit() {
    double determinant = (1 - G1) * (1 - G2);
    for (double[] mb : new double[][] {{0, 0.5}, {0.5, 0.5}, {-1, 1.5}}) {
      double half = ((1 - G1) + (1 - G2) - G1 * G2 * mb[0] * mb[1]) / 2;
      double square = half * half - determinant;
      double modulus = square < 0 ? Math.sqrt(determinant) : half + Math.sqrt(square);
      try (GammaNet net = planted(mb[0], mb[1])) {
        NetworkDynamics.Eigenvalue found = leading(net);
        System.out.printf("m %.1f b %.1f: %s, known %.5f%n", mb[0], mb[1], found, modulus);
        assertEquals(modulus, found.modulus(), 0.001 * modulus);
        assertEquals(square < 0 ? Math.acos(half / modulus) : 0, found.angle(), 0.005);
        assertTrue(found.residual() < 1e-3);
      }
    }
  }

  @Test
  void aStableCircuitRestsAndAnUnstableOneDoesNot() {
    try (GammaNet stable = planted(0.5, 0.5);
        GammaNet unstable = planted(-1, 1.5)) {
      SteadyState rests = steady(stable, 40);
      assertTrue(rests.steady(), rests.sentence());
      // e = b i and i = x - m e at rest; x = 5.
      try (var dynamics =
          new NetworkDynamics(stable.network(), ForwardOptions.DEFAULTS, STIMULUS)) {
        NetworkDynamics.Step last = dynamics.step();
        for (int t = 1; t < 60; t++) {
          last = dynamics.step();
        }
        assertTrue(last.change() < 1e-6);
        float[] e = dynamics.states().get("h0_exc").toFloatArray();
        assertEquals(2, e[e.length / 2], 1e-4);
      }
      SteadyState grows = steady(unstable, 80);
      assertFalse(grows.steady());
      assertEquals(SteadyState.Behavior.DIVERGES, grows.behavior());
      assertTrue(grows.sentence().contains("no steady state"));
    }
  }

  /** A pass that continues another from its states is the rest of a longer one. */
  @Test
  void aPassMayBeContinued() {
    GammaNetConfig config = // its feedback begins with the second timestep
        GammaNetConfig.shipped("ablations/delayed_td", List.of("model.base_channels=4"));
    Stimulus grating = new Grating(Frame.of(32, 32), Sine.of(30, 4), null);
    float[] input = StimulusSet.of(List.of(grating)).toInput(InputScaling.IMAGENET);
    try (GammaNet net = GammaNet.random(config, 3, Device.CPU);
        var dynamics = new NetworkDynamics(net.network(), ForwardOptions.DEFAULTS, grating);
        var scope = TensorScope.open()) {
      for (int t = 0; t < 4; t++) {
        dynamics.step();
      }
      float[] whole =
          net.network()
              .forward(Tensor.of(input, 1, 3, 32, 32), ForwardOptions.DEFAULTS.withTimesteps(4))
              .logits()
              .toFloatArray();
      float[] parts = dynamics.logits().toFloatArray();
      double scale = 0;
      for (float v : whole) {
        scale = Math.max(scale, Math.abs(v));
      }
      for (int i = 0; i < whole.length; i++) {
        assertEquals(whole[i], parts[i], 1e-4 * scale);
      }
    }
  }

  /** v'Ju along u = J'v by differentiation, and by a central difference of the timestep. */
  @Test
  void theJacobianAgreesWithDifferences() {
    GammaNetConfig config =
        GammaNetConfig.shipped("ablations/delayed_td", List.of("model.base_channels=4"));
    Stimulus grating = new Grating(Frame.of(32, 32), Sine.of(30, 4), null);
    float[] input = StimulusSet.of(List.of(grating)).toInput(InputScaling.IMAGENET);
    double step = 2e-3; // of the whole vector
    try (GammaNet net = GammaNet.random(config, 3, Device.CPU);
        var dynamics = new NetworkDynamics(net.network(), ForwardOptions.DEFAULTS, grating);
        var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (int t = 0; t < 3; t++) {
        dynamics.step();
      }
      Map<String, Tensor> v = dynamics.noise(6);
      Map<String, Tensor> u = dynamics.transposed(v);
      double norm = Math.sqrt(NetworkDynamics.dot(u, u));
      double[] along = new double[2];
      for (int sign = 0; sign < 2; sign++) {
        Map<String, Tensor> moved = new LinkedHashMap<>();
        double by = (sign == 0 ? step : -step) / norm;
        dynamics
            .states()
            .forEach((name, h) -> moved.put(name, Ops.add(h, Ops.mul(get(u, name), by))));
        ForwardOptions next =
            ForwardOptions.DEFAULTS
                .withTimesteps(1)
                .withFirstTimestep(3)
                .withInitialStates(moved)
                .withFinalStates();
        along[sign] =
            NetworkDynamics.dot(
                v, net.network().forward(Tensor.of(input, 1, 3, 32, 32), next).states());
      }
      double difference = (along[0] - along[1]) / (2 * step);
      System.out.printf("along J'v: %.4f, by a difference %.4f%n", norm, difference);
      assertEquals(norm, difference, 0.05 * norm);
    }
  }

  private static Tensor get(Map<String, Tensor> all, String name) {
    return Objects.requireNonNull(all.get(name));
  }

  @Test
  void statesComeBeforeEigenvalues() {
    try (GammaNet net = planted(0, 1);
        var dynamics = new NetworkDynamics(net.network(), ForwardOptions.DEFAULTS, STIMULUS)) {
      assertThrows(IllegalStateException.class, () -> dynamics.leadingEigenvalue(5, 1));
    }
    assertThrows(
        IllegalArgumentException.class, () -> ForwardOptions.DEFAULTS.withFirstTimestep(-1));
  }
}
