package org.gammanet.benchmarks;

import java.util.concurrent.TimeUnit;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a call costs when the arithmetic is nothing: four elements. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(3)
@State(Scope.Thread)
public class BindingsBenchmark {
  private Tensor x;
  private Autograd.GradMode noGrad;

  @Setup
  public void setUp() {
    noGrad = Autograd.noGrad();
    x = TensorScope.detach(Tensor.ones(1, 1, 2, 2));
  }

  @TearDown
  public void tearDown() {
    x.close();
    noGrad.close();
  }

  /** Memory of a new tensor, and its release. */
  @Benchmark
  public void createAndClose() {
    Tensor.empty(1, 1, 2, 2).close();
  }

  /** Through the dispatcher: a descriptor, a consumed handle, an allocation. */
  @Benchmark
  public void relu() {
    Ops.relu(x).close();
  }

  /** Through a C function of its own. */
  @Benchmark
  public void add() {
    Ops.add(x, x).close();
  }

  /** Six arguments, four of them lists. */
  @Benchmark
  public void maxPool2d() {
    Ops.maxPool2d(x, 2, 2).close();
  }

  /** The same as {@link #relu} with a scope that closes the result. */
  @Benchmark
  public void reluInScope() {
    try (var scope = TensorScope.open()) {
      Ops.relu(x);
    }
  }
}
