package org.gammanet.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.fused.Kernels;
import org.gammanet.javacell.JavaCell;
import org.gammanet.model.Network;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segment;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One step of the cell of config/default.yaml at the widths and sizes of VGG16's levels. */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3)
@Measurement(iterations = 5)
@Fork(3)
@State(Scope.Thread)
public class CellBenchmark {
  /** Channels x side of the square map. */
  @Param({"64x320", "128x160", "256x80", "512x40"})
  public String shape;

  private Network network;
  private FgruCell cell;
  private Segment fused;
  private Tensor[] maps;
  private Tensor[] rows;
  private Tensor[] gradients;
  private float[][] arrays;
  private int side;

  @Setup
  public void setUp() {
    int channels = Integer.parseInt(shape.substring(0, shape.indexOf('x')));
    side = Integer.parseInt(shape.substring(shape.indexOf('x') + 1));
    network = Network.create(GammaNetConfig.shipped("default", java.util.List.of()).model());
    cell =
        network.sites().stream()
            .map(place -> place.cell())
            .filter(c -> c.channels() == channels && c.kernelSize() == 3)
            .findFirst()
            .orElseThrow();
    Random random = new Random(1);
    for (Parameter parameter : cell.parameters()) {
      long[] size = parameter.shape();
      float scale = size.length == 1 ? 0.1f : 0.5f / (float) Math.sqrt(size[1] * size[2] * size[3]);
      try (Tensor value = Tensor.of(noise(random, (int) parameter.numel(), scale), size)) {
        parameter.set(value);
      }
      parameter.tensor().requiresGrad(true);
    }
    fused = Kernels.lower(cell);
    maps = new Tensor[3];
    rows = new Tensor[3];
    gradients = new Tensor[2];
    arrays = new float[3][];
    int n = channels * side * side;
    for (int k = 0; k < 3; k++) {
      arrays[k] = noise(random, n, 1);
      rows[k] = Tensor.of(arrays[k], 1, channels, side, side);
      maps[k] = Ops.channelsLast(rows[k]);
    }
    for (int k = 0; k < 2; k++) {
      gradients[k] = Ops.channelsLast(rows[k + 1]);
    }
  }

  private static float[] noise(Random random, int n, float scale) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = scale * (2 * random.nextFloat() - 1);
    }
    return values;
  }

  /** Native kernels. */
  @Benchmark
  public void fused() {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      fused.forward(ForwardContext.plain(), maps);
    }
  }

  /** LibTorch's operators, one by one. */
  @Benchmark
  public void composed() {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      cell.step(ForwardContext.plain(), rows);
    }
  }

  /** Java with the Vector API. */
  @Benchmark
  public void vector(Java java) {
    java.vector(this)
        .step(
            arrays[0],
            arrays[1],
            arrays[2],
            arrays[1],
            arrays[2],
            1,
            side,
            side,
            LibTorch.threads());
  }

  /** Java without. */
  @Benchmark
  public void scalar(Java java) {
    java.scalar(this)
        .step(
            arrays[0],
            arrays[1],
            arrays[2],
            arrays[1],
            arrays[2],
            1,
            side,
            side,
            LibTorch.threads());
  }

  /** The cell in Java, made on first use. */
  @State(Scope.Thread)
  public static class Java {
    private JavaCell vector;
    private JavaCell scalar;

    JavaCell vector(CellBenchmark of) {
      if (vector == null) {
        vector = of.java(true);
      }
      return vector;
    }

    JavaCell scalar(CellBenchmark of) {
      if (scalar == null) {
        scalar = of.java(false);
      }
      return scalar;
    }
  }

  private JavaCell java(boolean vector) {
    return new JavaCell(
        cell.config(),
        cell.channels(),
        cell.kernelSize(),
        name -> network.parameter(cell.name() + "." + name).tensor().toFloatArray(),
        vector);
  }

  /** Forward and backward by native kernels. */
  @Benchmark
  public void fusedGradient() {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      fused.forward(ForwardContext.plain(), maps);
      fused.backward(
          ForwardContext.plain(), maps, gradients, new boolean[] {true, true, true}, List.of());
    }
  }

  /** Forward and backward by automatic differentiation. */
  @Benchmark
  public void composedGradient() {
    try (var scope = TensorScope.open()) {
      Tensor[] leaves =
          Arrays.stream(rows).map(t -> t.detach().requiresGrad(true)).toArray(Tensor[]::new);
      Tensor[] outputs = cell.step(ForwardContext.plain(), leaves);
      Autograd.backward(Arrays.asList(outputs), Arrays.asList(gradients));
    }
  }

  @TearDown
  public void tearDown() {
    for (Tensor[] list : new Tensor[][] {maps, rows, gradients}) {
      for (Tensor tensor : list) {
        tensor.close();
      }
    }
    network.close();
  }
}
