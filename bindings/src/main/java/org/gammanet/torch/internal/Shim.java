package org.gammanet.torch.internal;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.torch.gen.GammanetNative;
import org.jspecify.annotations.Nullable;

/**
 * The shim, {@code libgammanet_native}: the native kernels, and LibTorch's C++ functions behind
 * guards. Loaded once, after LibTorch.
 */
public final class Shim {
  private static final System.Logger LOG = System.getLogger("org.gammanet.kernels.NativeKernels");
  private static final String HINT =
      "set GAMMANET_NATIVE to another build, or to off to do without native kernels";

  /**
   * What was found.
   *
   * @param active whether the library is loaded
   * @param reason where it came from, or why there is none
   * @param folder where the library lies
   */
  public record State(boolean active, String reason, @Nullable Path folder) {}

  private static volatile @Nullable State state;
  private static @Nullable IOException failure;

  private Shim() {}

  /** Whether it is loaded; false also when loading has failed. */
  static boolean isActive() {
    State found = state;
    if (found != null) {
      return found.active;
    }
    try {
      return state().active;
    } catch (IOException e) {
      return false; // the kernels say so when they are asked for
    }
  }

  /**
   * Loads it unless that is done.
   *
   * @throws IOException when a build that the user names, or the one on the class path, cannot be
   *     loaded: one sentence with the file and what to do
   */
  public static State state() throws IOException {
    State found = state;
    return found != null ? found : loadOnce();
  }

  private static synchronized State loadOnce() throws IOException {
    if (state != null) {
      return state;
    }
    if (failure != null) {
      throw failure;
    }
    try {
      State found = load();
      LOG.log(System.Logger.Level.DEBUG, "native kernels: {0}", found.reason);
      state = found;
      return found;
    } catch (IOException e) {
      failure = e;
      throw e;
    }
  }

  private static State load() throws IOException {
    String wanted = Settings.text("gammanet.native", "GAMMANET_NATIVE");
    if (wanted != null && wanted.strip().toLowerCase(Locale.ROOT).equals("off")) {
      return new State(false, "switched off", null);
    }
    Path file;
    String source;
    if (wanted != null) {
      file = Path.of(wanted);
      if (!Files.isReadable(file)) {
        throw new IOException("no native kernels: cannot read " + file + "; " + HINT);
      }
      source = file.toString();
    } else {
      file = unpack(System.mapLibraryName("gammanet_native"));
      if (file == null) {
        return new State(false, reasonNotBuilt(), null);
      }
      source = "unpacked in " + file.getParent();
    }
    LibTorchLoader.loadFile(file, HINT);
    int version = GammanetNative.gammanet_native_abi_version();
    if (version != GammanetNative.GAMMANET_NATIVE_ABI_VERSION()) {
      throw new IOException(
          "the native kernels in %s have the interface version %s, not %s; %s"
              .formatted(file, version, GammanetNative.GAMMANET_NATIVE_ABI_VERSION(), HINT));
    }
    try (Arena arena = Arena.ofConfined()) {
      check(
          GammanetNative.gammanet_native_init(arena.allocateFrom(torchLibrary())),
          "starting the native kernels in " + file);
    }
    check(
        GammanetNative.gammanet_keep_map_memory((long) Settings.keptMiB() << 20),
        "the setting gammanet.keepFreedMemory");
    if (Native.find("gammanet_skip_destructors") != null) {
      try {
        Runtime.getRuntime()
            .addShutdownHook(
                new Thread(GammanetNative::gammanet_skip_destructors, "gammanet exit"));
      } catch (IllegalStateException e) {
        LOG.log(System.Logger.Level.DEBUG, "loaded while the JVM ends: {0}", e.getMessage());
      }
    }
    return new State(true, source, file.toAbsolutePath().getParent());
  }

  private static void check(int status, String what) throws IOException {
    if (status != GammanetNative.GAMMANET_OK()) {
      throw new IOException(
          what + " failed: " + Native.text(GammanetNative.gammanet_last_error()) + "; " + HINT);
    }
  }

  private static String torchLibrary() throws IOException {
    List<String> libraries = LibTorchLoader.loadedLibraries();
    return libraries.stream()
        .filter(file -> file.contains("torch_cpu"))
        .findFirst()
        .orElseThrow(() -> new IOException("LibTorch's own library is not among " + libraries));
  }

  /**
   * Copies a library of ours from the class path to the cache, into a folder of this build; null
   * when the class path has none for this platform.
   */
  public static @Nullable Path unpack(String name) throws IOException {
    String platform = NativeLibraries.platform();
    URL url = LibTorchLoader.resource("org/gammanet/native/" + platform + "/" + name);
    return url == null
        ? null
        : LibraryCache.unpack("the native kernels", "native-" + platform, Map.of(name, url))
            .resolve(name);
  }

  private static String reasonNotBuilt() {
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
    return "not built for " + NativeLibraries.platform();
  }
}
