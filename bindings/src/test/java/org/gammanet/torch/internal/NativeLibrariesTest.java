package org.gammanet.torch.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor.Version;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gammanet.torch.internal.NativeLibraries.Library;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The table of libraries against what the libraries themselves say they need. The artifacts of
 * other platforms are on the class path with {@code mvn -Pplatforms}.
 */
class NativeLibrariesTest {
  /** What every system of that platform has. */
  private static final Pattern LINUX =
      Pattern.compile("lib(c|m|dl|pthread|rt|gcc_s|stdc\\+\\+)\\.so\\.\\d+|ld-linux.*");

  private static final Pattern MACOS =
      Pattern.compile("/usr/lib/[\\w.+]+\\.dylib|/System/Library/Frameworks/.*");

  private static final Pattern WINDOWS =
      Pattern.compile(
          "(kernel32|advapi32|dbghelp|ws2_32|iphlpapi|psapi|user32|userenv|msvcrt)\\.dll"
              + "|api-ms-win-crt-[\\w-]+\\.dll");

  private static Dependencies read(String platform, Library library) throws IOException {
    String name = "org/bytedeco/" + library.project() + "/" + platform + "/" + library.file();
    URL url = ClassLoader.getSystemResource(name);
    assertNotNull(url, name);
    try (InputStream in = url.openStream()) {
      return Dependencies.of(in.readAllBytes());
    }
  }

  private static void assumePresent(String platform) {
    assumeTrue(
        ClassLoader.getSystemResource("org/bytedeco/pytorch/" + platform) != null
            || platform.equals(NativeLibraries.platform()),
        "the artifacts of " + platform + " come with -Pplatforms");
  }

  @ParameterizedTest
  @FieldSource("org.gammanet.torch.internal.NativeLibraries#PLATFORMS")
  void everyLibraryComesAfterThoseThatItNeeds(String platform) throws IOException {
    assumePresent(platform);
    Pattern system =
        platform.startsWith("linux") ? LINUX : platform.startsWith("mac") ? MACOS : WINDOWS;
    Set<String> loaded = new LinkedHashSet<>();
    Set<String> used = new TreeSet<>();
    for (Library library : NativeLibraries.of(platform)) {
      if (!library.inArtifact()) {
        continue;
      }
      Dependencies found = read(platform, library);
      for (String needed : found.needed()) {
        String name = platform.startsWith("windows") ? needed.toLowerCase(Locale.ROOT) : needed;
        if (system.matcher(name).matches()) {
          continue;
        }
        String file = name.substring(name.lastIndexOf('/') + 1);
        assertTrue(
            loaded.contains(file), library.file() + " needs " + needed + "; loaded are " + loaded);
        if (platform.startsWith("mac")) {
          assertTrue(name.startsWith("@rpath/"), needed);
          assertTrue(found.runPaths().contains("@loader_path"), found.toString());
        }
        used.add(file);
      }
      assertEquals(library.file(), found.name(), "the name by which others find it");
      loaded.add(library.file());
    }
    loaded.removeAll(used);
    loaded.removeIf(file -> file.contains("torch_cpu"));
    assertEquals(Set.of(), loaded, "libraries that LibTorch does not need");
  }

  private static Set<String> declaredFunctions() throws IOException {
    String header = Files.readString(Path.of("..", "native", "include", "gammanet_native.h"));
    return Pattern.compile("GAMMANET_API[^;(]*[ *](gammanet_[a-z0-9_]+)\\(")
        .matcher(header)
        .results()
        .map(r -> r.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Our own libraries for all platforms, where a release build has made them. */
  @ParameterizedTest
  @CsvSource({
    "linux-x86_64, libgammanet_native.so, 2.28",
    "linux-arm64, libgammanet_native.so, 2.28",
    "macosx-arm64, libgammanet_native.dylib, 15.0",
    "windows-x86_64, gammanet_native.dll,"
  })
  void theKernelsNeedTheSystemAlone(String platform, String file, @Nullable String newest)
      throws IOException, NoSuchAlgorithmException {
    Path library =
        Path.of("..", "native", "target", "cross", platform)
            .resolve("org/gammanet/native/" + platform + "/" + file);
    assumeTrue(Files.exists(library), library + " is made by native/cross");
    byte[] bytes = Files.readAllBytes(library);
    Dependencies found = Dependencies.of(bytes);
    Set<String> exports = new TreeSet<>(found.exports());
    if (platform.startsWith("mac")) {
      // zig's linker passes over the list of exports, so that what C++ lets programs replace stays.
      exports.removeIf(name -> name.matches("_Z[nd][wla].*|__dso_handle|_mh_dylib_header"));
    }
    assertEquals(declaredFunctions(), exports);
    if (newest != null) {
      assertNotNull(found.minimum());
      assertTrue(
          Version.parse(found.minimum()).compareTo(Version.parse(newest)) <= 0, found.minimum());
    }
    Pattern system =
        platform.startsWith("linux")
            ? Pattern.compile("lib(c|m|dl|pthread)\\.so\\.\\d|ld-linux-.*")
            : platform.startsWith("mac") ? Pattern.compile("/usr/lib/libSystem.B.dylib") : WINDOWS;
    for (String needed : found.needed()) {
      String name = platform.startsWith("windows") ? needed.toLowerCase(Locale.ROOT) : needed;
      assertTrue(system.matcher(name).matches(), file + " needs " + needed);
    }
    String text = new String(bytes, StandardCharsets.ISO_8859_1); // every byte a character
    assertFalse(text.contains(Path.of("..").toRealPath().toString()), "a path of this machine");
    for (CxxApi.Function function : CxxApi.Function.values()) {
      if (function != CxxApi.Function.DEVICE_COUNT) { // which Java alone calls
        boolean windows = platform.startsWith("windows");
        assertEquals(windows, text.contains(function.microsoft + "\0"), function.microsoft);
        assertEquals(!windows, text.contains(function.itanium + "\0"), function.itanium);
      }
    }
    if (platform.startsWith("mac")) {
      assertTrue(Dependencies.isSigned(bytes));
      bytes[bytes.length / 2] ^= 1;
      assertFalse(Dependencies.isSigned(bytes), "a changed file is not signed");
    }
  }

  /** C++ functions that the shim, or where there is none Java, calls by their mangled names. */
  @ParameterizedTest
  @FieldSource("org.gammanet.torch.internal.NativeLibraries#PLATFORMS")
  void theCxxFunctionsAreExported(String platform) throws IOException {
    assumePresent(platform);
    Set<String> exports = new HashSet<>();
    for (Library library : NativeLibraries.of(platform)) {
      if (library.inFolder()) {
        exports.addAll(read(platform, library).exports());
      }
    }
    for (CxxApi.Function function : CxxApi.Function.values()) {
      if (function != CxxApi.Function.DEVICE_COUNT) { // in the CUDA libraries
        String symbol = platform.startsWith("windows") ? function.microsoft : function.itanium;
        assertTrue(exports.contains(symbol), symbol);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"linux-arm64", "macosx-x86_64"})
  void otherPlatformsHaveATableForAFolder(String platform) {
    assertFalse(NativeLibraries.PLATFORMS.contains(platform));
    assertEquals(2, NativeLibraries.of(platform).stream().filter(Library::inFolder).count());
  }

  @ParameterizedTest
  @FieldSource("org.gammanet.torch.internal.NativeLibraries#PLATFORMS")
  void theDocumentHasTheSameTable(String platform) throws IOException {
    String text = Files.readString(Path.of("..", "docs", "platforms.md"));
    String start = "### " + platform + "\n\n| library | artifact |\n|---|---|\n";
    assertTrue(text.contains(start), platform);
    String table = text.substring(text.indexOf(start) + start.length());
    StringBuilder expected = new StringBuilder();
    for (Library library : NativeLibraries.of(platform)) {
      String artifact = library.inArtifact() ? library.project() : "optional";
      expected.append("| `%s` | %s |\n".formatted(library.file(), artifact));
    }
    assertEquals(
        expected.toString(), table.substring(0, Math.min(expected.length(), table.length())));
  }
}
