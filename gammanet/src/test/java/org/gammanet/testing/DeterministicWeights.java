package org.gammanet.testing;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * The generator that golden data are made with: every element is a function of a name, a seed and
 * its index (FNV-1a, then splitmix64), the same bits in every language.
 */
public final class DeterministicWeights {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private DeterministicWeights() {}

  /** FNV-1a of the name's UTF-8 bytes. */
  public static long hash(String name) {
    long h = 0xCBF29CE484222325L;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      h = (h ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return h;
  }

  /** Element {@code i} in [0, 1), a multiple of 2^-24. */
  public static float uniform(String name, long seed, long i) {
    long z = (hash(name) ^ (seed * GOLDEN)) + (i + 1) * GOLDEN;
    return uniform(z);
  }

  private static float uniform(long state) {
    long z = state;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    z = z ^ (z >>> 31);
    return (z >>> 40) * 0x1p-24f;
  }

  /** {@code count} values between center - half and center + half. */
  public static float[] values(String name, long seed, int count, double center, double half) {
    float c = (float) center;
    float a = (float) half;
    float[] values = new float[count];
    long state = hash(name) ^ (seed * GOLDEN);
    for (int i = 0; i < count; i++) {
      state += GOLDEN;
      float r = 2 * uniform(state) - 1;
      float scaled = r * a; // rounded on its own: no fused multiply-add
      values[i] = c == 0 ? scaled : c + scaled;
    }
    return values;
  }

  /** A float32 tensor of such values. */
  public static Tensor tensor(String name, long seed, double center, double half, long... shape) {
    return Tensor.of(values(name, seed, count(shape), center, half), shape);
  }

  /** The value of a parameter by its name and shape. */
  public static float[] parameter(String name, long seed, long... shape) {
    long fanIn = Arrays.stream(shape).skip(1).reduce(1, (x, y) -> x * y);
    int count = count(shape);
    String[] parts = name.split("\\.", -1);
    String last = parts[parts.length - 1];
    if (last.equals("num_batches_tracked")) {
      return new float[count];
    }
    boolean vector = shape.length < 2 || count == shape[0];
    if (vector) {
      return switch (last) {
        case "alpha" -> values(name, seed, count, 0.5, 1.0);
        case "mu" -> values(name, seed, count, 0.25, 0.25);
        case "kappa", "omega" -> values(name, seed, count, 0.25, 0.5);
        case "running_mean" -> values(name, seed, count, 0, 0.1);
        case "running_var", "weight" -> values(name, seed, count, 1, 0.25);
        default -> values(name, seed, count, 0, 0.1);
      };
    }
    double gain = 1;
    if (name.matches("block[1-5]_conv\\..*") || name.startsWith("backbone.")) {
      gain = 2;
    } else if (Pattern.compile("(^|\\.)align_[a-z0-9]+\\.").matcher(name).find()) {
      gain = 2;
    } else if (name.contains("dynamic_params.")) {
      gain = 0.25;
    } else if (name.matches("(.*\\.)?(h_fgru|td_fgru)\\.W_exc")) {
      gain = 0.02;
    } else if (last.equals("W_exc")) {
      gain = 0.125;
    } else if (Arrays.asList(parts).contains("output_projection")) {
      gain = 8;
    } else if (name.startsWith("output_conv.")) {
      gain = 24;
    }
    return values(name, seed, count, 0, Math.sqrt(3.0 * gain / fanIn));
  }

  /** Sets every parameter of a network. */
  public static void fill(Network network, long seed) {
    for (Parameter p : network.entries()) {
      try (var scope = TensorScope.open()) {
        p.set(Tensor.of(parameter(p.name(), seed, p.shape()), p.shape()));
      }
    }
  }

  private static int count(long[] shape) {
    return Math.toIntExact(Arrays.stream(shape).reduce(1, (x, y) -> x * y));
  }
}
