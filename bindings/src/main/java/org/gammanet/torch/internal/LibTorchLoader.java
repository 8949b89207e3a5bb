package org.gammanet.torch.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** Finds, unpacks and loads the native libraries. */
public final class LibTorchLoader {
  private static final List<String> LOADED = new ArrayList<>();

  private LibTorchLoader() {}

  /** Libraries in load order: LibTorch finds OpenBLAS only because it is loaded already. */
  private record Library(String project, String file, boolean required) {}

  private static List<Library> librariesOf(String os) {
    return switch (os) {
      case "linux" ->
          List.of(
              new Library("openblas", "libquadmath.so.0", false),
              new Library("openblas", "libgfortran.so.5", false),
              new Library("openblas", "libopenblas.so.0", true),
              new Library("pytorch", "libgomp.so.1", false),
              new Library("pytorch", "libc10.so", true),
              new Library("pytorch", "libtorch_cpu.so", true),
              new Library("pytorch", "libc10_cuda.so", false),
              new Library("pytorch", "libtorch_cuda.so", false),
              new Library("pytorch", "libtorch.so", false));
      case "macosx" ->
          List.of(
              new Library("openblas", "libquadmath.0.dylib", false),
              new Library("openblas", "libgfortran.5.dylib", false),
              new Library("openblas", "libopenblas.0.dylib", true),
              new Library("pytorch", "libiomp5.dylib", false),
              new Library("pytorch", "libomp.dylib", false),
              new Library("pytorch", "libc10.dylib", true),
              new Library("pytorch", "libtorch_cpu.dylib", true),
              new Library("pytorch", "libtorch.dylib", false));
      default ->
          List.of(
              new Library("openblas", "libopenblas.dll", true),
              new Library("pytorch", "asmjit.dll", false),
              new Library("pytorch", "fbgemm.dll", false),
              new Library("pytorch", "libiomp5md.dll", false),
              new Library("pytorch", "uv.dll", false),
              new Library("pytorch", "c10.dll", true),
              new Library("pytorch", "torch_cpu.dll", true),
              new Library("pytorch", "c10_cuda.dll", false),
              new Library("pytorch", "torch_cuda.dll", false),
              new Library("pytorch", "torch.dll", false));
    };
  }

  static String os() {
    String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    if (name.contains("linux")) {
      return "linux";
    }
    return name.contains("mac") ? "macosx" : "windows";
  }

  /** Platform in the artifacts' spelling, such as {@code linux-x86_64}. */
  static String platform() {
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    String word =
        switch (arch) {
          case "amd64", "x86_64" -> "x86_64";
          case "aarch64", "arm64" -> "arm64";
          default -> arch;
        };
    return os() + "-" + word;
  }

  public static Path cacheFolder() {
    String own = Settings.text("gammanet.cache", "GAMMANET_CACHE");
    if (own != null) {
      return Path.of(own);
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (xdg != null && Path.of(xdg).isAbsolute()) {
      return Path.of(xdg, "gammanet");
    }
    String home = System.getenv("HOME"); // in a container Java may not know the user
    return Path.of(
        home != null && Path.of(home).isAbsolute() ? home : System.getProperty("user.home"),
        ".cache",
        "gammanet");
  }

  public static List<String> loadedLibraries() {
    synchronized (LOADED) {
      return List.copyOf(LOADED);
    }
  }

  /** Loads LibTorch and returns a description of where it came from. */
  public static String load() throws IOException {
    String folder = Settings.text("gammanet.libtorch", "GAMMANET_LIBTORCH");
    return folder != null ? loadFolder(Path.of(folder)) : loadFromClassPath();
  }

  private static String loadFolder(Path folder) throws IOException {
    String hint =
        "set GAMMANET_LIBTORCH to the folder that holds LibTorch's libraries (of a Python"
            + " installation: site-packages/torch/lib), or unset it to use the one from Maven";
    if (!Files.isDirectory(folder)) {
      throw new IOException("no LibTorch: the folder " + folder + " does not exist; " + hint);
    }
    for (Library library : librariesOf(os())) {
      Path file = folder.resolve(library.file());
      boolean own = library.project().equals("pytorch");
      if (Files.isReadable(file)) {
        loadFile(file, hint);
      } else if (own && library.required()) {
        throw new IOException(
            "no LibTorch: "
                + folder
                + " has no "
                + (Files.exists(file) ? "readable " : "")
                + library.file()
                + "; "
                + hint);
      }
    }
    return folder.toString();
  }

  private static String loadFromClassPath() throws IOException {
    String platform = platform();
    List<Library> present = new ArrayList<>();
    List<URL> urls = new ArrayList<>();
    CRC32 key = new CRC32();
    for (Library library : librariesOf(os())) {
      String resource = "org/bytedeco/" + library.project() + "/" + platform + "/" + library.file();
      URL url = resource(resource);
      if (url != null) {
        present.add(library);
        urls.add(url);
        key.update(fingerprint(url).getBytes(StandardCharsets.UTF_8));
      } else if (library.required()) {
        throw new IOException(
            "no LibTorch: "
                + resource
                + " is not on the class path; add the artifact org.bytedeco:"
                + library.project()
                + " with the classifier "
                + platform
                + ", or set GAMMANET_LIBTORCH to a folder with LibTorch's libraries");
      }
    }
    Path folder =
        cacheFolder().resolve("libtorch-" + platform + "-" + String.format("%08x", key.getValue()));
    try {
      Files.createDirectories(folder);
      for (int i = 0; i < urls.size(); i++) {
        unpack(urls.get(i), folder.resolve(present.get(i).file()));
      }
    } catch (IOException e) {
      throw new IOException(
          "cannot unpack LibTorch into "
              + folder
              + " ("
              + e
              + "); free some space there, or set GAMMANET_CACHE to another folder",
          e);
    }
    for (Library library : present) {
      loadFile(
          folder.resolve(library.file()),
          "delete " + folder + " and try again; Linux needs glibc 2.35 or newer");
    }
    return "Maven artifact, unpacked in " + folder;
  }

  static @Nullable URL resource(String name) {
    ClassLoader own = LibTorchLoader.class.getClassLoader();
    URL url = own == null ? null : own.getResource(name);
    return url != null ? url : ClassLoader.getSystemResource(name);
  }

  /** The same as a short word for the name of a folder. */
  static String checksum(URL url) throws IOException {
    CRC32 sum = new CRC32();
    sum.update(fingerprint(url).getBytes(StandardCharsets.UTF_8));
    return String.format("%08x", sum.getValue());
  }

  /** Tells versions of a resource apart without reading it, where a jar's index allows. */
  private static String fingerprint(URL url) throws IOException {
    URLConnection connection = url.openConnection();
    if (connection instanceof JarURLConnection jar) {
      var entry = jar.getJarEntry();
      return entry.getName() + entry.getSize() + ":" + entry.getCrc();
    }
    return url.getPath() + connection.getContentLengthLong() + connection.getLastModified();
  }

  /**
   * Copies a resource to a file that is either absent or whole, also when the process dies or
   * another one does the same at once.
   */
  static void unpack(URL url, Path target) throws IOException {
    URLConnection connection = url.openConnection();
    connection.setUseCaches(false);
    long size = connection.getContentLengthLong();
    if (Files.isRegularFile(target) && (size < 0 || Files.size(target) == size)) {
      return;
    }
    Path folder = target.toAbsolutePath().getParent();
    if (folder == null) {
      throw new IOException("no folder for " + target);
    }
    Path temporary = Files.createTempFile(folder, "." + target.getFileName(), ".tmp");
    try {
      try (InputStream in = connection.getInputStream()) {
        Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
      }
      try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileAlreadyExistsException e) {
      Files.deleteIfExists(temporary); // another process was faster
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  static void loadFile(Path file, String hint) throws IOException {
    if (os().equals("linux") && !isElf(file)) { // the JVM would print a warning of its own
      throw new IOException("cannot load " + file + ": it is not a shared library; " + hint);
    }
    try {
      System.load(file.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      throw new IOException("cannot load " + file + ": " + e.getMessage() + "; " + hint, e);
    }
    synchronized (LOADED) {
      LOADED.add(file.toString());
    }
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
