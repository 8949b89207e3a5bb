package org.gammanet.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Finds the golden data and the data sets that tests compare with. A small part of the golden data
 * is among the resources of each module; the rest is not part of the project: a test that needs it
 * is skipped, with the reason, where it is absent.
 */
public final class Fixtures {
  private Fixtures() {}

  /**
   * A folder below the golden data, {@code GAMMANET_FIXTURES} (system property or environment) or
   * {@code shared/fixtures} beside the project or above it, or else the small part of them in the
   * module's resources; skips the test if there is none.
   */
  public static Path folder(String name) {
    return find("GAMMANET_FIXTURES", "shared/fixtures", name);
  }

  /** As {@link #folder}, for data sets: {@code GAMMANET_DATA} or {@code shared/data}. */
  public static Path data(String name) {
    return find("GAMMANET_DATA", "shared/data", name);
  }

  /** The files of a folder of golden data whose names end so, in order of name. */
  public static List<Path> files(String folder, String suffix) {
    try (Stream<Path> files = Files.walk(folder(folder))) {
      return files.filter(f -> f.toString().endsWith(suffix)).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A file or folder of the golden data in the module's own resources. */
  public static Path resource(String name) {
    URL small = Fixtures.class.getResource("/golden/" + name);
    return Path.of(URI.create(String.valueOf(small)));
  }

  private static Path find(String variable, String usual, String name) {
    String given = System.getProperty(variable, System.getenv(variable));
    if (given != null && !given.isEmpty()) {
      Path path = Path.of(given, name);
      assumeTrue(Files.exists(path), () -> variable + " has no " + name + ": " + given);
      return path;
    }
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path path = at.resolve(usual).resolve(name);
      if (Files.exists(path)) {
        return path;
      }
    }
    String small = name.replaceFirst("^model/", "");
    if (usual.endsWith("fixtures") && Fixtures.class.getResource("/golden/" + small) != null) {
      return resource(small);
    }
    assumeTrue(false, "no " + usual + "/" + name + " above the working folder; set " + variable);
    throw new AssertionError();
  }
}
