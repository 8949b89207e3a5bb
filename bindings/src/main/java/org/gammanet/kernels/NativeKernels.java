package org.gammanet.kernels;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.torch.Device;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.torch.TorchException;
import org.gammanet.torch.gen.GammanetNative;
import org.gammanet.torch.internal.CLibrary;
import org.gammanet.torch.internal.Handle;
import org.gammanet.torch.internal.LibTorchLoader;
import org.gammanet.torch.internal.Native;
import org.jspecify.annotations.Nullable;

/**
 * GammaNet's own native kernels, an addition to LibTorch: loaded on first use, once.
 *
 * <p>They come from the class path (the {@code gammanet-native} artifact). The system property
 * {@code gammanet.native} or the environment variable {@code GAMMANET_NATIVE} names the file of
 * another build, or is {@code off}. Where there are none for the machine, {@link #available} is
 * false and all that they do can be computed with {@link Ops}, more slowly.
 */
public final class NativeKernels {
  private static final System.Logger LOG = System.getLogger(NativeKernels.class.getName());
  private static final String HINT =
      "set GAMMANET_NATIVE to another build, or to off to do without native kernels";
  private static final Map<Precision, Boolean> SUPPORTED = new EnumMap<>(Precision.class);

  static final Cleaner CLEANER = Cleaner.create();

  private static volatile @Nullable State state;
  private static @Nullable TorchException failure;

  /**
   * What was found.
   *
   * @param active whether the kernels run
   * @param reason why not, or where they came from
   * @param folder where the library lies
   */
  private record State(boolean active, String reason, @Nullable Path folder) {}

  private NativeKernels() {}

  /**
   * Whether the kernels are there.
   *
   * @throws TorchException when a build that the user names, or the one on the class path, cannot
   *     be loaded: one sentence with the file and what to do
   */
  public static boolean available() {
    return loaded().active;
  }

  /** One sentence on what runs and why, for reports of the machine. */
  public static String describe() {
    State found = loaded();
    return found.active
        ? "native, %s (%s)".formatted(instructionSet(), found.reason)
        : "none (%s); everything is composed of LibTorch's operators".formatted(found.reason);
  }

  /** Why there are no kernels for networks, in a few words. */
  public static String whyAbsent() {
    return available() ? "this build lacks some of the native kernels" : loaded().reason;
  }

  /**
   * Name of the instruction set in use: {@code portable}, {@code avx2} or {@code avx512}.
   *
   * @throws TorchException when the kernels are not there
   */
  public static String instructionSet() {
    require();
    return text(GammanetNative.gammanet_instruction_set());
  }

  /**
   * Chooses the instruction set, for tests and measurements. What is packed already keeps its own.
   *
   * @param name as in {@link #instructionSet}, or {@code auto}
   * @throws UnsupportedOperationException when this processor or build lacks it
   */
  public static void forceInstructionSet(String name) {
    require();
    try (Arena arena = Arena.ofConfined()) {
      check(
          GammanetNative.gammanet_force_instruction_set(arena.allocateFrom(name)),
          "the instruction set " + name);
    }
  }

  /** Whether the kernels are there and can multiply like that on this processor. */
  public static boolean supports(Precision precision) {
    if (!available()) {
      return false;
    }
    synchronized (SUPPORTED) {
      return SUPPORTED.computeIfAbsent(precision, NativeKernels::canPack);
    }
  }

  private static boolean canPack(Precision precision) {
    try (Tensor weight = TensorScope.detach(Tensor.zeros(1, 1, 1, 1));
        NativeConv conv = NativeConv.pack(weight, null, NativeConv.Algorithm.AUTO, precision)) {
      return true;
    } catch (UnsupportedOperationException e) {
      return false;
    }
  }

  /** Whether the kernels can work on tensors of that device. */
  public static boolean supports(Device device) {
    return available() && (device.type() == Device.Type.CPU || Cuda.AVAILABLE);
  }

  /**
   * A feature map (N, C, H, W) in channels-last layout, float32, uninitialized. On the CPU, where
   * there are native kernels, the memory of closed maps is used again.
   */
  public static Tensor emptyMap(Device device, long n, long c, long h, long w) {
    if (device.type() != Device.Type.CPU || !available() || n * c * h * w <= 0) {
      return Tensor.emptyChannelsLast(device, n, c, h, w);
    }
    MemorySegment out = Native.scratch();
    int status = GammanetNative.gammanet_map_new(n, c, h, w, out);
    if (status != GammanetNative.GAMMANET_OK()) {
      check(status, "allocating a map of [%d, %d, %d, %d]".formatted(n, c, h, w));
    }
    return new Tensor(new Handle(out.get(ADDRESS, 0)));
  }

  static void require() {
    State found = loaded();
    if (!found.active) {
      throw new TorchException("there are no native kernels: " + found.reason);
    }
  }

  private static State loaded() {
    State found = state;
    return found != null ? found : loadOnce();
  }

  private static synchronized State loadOnce() {
    if (state != null) {
      return state;
    }
    if (failure != null) {
      throw failure;
    }
    try {
      LibTorch.load();
      State found = load();
      LOG.log(System.Logger.Level.DEBUG, "native kernels: {0}", found.reason);
      state = found;
      return found;
    } catch (TorchException e) {
      failure = e;
      throw e;
    }
  }

  private static State load() {
    String wish = LibTorchLoader.setting("gammanet.native", "GAMMANET_NATIVE");
    if (wish != null && wish.strip().toLowerCase(Locale.ROOT).equals("off")) {
      return new State(false, "switched off", null);
    }
    Path file;
    String source;
    if (wish != null) {
      file = Path.of(wish);
      if (!Files.isReadable(file)) {
        throw new TorchException("no native kernels: cannot read " + file + "; " + HINT);
      }
      source = file.toString();
    } else {
      String name = System.mapLibraryName("gammanet_native");
      URL url = resource(name);
      if (url == null) {
        return new State(false, whyNotBuilt(), null);
      }
      file = unpack(url, name);
      source = "unpacked in " + file.getParent();
    }
    LibTorchLoader.loadFile(file, HINT);
    int version = GammanetNative.gammanet_native_abi_version();
    if (version != GammanetNative.GAMMANET_NATIVE_ABI_VERSION()) {
      throw new TorchException(
          "the native kernels in %s have the interface version %d, not %d; %s"
              .formatted(file, version, GammanetNative.GAMMANET_NATIVE_ABI_VERSION(), HINT));
    }
    try (Arena arena = Arena.ofConfined()) {
      check(
          GammanetNative.gammanet_native_init(arena.allocateFrom(torchLibrary())),
          "connecting " + file + " with LibTorch");
    }
    check(
        GammanetNative.gammanet_keep_map_memory(CLibrary.keptMiB() << 20),
        "the setting gammanet.keepFreedMemory");
    return new State(true, source, file.toAbsolutePath().getParent());
  }

  private static @Nullable URL resource(String file) {
    return LibTorchLoader.resource("org/gammanet/native/" + LibTorchLoader.platform() + "/" + file);
  }

  private static String whyNotBuilt() {
    URL url = LibTorchLoader.resource("org/gammanet/native/unavailable.txt");
    if (url != null) {
      try (BufferedReader reader =
          new BufferedReader(new InputStreamReader(url.openStream(), StandardCharsets.UTF_8))) {
        String line = reader.readLine();
        if (line != null) {
          return "not built: " + line.strip();
        }
      } catch (IOException e) {
        LOG.log(System.Logger.Level.DEBUG, "cannot read {0}: {1}", url, e);
      }
    }
    return "not built for " + LibTorchLoader.platform();
  }

  /** Copies a library from the class path to the cache, into a folder of this build. */
  private static Path unpack(URL url, String name) {
    Path folder =
        LibTorchLoader.cacheFolder()
            .resolve("native-" + LibTorchLoader.platform() + "-" + LibTorchLoader.checksum(url));
    try {
      Files.createDirectories(folder);
      LibTorchLoader.unpack(url, folder.resolve(name));
    } catch (IOException e) {
      throw new TorchException(
          "cannot unpack the native kernels into %s (%s); free some space there, or set"
                  .formatted(folder, e)
              + " GAMMANET_CACHE to another folder",
          e);
    }
    return folder.resolve(name);
  }

  private static String torchLibrary() {
    List<String> libraries = LibTorch.libraries();
    return libraries.stream()
        .filter(file -> file.contains("torch_cpu"))
        .findFirst()
        .orElseThrow(() -> new TorchException("LibTorch's own library is not among " + libraries));
  }

  /** CUDA is connected when first asked for. */
  private static final class Cuda {
    static final boolean AVAILABLE = connect();

    private static boolean connect() {
      if (LibTorch.cudaDeviceCount() == 0) {
        return false;
      }
      String name = System.mapLibraryName("gammanet_cuda");
      URL url = resource(name);
      Path folder = loaded().folder;
      Path file = url != null ? unpack(url, name) : folder == null ? null : folder.resolve(name);
      if (file == null || !Files.isReadable(file)) {
        LOG.log(System.Logger.Level.INFO, "no CUDA kernels: this build has none");
        return false;
      }
      try (Arena arena = Arena.ofConfined()) {
        check(
            GammanetNative.gammanet_native_init_cuda(arena.allocateFrom(file.toString())),
            "loading " + file);
        return true;
      } catch (UnsupportedOperationException | TorchException e) {
        LOG.log(System.Logger.Level.WARNING, "no CUDA kernels: {0}", e.getMessage());
        return false;
      }
    }
  }

  /**
   * Throws when {@code status} is not 0.
   *
   * @throws UnsupportedOperationException when the machine or the build lacks what was asked for
   * @throws TorchException for everything else
   */
  static void check(int status, Object what) {
    if (status == GammanetNative.GAMMANET_OK()) {
      return;
    }
    String message = what + " failed: " + text(GammanetNative.gammanet_last_error());
    if (status == GammanetNative.GAMMANET_UNAVAILABLE()) {
      throw new UnsupportedOperationException(message);
    }
    throw new TorchException(message);
  }

  private static String text(MemorySegment utf8) {
    return utf8.equals(MemorySegment.NULL) ? "" : utf8.reinterpret(1 << 16).getString(0);
  }

  /** A native object that is freed once: by its owner, or after a garbage collection. */
  static final class Packed {
    private interface Free {
      int free(MemorySegment object);
    }

    private record Release(MemorySegment object, Free free) implements Runnable {
      @Override
      public void run() {
        int status = free.free(object);
        assert status == 0 : "freeing packed weights";
      }
    }

    private final MemorySegment object;
    private final Cleaner.Cleanable cleanable;
    private int users;
    private boolean closed;

    private Packed(Object owner, MemorySegment object, Free free) {
      this.object = object;
      cleanable = CLEANER.register(owner, new Release(object, free));
    }

    static Packed conv(Object owner, MemorySegment out) {
      return new Packed(owner, out.get(ADDRESS, 0), GammanetNative::gammanet_conv_free);
    }

    static Packed cell(Object owner, MemorySegment out) {
      return new Packed(owner, out.get(ADDRESS, 0), GammanetNative::gammanet_cell_free);
    }

    synchronized MemorySegment acquire() {
      if (closed) {
        throw new IllegalStateException("the packed weights are closed");
      }
      users++;
      return object;
    }

    synchronized void release() {
      users--;
    }

    synchronized void close() {
      if (users > 0) {
        throw new IllegalStateException("the packed weights are in use by another thread");
      }
      closed = true;
      cleanable.clean();
    }
  }
}
