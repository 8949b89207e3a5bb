package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import org.gammanet.torch.TorchException;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/** The one place that reads LibTorch's status codes and owns scratch memory for native calls. */
public final class Native {
  /** The API level that the calls are written for: LibTorch 2.11.0. */
  public static final long ABI_VERSION = 0x020B_0000_0000_0000L;

  /** Slots of scratch memory per thread; the longest schema in use has 20 arguments. */
  public static final int SLOTS = 64;

  /**
   * Scratch memory of a thread. A shared confined arena per call would cost more than most calls;
   * the automatic arena frees the block after the thread is gone.
   */
  private static final ThreadLocal<MemorySegment> SCRATCH =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(JAVA_LONG, SLOTS));

  private Native() {}

  public static MemorySegment scratch() {
    return SCRATCH.get();
  }

  /** The last slot, for a result while the others hold arguments. */
  public static MemorySegment out() {
    return SCRATCH.get().asSlice((SLOTS - 1) * 8L, 8);
  }

  /** Throws when {@code status} is not 0. */
  public static void check(int status, String what) {
    if (status != 0) {
      throw new TorchException(what + " failed: " + lastError());
    }
  }

  /** LibTorch's text of this thread's last failure, without its source locations. */
  public static String lastError() {
    if (!Symbols.HAS_EXCEPTION_TEXT) {
      return "the reason is on the standard error stream (LibTorch before 2.13 does not hand it"
          + " over)";
    }
    MemorySegment text = LibTorchStable.torch_exception_get_what_without_backtrace();
    if (text.equals(MemorySegment.NULL)) {
      return "no reason given";
    }
    String message = text.reinterpret(1 << 16).getString(0).strip();
    int trace = message.indexOf("\nException raised from");
    return trace < 0 ? message : message.substring(0, trace);
  }

  /** A pointer-to-slot for an optional argument; the callee frees it. */
  public static MemorySegment newOptional(long value) {
    MemorySegment slot;
    if (Symbols.HAS_OPTIONAL) {
      MemorySegment out = out();
      check(LibTorchStable.torch_new_stable_ivalue(out), "torch_new_stable_ivalue");
      slot = out.get(ADDRESS, 0);
    } else {
      slot = CLibrary.malloc(Long.BYTES);
    }
    slot.reinterpret(Long.BYTES).set(JAVA_LONG, 0, value);
    return slot;
  }

  public static @Nullable MemorySegment find(String symbol) {
    return SymbolLookup.loaderLookup().find(symbol).orElse(null);
  }

  /** What newer LibTorch versions add; looked up once. */
  private static final class Symbols {
    static final boolean HAS_EXCEPTION_TEXT =
        find("torch_exception_get_what_without_backtrace") != null;
    static final boolean HAS_OPTIONAL = find("torch_new_stable_ivalue") != null;
  }
}
