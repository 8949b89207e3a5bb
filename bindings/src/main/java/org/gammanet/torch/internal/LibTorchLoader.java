package org.gammanet.torch.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.torch.internal.NativeLibraries.Library;
import org.jspecify.annotations.Nullable;

/** Finds and loads LibTorch, every library by its full path. */
public final class LibTorchLoader {
  private static final System.Logger LOG = System.getLogger(LibTorchLoader.class.getName());
  private static final List<String> LOADED = new ArrayList<>();
  private static final String PIP =
      " (of a Python installation with PyTorch: site-packages/torch/lib)";

  private LibTorchLoader() {}

  /** The libraries that were loaded, in order. */
  public static List<String> loadedLibraries() {
    synchronized (LOADED) {
      return List.copyOf(LOADED);
    }
  }

  /**
   * Loads LibTorch and returns a description of where it came from.
   *
   * @throws IOException when that is not possible: one sentence with what was tried and what to do
   */
  public static String load() throws IOException {
    String folder = Settings.text("gammanet.libtorch", "GAMMANET_LIBTORCH");
    return folder != null ? loadFolder(Path.of(folder)) : loadFromClassPath();
  }

  private static String loadFolder(Path folder) throws IOException {
    String hint =
        "set GAMMANET_LIBTORCH to the folder that holds LibTorch's libraries"
            + PIP
            + ", or unset it to use the one from Maven";
    if (!Files.isDirectory(folder)) {
      throw new IOException("no LibTorch: the folder " + folder + " does not exist; " + hint);
    }
    for (Library library : NativeLibraries.of(NativeLibraries.platform())) {
      Path file = folder.resolve(library.file());
      if (library.inFolder()) {
        if (!Files.isReadable(file)) {
          throw new IOException(
              "no LibTorch: %s has no %s%s; %s"
                  .formatted(folder, Files.exists(file) ? "readable " : "", library.file(), hint));
        }
        loadFile(file, hint);
      } else if (Files.isReadable(file)) {
        loadOptional(file, hint);
      }
    }
    return folder.toString();
  }

  /** LibTorch's own library, which comes later, tells whether it needs this one. */
  private static void loadOptional(Path file, String hint) {
    try {
      loadFile(file, hint);
    } catch (IOException e) {
      boolean cuda = file.toString().contains("cuda");
      LOG.log(
          cuda ? System.Logger.Level.WARNING : System.Logger.Level.DEBUG,
          "{0}; going on without it",
          e.getMessage());
    }
  }

  private static String loadFromClassPath() throws IOException {
    String platform = NativeLibraries.platform();
    if (!NativeLibraries.PLATFORMS.contains(platform)) {
      throw new IOException(
          "no LibTorch: Maven Central has none for "
              + platform
              + "; set GAMMANET_LIBTORCH to a folder with LibTorch's libraries"
              + PIP);
    }
    Map<String, URL> libraries = new LinkedHashMap<>();
    for (Library library : NativeLibraries.of(platform)) {
      String resource = "org/bytedeco/" + library.project() + "/" + platform + "/" + library.file();
      URL url = resource(resource);
      if (url != null) {
        libraries.put(library.file(), url);
      } else if (library.inArtifact()) {
        throw new IOException(
            "no LibTorch: "
                + resource
                + " is not on the class path; add the artifact org.gammanet:gammanet-"
                + platform
                + " (of type pom), or set GAMMANET_LIBTORCH to a folder with LibTorch's libraries");
      }
    }
    Path folder = LibraryCache.unpack("LibTorch's libraries", "libtorch-" + platform, libraries);
    for (String file : libraries.keySet()) {
      loadFile(folder.resolve(file), "Linux needs glibc 2.35 or newer, macOS version 15");
    }
    return "Maven artifact, unpacked in " + folder;
  }

  /** Loads libraries from the class path that use those that are loaded. */
  public static void loadMore(List<String> resources) throws IOException {
    Map<String, URL> libraries = new LinkedHashMap<>();
    for (String resource : resources) {
      URL url = resource(resource);
      if (url == null) {
        throw new IOException(resource + " is not on the class path");
      }
      libraries.put(resource.substring(resource.lastIndexOf('/') + 1), url);
    }
    String name = "more-" + NativeLibraries.platform();
    Path folder = LibraryCache.unpack("native libraries", name, libraries);
    for (String file : libraries.keySet()) {
      loadFile(folder.resolve(file), "they are for the LibTorch from Maven");
    }
  }

  static @Nullable URL resource(String name) {
    ClassLoader own = LibTorchLoader.class.getClassLoader();
    URL url = own == null ? null : own.getResource(name);
    return url != null ? url : ClassLoader.getSystemResource(name);
  }

  static void loadFile(Path file, String hint) throws IOException {
    if (NativeLibraries.os().equals("linux") && !isElf(file)) { // the JVM would print a warning
      throw new IOException("cannot load " + file + ": it is not a shared library; " + hint);
    }
    try {
      System.load(file.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      String reason = String.valueOf(e.getMessage()).replace(file.toAbsolutePath() + ": ", "");
      throw new IOException(
          "cannot load %s: %s; %s".formatted(file, reason, advice(reason, hint)), e);
    }
    synchronized (LOADED) {
      LOADED.add(file.toString());
    }
  }

  /** What to do about an error of the system's loader. */
  static String advice(String error, String otherwise) {
    // What glibc, musl and macOS say of a file system that is mounted noexec.
    boolean forbidden =
        error.matches("(?s).*(failed to map segment|Operation not permitted|Permission denied).*");
    return forbidden
        ? "its file system may forbid running programs (mounted noexec): set GAMMANET_CACHE to a"
            + " folder on another one"
        : otherwise;
  }

  private static boolean isElf(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return Arrays.equals(in.readNBytes(4), new byte[] {0x7F, 'E', 'L', 'F'});
    }
  }

  /** Physical cores: hyper-threads of one core only disturb each other in dense arithmetic. */
  public static int physicalCores() {
    int logical = Runtime.getRuntime().availableProcessors();
    try {
      Set<String> cores = new HashSet<>();
      String physical = "";
      for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
        if (line.startsWith("physical id")) {
          physical = line;
        } else if (line.startsWith("core id")) {
          cores.add(physical + line);
        }
      }
      // A container may own fewer processors than the machine has cores.
      return cores.isEmpty() ? logical : Math.min(logical, cores.size());
    } catch (IOException | UncheckedIOException e) {
      return logical; // not Linux
    }
  }
}
