package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.Optimizer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whoever writes a weight, native kernels compute with the new one. */
class ChangedWeightsTest {
  private static final List<String> NAMES =
      List.of("fgru_0.W_gain", "block1_conv.layers.0.weight", "align_0.projection.weight");

  /** The ways to write a weight. */
  enum Writer {
    COPY_FROM {
      @Override
      void write(Network network) {
        for (String name : NAMES) {
          Tensor weight = network.parameter(name).tensor();
          float[] values = weight.toFloatArray();
          for (int i = 0; i < values.length; i++) {
            values[i] *= 1.5f;
          }
          weight.copyFrom(values);
        }
      }
    },
    SET {
      @Override
      void write(Network network) {
        for (String name : NAMES) {
          Parameter weight = network.parameter(name);
          weight.set(Ops.mul(weight.tensor(), 1.5));
        }
      }
    },
    STATE_DICT {
      @Override
      void write(Network network) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        network.stateDict().forEach((name, v) -> values.put(name, Ops.mul(v, 1.5)));
        network.loadStateDict(values);
      }
    },
    OPERATOR_ON_A_VIEW {
      @Override
      void write(Network network) {
        for (String name : NAMES) {
          Tensor view = network.parameter(name).tensor().detach();
          Ops.mul_(Ops.reshape(view, -1), Tensor.full(1.5, 1));
        }
      }
    },
    OPTIMIZER {
      @Override
      void write(Network network) {
        network.requiresGrad(true);
        SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
        for (String name : NAMES) {
          Tensor weight = network.parameter(name).tensor();
          trained.put(name, weight);
          try (var recording = Autograd.enableGrad()) {
            Autograd.backward(Ops.sum(Ops.square(weight)));
          }
        }
        try (Optimizer optimizer =
            new Optimizer(Optimizer.groups(trained, 0.1, 0.1), Optimizer.Settings.of(false))) {
          optimizer.step(new double[] {0.1, 0.1}, 1);
        }
        network.requiresGrad(false);
      }
    },
    MOVE {
      @Override
      void write(Network network) {
        network.to(Device.CPU, DType.FLOAT64);
        for (String name : NAMES) {
          Ops.mul_(
              network.parameter(name).tensor(), Tensor.full(1.5, DType.FLOAT64, Device.CPU, 1));
        }
        network.to(Device.CPU, DType.FLOAT32);
      }
    };

    abstract void write(Network network);
  }

  private static float[] logits(Network network) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      float[] values = new float[3 * 20 * 18];
      for (int i = 0; i < values.length; i++) {
        values[i] = (i * 37 % 101) / 50f - 1;
      }
      return network.forward(Tensor.of(values, 1, 3, 20, 18)).toFloatArray();
    }
  }

  @ParameterizedTest
  @EnumSource(Writer.class)
  void reachTheKernels(Writer writer) {
    List<String> settings =
        List.of("model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]", "model.timesteps=2");
    var config = GammaNetConfig.shipped("default", settings).model();
    try (Network network = Network.create(config, 1);
        Network fresh = Network.create(config);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      assumeTrue(network.fallbackReason() == null);
      float[] before = logits(network);
      writer.write(network);
      float[] after = logits(network);
      assertFalse(Arrays.equals(before, after), "the old weights are still in use");
      fresh.loadStateDict(network.stateDict());
      assertNotNull(fresh);
      assertArrayEquals(logits(fresh), after);
    }
  }
}
