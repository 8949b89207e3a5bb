package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.CLibrary;
import org.gammanet.torch.internal.CxxApi;
import org.gammanet.torch.internal.LibTorchLoader;
import org.gammanet.torch.internal.LibraryCache;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.Settings;
import org.jspecify.annotations.Nullable;

/**
 * The LibTorch of this process: loaded on first use, once.
 *
 * <p>It comes from the class path (the {@code org.bytedeco:pytorch} artifact for this platform), or
 * from the folder that the system property {@code gammanet.libtorch} or the environment variable
 * {@code GAMMANET_LIBTORCH} names. Nothing else is searched.
 *
 * <p>System properties read when loading: {@code gammanet.keepFreedMemory} (MiB of freed memory
 * that are kept for reuse, by the C library, if it is glibc, and by the native kernels; default
 * 2047, 0 leaves the C library alone) and {@code gammanet.threads} (threads of an operator, 1 to
 * {@link #maxThreads}; default the number of physical cores).
 *
 * <p>On Linux, start the JVM with two environment variables, which native code reads before Java
 * can set anything. {@code MALLOC_ARENA_MAX=1}: otherwise glibc gives each Java thread an arena
 * that returns every large block to the kernel at once, and page faults then cost more than the
 * arithmetic (a concatenation of three 26 MB tensors took 26 ms instead of 5 ms). {@code
 * OMP_WAIT_POLICY=passive}: otherwise OpenMP's threads spin while they wait, and on a machine with
 * other work every parallel operator takes milliseconds longer.
 */
public final class LibTorch {
  private static final System.Logger LOG = System.getLogger(LibTorch.class.getName());

  private static volatile @Nullable State state;
  private static @Nullable TorchException failure;

  private record State(String source, boolean keepsMemory) {}

  private LibTorch() {}

  /**
   * Loads LibTorch unless that is done; every operator does so.
   *
   * @throws TorchException when it is missing, unreadable or too old, or a system property is out
   *     of range: one sentence with what was tried and what to do
   */
  public static void load() {
    if (state == null) {
      loadOnce();
    }
  }

  private static synchronized void loadOnce() {
    if (state != null) {
      return;
    }
    if (failure != null) {
      throw failure; // a library cannot be loaded twice: the first reason stays the true one
    }
    try {
      int threads =
          Settings.integer(
              "gammanet.threads",
              Math.min(LibTorchLoader.physicalCores(), maxThreads()),
              1,
              maxThreads());
      int keep = Settings.keptMiB();
      boolean keeps = keep > 0 && CLibrary.keepFreedMemory((long) keep << 20);
      String source = LibTorchLoader.load();
      checkVersion(source);
      checkDTypes(source);
      CxxApi.setLogLevel();
      CxxApi.setNumThreads(threads);
      state = new State(source, keeps);
      LOG.log(System.Logger.Level.DEBUG, "LibTorch {0} from {1}", version(), source);
    } catch (TorchException e) {
      failure = e;
      throw e;
    } catch (IOException | IllegalArgumentException | UnsupportedOperationException e) {
      failure = new TorchException(String.valueOf(e.getMessage()), e);
      throw failure;
    }
  }

  /**
   * Loads more libraries, which use LibTorch, from the class path: they get the LibTorch that is
   * loaded already.
   *
   * @param resources names of the libraries on the class path, in the order in which they are
   *     loaded
   * @throws TorchException where one is missing or cannot be loaded
   */
  public static void loadMore(List<String> resources) {
    load();
    try {
      LibTorchLoader.loadMore(resources);
    } catch (IOException e) {
      throw new TorchException(String.valueOf(e.getMessage()), e);
    }
  }

  private static void checkVersion(String source) {
    if (SymbolLookup.loaderLookup().find("aoti_torch_abi_version").isEmpty()) {
      throw new TorchException(
          "the libraries from "
              + source
              + " are not a LibTorch of 2.11 or newer: they do not say which version they are; name"
              + " another folder by GAMMANET_LIBTORCH, or unset it to use the one from Maven");
    }
    long found = LibTorchStable.aoti_torch_abi_version();
    if (Long.compareUnsigned(found >>> 48, Native.ABI_VERSION >>> 48) < 0) {
      throw new TorchException(
          "LibTorch "
              + versionText(found)
              + " from "
              + source
              + " is too old: 2.11 or newer is needed; name another folder by GAMMANET_LIBTORCH, or"
              + " unset it to use the one from Maven");
    }
  }

  /** The numbers of element types are part of the ABI; a library that differs is not LibTorch. */
  private static void checkDTypes(String source) {
    for (DType type : DType.values()) {
      int code =
          switch (type) {
            case UINT8 -> LibTorchStable.aoti_torch_dtype_uint8();
            case INT8 -> LibTorchStable.aoti_torch_dtype_int8();
            case INT32 -> LibTorchStable.aoti_torch_dtype_int32();
            case INT64 -> LibTorchStable.aoti_torch_dtype_int64();
            case FLOAT16 -> LibTorchStable.aoti_torch_dtype_float16();
            case FLOAT32 -> LibTorchStable.aoti_torch_dtype_float32();
            case FLOAT64 -> LibTorchStable.aoti_torch_dtype_float64();
            case BOOL -> LibTorchStable.aoti_torch_dtype_bool();
            case BFLOAT16 -> LibTorchStable.aoti_torch_dtype_bfloat16();
          };
      if (code != type.code) {
        throw new TorchException(
            "the LibTorch from " + source + " numbers " + type + " " + code + ", not " + type.code);
      }
    }
  }

  private static State loaded() {
    load();
    State loaded = state;
    if (loaded == null) {
      throw new TorchException("LibTorch is not loaded");
    }
    return loaded;
  }

  /** Version of the loaded library, such as {@code 2.13.0}. */
  public static String version() {
    load();
    return versionText(LibTorchStable.aoti_torch_abi_version());
  }

  private static String versionText(long abi) {
    return (abi >>> 56) + "." + (abi >>> 48 & 0xFF) + "." + (abi >>> 40 & 0xFF);
  }

  /** Origin of the libraries: a folder, or the artifact and the folder where it is unpacked. */
  public static String source() {
    return loaded().source();
  }

  /** Whether freed memory is kept by the C library (glibc only). */
  public static boolean keepsFreedMemory() {
    return loaded().keepsMemory();
  }

  /** Number of threads that an operator may use. */
  public static int threads() {
    load();
    MemorySegment out = Native.out();
    TorchException.check(
        LibTorchStable.torch_get_num_threads(out), "reading the number of threads");
    return out.get(JAVA_INT, 0);
  }

  /**
   * Sets the number of threads that an operator may use.
   *
   * @throws IllegalArgumentException unless it is from 1 to {@link #maxThreads}
   */
  public static void setThreads(int threads) {
    if (threads < 1 || threads > maxThreads()) {
      throw new IllegalArgumentException(
          "threads must be from 1 to %s, not %s".formatted(maxThreads(), threads));
    }
    load();
    CxxApi.setNumThreads(threads);
  }

  /**
   * The largest number of threads that is accepted: 64, or four times the number of processors
   * where that is more. The OpenMP library ends the process when it cannot start a thread.
   */
  public static int maxThreads() {
    return Math.max(64, 4 * Runtime.getRuntime().availableProcessors());
  }

  /** Number of CUDA devices; 0 for a CPU build or without a driver. */
  public static int cudaDeviceCount() {
    load();
    return CxxApi.cudaDeviceCount();
  }

  /** The libraries that were loaded, in order; for diagnosis. */
  public static List<String> libraries() {
    load();
    return LibTorchLoader.loadedLibraries();
  }

  /**
   * The folder where libraries are unpacked; see {@code GAMMANET_CACHE}.
   *
   * @throws TorchException when this user has none
   */
  public static Path cacheFolder() {
    try {
      return LibraryCache.folder();
    } catch (IOException e) {
      throw new TorchException(String.valueOf(e.getMessage()), e);
    }
  }
}
