package org.gammanet.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class TapeTest {
  private static final List<Recompute> MODES =
      List.of(Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS);

  private static final String VGG = "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]";

  /** Small networks of every kind. */
  static List<List<String>> networks() {
    return List.of(
        List.of(VGG, "model.hidden_channels=5", "model.timesteps=3"),
        List.of(
            VGG,
            "model.hidden_channels=6",
            "model.timesteps=2",
            "model.skip_connections=false",
            "model.fgru.use_dynamic_parameters=false",
            "model.fgru.symmetric_weights=spatial_channel",
            "model.fgru.normalize_circuit_outputs=true"),
        List.of("model.model_version=v1", "model.timesteps=2", VGG, "model.hidden_channels=4"),
        List.of(
            "model.use_backbone=false",
            "model.timesteps=2",
            "model.layers=[{features: 6, pool: true, h_kernel: 3}, {features: 8, pool: false,"
                + " h_kernel: 1}, {features: 6, pool: false, h_kernel: 1}]"));
  }

  private static Network network(List<String> settings) {
    ModelConfig config = GammaNetConfig.shipped("default", settings).model();
    Network network = Network.create(config, 5);
    network.requiresGrad(true);
    return network;
  }

  private static Tensor random(long seed, long... shape) {
    int n = 1;
    for (long s : shape) {
      n *= (int) s;
    }
    float[] values = new float[n];
    Random random = new Random(seed);
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, shape);
  }

  private static Map<String, float[]> gradients(
      Network network, @Nullable Recompute mode, ForwardOptions options) {
    return gradients(network, mode, options, false);
  }

  /**
   * Gradients of all parameters and of the image and a state; empty where there is none.
   *
   * @param mode null for automatic differentiation of the whole network at once
   * @param byThemselves whether all segments have derivatives of their own
   */
  private static Map<String, float[]> gradients(
      Network network, @Nullable Recompute mode, ForwardOptions options, boolean byThemselves) {
    Map<String, float[]> result = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        Tape tape = new Tape(mode == null ? Recompute.NONE : mode)) {
      Tensor image = random(7, 2, 3, 16, 19).requiresGrad(true);
      var shape = network.stateShapes(2, 16, 19).entrySet().iterator().next();
      Tensor state = random(9, shape.getValue()).requiresGrad(true);
      ForwardResult pass =
          network.forward(
              image,
              // Native kernels round differently, and gradients jump where sums cross zero.
              options
                  .withComposedOnly()
                  .withExecutor(
                      mode == null
                          ? Executor.DIRECT
                          : byThemselves ? new Wrapping(tape, ByItself::new) : tape)
                  .withInitialStates(Map.of(shape.getKey(), state)));
      List<Tensor> logits =
          options.everyTimestep() ? pass.logitsPerTimestep() : List.of(pass.logits());
      List<Tensor> ofLogits = new ArrayList<>();
      for (int k = 0; k < logits.size(); k++) {
        ofLogits.add(random(8 + k, logits.get(k).shape()));
      }
      if (mode == null) {
        Autograd.backward(logits, ofLogits);
      } else {
        tape.backward(logits, ofLogits);
      }
      Tensor ofImage = image.grad();
      Tensor ofState = state.grad();
      assertNotNull(ofImage);
      assertNotNull(ofState);
      result.put("image", ofImage.toFloatArray());
      result.put("state", ofState.toFloatArray());
      for (Parameter parameter : network.parameters()) {
        Tensor gradient = parameter.tensor().grad();
        result.put(parameter.name(), gradient == null ? new float[0] : gradient.toFloatArray());
        parameter.tensor().zeroGrad();
      }
    }
    return result;
  }

  private static void assertSame(Map<String, float[]> expected, Map<String, float[]> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    double all = 0;
    for (float[] gradient : expected.values()) {
      for (float v : gradient) {
        all = Math.max(all, Math.abs(v));
      }
    }
    for (String name : expected.keySet()) {
      float scale = 0;
      for (float v : expected.get(name)) {
        scale = Math.max(scale, Math.abs(v));
      }
      // Biases in front of a norm have gradients that are 0 but for rounding.
      float tolerance = (float) (1e-4 * scale + 1e-6 * all);
      assertArrayEquals(expected.get(name), actual.get(name), tolerance, name);
    }
  }

  @ParameterizedTest
  @MethodSource("networks")
  void gradientsAreThoseOfPlainDifferentiation(List<String> settings) {
    long before = Tensor.liveHandles();
    try (Network network = network(settings)) {
      var plain = gradients(network, null, ForwardOptions.DEFAULTS);
      assertTrue(plain.values().stream().filter(g -> g.length > 0).count() > 10);
      for (Recompute mode : MODES) {
        assertSame(plain, gradients(network, mode, ForwardOptions.DEFAULTS));
        assertSame(plain, gradients(network, mode, ForwardOptions.DEFAULTS, true));
      }
    }
    assertEquals(before, Tensor.liveHandles());
  }

  @ParameterizedTest
  @MethodSource("networks")
  void lossesAfterEveryTimestepAddUp(List<String> settings) {
    ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(3).withEveryTimestep();
    try (Network network = network(settings)) {
      var plain = gradients(network, null, options);
      for (Recompute mode : MODES) {
        assertSame(plain, gradients(network, mode, options));
      }
    }
  }

  @Test
  void hooksTakePart() {
    ForwardHooks hooks =
        new ForwardHooks() {
          @Override
          public Tensor blockOutput(String block, int timestep, Tensor drive) {
            return timestep == 1 ? Ops.mul(drive, 0.5) : drive;
          }
        };
    ForwardOptions options = ForwardOptions.DEFAULTS.withHooks(hooks);
    try (Network network = network(networks().getFirst())) {
      var plain = gradients(network, null, options);
      for (Recompute mode : MODES) {
        assertSame(plain, gradients(network, mode, options));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Recompute.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
  void nothingLeaksWhenEitherPassThrows(Recompute mode) {
    try (Network network = network(networks().getFirst())) {
      gradients(network, mode, ForwardOptions.DEFAULTS);
      long before = Tensor.liveHandles();
      int failed = 0;
      for (int failAt = 0; failAt < 60; failAt += 3) {
        int[] countdown = {failAt};
        try (var scope = TensorScope.open();
            Tape tape = new Tape(mode)) {
          Executor failing = new Wrapping(tape, segment -> new Failing(segment, countdown));
          Tensor image = random(7, 1, 3, 16, 16);
          Tensor logits =
              network.forward(image, ForwardOptions.DEFAULTS.withExecutor(failing)).logits();
          tape.backward(logits, random(8, logits.shape()));
        } catch (ArithmeticException expected) {
          failed++;
        }
        assertEquals(before, Tensor.liveHandles(), "failing at " + failAt);
        assertTrue(Autograd.isEnabled());
      }
      assertTrue(failed >= 7, failed + " failures");
    }
  }

  @Test
  void whatIsFrozenGetsNoGradients() {
    try (Network network = network(networks().getFirst())) {
      network.parameters().stream()
          .filter(p -> p.name().startsWith("block1"))
          .forEach(p -> p.tensor().requiresGrad(false));
      var plain = gradients(network, null, ForwardOptions.DEFAULTS);
      for (Recompute mode : MODES) {
        assertSame(plain, gradients(network, mode, ForwardOptions.DEFAULTS));
      }
      assertEquals(0, plain.get("block1_conv.layers.0.weight").length);
    }
  }

  /** Hands other segments to a tape than those of the network. */
  private record Wrapping(Tape tape, UnaryOperator<Segment> wrap) implements Executor {
    @Override
    public Tensor[] run(Segment segment, ForwardContext context, Tensor... inputs) {
      return tape.run(wrap.apply(segment), context, inputs);
    }

    @Override
    public void beginTimestep(int t) {
      tape.beginTimestep(t);
    }
  }

  /** A segment that knows its derivative. */
  private record ByItself(Segment of) implements Segment {
    @Override
    public String name() {
      return of.name();
    }

    @Override
    public List<Parameter> parameters() {
      return of.parameters();
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      return of.forward(context, inputs);
    }

    @Override
    public boolean hasBackward(ForwardContext context, Tensor... inputs) {
      return true;
    }

    @Override
    public @Nullable Tensor[] backward(
        ForwardContext context,
        Tensor[] inputs,
        @Nullable Tensor[] gradients,
        boolean[] wanted,
        List<Tensor> kept) {
      Tensor[] leaves = new Tensor[inputs.length];
      for (int i = 0; i < leaves.length; i++) {
        leaves[i] = inputs[i].detach().requiresGrad(wanted[i]);
      }
      List<Tensor> outputs = new ArrayList<>();
      List<Tensor> ofOutputs = new ArrayList<>();
      try (var recording = Autograd.enableGrad()) {
        Tensor[] made = of.forward(context, leaves);
        for (int i = 0; i < made.length; i++) {
          if (gradients[i] != null && made[i].requiresGrad()) {
            outputs.add(made[i]);
            ofOutputs.add(gradients[i]);
          }
        }
      }
      if (!outputs.isEmpty()) {
        Autograd.backward(outputs, ofOutputs);
      }
      @Nullable Tensor[] ofInputs = new @Nullable Tensor[leaves.length];
      for (int i = 0; i < leaves.length; i++) {
        ofInputs[i] = leaves[i].grad();
      }
      return ofInputs;
    }
  }

  /** A segment that throws when its countdown is over. */
  private record Failing(Segment of, int[] countdown) implements Segment {
    @Override
    public String name() {
      return of.name();
    }

    @Override
    public List<Parameter> parameters() {
      return of.parameters();
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor[] outputs = of.forward(context, inputs);
      if (countdown[0]-- == 0) {
        throw new ArithmeticException("on purpose");
      }
      return outputs;
    }
  }

  @Test
  void recomputationKeepsLess() {
    try (Network network = network(networks().getFirst());
        var scope = TensorScope.open()) {
      List<Long> kept = new ArrayList<>();
      for (Recompute mode : List.of(Recompute.CELLS, Recompute.TIMESTEPS)) {
        try (Tape tape = new Tape(mode)) {
          Tensor image = random(7, 1, 3, 32, 32);
          network.forward(image, ForwardOptions.DEFAULTS.withTimesteps(6).withExecutor(tape));
          kept.add(tape.keptBytes());
        }
      }
      assertTrue(kept.get(1) < 0.7 * kept.get(0), kept.toString());
    }
  }

  @Test
  void parametersWithoutUseHaveNoGradient() {
    try (Network network = network(networks().getFirst());
        Tape tape = new Tape(Recompute.CELLS);
        var scope = TensorScope.open()) {
      Tensor logits =
          network
              .forward(random(7, 1, 3, 16, 16), ForwardOptions.DEFAULTS.withExecutor(tape))
              .logits();
      tape.backward(logits, random(8, logits.shape()));
      assertNull(network.parameter("align_1.projection.weight").tensor().grad());
    }
  }

  @Test
  void aForeignOutputIsRefused() {
    try (var scope = TensorScope.open();
        Tape tape = new Tape(Recompute.CELLS)) {
      assertThrows(
          IllegalArgumentException.class, () -> tape.backward(Tensor.ones(1), Tensor.ones(1)));
    }
  }

  @Test
  void closingTwiceIsAllowedAlsoInTheMiddle() {
    try (Network network = network(networks().get(1));
        var scope = TensorScope.open()) {
      for (Recompute mode : MODES) {
        long before = Tensor.liveHandles();
        Tape tape = new Tape(mode);
        try (var inner = TensorScope.open()) {
          network.forward(random(7, 1, 3, 16, 16), ForwardOptions.DEFAULTS.withExecutor(tape));
        }
        tape.close();
        tape.close();
        assertEquals(before, Tensor.liveHandles(), mode.toString());
      }
    }
  }
}
