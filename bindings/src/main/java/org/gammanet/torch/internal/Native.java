package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/** Scratch memory for native calls, and LibTorch's text of a failed one. */
public final class Native {
  /** The API level that the calls are written for: LibTorch 2.11.0. */
  public static final long ABI_VERSION = 0x020B_0000_0000_0000L;

  /** Slots of scratch memory per thread; the longest schema in use has 20 arguments. */
  public static final int SLOTS = 64;

  /**
   * A confined arena per call would cost more than most calls; the automatic one frees the block
   * after the thread is gone.
   */
  private static final ThreadLocal<MemorySegment> SCRATCH =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(JAVA_LONG, SLOTS + 1));

  private Native() {}

  /** Memory of {@link #SLOTS} longs, for the arguments of a call of this thread. */
  public static MemorySegment scratch() {
    return SCRATCH.get();
  }

  /** Memory of one long behind {@link #scratch}, for a result. */
  public static MemorySegment out() {
    return SCRATCH.get().asSlice(SLOTS * 8L, 8);
  }

  /** LibTorch's text of this thread's last failure, without its source locations. */
  public static String lastError() {
    if (!Symbols.HAS_TEXT) {
      return "the reason is on standard error (LibTorch before 2.13 does not pass it on)";
    }
    MemorySegment text = LibTorchStable.torch_exception_get_what_without_backtrace();
    String message = text(text).strip();
    int trace = message.indexOf("\nException raised from");
    message = trace < 0 ? message : message.substring(0, trace);
    return message.isEmpty() ? "no reason given" : message;
  }

  /** A NUL-terminated string in UTF-8; empty for the null pointer. */
  public static String text(MemorySegment utf8) {
    return utf8.equals(MemorySegment.NULL) ? "" : utf8.reinterpret(Long.MAX_VALUE).getString(0);
  }

  /** Address of a function in a library that is loaded; null when none has it. */
  static @Nullable MemorySegment find(String symbol) {
    return SymbolLookup.loaderLookup().find(symbol).orElse(null);
  }

  /** Looked up once LibTorch is loaded. */
  private static final class Symbols {
    static final boolean HAS_TEXT = find("torch_exception_get_what_without_backtrace") != null;
  }
}
