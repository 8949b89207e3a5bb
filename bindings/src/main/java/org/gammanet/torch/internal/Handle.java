package org.gammanet.torch.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/**
 * Owner of one native tensor handle; and the count of all native objects (tensor handles, lists,
 * optionals) that have been made and neither released nor consumed.
 */
public final class Handle {
  private static final System.Logger LOG = System.getLogger("org.gammanet.torch.Tensor");
  private static final Cleaner CLEANER = Cleaner.create();
  private static final AtomicLong LIVE = new AtomicLong();
  private static final boolean TRACE = Boolean.getBoolean("gammanet.trace");
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
  private final Release release;
  private final Cleaner.Cleanable cleanable;
  private volatile @Nullable Throwable closedHere;
  private volatile int users;

  /**
   * Takes over a native handle, which is counted already.
   *
   * @param describe shape and type of a native tensor, for the warning about one that was lost
   */
  public Handle(MemorySegment native_, Function<MemorySegment, String> describe) {
    this.native_ = native_;
    release = new Release(native_, describe, TRACE ? new Throwable("created here") : null);
    cleanable = CLEANER.register(this, release);
  }

  /** The action of the cleaner: it must not refer to the handle. */
  private static final class Release implements Runnable {
    private final MemorySegment native_;
    private final Function<MemorySegment, String> describe;
    private final @Nullable Throwable createdHere;
    private volatile boolean closed;

    Release(
        MemorySegment native_,
        Function<MemorySegment, String> describe,
        @Nullable Throwable createdHere) {
      this.native_ = native_;
      this.describe = describe;
      this.createdHere = createdHere;
    }

    @Override
    public void run() {
      if (!closed) {
        LOG.log(
            System.Logger.Level.WARNING,
            "a tensor was never closed and has been garbage-collected: "
                + describe.apply(native_)
                + (createdHere == null ? " (-Dgammanet.trace=true shows where it was made)" : ""),
            createdHere);
      }
      delete(native_);
    }
  }

  // ---- Use and release ----

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
    Reference.reachabilityFence(this);
  }

  /** Throws IllegalStateException after {@link #close}. */
  public void ensureOpen() {
    if (users == CLOSED) {
      throw closedError("the tensor is closed");
    }
  }

  public boolean isClosed() {
    return users == CLOSED;
  }

  /**
   * Deletes the native handle.
   *
   * @throws IllegalStateException when that is done already, or while another thread uses it
   */
  public void close() {
    int n = (int) USERS.compareAndExchange(this, 0, CLOSED);
    if (n == CLOSED) {
      throw closedError("the tensor is already closed");
    }
    if (n != 0) {
      throw new IllegalStateException("the tensor is in use by another thread: cannot close it");
    }
    if (TRACE) {
      closedHere = new Throwable("closed here");
    }
    release.closed = true;
    cleanable.clean();
  }

  private IllegalStateException closedError(String message) {
    Throwable where = closedHere;
    return where != null
        ? new IllegalStateException(message, where)
        : new IllegalStateException(message + " (-Dgammanet.trace=true shows where)");
  }

  // ---- Native objects ----

  /** Number of native objects that are alive. */
  public static long live() {
    return LIVE.get();
  }

  /** Adds to the number of native objects: made by LibTorch, or (negative) consumed by it. */
  public static void count(int change) {
    LIVE.addAndGet(change);
  }

  /** A second native handle of a tensor. */
  public static MemorySegment duplicate(MemorySegment tensor) {
    MemorySegment out = Native.out();
    return made(LibTorchStable.aoti_torch_new_tensor_handle(tensor, out), out);
  }

  /** Deletes a native handle, which must not be used again. */
  public static void delete(MemorySegment tensor) {
    count(-1);
    int status = LibTorchStable.aoti_torch_delete_tensor_object(tensor);
    assert status == 0 : Native.lastError();
  }

  /** A native list without tensors that has room for as many as its capacity. */
  public static MemorySegment newList(int capacity) {
    MemorySegment out = Native.out();
    return made(LibTorchStable.torch_new_list_reserve_size(capacity, out), out);
  }

  /** Appends a slot to a list, which then owns what is behind it. */
  public static void push(MemorySegment list, long slot) {
    allocated(LibTorchStable.torch_list_push_back(list, slot));
  }

  /** Deletes a list of plain numbers. */
  public static void deleteList(MemorySegment list) {
    count(-1);
    int status = LibTorchStable.torch_delete_list(list);
    assert status == 0 : Native.lastError();
  }

  /** Deletes a list and the tensor handles in it. */
  public static void deleteTensorList(MemorySegment list) {
    MemorySegment out = Native.out();
    if (LibTorchStable.torch_list_size(list, out) == 0) {
      long size = out.get(JAVA_LONG, 0);
      for (long i = 0; i < size; i++) {
        if (LibTorchStable.torch_list_get_item(list, i, out) == 0) {
          delete(MemorySegment.ofAddress(out.get(JAVA_LONG, 0)));
        }
      }
    }
    deleteList(list);
  }

  /** A pointer to a slot, for an optional argument. */
  public static MemorySegment newOptional(long slot) {
    MemorySegment optional;
    if (Symbols.HAS_NEW_OPTIONAL) {
      MemorySegment out = Native.out();
      optional = made(LibTorchStable.torch_new_stable_ivalue(out), out);
    } else {
      optional = CLibrary.malloc(Long.BYTES);
      count(1);
    }
    optional.reinterpret(Long.BYTES).set(JAVA_LONG, 0, slot);
    return optional;
  }

  /** Deletes the pointer, not what is behind the slot. */
  public static void deleteOptional(MemorySegment optional) {
    count(-1);
    if (Symbols.HAS_DELETE_OPTIONAL) {
      int status = LibTorchStable.torch_delete_stable_ivalue(optional);
      assert status == 0 : Native.lastError();
    } else {
      CLibrary.free(optional); // what operator new of these versions takes from malloc
    }
  }

  /** Counts a native object that LibTorch has made. */
  public static MemorySegment received(MemorySegment native_) {
    count(1);
    return native_;
  }

  private static MemorySegment made(int status, MemorySegment out) {
    allocated(status);
    return received(out.get(ADDRESS, 0));
  }

  private static void allocated(int status) {
    if (status != 0) { // these functions fail for no other reason
      throw new OutOfMemoryError("LibTorch cannot allocate a handle: " + Native.lastError());
    }
  }

  /** Since LibTorch 2.13; looked up once that is loaded. */
  private static final class Symbols {
    static final boolean HAS_NEW_OPTIONAL = Native.find("torch_new_stable_ivalue") != null;
    static final boolean HAS_DELETE_OPTIONAL = Native.find("torch_delete_stable_ivalue") != null;
  }
}
