package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** Functions of the C library. */
public final class CLibrary {
  private static final Linker LINKER = Linker.nativeLinker();

  /** Parameters of glibc's {@code mallopt}. */
  private static final int M_TRIM_THRESHOLD = -1;

  private static final int M_MMAP_THRESHOLD = -3;

  private CLibrary() {}

  private static Optional<MethodHandle> function(String name, FunctionDescriptor descriptor) {
    return LINKER
        .defaultLookup()
        .find(name)
        .map(address -> LINKER.downcallHandle(address, descriptor));
  }

  /**
   * Makes glibc keep freed memory: giving every large tensor back to the kernel costs more in page
   * faults than the arithmetic on it.
   *
   * @param keep bytes of free memory to keep at most
   * @return whether this C library has such a switch and took it
   */
  public static boolean keepFreedMemory(long keep) {
    Optional<MethodHandle> mallopt =
        function("mallopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
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

  /** Number of the user whose rights this process has; -1 where there are no such numbers. */
  static int effectiveUser() {
    try {
      var geteuid = function("geteuid", FunctionDescriptor.of(JAVA_INT));
      return geteuid.isEmpty() ? -1 : (int) geteuid.get().invokeExact();
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  static MemorySegment malloc(long bytes) {
    try {
      MethodHandle malloc =
          function("malloc", FunctionDescriptor.of(ADDRESS, JAVA_LONG)).orElseThrow();
      return (MemorySegment) malloc.invokeExact(bytes);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  static void free(MemorySegment memory) {
    try {
      function("free", FunctionDescriptor.ofVoid(ADDRESS)).orElseThrow().invokeExact(memory);
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
    return new IllegalStateException("a call of the C library failed", e);
  }
}
