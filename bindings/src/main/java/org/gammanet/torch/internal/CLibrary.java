package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.gammanet.torch.TorchException;

/**
 * The few functions of the C and C++ run-time libraries that have no generated binding: they are
 * absent on some platforms, or have a C++ name.
 */
public final class CLibrary {
  private static final Linker LINKER = Linker.nativeLinker();

  /** Parameters of glibc's {@code mallopt}. */
  private static final int M_TRIM_THRESHOLD = -1;

  private static final int M_MMAP_THRESHOLD = -3;

  private CLibrary() {}

  /** How much freed memory is kept at most, MiB. */
  public static long keptMiB() {
    return Math.max(0, Long.getLong("gammanet.keepFreedMemory", 2047));
  }

  private static Optional<MethodHandle> function(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER
        .defaultLookup()
        .find(name)
        .map(address -> LINKER.downcallHandle(address, FunctionDescriptor.of(result, arguments)));
  }

  /** Sets an environment variable of this process for native code, unless the user has set it. */
  public static void setEnvironment(String name, String value) {
    Optional<MethodHandle> setenv = function("setenv", JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
    if (setenv.isEmpty()) {
      return; // Windows: its OpenMP run-time library does not spin for long
    }
    try (Arena arena = Arena.ofConfined()) {
      int status =
          (int) setenv.get().invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 0);
      if (status != 0) {
        throw new TorchException("cannot set the environment variable " + name);
      }
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /**
   * Makes glibc keep freed memory: giving every large tensor back to the kernel costs more in page
   * faults than the arithmetic on it.
   *
   * @param keep bytes of free memory to keep at most
   * @return whether this C library has such a switch and took it
   */
  public static boolean keepFreedMemory(long keep) {
    Optional<MethodHandle> mallopt = function("mallopt", JAVA_INT, JAVA_INT, JAVA_INT);
    if (mallopt.isEmpty() || LINKER.defaultLookup().find("gnu_get_libc_version").isEmpty()) {
      return false;
    }
    int threshold = (int) Math.min(keep, Integer.MAX_VALUE);
    try {
      int mmap = (int) mallopt.get().invokeExact(M_MMAP_THRESHOLD, Math.min(threshold, 1 << 30));
      int trim = (int) mallopt.get().invokeExact(M_TRIM_THRESHOLD, threshold);
      return mmap == 1 && trim == 1;
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  public static MemorySegment malloc(long bytes) {
    try {
      MethodHandle malloc = function("malloc", ADDRESS, JAVA_LONG).orElseThrow();
      return (MemorySegment) malloc.invokeExact(bytes);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /**
   * Makes {@code target} another name of the open file {@code source} ({@code dup2}); used by the
   * launcher to give the terminal's error stream back once the virtual machine has started.
   *
   * @return whether it was done
   */
  public static boolean duplicateFile(int source, int target) {
    Optional<MethodHandle> dup2 = function("dup2", JAVA_INT, JAVA_INT, JAVA_INT);
    if (dup2.isEmpty()) {
      return false;
    }
    try {
      return (int) dup2.get().invokeExact(source, target) == target;
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  private static RuntimeException rethrow(Throwable e) {
    if (e instanceof RuntimeException runtime) {
      return runtime;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new TorchException("a call of the C library failed", e);
  }
}
