package org.gammanet.benchmarks;

import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.kernels.Precision;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
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

/**
 * The whole network of config/default.yaml. {@code benchmarks/run} shows how to vary a parameter:
 * {@code -p timesteps=1,2,4,8,16 NetworkBenchmark.fused}.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 1)
@Measurement(iterations = 2)
@Fork(3)
@State(Scope.Thread)
public class NetworkBenchmark {
  /** Height and width of the image. */
  @Param("320")
  public int size;

  @Param("8")
  public int timesteps;

  @Param("1")
  public int batch;

  /** 0: as many as there are cores. */
  @Param("0")
  public int threads;

  private Network network;
  private Tensor image;

  @Setup
  public void setUp() {
    network = Network.create(GammaNetConfig.shipped("default", List.of()).model(), 1);
    if (threads > 0) {
      LibTorch.setThreads(threads);
    }
    Random random = new Random(2);
    float[] values = new float[batch * 3 * size * size];
    for (int i = 0; i < values.length; i++) {
      values[i] = 4 * random.nextFloat() - 2;
    }
    image = Tensor.of(values, batch, 3, size, size);
  }

  /** Native kernels. */
  @Benchmark
  public void fused() {
    forward(ForwardOptions.DEFAULTS);
  }

  /** Native kernels, factors in bfloat16. */
  @Benchmark
  public void bfloat16() {
    network.setPrecision(Precision.BFLOAT16);
    forward(ForwardOptions.DEFAULTS);
  }

  /** LibTorch's operators, one by one. */
  @Benchmark
  public void composed() {
    forward(ForwardOptions.DEFAULTS.withComposedOnly());
  }

  private void forward(ForwardOptions options) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      network.forward(image, options.withTimesteps(timesteps));
    }
  }

  /** Forward and backward as in training: native kernels, cells computed again. */
  @Benchmark
  public void fusedGradient() {
    gradient(ForwardOptions.DEFAULTS, Recompute.CELLS);
  }

  /** The same with LibTorch's operators. */
  @Benchmark
  public void composedGradient() {
    gradient(ForwardOptions.DEFAULTS.withComposedOnly(), Recompute.CELLS);
  }

  /** Plain automatic differentiation, which keeps everything. */
  @Benchmark
  public void autograd() {
    gradient(ForwardOptions.DEFAULTS.withComposedOnly(), Recompute.NONE);
  }

  private void gradient(ForwardOptions options, Recompute mode) {
    network.requiresGrad(true);
    try (var scope = TensorScope.open();
        Tape tape = new Tape(mode)) {
      Tensor logits =
          network.forward(image, options.withTimesteps(timesteps).withExecutor(tape)).logits();
      tape.backward(logits, Tensor.full(1e-4, logits.shape()));
    }
  }

  @TearDown
  public void tearDown() {
    image.close();
    network.close();
  }
}
