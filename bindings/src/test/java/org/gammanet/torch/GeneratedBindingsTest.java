package org.gammanet.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.kernels.NativeCell;
import org.gammanet.kernels.NativeConv;
import org.gammanet.kernels.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The headers in native/include and the bindings made from them say the same. */
class GeneratedBindingsTest {
  private static final Path HEADERS = Path.of("..", "native", "include");
  private static final String FIX = ": run bindings/src/generated/regenerate.sh";

  static Stream<Path> headers() throws IOException {
    try (Stream<Path> files = Files.list(HEADERS)) {
      return files.filter(f -> f.toString().endsWith(".h")).sorted().toList().stream();
    }
  }

  private static String bindingOf(Path header) {
    return switch (header.getFileName().toString()) {
      case "libtorch_stable.h" -> "org.gammanet.torch.gen.LibTorchStable";
      case "gammanet_native.h" -> "org.gammanet.torch.gen.GammanetNative";
      default -> throw new AssertionError(header + " has no binding" + FIX);
    };
  }

  @ParameterizedTest
  @MethodSource("headers")
  void headerAndBindingHaveTheSameFunctions(Path header) throws Exception {
    String text = Files.readString(header).replaceAll("(?s)/\\*.*?\\*/|//[^\\n]*", "");
    Matcher declaration =
        Pattern.compile("\\b((?:aoti_torch|torch|gammanet)_\\w+)\\s*\\(([^;]*)\\)\\s*;")
            .matcher(text);
    Set<String> declared = new TreeSet<>();
    while (declaration.find()) {
      declared.add(declaration.group(1) + "/" + parameters(declaration.group(2)));
    }
    Set<String> bound = new TreeSet<>();
    for (Method method : Class.forName(bindingOf(header)).getDeclaredMethods()) {
      boolean function = method.getName().matches("(aoti_torch|torch|gammanet)_\\w+");
      if (function && Modifier.isPublic(method.getModifiers()) && !method.getName().contains("$")) {
        bound.add(method.getName() + "/" + method.getParameterCount());
      }
    }
    assertFalse(declared.isEmpty());
    assertEquals(String.join("\n", declared), String.join("\n", bound), header + FIX);
  }

  private static long parameters(String list) {
    // A callback's own parameters do not count.
    String flat = list.replaceAll("\\(\\s*\\*\\s*\\w+\\s*\\)\\s*\\([^)]*\\)", " callback").strip();
    return flat.isEmpty() || flat.equals("void") ? 0 : Arrays.stream(flat.split(",", -1)).count();
  }

  static Stream<Path> sources() throws IOException {
    return Stream.concat(headers(), Stream.of(HEADERS.resolve("gammanet_cell.def")));
  }

  @ParameterizedTest
  @MethodSource("sources")
  void bindingsWereMadeFromThisHeader(Path header) throws IOException, NoSuchAlgorithmException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(header));
    List<String> recorded = Files.readAllLines(Path.of("src", "generated", "headers.sha256"));
    String name = header.getFileName().toString();
    assertEquals(
        HexFormat.of().formatHex(digest) + "  " + name,
        recorded.stream().filter(line -> line.endsWith(name)).collect(Collectors.joining()),
        name + " has changed" + FIX);
  }

  @Test
  void enumsHaveTheNamesOfTheTableOfTheCell() throws IOException {
    String table = Files.readString(HEADERS.resolve("gammanet_cell.def"));
    Map<String, List<String>> names = new TreeMap<>();
    Matcher entry = Pattern.compile("(?m)^CELL_(PARAMETER|VALUE)\\((\\w+), (\\w+)?").matcher(table);
    while (entry.find()) {
      boolean value = entry.group(1).equals("VALUE");
      names
          .computeIfAbsent(value ? entry.group(2) : "PARAMETER", key -> new ArrayList<>())
          .add(entry.group(value ? 3 : 2));
    }
    Map<String, List<String>> enums =
        new TreeMap<>(
            Map.of(
                "PARAMETER", namesOf(NativeCell.Weight.values()),
                "NORMALIZATION", namesOf(NativeCell.Norm.values()),
                "CIRCUIT", namesOf(NativeCell.Circuit.values()),
                "SYMMETRY", namesOf(NativeCell.Symmetry.values()),
                "PRECISION", namesOf(Precision.values()),
                "ALGORITHM", namesOf(NativeConv.Algorithm.values())));
    assertEquals(names, enums);
  }

  private static List<String> namesOf(Enum<?>[] values) {
    return Arrays.stream(values).map(Enum::name).toList();
  }
}
