package org.gammanet.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.gammanet.config.FgruConfig;
import org.gammanet.fused.Kernels;
import org.gammanet.kernels.Precision;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.GoldenCase;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One step of each kind of cell against PyTorch: outputs and all gradients. */
class CellFixtureTest {
  static Stream<GoldenCase> cases() {
    return Fixtures.files("model/cells", ".json").stream().map(GoldenCase::read);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalsPyTorch(GoldenCase golden) {
    long before = Tensor.liveHandles();
    JsonNode json = golden.json();
    boolean v2 = golden.kind().equals("cell_v2");
    FgruConfig config = FgruConfig.parseJson(json.get("fgru").toString(), golden.name());
    Layers layers = new Layers();
    int channels = json.get("hidden_channels").asInt();
    JsonNode kernel = json.get("kernel_size");
    int side = kernel.isArray() ? kernel.get(0).asInt() : kernel.asInt();
    FgruCell cell =
        v2
            ? new FgruV2Cell(layers, "", channels, side, config)
            : new FgruV1Cell(layers, "", channels, side, config, Mechanisms.ALL.circuit());
    assertNames(golden, layers);
    try (var scope = TensorScope.open()) {
      for (Parameter p : layers.parameters()) {
        p.initialize(0);
        p.set(
            Tensor.of(
                DeterministicWeights.parameter(p.name(), golden.seed(), p.shape()), p.shape()));
        p.tensor().requiresGrad(true);
      }
      List<Tensor> inputs = new ArrayList<>();
      Map<String, Tensor> leaves = new HashMap<>();
      for (String name : v2 ? List.of("ff_input", "h_exc", "h_inh") : List.of("ff_input", "h")) {
        if (json.path("inputs").has(name)) {
          Tensor leaf = golden.input(name).requiresGrad(true);
          leaves.put(name, leaf);
          inputs.add(leaf);
        }
      }
      Map<String, Tensor> signals = new HashMap<>();
      CellProbe probe =
          new CellProbe() {
            @Override
            public boolean wantsInside(String name, int t) {
              return true;
            }

            @Override
            public void cellFinished(String name, int t, Map<String, Tensor> inside) {
              signals.putAll(inside);
            }
          };
      cell.step(
          ForwardContext.of(0, 0, probe, Precision.FLOAT32, true), inputs.toArray(Tensor[]::new));
      Tensor first = signals.get(v2 ? "exc" : "h");
      Tensor second = signals.get(v2 ? "inh" : "h1");
      golden.check(v2 ? "out_exc" : "out_h", first);
      golden.check(v2 ? "out_inh" : "out_h1", second);
      if (golden.tensors().containsKey("inhibited")) {
        golden.check("inhibited", signals.get("s"));
      }
      Autograd.backward(List.of(first, second), List.of(golden.input("R1"), golden.input("R2")));
      layers.parameters().forEach(p -> leaves.put(p.name(), p.tensor()));
      List<String> none = new ArrayList<>();
      json.path("no_gradient").forEach(n -> none.add(n.asText()));
      for (Map.Entry<String, Tensor> leaf : leaves.entrySet()) {
        Tensor gradient = leaf.getValue().grad();
        if (none.contains(leaf.getKey())) {
          assertNull(gradient, leaf.getKey());
        } else {
          golden.check("grad." + leaf.getKey(), gradient);
        }
      }
      // Without gradients (and with fused kernels, where they are there) the outputs are the same.
      Step fused = fused(cell);
      try (var noGrad = Autograd.noGrad()) {
        Tensor[] again = fused.run(inputs.toArray(Tensor[]::new));
        golden.check(v2 ? "out_exc" : "out_h", again[0]);
        if (again.length > 1) {
          golden.check("out_inh", again[1]);
        }
        assertEquals(cell.states(), again.length);
        // Without states, they are zero.
        Tensor x = inputs.getFirst();
        Tensor[] zeros = inputs.stream().map(t -> t == x ? x : zeros(x)).toArray(Tensor[]::new);
        Tensor[] full = fused.run(zeros);
        Tensor[] atRest = fused.run(x);
        for (int k = 0; k < full.length; k++) {
          float tolerance = 1e-6f * (1 + (float) Ops.amax(full[k], 0, 1, 2, 3).item());
          assertArrayEquals(full[k].toFloatArray(), atRest[k].toFloatArray(), tolerance);
        }
      }
      byHand(golden, cell, layers, inputs, none, false);
      byHand(golden, cell, layers, inputs, none, true);
      inDoublePrecision(golden, cell, layers, inputs);
    }
    layers.parameters().forEach(Parameter::close);
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  /**
   * Gradients by the native kernel, where it is there for such a cell.
   *
   * @param keeping whether the forward pass leaves what it can
   */
  private static void byHand(
      GoldenCase golden,
      FgruCell cell,
      Layers layers,
      List<Tensor> inputs,
      List<String> none,
      boolean keeping) {
    layers.parameters().forEach(p -> p.tensor().zeroGrad());
    ForwardContext context = ForwardContext.plain();
    try (var noGrad = Autograd.noGrad()) {
      Tensor[] all = inputs.toArray(Tensor[]::new);
      Segment fused = Kernels.lower(cell);
      if (!fused.hasBackward(context, all)) {
        return;
      }
      Tensor[] outputs = {golden.input("R1"), golden.input("R2")};
      boolean[] wanted = new boolean[all.length];
      Arrays.fill(wanted, true);
      List<Tensor> kept = new ArrayList<>();
      if (keeping) {
        golden.check("out_exc", fused.forwardKeeping(context, kept, all)[0]);
      }
      Tensor[] gradients = fused.backward(context, all, outputs, wanted, kept);
      List<String> names = List.of("ff_input", "h_exc", "h_inh");
      for (int k = 0; k < all.length; k++) {
        golden.check("grad." + names.get(k), gradients[k]);
      }
      for (Parameter p : layers.parameters()) {
        if (!none.contains(p.name())) {
          Tensor gradient = p.tensor().grad();
          assertNotNull(gradient, p.name());
          golden.check("grad." + p.name(), gradient);
        }
      }
    }
  }

  /** A step from drive and states. */
  private interface Step {
    Tensor[] run(Tensor... inputs);
  }

  /** By the native kernel where there is one. */
  private static Step fused(FgruCell cell) {
    ForwardContext context = ForwardContext.plain();
    Segment lowered = Kernels.lower(cell);
    return lowered == cell
        ? inputs -> cell.step(context, inputs)
        : inputs -> lowered.forward(context, inputs);
  }

  private static Tensor zeros(Tensor like) {
    return Tensor.zeros(like.dtype(), like.device(), like.shape());
  }

  /** The expected values were computed so: what remains is their rounding to float32. */
  private static void inDoublePrecision(
      GoldenCase golden, FgruCell cell, Layers layers, List<Tensor> inputs) {
    layers.parameters().forEach(p -> p.move(Device.CPU, DType.FLOAT64));
    try (var noGrad = Autograd.noGrad()) {
      Tensor[] doubles = inputs.stream().map(t -> t.to(DType.FLOAT64)).toArray(Tensor[]::new);
      Tensor output = cell.step(ForwardContext.plain(), doubles)[0];
      String name = cell.states() == 2 || golden.kind().equals("cell_v2") ? "out_exc" : "out_h";
      double[] values = output.toDoubleArray();
      double largest = 0;
      for (int i = 0; i < values.length; i++) {
        double expected = golden.tensors().get(name).get(i);
        largest = Math.max(largest, Math.abs(values[i] - expected) / (1 + Math.abs(expected)));
      }
      System.out.printf("%-34s in double precision %.1e%n", golden.name(), largest);
      assertTrue(largest < 1e-6, golden.name() + " in double precision: " + largest);
    }
  }

  private static void assertNames(GoldenCase golden, Layers layers) {
    Set<String> expected = new TreeSet<>();
    for (Iterator<String> names = golden.json().get("parameters").fieldNames(); names.hasNext(); ) {
      expected.add(names.next());
    }
    Set<String> names = new TreeSet<>();
    layers.parameters().forEach(p -> names.add(p.name()));
    assertEquals(expected, names);
  }
}
