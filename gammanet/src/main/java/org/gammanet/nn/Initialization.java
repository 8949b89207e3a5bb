package org.gammanet.nn;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/** Starting values of a parameter; a function of seed, name and shape alone. */
public sealed interface Initialization {
  Initialization ZERO = new Constant(0);
  Initialization ONE = new Constant(1);

  /** The value for a seed: float32 on the CPU, except for a counter. */
  Tensor make(long seed, String name, long[] shape);

  /** One value everywhere. */
  record Constant(double value) implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      return Tensor.full(value, shape);
    }
  }

  /** The int64 counter of batch normalization. */
  record Counter() implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      return Tensor.zeros(DType.INT64, Device.CPU, shape);
    }
  }

  /** Uniform between -bound and bound. */
  record Uniform(double bound) implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      SplittableRandom random = random(seed, name);
      float[] values = new float[count(shape)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (bound * (2 * random.nextDouble() - 1));
      }
      return Tensor.of(values, shape);
    }
  }

  /** Normal with mean 0 and this standard deviation. */
  record Normal(double deviation) implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      SplittableRandom random = random(seed, name);
      float[] values = new float[count(shape)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (deviation * random.nextGaussian());
      }
      return Tensor.of(values, shape);
    }
  }

  /**
   * Rows of the (shape[0], rest) matrix are orthonormal: QR of a normal matrix, R's signs fixed.
   */
  record Orthogonal() implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      try (var scope = TensorScope.open()) {
        Tensor normal = new Normal(1).make(seed, name, shape);
        Tensor columns = Ops.transpose(Ops.reshape(normal, shape[0], -1), 0, 1);
        Tensor[] qr = Ops.qr(columns.contiguous());
        Tensor rows = Ops.transpose(Ops.mul(qr[0], Ops.sign(Ops.diagonal(qr[1]))), 0, 1);
        return scope.keep(Ops.clone(Ops.reshape(rows, shape)));
      }
    }
  }

  /**
   * The convolution that changes nothing, plus normal noise whose deviation is divided by the
   * square root of the fan-in.
   */
  record Delta(double noise) implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      SplittableRandom random = random(seed, name);
      int in = (int) shape[1];
      int taps = (int) (shape[2] * shape[3]);
      double deviation = noise / Math.sqrt((double) in * taps);
      float[] values = new float[count(shape)];
      for (int i = 0; i < values.length; i++) {
        boolean center = i % taps == taps / 2 && i / taps % in == i / taps / in;
        values[i] = (float) (deviation * random.nextGaussian() + (center ? 1 : 0));
      }
      return Tensor.of(values, shape);
    }
  }

  /** One value in the first half of the channels, another one in the second. */
  record Halves(double first, double second) implements Initialization {
    @Override
    public Tensor make(long seed, String name, long[] shape) {
      float[] values = new float[count(shape)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (i < values.length / 2 ? first : second);
      }
      return Tensor.of(values, shape);
    }
  }

  /** Xavier (Glorot and Bengio 2010) times a gain, for a 1x1 convolution. */
  static Initialization xavier(long in, long out, double gain) {
    return new Uniform(gain * Math.sqrt(6.0 / (in + out)));
  }

  /** PyTorch's default for weights and biases of convolutions and linear maps. */
  static Initialization standard(long fanIn) {
    return new Uniform(1 / Math.sqrt(fanIn));
  }

  private static int count(long[] shape) {
    return Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
  }

  /** An independent stream for each (seed, name): FNV-1a of the name, mixed with the seed. */
  private static SplittableRandom random(long seed, String name) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return new SplittableRandom(hash ^ seed * 0x9E3779B97F4A7C15L);
  }
}
