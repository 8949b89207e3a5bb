package org.gammanet.torch.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.torch.TorchException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each case needs a process of its own: a library is loaded once. */
class LibTorchLoaderTest {
  /** Loads LibTorch and prints the reason when that fails. */
  public static final class Probe {
    private Probe() {}

    public static void main(String[] args) {
      for (int attempt = 0; attempt < 2; attempt++) {
        try (var scope = TensorScope.open()) {
          Tensor t = Tensor.ones(3).requiresGrad(true);
          Autograd.backward(Ops.sum(Ops.square(t)));
          long version = t.version();
          t.copyFrom(new float[] {1, 1, 1});
          if (!t.requiresGrad() || Tensor.ones(1).grad() != null || t.version() <= version) {
            throw new AssertionError("autograd");
          }
          System.out.printf(
              "sum %.1f by %d threads, gradient %.1f from %s%n",
              Ops.sum(t).item(), LibTorch.threads(), Ops.mean(t.grad()).item(), LibTorch.source());
        } catch (TorchException e) {
          System.out.println("refused: " + e.getMessage());
        }
      }
    }
  }

  private static String probe(String classPath, Map<String, String> environment, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", classPath, Probe.class.getName()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().keySet().removeIf(name -> name.startsWith("GAMMANET_"));
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    assertEquals(0, process.exitValue(), output);
    return output;
  }

  private static String classPath() {
    return System.getProperty("java.class.path");
  }

  /** One sentence, said again on a second attempt. */
  private static void assertRefused(String output, String... parts) {
    List<String> lines = output.lines().toList();
    assertEquals(2, lines.size(), output);
    assertEquals(lines.get(0), lines.get(1));
    for (String part : parts) {
      assertTrue(lines.get(0).startsWith("refused: "), output);
      assertTrue(lines.get(0).contains(part), output);
    }
  }

  @Test
  void aMissingFolderIsNamed() throws Exception {
    assertRefused(
        probe(classPath(), Map.of("GAMMANET_LIBTORCH", "/no/such/folder")),
        "/no/such/folder does not exist",
        "GAMMANET_LIBTORCH");
  }

  @Test
  void aFolderWithoutTheLibraryIsNamed(@TempDir Path folder) throws Exception {
    assertRefused(
        probe(classPath(), Map.of("GAMMANET_LIBTORCH", folder.toString())), folder.toString());
  }

  @Test
  void aFileThatIsNoLibraryIsNamed(@TempDir Path folder) throws Exception {
    Files.writeString(folder.resolve(System.mapLibraryName("c10")), "not a library");
    Files.writeString(folder.resolve(System.mapLibraryName("torch_cpu")), "not a library");
    assertRefused(
        probe(classPath(), Map.of("GAMMANET_LIBTORCH", folder.toString())),
        "cannot load " + folder.resolve(System.mapLibraryName("c10")));
  }

  /** As libgfortran of PyTorch 2.15, which needs a library that does not come with it. */
  @Test
  void aLibraryThatLibTorchDoesWithoutMayFail(@TempDir Path folder) throws Exception {
    String cuda = System.mapLibraryName("c10_cuda");
    for (String library : LibTorch.libraries()) {
      Path file = Path.of(library);
      String name = file.getFileName().toString();
      if (!name.contains("gammanet") && !name.equals(cuda)) {
        Files.createSymbolicLink(folder.resolve(name), file);
      }
    }
    // Never through a link, which would destroy the library of GAMMANET_LIBTORCH.
    Files.writeString(folder.resolve(cuda), "no library", StandardOpenOption.CREATE_NEW);
    String output = probe(classPath(), Map.of("GAMMANET_LIBTORCH", folder.toString()));
    assertTrue(output.contains("sum 3.0 by "), output);
    assertTrue(
        !System.getProperty("os.name").equals("Linux")
            || output.contains("cannot load " + folder.resolve(cuda))
                && output.contains("going on without it"),
        output);
  }

  /** Libraries that load but are something else, or a LibTorch from before its C ABI. */
  @Test
  void anotherLibraryUnderLibTorchsNameIsRefused(@TempDir Path folder) throws Exception {
    Path any =
        LibTorch.libraries().stream()
            .map(Path::of)
            .filter(file -> file.getFileName().toString().matches("lib(quadmath|gomp|omp).*"))
            .findFirst()
            .orElse(null);
    assumeTrue(
        any != null, "this platform's LibTorch has no small library to take as the wrong one");
    for (String name : List.of("c10", "torch_cpu")) {
      Files.copy(any, folder.resolve(System.mapLibraryName(name)));
    }
    assertRefused(
        probe(classPath(), Map.of("GAMMANET_LIBTORCH", folder.toString())),
        folder + " are not a LibTorch of 2.11 or newer",
        "GAMMANET_LIBTORCH");
  }

  @Test
  void withoutTheArtifactTheMessageNamesIt() throws Exception {
    String without =
        String.join(
            System.getProperty("path.separator"),
            Arrays.stream(classPath().split(System.getProperty("path.separator"), -1))
                .filter(entry -> !entry.contains("bytedeco"))
                .toList());
    assertRefused(probe(without, Map.of()), "org.gammanet:gammanet-" + NativeLibraries.platform());
  }

  @Test
  void anUnwritableCacheIsNamed(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "");
    assertRefused(
        probe(classPath(), Map.of("GAMMANET_CACHE", file.toString())),
        "cannot unpack LibTorch's libraries into " + file,
        "GAMMANET_CACHE");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gammanet.threads=0",
        "gammanet.threads=abc",
        "gammanet.threads=20000",
        "gammanet.threads=-1",
        "gammanet.threads=9999999999",
        "gammanet.keepFreedMemory=much",
        "gammanet.keepFreedMemory=-5"
      })
  void aSettingOutOfRangeIsNamed(String setting) throws Exception {
    assertRefused(
        probe(classPath(), Map.of(), "-D" + setting),
        setting.substring(0, setting.indexOf('=')) + " must be an integer from ",
        "not '" + setting.substring(setting.indexOf('=') + 1) + "'");
  }

  /** Also where there is no shim, whose guards catch LibTorch's exceptions. */
  @ParameterizedTest
  @ValueSource(strings = {"auto", "off"})
  void settingsWork(String kernels) throws Exception {
    List<String> options = new ArrayList<>(List.of("-Dgammanet.threads=3"));
    if (kernels.equals("off")) {
      options.add("-Dgammanet.native=off");
    }
    String output = probe(classPath(), Map.of(), options.toArray(String[]::new));
    assertTrue(output.contains("sum 3.0 by 3 threads, gradient 2.0 from"), output);
  }

  @Test
  void aUserWithoutAHomeIsTold() throws Exception {
    String output =
        probe(
            classPath(),
            Map.of("HOME", "", "XDG_CACHE_HOME", "", "LOCALAPPDATA", ""),
            "-Duser.home=?");
    assertRefused(output, "no home folder", "GAMMANET_CACHE");
  }

  @Test
  void aCacheMountedNoexecIsNamed() {
    String glibc = "/c/libx.so: failed to map segment from shared object";
    assertTrue(LibTorchLoader.advice(glibc, "x").contains("set GAMMANET_CACHE"));
    assertTrue(LibTorchLoader.advice(glibc, "x").contains("noexec"));
    assertEquals("x", LibTorchLoader.advice("undefined symbol: y", "x"));
  }

  @Test
  void threadsOutOfRangeAreRefused() {
    for (int threads : new int[] {0, -1, 20_000, Integer.MAX_VALUE}) {
      assertThrows(IllegalArgumentException.class, () -> LibTorch.setThreads(threads));
    }
  }

  @Test
  void twoProcessesUnpackAtOnce(@TempDir Path cache) throws Exception {
    List<String> outputs = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      String output =
                          probe(classPath(), Map.of("GAMMANET_CACHE", cache.toString()));
                      synchronized (outputs) {
                        outputs.add(output);
                      }
                    } catch (IOException | InterruptedException e) {
                      throw new IllegalStateException(e);
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(2, outputs.size());
    for (String output : outputs) {
      assertTrue(
          output.startsWith("sum 3.0 by ") && output.contains("from Maven artifact"), output);
    }
    try (Stream<Path> files = Files.walk(cache)) {
      assertFalse(files.anyMatch(f -> f.toString().endsWith(".tmp")), "no temporary file is left");
    }
  }
}
