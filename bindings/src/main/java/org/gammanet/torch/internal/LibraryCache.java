package org.gammanet.torch.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The folder where libraries from the class path are unpacked.
 *
 * <p>Whoever can write there chooses the code that runs in this process. So on POSIX systems
 * folders and files are made for their owner alone, and nothing is used that belongs to anyone but
 * this user or root. Beside each library lies its SHA-256 from when it was unpacked; a library that
 * has changed since, or that others could have written, is unpacked again.
 */
public final class LibraryCache {
  private static final System.Logger LOG = System.getLogger(LibraryCache.class.getName());
  private static final boolean POSIX =
      Path.of("").getFileSystem().supportedFileAttributeViews().contains("unix");
  private static final int WRITABLE_BY_OTHERS = 0022;
  private static final int WRITABLE_BY_ALL = 0002;
  private static final int STICKY = 01000;

  private LibraryCache() {}

  /**
   * The folder: {@code GAMMANET_CACHE}, else {@code gammanet} in {@code XDG_CACHE_HOME}, the user's
   * {@code .cache}, or on Windows {@code LOCALAPPDATA}.
   *
   * @throws IOException when none of these is known
   */
  public static Path folder() throws IOException {
    String own = Settings.text("gammanet.cache", "GAMMANET_CACHE");
    if (own != null) {
      return Path.of(own).toAbsolutePath();
    }
    for (String variable : List.of("XDG_CACHE_HOME", "LOCALAPPDATA")) {
      Path cache = absolute(System.getenv(variable));
      if (cache != null) {
        return cache.resolve("gammanet");
      }
    }
    Path home = absolute(System.getenv("HOME")); // in a container Java may not know the user
    home = home != null ? home : absolute(System.getProperty("user.home"));
    if (home == null) {
      throw new IOException(
          "this user has no home folder to unpack libraries in: set GAMMANET_CACHE to a folder");
    }
    return home.resolve(".cache").resolve("gammanet");
  }

  private static @Nullable Path absolute(@Nullable String text) {
    return text == null || text.isBlank() || !Path.of(text).isAbsolute() ? null : Path.of(text);
  }

  /**
   * Unpacks libraries into a folder of their own, unless they are there, and returns it.
   *
   * @param what the libraries in words, for messages
   * @param name what the folder's name begins with; the rest tells versions apart
   * @param libraries file names and where their contents are
   * @throws IOException one sentence with the folder and what to do
   */
  static Path unpack(String what, String name, Map<String, URL> libraries) throws IOException {
    Path root = folder();
    Path folder = root.resolve(name + "-" + fingerprint(libraries));
    try {
      createPrivately(root);
      checkOwner(root);
      if (POSIX && (mode(root) & WRITABLE_BY_ALL) != 0 && (mode(root) & STICKY) == 0) {
        throw new UntrustedException(root + " can be written by every user");
      }
      createPrivately(folder);
      checkOwner(folder);
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
        throw new UntrustedException(folder + " is not a folder");
      }
      boolean exposed = isExposed(folder);
      if (exposed) {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
      }
      for (Map.Entry<String, URL> library : libraries.entrySet()) {
        Path target = folder.resolve(library.getKey());
        if (exposed || !isValid(target)) {
          write(library.getValue(), target);
        }
      }
    } catch (UntrustedException e) {
      throw new IOException(
          "%s are not loaded from %s: %s; set GAMMANET_CACHE to a folder of your own"
              .formatted(what, folder, e.getMessage()),
          e);
    } catch (IOException e) {
      throw new IOException(
          ("cannot unpack %s into %s (%s); set GAMMANET_CACHE to a folder that can be written and"
                  + " has 400 MB of free space")
              .formatted(what, folder, reason(e)),
          e);
    }
    return folder;
  }

  private static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException a -> a.getFile() + ": permission denied";
      case FileAlreadyExistsException f -> f.getFile() + " is a file";
      case FileSystemException f when f.getReason() != null -> f.getFile() + ": " + f.getReason();
      default -> String.valueOf(e.getMessage());
    };
  }

  /** Another user could have put a library there. */
  private static final class UntrustedException extends IOException {
    private static final long serialVersionUID = 1L;

    UntrustedException(String message) {
      super(message);
    }
  }

  // ---- Owners and permissions ----

  private static void createPrivately(Path folder) throws IOException {
    if (Files.isDirectory(folder)) {
      return; // also by a symbolic link: createDirectories would refuse it
    }
    Files.createDirectories(
        folder,
        POSIX
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
            }
            : new FileAttribute<?>[0]);
  }

  private static int mode(Path path) throws IOException {
    return (int) Files.getAttribute(path, "unix:mode");
  }

  private static void checkOwner(Path path) throws IOException {
    if (!POSIX) {
      return;
    }
    int owner = (int) Files.getAttribute(path, "unix:uid");
    if (owner != 0 && owner != CLibrary.effectiveUser()) {
      throw new UntrustedException(path + " belongs to " + Files.getOwner(path).getName());
    }
  }

  private static boolean isExposed(Path path) throws IOException {
    return POSIX && (mode(path) & WRITABLE_BY_OTHERS) != 0;
  }

  // ---- Files ----

  /** Whether a library is there, whole, and as it was unpacked. */
  private static boolean isValid(Path file) throws IOException {
    Path record = recordOf(file);
    for (Path path : List.of(file, record)) {
      if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
        return false;
      }
      checkOwner(path);
      if (isExposed(path)) {
        return false;
      }
    }
    List<String> lines = Files.readAllLines(record);
    if (lines.size() == 2 && lines.get(1).equals(stamp(file)) && POSIX) {
      return true; // not written since it was last checked
    }
    String found = sha256(file);
    if (lines.isEmpty() || !lines.get(0).equals(found + "  " + file.getFileName())) {
      LOG.log(System.Logger.Level.WARNING, "{0} has changed and is unpacked again", file);
      return false;
    }
    try {
      record(file, found);
    } catch (IOException e) {
      LOG.log(
          System.Logger.Level.DEBUG, "cannot write {0}: {1}", record, e); // read-only: no matter
    }
    return true;
  }

  private static Path recordOf(Path file) {
    return file.resolveSibling(file.getFileName() + ".sha256");
  }

  /** Every change of a file's contents or attributes changes its ctime, which no user can set. */
  private static String stamp(Path file) throws IOException {
    if (!POSIX) {
      return "#";
    }
    Map<String, Object> values = Files.readAttributes(file, "unix:size,ino,ctime,lastModifiedTime");
    return "# %s %s %s %s"
        .formatted(
            values.get("size"),
            values.get("ino"),
            values.get("ctime"),
            values.get("lastModifiedTime"));
  }

  private static void record(Path file, String sha256) throws IOException {
    byte[] text =
        "%s  %s%n%s%n"
            .formatted(sha256, file.getFileName(), stamp(file))
            .getBytes(StandardCharsets.UTF_8);
    Path temporary = temporary(file);
    try {
      Files.write(temporary, text);
      Files.move(temporary, recordOf(file), StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /**
   * Copies a resource to a file that is either absent or whole, also when the process dies or
   * another one does the same at once.
   */
  private static void write(URL url, Path target) throws IOException {
    MessageDigest digest = digest();
    Path temporary = temporary(target);
    try {
      URLConnection connection = url.openConnection();
      connection.setUseCaches(false);
      try (InputStream in = new DigestInputStream(connection.getInputStream(), digest);
          FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE);
          OutputStream out = Channels.newOutputStream(channel)) {
        in.transferTo(out);
        channel.force(true);
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
    record(target, HexFormat.of().formatHex(digest.digest()));
  }

  /** An empty file that only its owner may read and write. */
  private static Path temporary(Path target) throws IOException {
    Path folder = target.getParent();
    if (folder == null) {
      throw new IOException("no folder for " + target);
    }
    return Files.createTempFile(folder, "." + target.getFileName(), ".tmp");
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JVM has it
    }
  }

  private static String sha256(Path file) throws IOException {
    MessageDigest digest = digest();
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Tells versions apart without reading the contents, where a jar's index allows. */
  private static String fingerprint(Map<String, URL> libraries) throws IOException {
    MessageDigest digest = digest();
    for (URL url : libraries.values()) {
      URLConnection connection = url.openConnection();
      String text;
      if (connection instanceof JarURLConnection jar) {
        var entry = jar.getJarEntry();
        text = entry.getName() + " " + entry.getSize() + " " + entry.getCrc();
      } else {
        connection.setUseCaches(false);
        text = url + " " + connection.getContentLengthLong() + " " + connection.getLastModified();
        connection.getInputStream().close();
      }
      digest.update(text.getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(digest.digest(), 0, 4);
  }
}
