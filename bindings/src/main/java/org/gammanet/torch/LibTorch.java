package org.gammanet.torch;

import java.util.List;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.CLibrary;
import org.gammanet.torch.internal.CxxSymbols;
import org.gammanet.torch.internal.LibTorchLoader;
import org.gammanet.torch.internal.Native;
import org.jspecify.annotations.Nullable;

/**
 * The LibTorch of this process: loaded on first use, once.
 *
 * <p>It comes from the class path (the {@code org.bytedeco:pytorch} artifact for this platform), or
 * from the folder that the system property {@code gammanet.libtorch} or the environment variable
 * {@code GAMMANET_LIBTORCH} names. Nothing else is searched.
 *
 * <p>Properties read when loading: {@code gammanet.keepFreedMemory} (MiB of freed memory that are
 * kept for reuse, by the C library, if it is glibc, and by the native kernels; default 2047, 0
 * leaves the C library alone) and {@code gammanet.threads} (threads of an operator; default the
 * number of physical cores).
 *
 * <p>On Linux, start the JVM with {@code MALLOC_ARENA_MAX=1} in its environment: glibc gives each
 * Java thread an arena that returns every large block to the kernel at once, whatever it was told
 * to keep, and page faults then cost more than the arithmetic (a concatenation of three 26 MB
 * tensors took 26 ms instead of 5 ms). It cannot be set from inside the process.
 */
public final class LibTorch {
  private static final System.Logger LOG = System.getLogger(LibTorch.class.getName());

  private static volatile @Nullable State state;
  private static @Nullable TorchException failure;

  private record State(String source, boolean keepsMemory) {}

  private LibTorch() {}

  /**
   * Loads LibTorch unless that was done; every class of this package calls it.
   *
   * @throws TorchException when it is missing, unreadable or too old: one sentence with the place
   *     that was tried and what to do
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
      // libgomp's spinning threads starve each other on a busy machine; read when it is loaded.
      CLibrary.setEnvironment("OMP_WAIT_POLICY", "passive");
      // Remarks such as "Could not initialize NNPACK" on each call are not for users' terminals.
      CLibrary.setEnvironment("TORCH_CPP_LOG_LEVEL", "ERROR");
      boolean keeps = false;
      long keepMib = CLibrary.keptMiB();
      if (keepMib > 0) {
        keeps = CLibrary.keepFreedMemory(keepMib << 20);
      }
      String source = LibTorchLoader.load();
      checkVersion(source);
      checkDTypes(source);
      CxxSymbols.readLogLevel();
      state = new State(source, keeps);
      int threads = Integer.getInteger("gammanet.threads", LibTorchLoader.physicalCores());
      CxxSymbols.setNumThreads(threads);
      LOG.log(System.Logger.Level.DEBUG, "LibTorch {0} from {1}", version(), source);
    } catch (TorchException e) {
      state = null;
      failure = e;
      throw e;
    }
  }

  private static void checkVersion(String source) {
    if (Native.find("aoti_torch_abi_version") == null) {
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

  /** Where the library came from: a folder, or the artifact and the folder it is unpacked in. */
  public static String source() {
    return loaded().source();
  }

  /** Whether the C library was told to keep freed memory (glibc only). */
  public static boolean keepsFreedMemory() {
    return loaded().keepsMemory();
  }

  /** Number of threads that an operator may use. */
  public static int threads() {
    load();
    var out = Native.scratch();
    Native.check(LibTorchStable.torch_get_num_threads(out), "reading the number of threads");
    return out.get(java.lang.foreign.ValueLayout.JAVA_INT, 0);
  }

  /**
   * Sets the number of threads that an operator may use.
   *
   * @param threads at least 1
   */
  public static void setThreads(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    load();
    CxxSymbols.setNumThreads(threads);
  }

  /** Number of CUDA devices; 0 for a CPU build or without a driver. */
  public static int cudaDeviceCount() {
    load();
    return CxxSymbols.cudaDeviceCount();
  }

  /** The libraries that were loaded, in order; for diagnosis. */
  public static List<String> libraries() {
    load();
    return LibTorchLoader.loadedLibraries();
  }

  /** Folder for unpacked libraries and other derived files; see {@code GAMMANET_CACHE}. */
  public static java.nio.file.Path cacheFolder() {
    return LibTorchLoader.cacheFolder();
  }
}
