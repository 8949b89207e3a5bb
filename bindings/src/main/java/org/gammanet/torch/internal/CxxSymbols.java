package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;

/**
 * The few C++ functions of LibTorch that its C ABI has no equivalent for, called by their mangled
 * names (Itanium C++ ABI: Linux and macOS).
 *
 * <p>A tensor handle points to an {@code at::Tensor}, whose only member is a pointer to its {@code
 * c10::TensorImpl}; member functions take that pointer as their first argument and a returned
 * reference is a pointer to an {@code at::Tensor}, so itself a borrowed handle.
 */
public final class CxxSymbols {
  private static final String GRAD = "_ZNK3c1010TensorImpl4gradEv";
  private static final String REQUIRES_GRAD = "_ZNK3c1010TensorImpl13requires_gradEv";
  private static final String SET_NUM_THREADS = "_ZN2at15set_num_threadsEi";
  private static final String INIT_LOGGING = "_ZN3c1011initLoggingEv";
  private static final String DEVICE_COUNT = "_ZN3c104cuda12device_countEv";

  private CxxSymbols() {}

  /** The gradient of a tensor as a borrowed handle; it may be undefined. */
  public static MemorySegment grad(MemorySegment tensor) {
    try {
      return (MemorySegment) Handles.GRAD_HANDLE.invokeExact(implementation(tensor));
    } catch (Throwable e) {
      throw unexpected(GRAD, e);
    }
  }

  public static boolean requiresGrad(MemorySegment tensor) {
    try {
      return (boolean) Handles.REQUIRES_GRAD_HANDLE.invokeExact(implementation(tensor));
    } catch (Throwable e) {
      throw unexpected(REQUIRES_GRAD, e);
    }
  }

  public static void setNumThreads(int threads) {
    try {
      required(SET_NUM_THREADS, FunctionDescriptor.ofVoid(JAVA_INT)).invokeExact(threads);
    } catch (Throwable e) {
      throw unexpected(SET_NUM_THREADS, e);
    }
  }

  /** Makes LibTorch read TORCH_CPP_LOG_LEVEL, which otherwise only Python does. */
  public static void readLogLevel() {
    MethodHandle read = find(INIT_LOGGING, FunctionDescriptor.ofVoid());
    if (read != null) {
      try {
        read.invokeExact();
      } catch (Throwable e) {
        throw unexpected(INIT_LOGGING, e);
      }
    }
  }

  /** Number of CUDA devices; 0 without the CUDA libraries. */
  public static int cudaDeviceCount() {
    MethodHandle count = find(DEVICE_COUNT, FunctionDescriptor.of(JAVA_BYTE));
    if (count == null) {
      return 0;
    }
    try {
      return (byte) count.invokeExact();
    } catch (Throwable e) {
      throw unexpected(DEVICE_COUNT, e);
    }
  }

  private static MemorySegment implementation(MemorySegment tensor) {
    return tensor.reinterpret(ADDRESS.byteSize()).get(ADDRESS, 0);
  }

  /** Looked up on first use: inference alone needs none of these. */
  private static final class Handles {
    static final MethodHandle GRAD_HANDLE = required(GRAD, FunctionDescriptor.of(ADDRESS, ADDRESS));
    static final MethodHandle REQUIRES_GRAD_HANDLE =
        required(REQUIRES_GRAD, FunctionDescriptor.of(JAVA_BOOLEAN, ADDRESS));
  }

  private static @Nullable MethodHandle find(String symbol, FunctionDescriptor descriptor) {
    MemorySegment address = Native.find(symbol);
    return address == null ? null : Linker.nativeLinker().downcallHandle(address, descriptor);
  }

  private static MethodHandle required(String symbol, FunctionDescriptor descriptor) {
    MethodHandle handle = find(symbol, descriptor);
    if (handle == null) {
      throw new TorchException(
          "the LibTorch in use does not export "
              + symbol
              + ", which gradients and thread settings need; use LibTorch 2.11 or newer on Linux or"
              + " macOS");
    }
    return handle;
  }

  private static RuntimeException unexpected(String symbol, Throwable e) {
    if (e instanceof RuntimeException runtime) {
      return runtime;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new TorchException("calling " + symbol + " failed", e);
  }
}
