package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.model.Segment;
import org.gammanet.model.SegmentRunner;
import org.gammanet.model.SegmentRunner.Extent;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A small recurrent network with shared parameters, skips, and outputs that nobody uses. */
class TapeTest {
  private static final int STEPS = 4;

  private final Map<String, Tensor> parameters = new LinkedHashMap<>();

  private static Tensor random(long seed, long... shape) {
    int n = 1;
    for (long s : shape) {
      n *= (int) s;
    }
    float[] values = new float[n];
    Random random = new Random(seed);
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian() * 0.5f;
    }
    return Tensor.of(values, shape);
  }

  private void makeParameters() {
    parameters.put("in", random(1, 3, 2, 3, 3).requiresGrad(true));
    parameters.put("w", random(2, 3, 3, 3, 3).requiresGrad(true));
    parameters.put("gate", random(3, 3, 3, 1, 1).requiresGrad(true));
    parameters.put("out", random(4, 1, 3, 1, 1).requiresGrad(true));
    parameters.put("unused", random(5, 3).requiresGrad(true));
  }

  private Tensor p(String name) {
    Tensor parameter = parameters.get(name);
    assertNotNull(parameter);
    return parameter;
  }

  private Tensor forward(SegmentRunner runner, Tensor image) {
    Tensor kernel =
        runner
            .run(
                Extent.CELL,
                in -> List.of(Ops.mulScalar(Ops.add(p("w"), Ops.transpose(p("w"), 0, 1)), 0.5)),
                List.of())
            .getFirst();
    Tensor x =
        runner
            .run(
                Extent.CELL,
                in -> List.of(Ops.tanh(Ops.conv2d(in.getFirst(), p("in"), null, 1, 1))),
                List.of(image))
            .getFirst();
    Tensor e = Tensor.zeros(2, 3, 5, 4);
    Tensor i = e;
    for (int t = 0; t < STEPS; t++) {
      List<Tensor> state =
          runner.run(Extent.TIMESTEP, in -> step(runner, in), List.of(x, e, i, kernel));
      e = state.get(0);
      i = state.get(1);
    }
    return runner
        .run(Extent.CELL, in -> List.of(Ops.conv2d(in.get(0), p("out"), null, 1, 0)), List.of(e))
        .getFirst();
  }

  private List<Tensor> step(SegmentRunner runner, List<Tensor> in) {
    Tensor x = in.get(0);
    List<Tensor> cell =
        runner.run(
            Extent.CELL,
            c -> {
              try (var scope = TensorScope.open()) {
                Tensor h = Ops.conv2d(c.get(1), c.get(3), null, 1, 1);
                Tensor g = Ops.sigmoid(Ops.conv2d(c.get(2), p("gate"), null, 1, 0));
                Tensor s = Ops.relu(Ops.sub(c.get(0), Ops.mul(h, g)));
                Tensor i = Ops.lerp(c.get(2), s, g);
                // The third output is for analysis and used by nobody.
                return List.of(scope.keep(Ops.tanh(Ops.add(i, h))), scope.keep(i), scope.keep(s));
              }
            },
            List.of(x, in.get(1), in.get(2), in.get(3)));
    // The same value twice, and an input handed through.
    List<Tensor> skip =
        runner.run(
            Extent.CELL,
            c -> List.of(Ops.mul(Ops.add(c.get(0), c.get(1)), c.get(0)), c.get(2)),
            List.of(cell.get(0), cell.get(0), cell.get(1)));
    return List.of(skip.get(0), skip.get(1));
  }

  private List<float[]> gradients(Recompute mode) {
    try (var scope = TensorScope.open()) {
      makeParameters();
      List<float[]> result = new ArrayList<>();
      try (Tape tape = new Tape(mode)) {
        Tensor image = tape.watch(random(7, 2, 2, 5, 4));
        Tensor out = forward(tape, image);
        tape.backward(List.of(out), List.of(random(8, out.shape())));
        Tensor gradient = tape.gradient(image);
        assertNotNull(gradient);
        result.add(gradient.toFloatArray());
      }
      for (Tensor parameter : parameters.values()) {
        Tensor gradient = parameter.grad();
        result.add(gradient == null ? new float[0] : gradient.toFloatArray());
      }
      return result;
    }
  }

  @ParameterizedTest
  @EnumSource(Recompute.class)
  void gradientsAreThoseOfPlainDifferentiation(Recompute mode) {
    long before = Tensor.liveHandles();
    List<float[]> plain = gradients(Recompute.NONE);
    List<float[]> actual = gradients(mode);
    assertEquals(before, Tensor.liveHandles());
    assertEquals(6, actual.size());
    assertEquals(0, actual.get(5).length, "a parameter without use has no gradient");
    for (int k = 0; k < 5; k++) {
      float scale = 0;
      for (float v : plain.get(k)) {
        scale = Math.max(scale, Math.abs(v));
      }
      assertArrayEquals(plain.get(k), actual.get(k), 1e-5f * scale, "tensor " + k);
    }
  }

  @ParameterizedTest
  @EnumSource(Recompute.class)
  void nothingLeaksWhenEitherPassThrows(Recompute mode) {
    long before = Tensor.liveHandles();
    for (int failAt = 0; failAt < 40; failAt++) {
      int[] countdown = {failAt};
      try (var scope = TensorScope.open()) {
        makeParameters();
        try (Tape tape = new Tape(mode)) {
          SegmentRunner failing =
              (extent, segment, inputs) ->
                  tape.run(
                      extent,
                      in -> {
                        List<Tensor> out = segment.run(in);
                        if (countdown[0]-- == 0) {
                          throw new ArithmeticException("on purpose");
                        }
                        return out;
                      },
                      inputs);
          Tensor out = forward(failing, random(7, 2, 2, 5, 4));
          tape.backward(List.of(out), List.of(random(8, out.shape())));
        } catch (ArithmeticException expected) {
          // The tape must still let go of everything.
        }
      }
      assertEquals(before, Tensor.liveHandles(), "failing at " + failAt);
      assertEquals(true, Autograd.isEnabled());
    }
  }

  @Test
  void aFormulaReplacesDifferentiation() {
    Segment square =
        new Segment() {
          @Override
          public List<Tensor> run(List<Tensor> in) {
            return List.of(Ops.square(in.getFirst()));
          }

          @Override
          public List<@Nullable Tensor> backward(
              List<Tensor> in, List<@Nullable Tensor> gradients) {
            Tensor g = gradients.getFirst();
            assertNotNull(g);
            return List.of(Ops.mulScalar(Ops.mul(in.getFirst(), g), 2));
          }
        };
    try (var scope = TensorScope.open();
        Tape tape = new Tape(Recompute.CELLS)) {
      Tensor x = tape.watch(Tensor.of(new float[] {1, 2, 3}, 3));
      Tensor y = tape.run(Extent.CELL, square, List.of(x)).getFirst();
      Tensor z = tape.run(Extent.CELL, square, List.of(y)).getFirst();
      tape.backward(List.of(z), List.of(Tensor.ones(3)));
      Tensor gradient = tape.gradient(x);
      assertNotNull(gradient);
      assertArrayEquals(new float[] {4, 32, 108}, gradient.toFloatArray());
    }
  }

  @Test
  void aForeignOutputIsRefused() {
    try (var scope = TensorScope.open();
        Tape tape = new Tape(Recompute.CELLS)) {
      assertThrows(
          IllegalArgumentException.class,
          () -> tape.backward(List.of(Tensor.ones(1)), List.of(Tensor.ones(1))));
    }
  }
}
