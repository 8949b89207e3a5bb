package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.Optimizer.Settings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OptimizerTest {
  /** Gives a parameter the gradient {@code g}. */
  private static void setGradient(Tensor parameter, float[] g) {
    try (var scope = TensorScope.open()) {
      Autograd.backward(Ops.sum(Ops.mul(parameter, Tensor.of(g, parameter.shape()))));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void followsTheFormula(boolean decoupled) {
    Random random = new Random(2);
    long before = Tensor.liveHandles();
    try (var scope = TensorScope.open()) {
      int n = 12;
      double[] x = random.doubles(n, -1, 1).toArray();
      double[] bias = random.doubles(3, -1, 1).toArray();
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      parameters.put("w", Tensor.of(toFloat(x), 3, 4).requiresGrad(true));
      parameters.put("b", Tensor.of(toFloat(bias), 3).requiresGrad(true));
      double decay = 0.1;
      Settings settings = new Settings(decoupled, 0.9, 0.999, 1e-8, decay, false);
      double[][] values = {x, bias};
      double[][] m = {new double[n], new double[3]};
      double[][] u = {new double[n], new double[3]};
      try (Optimizer optimizer =
          new Optimizer(Optimizer.groups(parameters, 1e-5, 0.01), settings)) {
        int[] count = new int[2];
        for (int step = 1; step <= 5; step++) {
          double divisor = step == 3 ? 4 : 1;
          double norm = 0;
          int which = 0;
          for (String name : List.of("w", "b")) {
            int k = which++;
            if (k == 1 && step == 1) {
              continue; // no gradient yet: neither value nor moments nor its count change
            }
            count[k]++;
            float[] g = new float[values[k].length];
            for (int i = 0; i < g.length; i++) {
              g[i] = (float) random.nextGaussian();
              norm += (double) g[i] * g[i];
              double used = g[i] / divisor;
              double wd = k == 0 ? decay : 0;
              if (!decoupled) {
                used += wd * values[k][i];
              } else {
                values[k][i] *= 1 - 0.01 * wd;
              }
              m[k][i] = 0.9 * m[k][i] + 0.1 * used;
              u[k][i] = 0.999 * u[k][i] + 0.001 * used * used;
              double mHat = m[k][i] / (1 - Math.pow(0.9, count[k]));
              double uHat = u[k][i] / (1 - Math.pow(0.999, count[k]));
              values[k][i] -= 0.01 * mHat / (Math.sqrt(uHat) + 1e-8);
            }
            setGradient(parameters.get(name), g);
          }
          assertEquals(Math.sqrt(norm), optimizer.gradientNorm(), 1e-5);
          optimizer.step(new double[] {0.01}, divisor);
          optimizer.zeroGradients();
          assertEquals(0, optimizer.gradientNorm());
          assertArrayEquals(x, parameters.get("w").toDoubleArray(), 2e-6);
          assertArrayEquals(bias, parameters.get("b").toDoubleArray(), 2e-6);
        }
        assertEquals(Map.of("w", 5L, "b", 4L), optimizer.steps());
      }
    }
    assertEquals(before, Tensor.liveHandles());
  }

  private static float[] toFloat(double[] x) {
    float[] f = new float[x.length];
    for (int i = 0; i < f.length; i++) {
      f[i] = (float) x[i];
      x[i] = f[i];
    }
    return f;
  }

  @Test
  void continuesFromItsState() {
    try (var scope = TensorScope.open()) {
      SequencedMap<String, Tensor> a = new LinkedHashMap<>();
      SequencedMap<String, Tensor> b = new LinkedHashMap<>();
      a.put("w", Tensor.of(new float[] {1, 2}, 2).requiresGrad(true));
      Settings settings = Settings.of(false);
      try (Optimizer first = new Optimizer(Optimizer.groups(a, 1, 1), settings)) {
        setGradient(a.get("w"), new float[] {1, -1});
        first.step(new double[] {0.1}, 1);
        first.zeroGradients();
        b.put("w", a.get("w").detach().clone().requiresGrad(true));
        try (Optimizer second = new Optimizer(Optimizer.groups(b, 1, 1), settings)) {
          second.restore(first.state(), first.steps());
          for (int i = 0; i < 3; i++) {
            setGradient(a.get("w"), new float[] {0.5f, i});
            setGradient(b.get("w"), new float[] {0.5f, i});
            first.step(new double[] {0.1}, 2);
            second.step(new double[] {0.1}, 2);
          }
          assertArrayEquals(a.get("w").toFloatArray(), b.get("w").toFloatArray());
          assertThrows(
              IllegalArgumentException.class,
              () -> second.restore(first.state(), Map.of("other", 1L)));
        }
      }
    }
  }

  @Test
  void backboneHasItsOwnGroup() {
    try (var scope = TensorScope.open()) {
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      for (String name :
          List.of("block1_conv.layers.0.weight", "fgru_0.W_exc", "td_fgru_block1.W_inh")) {
        parameters.put(name, Tensor.zeros(2, 2));
      }
      List<Optimizer.Group> groups = Optimizer.groups(parameters, 1e-5, 3e-4);
      assertEquals(2, groups.size());
      assertEquals("vgg", groups.get(0).name());
      assertEquals(4, groups.get(0).size());
      assertTrue(groups.get(1).parameters().containsKey("td_fgru_block1.W_inh"));
    }
  }
}
