package org.gammanet.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** A named weight, or a named buffer (running statistics, which no gradient changes). */
public final class Parameter implements AutoCloseable {
  private final String name;
  private final long[] shape;
  private final boolean buffer;
  private final Initialization initialization;
  private @Nullable Tensor value;

  /** Made from the value; closed with it. */
  private final List<AutoCloseable> dependents = new ArrayList<>();

  Parameter(String name, long[] shape, boolean buffer, Initialization initialization) {
    this.name = name;
    this.shape = shape;
    this.buffer = buffer;
    this.initialization = initialization;
  }

  /** Name in a checkpoint, such as {@code fgru_0.W_exc}. */
  public String name() {
    return name;
  }

  /** The sizes, outermost first; a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** Number of elements. */
  public long numel() {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  /** Whether this is a buffer: saved and loaded, but not trained. */
  public boolean isBuffer() {
    return buffer;
  }

  /**
   * The value, float32 (int64 for a counter), which stays the network's.
   *
   * @throws IllegalStateException when it is closed
   */
  public Tensor tensor() {
    Tensor tensor = value;
    if (tensor == null) {
      throw new IllegalStateException(
          "the parameter " + name + " has no value: its network is closed");
    }
    return tensor;
  }

  /**
   * Copies a value into this parameter.
   *
   * @throws IllegalArgumentException for another shape
   */
  public void set(Tensor replacement) {
    if (!Arrays.equals(replacement.shape(), shape)) {
      throw new IllegalArgumentException(
          name + " is " + Arrays.toString(shape) + ", not " + replacement);
    }
    try (Tensor writable = TensorScope.detach(tensor().detach())) {
      writable.copy_(replacement);
    }
  }

  /**
   * The accumulated gradient, to be added to; zeros where there was none.
   *
   * @return null when this parameter requires no gradient
   */
  public @Nullable Tensor gradient() {
    if (!tensor().requiresGrad()) {
      return null;
    }
    Tensor gradient = tensor().grad();
    if (gradient == null) {
      try (var scope = TensorScope.open()) {
        // The C interface cannot set a gradient; a leaf differentiated by itself gets what is
        // given.
        Autograd.backward(tensor(), Tensor.zeros(tensor().dtype(), tensor().device(), shape));
      }
      gradient = tensor().grad();
    }
    return gradient;
  }

  /** Closes something made from the value together with it. */
  public void closeWith(AutoCloseable dependent) {
    dependents.add(dependent);
  }

  /** Sets the initial value for a seed. */
  public void initialize(long seed) {
    initialize(seed, initialization);
  }

  /** Sets another initial value for a seed than the parameter's own. */
  public void initialize(long seed, Initialization other) {
    replace(other.make(seed, name, shape));
  }

  /** Sets all elements to zero. */
  public void allocate() {
    boolean counter = initialization instanceof Initialization.Counter;
    replace(Tensor.zeros(counter ? DType.INT64 : DType.FLOAT32, Device.CPU, shape));
  }

  /** Moves to a device; converts floating-point values. The gradient is dropped. */
  public void move(Device device, DType type) {
    Tensor from = tensor();
    DType dtype = from.dtype() == DType.INT64 ? DType.INT64 : type;
    if (from.device().equals(device) && from.dtype() == dtype) {
      return;
    }
    boolean trains = from.requiresGrad();
    try (var scope = TensorScope.open()) {
      Tensor moved = scope.keep(from.detach().to(device).to(dtype));
      replace(trains ? moved.requiresGrad(true) : moved);
    }
  }

  private void replace(Tensor tensor) {
    TensorScope.detach(tensor);
    try {
      close();
    } finally {
      value = tensor;
    }
  }

  /** Releases the value and what was made from it; does nothing the second time. */
  @Override
  public void close() {
    Tensor old = value;
    if (old == null) {
      return;
    }
    value = null;
    List<AutoCloseable> all = new ArrayList<>(dependents);
    all.add(old);
    Resources.closeAll(all);
  }

  @Override
  public String toString() {
    return name + Arrays.toString(shape);
  }
}
