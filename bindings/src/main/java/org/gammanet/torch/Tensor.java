package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Function;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.CxxApi;
import org.gammanet.torch.internal.Handle;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * A LibTorch tensor with an explicit lifetime.
 *
 * <p>Java owns one handle per {@code Tensor}; {@link #close} releases it. A tensor made while a
 * {@link TensorScope} is open on the same thread is closed with that scope. A tensor that is never
 * closed is released after a garbage collection, with a warning in the log ({@code
 * -Dgammanet.trace=true} adds where it was made): a safety net, not a way to manage memory.
 *
 * <p>Reading is safe from any thread. Every method throws {@link IllegalStateException} once the
 * tensor is closed; so does {@link #close} the second time, and while another thread is using the
 * tensor, whose work goes on.
 */
public final class Tensor implements AutoCloseable {
  /** Dimensions of a map from the fastest on. */
  private static final int[] CHANNELS_LAST = {1, 3, 2, 0};

  private static final Operator VERSION = Operator.of("aten::_version(Tensor self) -> int");

  /** Owner: read and written by the thread of that scope only. */
  @Nullable TensorScope scope;

  final Handle handle;
  private volatile long @Nullable [] shape;
  private volatile @Nullable DType dtype;
  private volatile @Nullable Device device;

  /** Takes over a native handle that is counted already. */
  private Tensor(MemorySegment native_) {
    handle = new Handle(native_, Tensor::describe);
    TensorScope.register(this);
  }

  /**
   * Takes over a native handle ({@code AtenTensorHandle}) that native code has made and handed out;
   * the inverse of {@link Borrowed}. Anything else ends the process.
   */
  public static Tensor adopt(MemorySegment native_) {
    return new Tensor(Handle.received(native_));
  }

  // ---- Creation ----

  /** A float32 CPU tensor with these elements in row-major order. */
  public static Tensor of(float[] data, long... shape) {
    checkCount(data.length, shape);
    Tensor tensor = empty(DType.FLOAT32, Device.CPU, shape);
    return tensor.fill(memory -> MemorySegment.copy(data, 0, memory, JAVA_FLOAT, 0, data.length));
  }

  /** A float64 CPU tensor with these elements in row-major order. */
  public static Tensor of(double[] data, long... shape) {
    checkCount(data.length, shape);
    Tensor tensor = empty(DType.FLOAT64, Device.CPU, shape);
    return tensor.fill(memory -> MemorySegment.copy(data, 0, memory, JAVA_DOUBLE, 0, data.length));
  }

  /** An int64 CPU tensor with these elements in row-major order. */
  public static Tensor of(long[] data, long... shape) {
    checkCount(data.length, shape);
    Tensor tensor = empty(DType.INT64, Device.CPU, shape);
    return tensor.fill(memory -> MemorySegment.copy(data, 0, memory, JAVA_LONG, 0, data.length));
  }

  /**
   * A CPU tensor with a copy of the buffer's remaining bytes, which are the elements in row-major
   * order and little-endian; the buffer's position does not move.
   *
   * @throws IllegalArgumentException when the number of bytes does not fit the shape
   */
  public static Tensor fromBuffer(ByteBuffer data, DType dtype, long... shape) {
    long bytes = count(shape) * dtype.byteSize();
    if (data.remaining() != bytes) {
      throw new IllegalArgumentException(
          dtype
              + Arrays.toString(shape)
              + " needs "
              + bytes
              + " bytes, but the buffer holds "
              + data.remaining());
    }
    Tensor tensor = empty(dtype, Device.CPU, shape);
    return tensor.fill(memory -> memory.copyFrom(MemorySegment.ofBuffer(data)));
  }

  /** Uninitialized float32 memory on the CPU. */
  public static Tensor empty(long... shape) {
    return empty(DType.FLOAT32, Device.CPU, shape);
  }

  /** A row-major tensor whose values are not set; without sizes it has one element. */
  public static Tensor empty(DType dtype, Device device, long... shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= Math.max(shape[i], 1);
    }
    return empty(dtype, device, shape, strides);
  }

  /**
   * Uninitialized float32 memory for a feature map (N, C, H, W) in channels-last layout: the
   * channels of a pixel side by side.
   */
  public static Tensor emptyChannelsLast(Device device, long n, long c, long h, long w) {
    long[] strides = {h * w * c, 1, w * c, c};
    return empty(DType.FLOAT32, device, new long[] {n, c, h, w}, strides);
  }

  private static Tensor empty(DType dtype, Device device, long[] shape, long[] strides) {
    LibTorch.load();
    count(shape);
    int n = shape.length;
    if (2 * n > Native.SLOTS) {
      throw new IllegalArgumentException("a tensor of " + n + " dimensions is not supported");
    }
    MemorySegment scratch = Native.scratch();
    for (int i = 0; i < n; i++) {
      scratch.setAtIndex(JAVA_LONG, i, shape[i]);
      scratch.setAtIndex(JAVA_LONG, n + i, strides[i]);
    }
    MemorySegment out = Native.out();
    int status =
        LibTorchStable.aoti_torch_empty_strided(
            n,
            scratch,
            scratch.asSlice(n * 8L),
            dtype.code,
            device.type().code,
            device.index(),
            out);
    if (status != 0) {
      throw new TorchException(
          "cannot allocate "
              + describe(dtype, shape, device)
              + " ("
              + (count(shape) * dtype.byteSize() >> 20)
              + " MiB): "
              + Native.lastError());
    }
    return adopt(out.get(ADDRESS, 0));
  }

  /** Zeros, float32, on the CPU. */
  public static Tensor zeros(long... shape) {
    return zeros(DType.FLOAT32, Device.CPU, shape);
  }

  /** A row-major tensor of zeros. */
  public static Tensor zeros(DType dtype, Device device, long... shape) {
    return empty(dtype, device, shape).zero_();
  }

  /** Ones, float32, on the CPU. */
  public static Tensor ones(long... shape) {
    return full(1, shape);
  }

  /** A row-major tensor of ones. */
  public static Tensor ones(DType dtype, Device device, long... shape) {
    return full(1, dtype, device, shape);
  }

  /** One value everywhere, float32, on the CPU. */
  public static Tensor full(double value, long... shape) {
    return full(value, DType.FLOAT32, Device.CPU, shape);
  }

  /** A row-major tensor that has one value everywhere, converted to its element type. */
  public static Tensor full(double value, DType dtype, Device device, long... shape) {
    Tensor tensor = empty(dtype, device, shape);
    try (Tensor scalar = TensorScope.detach(scalar(value))) {
      return tensor.copy_(scalar);
    } catch (RuntimeException | Error e) {
      tensor.close();
      throw e;
    }
  }

  /**
   * A 0-dimensional CPU tensor of the value in float64. In arithmetic with another tensor it takes
   * on that tensor's floating-point type and device, as a Python number does.
   */
  public static Tensor scalar(double value) {
    LibTorch.load();
    MemorySegment out = Native.scratch();
    TorchException.check(LibTorchStable.aoti_torch_scalar_to_tensor_float64(value, out), "scalar");
    return adopt(out.get(ADDRESS, 0));
  }

  private Tensor fill(Consumer<MemorySegment> writer) {
    try (Borrowed use = new Borrowed()) {
      writer.accept(data(use));
    }
    return this;
  }

  private static void checkCount(long length, long[] shape) {
    if (count(shape) != length) {
      throw new IllegalArgumentException(
          "the shape "
              + Arrays.toString(shape)
              + " has "
              + count(shape)
              + " elements, but the data has "
              + length);
    }
  }

  private static long count(long[] shape) {
    long count = 1;
    try {
      for (long size : shape) {
        if (size < 0) {
          throw new IllegalArgumentException("negative size in " + Arrays.toString(shape));
        }
        count = Math.multiplyExact(count, size);
      }
      Math.multiplyExact(count, 8L);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "the shape " + Arrays.toString(shape) + " has more elements than memory has bytes", e);
    }
    return count;
  }

  // ---- Properties ----

  /** Sizes of the dimensions; a copy. */
  public long[] shape() {
    return sizes().clone();
  }

  private long[] sizes() {
    long[] sizes = shape;
    if (sizes == null) {
      try (Borrowed use = new Borrowed()) {
        sizes = sizes(use.of(this));
        shape = sizes;
      }
    } else {
      handle.ensureOpen();
    }
    return sizes;
  }

  private static long[] sizes(MemorySegment native_) {
    MemorySegment out = Native.out();
    TorchException.check(LibTorchStable.aoti_torch_get_dim(native_, out), "reading the dimension");
    long n = out.get(JAVA_LONG, 0);
    TorchException.check(LibTorchStable.aoti_torch_get_sizes(native_, out), "reading the shape");
    return out.get(ADDRESS, 0).reinterpret(n * 8).toArray(JAVA_LONG);
  }

  /** Size of one dimension; negative numbers count from the last. */
  public long size(int dimension) {
    long[] sizes = sizes();
    int d = dimension < 0 ? dimension + sizes.length : dimension;
    if (d < 0 || d >= sizes.length) {
      throw new IllegalArgumentException("no dimension " + dimension + " in " + this);
    }
    return sizes[d];
  }

  /** Number of dimensions. */
  public int dim() {
    return sizes().length;
  }

  /** Number of elements. */
  public long numel() {
    return count(sizes());
  }

  public DType dtype() {
    DType type = dtype;
    if (type == null) {
      try (Borrowed use = new Borrowed()) {
        type = dtype(use.of(this));
        dtype = type;
      }
    }
    return type;
  }

  private static DType dtype(MemorySegment native_) {
    return DType.ofCode(read(LibTorchStable::aoti_torch_get_dtype, native_));
  }

  /** Where the memory lies: the CPU, or a GPU and its index. */
  public Device device() {
    Device where = device;
    if (where == null) {
      try (Borrowed use = new Borrowed()) {
        where = device(use.of(this));
        device = where;
      }
    }
    return where;
  }

  private static Device device(MemorySegment native_) {
    return Device.ofCode(
        read(LibTorchStable::aoti_torch_get_device_type, native_),
        read(LibTorchStable::aoti_torch_get_device_index, native_));
  }

  private interface Getter {
    int get(MemorySegment tensor, MemorySegment out);
  }

  private static int read(Getter getter, MemorySegment native_) {
    MemorySegment out = Native.out();
    TorchException.check(getter.get(native_, out), "reading a property of a tensor");
    return out.get(JAVA_INT, 0);
  }

  /** Whether the elements lie in row-major order without gaps. */
  public boolean isContiguous() {
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      MemorySegment out = Native.scratch();
      TorchException.check(
          LibTorchStable.aoti_torch_is_contiguous(native_, out), "reading the layout");
      return out.get(JAVA_BOOLEAN, 0);
    }
  }

  /**
   * Whether this is a feature map (N, C, H, W) in channels-last memory without gaps: the channels
   * of a pixel side by side, pixels row by row.
   */
  public boolean isChannelsLast() {
    long[] sizes = sizes();
    if (sizes.length != 4) {
      return false;
    }
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      MemorySegment out = Native.scratch();
      TorchException.check(
          LibTorchStable.aoti_torch_get_strides(native_, out), "reading the layout");
      MemorySegment strides = out.get(ADDRESS, 0).reinterpret(4 * 8);
      long expected = 1;
      for (int d : CHANNELS_LAST) {
        if (sizes[d] != 1 && strides.getAtIndex(JAVA_LONG, d) != expected) {
          return false;
        }
        expected *= sizes[d];
      }
      return true;
    }
  }

  /** Whether autograd stores this leaf's gradient, or a graph leads to this result. */
  public boolean requiresGrad() {
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      return CxxApi.requiresGrad(native_);
    }
  }

  /**
   * Version counter: a number that rises with every change of the elements by an operator or by
   * {@link #copyFrom}, also through another tensor over the same memory.
   */
  public long version() {
    return VERSION.integer(this);
  }

  /** Raises {@link #version} after a change that LibTorch does not count. */
  void bumpVersion() {
    try (Borrowed use = new Borrowed()) {
      CxxApi.bumpVersion(use.of(this));
    }
  }

  /** Sets whether autograd accumulates the gradient of this leaf. */
  public Tensor requiresGrad(boolean wanted) {
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      int status = LibTorchStable.torch_set_requires_grad(native_, wanted);
      if (status != 0) {
        throw new TorchException("requiresGrad on " + this + ": " + Native.lastError());
      }
    }
    return this;
  }

  /** A new tensor over the accumulated gradient of this leaf, or null when there is none. */
  public @Nullable Tensor grad() {
    try (Borrowed use = new Borrowed()) {
      MemorySegment gradient = CxxApi.grad(use.of(this));
      return gradient == null ? null : new Tensor(gradient);
    }
  }

  /** Sets the accumulated gradient to zero; does nothing when there is none. */
  public void zeroGrad() {
    Tensor gradient = grad();
    if (gradient != null) {
      try (Tensor closing = TensorScope.detach(gradient)) {
        closing.zero_();
      }
    }
  }

  // ---- Views and copies ----

  /** A tensor that shares this one's memory and has no history; in-place changes show in both. */
  public Tensor detach() {
    return Ops.detach(this);
  }

  /** A second handle of the same tensor; each is closed on its own. */
  public Tensor alias() {
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      return new Tensor(Handle.duplicate(native_));
    }
  }

  /** A contiguous copy with the same elements. */
  @Override
  @SuppressWarnings({"MethodDoesntCallSuperMethod", "EffectivelyPrivate"})
  public Tensor clone() {
    return Ops.clone(this);
  }

  /** This tensor in contiguous (row-major) memory: an alias, or a copy. */
  public Tensor contiguous() {
    return Ops.contiguous(this);
  }

  /** This tensor on a device: an alias when it is there already, else a copy. */
  public Tensor to(Device target) {
    return device().equals(target) ? alias() : Ops.to(this, target, dtype());
  }

  /** This tensor in another element type: an alias when it has that type, else a copy. */
  public Tensor to(DType target) {
    return dtype() == target ? alias() : Ops.to(this, target);
  }

  // ---- Elements ----

  /**
   * The value of a tensor with one element.
   *
   * @throws IllegalArgumentException when there is not exactly one
   */
  public double item() {
    if (numel() != 1) {
      throw new IllegalArgumentException("item() needs one element, but this is " + this);
    }
    return toDoubleArray()[0];
  }

  /** All elements in row-major order, converted to float32, from any device. */
  public float[] toFloatArray() {
    return read(DType.FLOAT32, data -> data.toArray(JAVA_FLOAT));
  }

  /** All elements in row-major order, converted to float64, from any device. */
  public double[] toDoubleArray() {
    return read(DType.FLOAT64, data -> data.toArray(JAVA_DOUBLE));
  }

  /** All elements in row-major order, converted to int64, from any device. */
  public long[] toLongArray() {
    return read(DType.INT64, data -> data.toArray(JAVA_LONG));
  }

  /** All elements as they are stored, in row-major order and little-endian, from any device. */
  public ByteBuffer toBuffer() {
    return read(
        dtype(),
        data ->
            ByteBuffer.wrap(data.toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.LITTLE_ENDIAN));
  }

  private <T> T read(DType type, Function<MemorySegment, T> reader) {
    try (TensorScope temporary = TensorScope.open();
        var noGrad = Autograd.noGrad();
        Borrowed use = new Borrowed()) {
      Tensor source = detach().to(Device.CPU).to(type).contiguous();
      return reader.apply(source.data(use));
    }
  }

  /**
   * Overwrites the elements, in row-major order. The tensor must be float32, contiguous, on the CPU
   * and of this many elements.
   */
  public Tensor copyFrom(float[] data) {
    checkCount(data.length, sizes());
    if (dtype() != DType.FLOAT32 || device().type() != Device.Type.CPU || !isContiguous()) {
      throw new IllegalArgumentException(
          "copyFrom(float[]) needs a contiguous float32 tensor on the CPU, but this is " + this);
    }
    try (Borrowed use = new Borrowed()) {
      MemorySegment.copy(data, 0, data(use), JAVA_FLOAT, 0, data.length);
    }
    bumpVersion();
    return this;
  }

  /** Overwrites the elements with another tensor's, converted and broadcast. */
  public Tensor copy_(Tensor source) {
    try (Borrowed use = new Borrowed()) {
      MemorySegment target = use.of(this);
      MemorySegment from = use.of(source);
      ThreadGradMode.apply();
      int status = LibTorchStable.aoti_torch_copy_(target, from, 0);
      if (status != 0) {
        throw new TorchException("copy_(" + this + ", " + source + "): " + Native.lastError());
      }
    }
    return this;
  }

  /** Overwrites the elements with zeros. */
  public Tensor zero_() {
    try (Borrowed use = new Borrowed()) {
      MemorySegment native_ = use.of(this);
      ThreadGradMode.apply();
      TorchException.check(LibTorchStable.aoti_torch_zero_(native_), "zero_");
    }
    return this;
  }

  /** The elements' memory, valid until {@code use} is closed. */
  private MemorySegment data(Borrowed use) {
    MemorySegment native_ = use.of(this);
    MemorySegment out = Native.out();
    TorchException.check(
        LibTorchStable.aoti_torch_get_data_ptr(native_, out), "reading the address");
    return out.get(ADDRESS, 0).reinterpret(numel() * dtype().byteSize());
  }

  // ---- Lifetime ----

  /**
   * Number of native objects (handles of tensors, and lists and optionals on their way to an
   * operator) that are alive in this process; equal numbers before and after mean no leak.
   */
  public static long liveHandles() {
    return Handle.live();
  }

  /** Whether {@link #close} was called. */
  public boolean isClosed() {
    return handle.isClosed();
  }

  /**
   * Releases the handle; the memory goes when LibTorch has no other use for it.
   *
   * @throws IllegalStateException when already closed, or in use by another thread at this moment
   */
  @Override
  public void close() {
    handle.close();
  }

  /** A native handle of its own for a callee that consumes it. */
  MemorySegment duplicateHandle() {
    try (Borrowed use = new Borrowed()) {
      return Handle.duplicate(use.of(this));
    }
  }

  private static String describe(MemorySegment native_) {
    return describe(dtype(native_), sizes(native_), device(native_));
  }

  private static String describe(DType dtype, long[] shape, Device device) {
    String name = dtype.name().toLowerCase(Locale.ROOT);
    return name
        + Arrays.toString(shape)
        + (device.type() == Device.Type.CPU ? "" : " on " + device);
  }

  /** Type, shape and, off the CPU, the device: {@code float32[1, 64, 80, 80] on cuda:0}. */
  @Override
  public String toString() {
    return isClosed() ? "a closed tensor" : describe(dtype(), sizes(), device());
  }
}
