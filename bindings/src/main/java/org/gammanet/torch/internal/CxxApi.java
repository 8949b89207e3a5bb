package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.gammanet.torch.gen.GammanetNative;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/**
 * The few C++ functions of LibTorch that its C ABI has no equivalent for.
 *
 * <p>They are called through the shim, which turns C++ exceptions into status codes. Where there is
 * no shim they are called by their mangled names: an exception would end the process, so arguments
 * are checked first, and of these functions only {@code set_num_threads} (for less than one thread)
 * and {@code bump_version} (of an undefined tensor) throw.
 *
 * <p>A tensor handle points to an {@code at::Tensor}, whose only member is a pointer to its {@code
 * c10::TensorImpl}. Member functions take that pointer as their first argument, and a returned
 * reference is a pointer to an {@code at::Tensor}, so itself a borrowed handle.
 */
public final class CxxApi {
  /** Names in the Itanium C++ ABI (Linux, macOS) and of Microsoft's compiler. */
  enum Function {
    /** {@code const at::Tensor& c10::TensorImpl::grad() const}. */
    GRAD(
        "_ZNK3c1010TensorImpl4gradEv",
        "?grad@TensorImpl@c10@@QEBAAEBVTensor@at@@XZ",
        FunctionDescriptor.of(ADDRESS, ADDRESS)),
    /** {@code bool c10::TensorImpl::requires_grad() const}. */
    REQUIRES_GRAD(
        "_ZNK3c1010TensorImpl13requires_gradEv",
        "?requires_grad@TensorImpl@c10@@QEBA_NXZ",
        FunctionDescriptor.of(JAVA_BOOLEAN, ADDRESS)),
    /** {@code void torch::autograd::impl::bump_version(const at::Tensor&)}. */
    BUMP_VERSION(
        "_ZN5torch8autograd4impl12bump_versionERKN2at6TensorE",
        "?bump_version@impl@autograd@torch@@YAXAEBVTensor@at@@@Z",
        FunctionDescriptor.ofVoid(ADDRESS)),
    /** {@code void at::set_num_threads(int)}. */
    SET_NUM_THREADS(
        "_ZN2at15set_num_threadsEi",
        "?set_num_threads@at@@YAXH@Z",
        FunctionDescriptor.ofVoid(JAVA_INT)),
    /** {@code c10::DeviceIndex c10::cuda::device_count() noexcept}, in the CUDA libraries. */
    DEVICE_COUNT(
        "_ZN3c104cuda12device_countEv",
        "?device_count@cuda@c10@@YACXZ",
        FunctionDescriptor.of(JAVA_BYTE));

    final String itanium;
    final String microsoft;
    final FunctionDescriptor descriptor;

    Function(String itanium, String microsoft, FunctionDescriptor descriptor) {
      this.itanium = itanium;
      this.microsoft = microsoft;
      this.descriptor = descriptor;
    }

    String symbol() {
      return NativeLibraries.os().equals("windows") ? microsoft : itanium;
    }
  }

  private static final Map<Function, MethodHandle> HANDLES = new ConcurrentHashMap<>();

  private CxxApi() {}

  /** A new handle of a tensor's gradient; null when it has none. */
  public static @Nullable MemorySegment grad(MemorySegment tensor) {
    MemorySegment out = Native.out();
    if (Guards.AVAILABLE) {
      check(GammanetNative.gammanet_torch_grad(tensor, out));
      MemorySegment gradient = out.get(ADDRESS, 0);
      return gradient.equals(MemorySegment.NULL) ? null : Handle.received(gradient);
    }
    try {
      MemorySegment gradient =
          (MemorySegment) handle(Function.GRAD).invokeExact(implementation(tensor));
      return isDefined(gradient) ? Handle.duplicate(gradient) : null;
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Whether autograd stores a leaf's gradient, or a graph leads to a result. */
  public static boolean requiresGrad(MemorySegment tensor) {
    if (Guards.AVAILABLE) {
      MemorySegment out = Native.out();
      check(GammanetNative.gammanet_torch_requires_grad(tensor, out));
      return out.get(JAVA_INT, 0) != 0;
    }
    try {
      return (boolean) handle(Function.REQUIRES_GRAD).invokeExact(implementation(tensor));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Adds one to the version counter of a tensor. */
  public static void bumpVersion(MemorySegment tensor) {
    if (Guards.AVAILABLE) {
      check(GammanetNative.gammanet_torch_bump_version(tensor));
      return;
    }
    try {
      if (isDefined(tensor)) {
        handle(Function.BUMP_VERSION).invokeExact(tensor);
      }
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Sets the number of threads of an operator, at least 1. */
  public static void setNumThreads(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    if (Guards.AVAILABLE) {
      check(GammanetNative.gammanet_torch_set_num_threads(threads));
      return;
    }
    try {
      handle(Function.SET_NUM_THREADS).invokeExact(threads);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Number of CUDA devices; 0 without the CUDA libraries. The function is noexcept. */
  public static int cudaDeviceCount() {
    if (Native.find(Function.DEVICE_COUNT.symbol()) == null) {
      return 0;
    }
    try {
      return (byte) handle(Function.DEVICE_COUNT).invokeExact();
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * Sets the level of LibTorch's log to TORCH_CPP_LOG_LEVEL, which otherwise only Python reads; to
   * ERROR without it, so that remarks such as "Could not initialize NNPACK" do not come with every
   * call.
   */
  public static void setLogLevel() {
    MemorySegment level =
        Native.find(
            NativeLibraries.os().equals("windows")
                ? "?FLAGS_caffe2_log_level@@3HA"
                : "FLAGS_caffe2_log_level");
    if (level != null) {
      String wanted = System.getenv().getOrDefault("TORCH_CPP_LOG_LEVEL", "");
      level
          .reinterpret(Integer.BYTES)
          .set(
              JAVA_INT,
              0,
              switch (wanted.strip().toUpperCase(Locale.ROOT)) {
                case "INFO", "0" -> 0;
                case "WARNING", "1" -> 1;
                case "FATAL", "3" -> 3;
                default -> 2;
              });
    }
  }

  /** Decided on the first call, when LibTorch is loaded. */
  private static final class Guards {
    static final boolean AVAILABLE = Shim.isActive() && Native.find("gammanet_torch_grad") != null;
  }

  private static boolean isDefined(MemorySegment tensor) {
    MemorySegment out = Native.out();
    return LibTorchStable.aoti_torch_is_defined(tensor, out) == 0 && out.get(JAVA_BOOLEAN, 0);
  }

  private static MemorySegment implementation(MemorySegment tensor) {
    return tensor.reinterpret(ADDRESS.byteSize()).get(ADDRESS, 0);
  }

  private static void check(int status) {
    if (status != GammanetNative.GAMMANET_OK()) {
      throw new IllegalStateException(Native.text(GammanetNative.gammanet_last_error()));
    }
  }

  private static MethodHandle handle(Function function) {
    return HANDLES.computeIfAbsent(
        function,
        f -> {
          MemorySegment address = Native.find(f.symbol());
          if (address == null) {
            throw new UnsupportedOperationException(
                "the LibTorch in use does not export "
                    + f.symbol()
                    + ", which gradients and the number of threads need");
          }
          return Linker.nativeLinker().downcallHandle(address, f.descriptor);
        });
  }

  private static RuntimeException unexpected(Throwable e) {
    if (e instanceof RuntimeException runtime) {
      return runtime;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(e);
  }
}
