package org.gammanet.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class OpsTest {
  private long before;
  private TensorScope scope;

  @BeforeEach
  void open() {
    before = Tensor.liveHandles();
    scope = TensorScope.open();
  }

  @AfterEach
  void nothingLeaks() {
    scope.close();
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  static Tensor random(long seed, long... shape) {
    SplittableRandom random = new SplittableRandom(seed);
    int n = 1;
    for (long size : shape) {
      n = Math.toIntExact(n * size);
    }
    return Tensor.of(random.doubles(n, -2, 2).toArray(), shape);
  }

  static Stream<Arguments> unary() {
    return Stream.of(
        unary("relu", Ops::relu, x -> Math.max(x, 0)),
        unary("sigmoid", Ops::sigmoid, x -> 1 / (1 + Math.exp(-x))),
        unary("tanh", Ops::tanh, Math::tanh),
        unary("exp", Ops::exp, Math::exp),
        unary("expm1", Ops::expm1, Math::expm1),
        unary("square", Ops::square, x -> x * x),
        unary("abs", Ops::abs, Math::abs),
        unary("neg", Ops::neg, x -> -x),
        unary("sin", Ops::sin, Math::sin),
        unary("cos", Ops::cos, Math::cos),
        unary("sign", Ops::sign, Math::signum),
        unary("floor", Ops::floor, Math::floor),
        unary("reciprocal", Ops::reciprocal, x -> 1 / x),
        unary("sqrt", x -> Ops.sqrt(Ops.abs(x)), x -> Math.sqrt(Math.abs(x))),
        unary("rsqrt", x -> Ops.rsqrt(Ops.abs(x)), x -> 1 / Math.sqrt(Math.abs(x))),
        unary("log", x -> Ops.log(Ops.abs(x)), x -> Math.log(Math.abs(x))),
        unary("log1p", x -> Ops.log1p(Ops.abs(x)), x -> Math.log1p(Math.abs(x))),
        unary("logsigmoid", Ops::logsigmoid, x -> -Math.log1p(Math.exp(-x))),
        unary("softplus", Ops::softplus, x -> Math.log1p(Math.exp(x))),
        unary("elu", Ops::elu, x -> x > 0 ? x : Math.expm1(x)),
        unary("mul by a number", x -> Ops.mul(x, 3), x -> 3 * x),
        unary("add a number", x -> Ops.add(x, 0.25), x -> x + 0.25),
        unary("clamp", x -> Ops.clamp(x, -1, 0.5), x -> Math.clamp(x, -1, 0.5)));
  }

  private static Arguments unary(
      String name, UnaryOperator<Tensor> operator, DoubleUnaryOperator formula) {
    return Arguments.of(name, operator, formula);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unary")
  void equalsItsFormula(String name, UnaryOperator<Tensor> operator, DoubleUnaryOperator formula) {
    Tensor x = random(1, 3, 7);
    double[] expected = java.util.Arrays.stream(x.toDoubleArray()).map(formula).toArray();
    assertArrayEquals(expected, operator.apply(x).toDoubleArray(), 1e-12);
    Tensor single = operator.apply(x.to(DType.FLOAT32));
    assertEquals(DType.FLOAT32, single.dtype(), "a Java number does not change the type");
    assertArrayEquals(expected, single.toDoubleArray(), 2e-6);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unary")
  void gradientEqualsFiniteDifferences(
      String name, UnaryOperator<Tensor> operator, DoubleUnaryOperator formula) {
    Tensor x = random(2, 11).requiresGrad(true);
    Autograd.backward(Ops.sum(operator.apply(x)));
    Tensor gradient = x.grad();
    assertNotNull(gradient);
    double[] values = x.toDoubleArray();
    double[] gradients = gradient.toDoubleArray();
    for (int i = 0; i < values.length; i++) {
      double h = 1e-6;
      double expected =
          (formula.applyAsDouble(values[i] + h) - formula.applyAsDouble(values[i] - h)) / (2 * h);
      assertEquals(expected, gradients[i], 1e-6 * Math.max(1, Math.abs(expected)), name);
    }
  }

  @Test
  void geluIsTheExactForm() {
    Tensor x = Tensor.of(new double[] {-1, 0, 1, 2}, 4);
    assertArrayEquals(
        new double[] {-0.15865525393145707, 0, 0.8413447460685429, 1.9544997361036416},
        Ops.gelu(x).toDoubleArray(),
        1e-12);
  }

  @Test
  void largeArgumentsStayFinite() {
    Tensor x = Tensor.of(new float[] {-1000, 1000}, 2);
    assertArrayEquals(new float[] {0, 1000}, Ops.softplus(x).toFloatArray(), 1e-30f);
    assertArrayEquals(new float[] {-1, 1000}, Ops.elu(x).toFloatArray(), 1e-30f);
  }

  @Test
  void arithmeticBroadcasts() {
    Tensor a = Tensor.of(new float[] {1, 2, 3, 4}, 2, 2);
    Tensor b = Tensor.of(new float[] {10, 20}, 1, 2);
    assertArrayEquals(new float[] {11, 22, 13, 24}, Ops.add(a, b).toFloatArray());
    assertArrayEquals(new float[] {-9, -18, -7, -16}, Ops.sub(a, b).toFloatArray());
    assertArrayEquals(new float[] {10, 40, 30, 80}, Ops.mul(a, b).toFloatArray());
    assertArrayEquals(new float[] {10, 20, 10, 20}, Ops.div(Ops.mul(a, b), a).toFloatArray());
    assertArrayEquals(new float[] {1, 4, 9, 16}, Ops.pow(a, Tensor.full(2, 1)).toFloatArray());
    assertArrayEquals(
        new float[] {5.5f, 11, 6.5f, 12}, Ops.lerp(a, b, Tensor.full(0.5, 1)).toFloatArray());
    assertArrayEquals(new long[] {0, 0, 1, 1}, Ops.gt(a, Tensor.scalar(2)).toLongArray());
    assertArrayEquals(
        new float[] {1, 2, 0, 0},
        Ops.where(Ops.le(a, Tensor.scalar(2)), a, Tensor.zeros(2, 2)).toFloatArray());
  }

  @Test
  void inPlaceOperatorsReturnTheirArgument() {
    Tensor a = Tensor.of(new float[] {-1, 2}, 2);
    assertSame(a, Ops.mul_(a, Tensor.scalar(2)));
    assertSame(a, Ops.relu_(a));
    assertArrayEquals(new float[] {0, 4}, a.toFloatArray());
    assertSame(a, Ops.lerp_(a, Tensor.ones(2), Tensor.full(0.5, 2)));
    assertArrayEquals(new float[] {0.5f, 2.5f}, a.toFloatArray());
  }

  @Test
  void shapesChange() {
    Tensor x = Tensor.of(new float[] {0, 1, 2, 3, 4, 5}, 1, 1, 2, 3);
    assertArrayEquals(new float[] {2, 1, 0, 5, 4, 3}, Ops.flip(x, 3).toFloatArray());
    assertArrayEquals(new long[] {1, 1, 3, 2}, Ops.rot90(x, 1, 2, 3).shape());
    assertArrayEquals(new float[] {2, 5, 1, 4, 0, 3}, Ops.rot90(x, 1, 2, 3).toFloatArray());
    assertArrayEquals(new float[] {1, 4}, Ops.narrow(x, 3, 1, 1).toFloatArray());
    assertArrayEquals(new long[] {2, 1, 2, 3}, Ops.cat(List.of(x, x), 0).shape());
    assertArrayEquals(new long[] {2, 1, 1, 2, 3}, Ops.stack(List.of(x, x), 0).shape());
    assertArrayEquals(new long[] {3, 2}, Ops.reshape(x, 3, -1).shape());
    assertArrayEquals(new long[] {4, 1, 2, 3}, Ops.expand(x, 4, -1, -1, -1).shape());
    assertArrayEquals(new long[] {1, 2, 3}, Ops.squeeze(x, 0).shape());
    assertArrayEquals(new long[] {2, 3, 1, 1}, Ops.permute(x, 2, 3, 0, 1).shape());
  }

  @Test
  void reductionsReduce() {
    Tensor x = Tensor.of(new float[] {1, 2, 3, 6}, 2, 2);
    assertEquals(12, Ops.sum(x).item());
    assertEquals(3, Ops.mean(x).item());
    assertArrayEquals(new float[] {3, 9}, Ops.sum(x, 1).toFloatArray());
    assertArrayEquals(new long[] {1, 2}, Ops.mean(x, new long[] {0}, true).shape());
    assertArrayEquals(
        new float[] {0.25f, 2.25f}, Ops.var(x, new long[] {1}, false, false).toFloatArray());
    assertArrayEquals(
        new float[] {0.5f, 4.5f}, Ops.var(x, new long[] {1}, true, false).toFloatArray());
    assertArrayEquals(new float[] {3, 6}, Ops.amax(x, 0).toFloatArray());
    assertArrayEquals(new float[] {1, 3}, Ops.amin(x, 1).toFloatArray());
    assertArrayEquals(new long[] {1, 1}, Ops.argmax(x, 1).toLongArray());
    assertEquals(1, Ops.all(Ops.isfinite(x)).item());
  }

  @Test
  void convolutionEqualsItsDefinition() {
    Tensor x = random(3, 2, 3, 5, 4);
    Tensor w = random(4, 2, 3, 3, 3);
    Tensor b = random(5, 2);
    double[] y = Ops.conv2d(x, w, b, 1, 1).toDoubleArray();
    double[] xs = x.toDoubleArray();
    double[] ws = w.toDoubleArray();
    double[] bs = b.toDoubleArray();
    int i = 0;
    for (int n = 0; n < 2; n++) {
      for (int o = 0; o < 2; o++) {
        for (int r = 0; r < 5; r++) {
          for (int c = 0; c < 4; c++) {
            double sum = bs[o];
            for (int k = 0; k < 27; k++) {
              int row = r + k / 3 % 3 - 1;
              int column = c + k % 3 - 1;
              if (row >= 0 && row < 5 && column >= 0 && column < 4) {
                sum += ws[o * 27 + k] * xs[((n * 3 + k / 9) * 5 + row) * 4 + column];
              }
            }
            assertEquals(sum, y[i++], 1e-12);
          }
        }
      }
    }
    assertArrayEquals(
        new long[] {2, 3, 8, 6},
        Ops.convTranspose2d(random(6, 2, 2, 5, 4), random(7, 2, 3, 4, 4), null, 2, 2).shape());
  }

  @Test
  void poolingAndResizingFollowPyTorch() {
    Tensor x = Tensor.of(new float[] {1, 2, 9, 4, 5, 9, 7, 8, 9}, 1, 1, 3, 3);
    assertArrayEquals(new float[] {5}, Ops.maxPool2d(x, 2, 2).toFloatArray());
    Tensor row = Tensor.of(new float[] {0, 4}, 1, 1, 1, 2);
    assertArrayEquals(new float[] {0, 1, 3, 4}, Ops.upsampleBilinear2d(row, 1, 4).toFloatArray());
  }

  @Test
  void normalizationsHaveZeroMeanAndUnitVariance() {
    Tensor x = random(8, 2, 6, 4, 5);
    for (Tensor y :
        List.of(Ops.instanceNorm(x, null, null, 0), Ops.groupNorm(x, 1, null, null, 0))) {
      assertEquals(0, Ops.mean(y).item(), 1e-12);
      assertEquals(1, Ops.mean(Ops.square(y)).item(), 1e-12);
    }
    Tensor mean = Tensor.zeros(DType.FLOAT64, Device.CPU, 6);
    Tensor variance = Tensor.ones(DType.FLOAT64, Device.CPU, 6);
    Ops.batchNorm(x, null, null, mean, variance, true, 0.1, 1e-5);
    assertTrue(mean.toDoubleArray()[0] != 0, "running mean is updated in place");
  }

  @Test
  void linearAlgebra() {
    Tensor a = random(9, 6, 3);
    Tensor[] qr = Ops.qr(a);
    Tensor identity = Ops.matmul(Ops.transpose(qr[0], 0, 1), qr[0]);
    assertArrayEquals(new double[] {1, 0, 0, 0, 1, 0, 0, 0, 1}, identity.toDoubleArray(), 1e-12);
    assertArrayEquals(a.toDoubleArray(), Ops.matmul(qr[0], qr[1]).toDoubleArray(), 1e-12);
    double[] r = qr[1].toDoubleArray();
    assertArrayEquals(
        new double[] {0, 0, 0}, new double[] {r[3], r[6], r[7]}, 0, "upper triangular");
    assertArrayEquals(
        new double[] {r[0], r[4], r[8]}, Ops.diagonal(qr[1]).toDoubleArray(), 0, "its diagonal");
    Tensor v = random(10, 5);
    assertEquals(Ops.sum(Ops.square(v)).item(), Ops.dot(v, v).item(), 1e-12);
  }

  @Test
  void gradModeIsAScope() {
    Tensor x = Tensor.ones(2).requiresGrad(true);
    assertTrue(Autograd.isEnabled());
    try (var off = Autograd.noGrad()) {
      assertEquals(false, Ops.relu(x).requiresGrad());
      try (var on = Autograd.enableGrad()) {
        assertTrue(Ops.relu(x).requiresGrad());
      }
      assertEquals(false, Autograd.isEnabled());
    }
    assertTrue(Ops.relu(x).requiresGrad());
    assertNull(x.grad());
  }

  @Test
  void gradientsAccumulateAndReset() {
    Tensor x = Tensor.of(new float[] {3}, 1).requiresGrad(true);
    for (int i = 1; i <= 2; i++) {
      Autograd.backward(Ops.square(x));
      assertEquals(6 * i, x.grad().item());
    }
    x.zeroGrad();
    assertEquals(0, x.grad().item());
  }

  @Test
  void severalOutputsAreDifferentiatedAtOnce() {
    Tensor x = Tensor.of(new double[] {1, 2, 3}, 3).requiresGrad(true);
    Tensor shared = Ops.square(x);
    Autograd.backward(
        List.of(Ops.mul(shared, 2), Ops.sum(shared)),
        List.of(Tensor.of(new double[] {1, 10, 100}, 3), Tensor.scalar(5)));
    assertArrayEquals(new double[] {14, 100, 1230}, x.grad().toDoubleArray(), 1e-12);
  }

  @Test
  void backwardWithoutAGraphIsAnError() {
    assertThrows(TorchException.class, () -> Autograd.backward(Tensor.ones(1)));
    Tensor x = Tensor.ones(2).requiresGrad(true);
    assertThrows(TorchException.class, () -> Autograd.backward(Ops.relu(x)));
  }

  @Test
  void convolutionsRunInHalfPrecisionWhileAutocastIsOn() {
    Tensor x = random(1, 1, 8, 12, 12).to(DType.FLOAT32).requiresGrad(true);
    Tensor weight = random(2, 16, 8, 3, 3).to(DType.FLOAT32).requiresGrad(true);
    Tensor full = Ops.conv2d(x, weight, null, 1, 1);
    Autograd.backward(Ops.sum(full));
    double[] expected = weight.grad().toDoubleArray();
    weight.zeroGrad();
    Tensor half;
    try (var on = Autocast.convolutions(DType.BFLOAT16)) {
      half = Ops.conv2d(x, weight, null, 1, 1);
      try (var off = Autocast.convolutions(null)) {
        assertArrayEquals(full.toFloatArray(), Ops.conv2d(x, weight, null, 1, 1).toFloatArray());
      }
    }
    assertEquals(DType.FLOAT32, half.dtype());
    double error = Ops.amax(Ops.abs(Ops.sub(half, full)), 0, 1, 2, 3).item();
    // Sums of 72 products below 4, which 8 bits round, in a result that they round again.
    assertTrue(error > 0 && error < 0.25, "bfloat16 differs by " + error);
    Autograd.backward(Ops.sum(half));
    assertArrayEquals(expected, weight.grad().toDoubleArray(), 0.5);
    assertArrayEquals(full.toFloatArray(), Ops.conv2d(x, weight, null, 1, 1).toFloatArray());
    assertThrows(IllegalArgumentException.class, () -> Autocast.convolutions(DType.FLOAT64));
  }
}
