package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLong;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/** A tensor handle that Java owns, and the number of calls that are using it. */
public final class Handle implements Runnable {
  private static final System.Logger LOG = System.getLogger("org.gammanet.torch.Tensor");
  private static final AtomicLong LIVE = new AtomicLong();
  private static final boolean TRACE_CLOSE = Boolean.getBoolean("gammanet.trace.close");
  private static final int CLOSED = -1;
  private static final VarHandle USERS;

  static {
    try {
      USERS = MethodHandles.lookup().findVarHandle(Handle.class, "users", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final MemorySegment native_;
  private @Nullable Throwable closedHere;
  private volatile int users;

  /** Takes over a handle that LibTorch has handed out. */
  public Handle(MemorySegment native_) {
    this.native_ = native_;
    LIVE.incrementAndGet();
  }

  /** Number of handles that are not released yet. */
  public static long live() {
    return LIVE.get();
  }

  /** The native handle, which stays valid until {@link #release}. */
  public MemorySegment acquire() {
    while (true) {
      int n = users;
      if (n == CLOSED) {
        throw closedError("the tensor is closed");
      }
      if (USERS.compareAndSet(this, n, n + 1)) {
        return native_;
      }
    }
  }

  /** Ends what {@link #acquire} began. */
  public void release() {
    USERS.getAndAdd(this, -1);
  }

  /** A second native handle, for a callee that consumes it. */
  public MemorySegment duplicate() {
    MemorySegment original = acquire();
    try {
      return duplicate(original);
    } finally {
      release();
    }
  }

  /** A second native handle of the same tensor. */
  public static MemorySegment duplicate(MemorySegment native_) {
    MemorySegment out = Native.out();
    Native.check(LibTorchStable.aoti_torch_new_tensor_handle(native_, out), "sharing a tensor");
    return out.get(ADDRESS, 0);
  }

  public boolean isClosed() {
    return users == CLOSED;
  }

  public void ensureOpen() {
    if (users == CLOSED) {
      throw closedError("the tensor is closed");
    }
  }

  /** Forbids further use; {@link #run} then deletes the native handle. */
  public void close() {
    int n = (int) USERS.compareAndExchange(this, 0, CLOSED);
    if (n == CLOSED) {
      throw closedError("the tensor is already closed");
    }
    if (n != 0) {
      throw new IllegalStateException("the tensor is in use by another thread: cannot close it");
    }
    if (TRACE_CLOSE) {
      closedHere = new Throwable("closed here");
    }
  }

  private IllegalStateException closedError(String message) {
    return closedHere != null
        ? new IllegalStateException(message, closedHere)
        : new IllegalStateException(message + " (-Dgammanet.trace.close=true shows where)");
  }

  /** Runs once: on close, or in the cleaner's thread when the tensor was forgotten. */
  @Override
  public void run() {
    if (users != CLOSED) {
      users = CLOSED;
      LOG.log(System.Logger.Level.WARNING, "a tensor was never closed; the cleaner released it");
    }
    LIVE.decrementAndGet();
    int status = LibTorchStable.aoti_torch_delete_tensor_object(native_);
    assert status == 0 : Native.lastError();
  }
}
