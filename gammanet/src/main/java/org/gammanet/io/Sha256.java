package org.gammanet.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.stream.Stream;

/** SHA-256, by which files, weights and settings are known again. */
public final class Sha256 {
  private Sha256() {}

  /** A digest of nothing yet. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  /** The digest in 64 hexadecimal digits. */
  public static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * The digest of a file, or of all files in a folder in the order of their names.
   *
   * @return 64 hexadecimal digits
   */
  public static String of(Path input) throws IOException {
    MessageDigest digest = digest();
    update(digest, input);
    return hex(digest);
  }

  /**
   * The digest of the rest of a stream.
   *
   * @return 64 hexadecimal digits
   */
  public static String of(InputStream stream) throws IOException {
    MessageDigest digest = digest();
    update(digest, stream);
    return hex(digest);
  }

  /** Adds a file's bytes; of a folder, the names and bytes of all its files, by name. */
  public static void update(MessageDigest digest, Path input) throws IOException {
    if (Files.isDirectory(input)) {
      try (Stream<Path> files = Files.list(input)) {
        for (Path file : files.sorted().toList()) {
          digest.update((file.getFileName() + "\n").getBytes(StandardCharsets.UTF_8));
          update(digest, file);
        }
      }
      return;
    }
    try (InputStream stream = Files.newInputStream(input)) {
      update(digest, stream);
    }
  }

  private static void update(MessageDigest digest, InputStream stream) throws IOException {
    byte[] buffer = new byte[1 << 16];
    for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
      digest.update(buffer, 0, n);
    }
  }
}
