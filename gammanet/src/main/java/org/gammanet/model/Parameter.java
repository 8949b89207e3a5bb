package org.gammanet.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A named weight of a network, or a named buffer (running statistics, which no gradient changes).
 */
public final class Parameter {
  private final String name;
  private final long[] shape;
  private final boolean buffer;
  private final Initialization initialization;
  private @Nullable Tensor value;

  /** What was made of the value and goes with it. */
  private final List<AutoCloseable> derived = new ArrayList<>();

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

  /** Sizes; a copy. */
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

  /** The value, float32 (or int64 for a counter), which stays the network's. */
  public Tensor tensor() {
    Tensor tensor = value;
    if (tensor == null) {
      throw new IllegalStateException(
          "the parameter " + name + " has no value: its network is closed");
    }
    return tensor;
  }

  /**
   * Replaces the value by a copy.
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
   * The accumulated gradient, to be added to; made of zeros where there is none.
   *
   * @return null when this parameter requires no gradient
   */
  @Nullable Tensor gradient() {
    if (!tensor().requiresGrad()) {
      return null;
    }
    Tensor gradient = tensor().grad();
    if (gradient == null) {
      try (var scope = TensorScope.open()) {
        // The gradient of a leaf with respect to itself is what is handed in.
        Autograd.backward(tensor(), Tensor.zeros(tensor().dtype(), tensor().device(), shape));
      }
      gradient = tensor().grad();
    }
    return gradient;
  }

  /** Closes something of its own when the value goes. */
  void owns(AutoCloseable thing) {
    derived.add(thing);
  }

  void initialize(long seed) {
    own(initialization.make(seed, name, shape));
  }

  void allocate() {
    boolean counter = initialization instanceof Initialization.Counter;
    own(Tensor.zeros(counter ? DType.INT64 : DType.FLOAT32, Device.CPU, shape));
  }

  /** Moves to a device; converts floating-point values. */
  void move(Device device, DType precision) {
    Tensor from = tensor();
    DType dtype = from.dtype() == DType.INT64 ? DType.INT64 : precision;
    if (from.device().equals(device) && from.dtype() == dtype) {
      return;
    }
    boolean trains = from.requiresGrad();
    try (var scope = TensorScope.open()) {
      Tensor moved = scope.keep(from.detach().to(device).to(dtype));
      own(trains ? moved.requiresGrad(true) : moved);
    }
  }

  private void own(Tensor tensor) {
    close();
    value = TensorScope.detach(tensor);
  }

  void close() {
    for (AutoCloseable thing : derived) {
      try {
        thing.close();
      } catch (Exception e) {
        throw new IllegalStateException("closing what was made of " + name, e);
      }
    }
    if (value != null) {
      value.close();
      value = null;
    }
  }

  @Override
  public String toString() {
    return name + Arrays.toString(shape);
  }
}
