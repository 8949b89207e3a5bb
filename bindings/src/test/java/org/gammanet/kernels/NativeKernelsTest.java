package org.gammanet.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.torch.TorchException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Loading of the native kernels, and what their typed face refuses. */
class NativeKernelsTest {
  /** What {@link #inAnotherProcess} starts. */
  public static void main(String[] args) {
    System.out.println(NativeKernels.available() + " " + NativeKernels.describe());
  }

  private static String inAnotherProcess(int status, String... options)
      throws IOException, InterruptedException {
    return inAnotherProcess(NativeKernelsTest.class, status, options);
  }

  private static String inAnotherProcess(Class<?> program, int status, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of(options));
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(program.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(status, process.waitFor(), output);
    return output;
  }

  /**
   * A library that was built from another header is refused by its version, so the version changes
   * with the declarations.
   */
  @Test
  void theVersionChangesWithTheInterface() throws IOException, GeneralSecurityException {
    String declarations = "";
    for (String file : List.of("gammanet_native.h", "gammanet_cell.def")) {
      declarations += Files.readString(Path.of("../native/include", file));
    }
    declarations = declarations.replaceAll("(?s)/\\*.*?\\*/|//[^\n]*|\\s+", "");
    byte[] digest =
        MessageDigest.getInstance("SHA-256").digest(declarations.getBytes(StandardCharsets.UTF_8));
    assertEquals(
        "39f8350ef8bac75c",
        HexFormat.of().formatHex(digest).substring(0, 16),
        "the interface has changed: raise GAMMANET_NATIVE_ABI_VERSION, then store this digest");
  }

  /** Ends the JVM while operators run in other threads. */
  public static final class Exit {
    private Exit() {}

    public static void main(String[] args) throws InterruptedException {
      assumeTrue(NativeKernels.available());
      CountDownLatch running = new CountDownLatch(4);
      for (int i = 0; i < 4; i++) {
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try (var scope = TensorScope.open()) {
                    Tensor x = Tensor.ones(16).requiresGrad(true);
                    Tensor y = x;
                    for (int n = 0; n < 20_000; n++) { // one call that takes a while
                      y = Ops.sigmoid(y);
                    }
                    running.countDown();
                    Autograd.backward(Ops.sum(y));
                  }
                });
      }
      running.await();
      Thread.sleep(20);
      System.exit(3);
    }
  }

  @Test
  void theProcessEndsWhileOperatorsRun(@TempDir Path folder) throws Exception {
    assumeTrue(NativeKernels.available() && System.getProperty("os.name").equals("Linux"));
    for (int i = 0; i < 3; i++) {
      inAnotherProcess(Exit.class, 3, "-XX:ErrorFile=" + folder.resolve("crash"));
    }
    try (var files = Files.list(folder)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void canBeSwitchedOff() throws IOException, InterruptedException {
    String output = inAnotherProcess(0, "-Dgammanet.native=off");
    assertTrue(output.startsWith("false none (switched off)"), output);
  }

  @Test
  void aWrongFileIsNamed(@TempDir Path folder) throws IOException, InterruptedException {
    Path missing = folder.resolve("missing.so");
    String output = inAnotherProcess(1, "-Dgammanet.native=" + missing);
    assertTrue(output.contains("no native kernels: cannot read " + missing), output);
    Path text = Files.writeString(folder.resolve("text.so"), "no library");
    output = inAnotherProcess(1, "-Dgammanet.native=" + text);
    assertTrue(output.contains(text + ": it is not a shared library"), output);
  }

  @Test
  void tellsWhatRuns() {
    String description = NativeKernels.describe();
    if (NativeKernels.available()) {
      assertTrue(
          description.matches("native, (portable|avx2|avx512|amx|neon)[a-z0-9-]* \\(.+\\)"),
          description);
      assertTrue(description.contains(NativeKernels.instructionSet()), description);
    } else {
      assertTrue(description.matches("none \\(.{5,}\\); everything is composed .*"), description);
      assertThrows(TorchException.class, NativeKernels::instructionSet);
    }
  }

  @Test
  void mapsLieChannelsLast() {
    try (var scope = TensorScope.open()) {
      Tensor map = NativeKernels.emptyChannelsLast(Device.CPU, 2, 3, 4, 5);
      assertTrue(map.isChannelsLast());
      assertFalse(map.isContiguous());
      Tensor plain = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 2, 2);
      assertFalse(plain.isChannelsLast());
      Tensor turned = Ops.channelsLast(plain);
      assertTrue(turned.isChannelsLast());
      assertEquals(
          List.of(plain.toString(), "6.0"),
          List.of(turned.toString(), "" + turned.toFloatArray()[5]));
      assertTrue(Tensor.ones(1, 1, 3, 4).isChannelsLast(), "one channel lies both ways");
      assertFalse(Tensor.ones(2, 2).isChannelsLast());
    }
  }

  @Test
  void wrongTensorsEndInOneSentence() {
    assumeTrue(NativeKernels.supports(Precision.FLOAT32), "no native kernels");
    long before = Tensor.liveHandles();
    try (var scope = TensorScope.open()) {
      Tensor weight = Tensor.ones(4, 3, 3, 3);
      NativeConv.Algorithm auto = NativeConv.Algorithm.AUTO;
      assertThrows(
          TorchException.class,
          () -> NativeConv.pack(Tensor.ones(4, 3, 2, 2), null, auto, Precision.FLOAT32));
      assertThrows(
          TorchException.class,
          () -> NativeConv.pack(weight, Tensor.ones(3), auto, Precision.FLOAT32));
      NativeConv conv = NativeConv.pack(weight, Tensor.ones(4), auto, Precision.FLOAT32);
      Tensor out = NativeKernels.emptyChannelsLast(Device.CPU, 1, 4, 5, 6);
      var e =
          assertThrows(
              TorchException.class, () -> conv.forward(Tensor.ones(1, 3, 5, 6), false, out));
      assertTrue(e.getMessage().contains("float32[1, 3, 5, 6]"), e.getMessage());
      assertThrows(
          TorchException.class,
          () -> conv.forward(NativeKernels.emptyChannelsLast(Device.CPU, 1, 3, 5, 7), false, out));
      assertThrows(
          TorchException.class,
          () -> conv.forward(Tensor.zeros(DType.FLOAT64, Device.CPU, 1, 3, 5, 6), false, out));
      Tensor closed = Tensor.ones(1, 3, 5, 6);
      closed.close();
      assertThrows(IllegalStateException.class, () -> conv.forward(closed, false, out));
      conv.forward(Ops.channelsLast(Tensor.ones(1, 3, 5, 6)), true, out);
      assertEquals(28, Ops.amax(out, 0, 1, 2, 3).item(), 1e-4);
      conv.close();
      conv.close();
      assertThrows(
          IllegalStateException.class,
          () -> conv.forward(Ops.channelsLast(Tensor.ones(1, 3, 5, 6)), true, out));
      assertThrows(
          TorchException.class,
          () ->
              NativeCell.pack(
                  Map.of(NativeCell.Weight.W_INH, weight),
                  new NativeCell.Options(
                      NativeCell.Norm.LAYER,
                      false,
                      NativeCell.Circuit.SOFTPLUS,
                      false,
                      false,
                      true,
                      false,
                      NativeCell.Symmetry.NONE,
                      Precision.FLOAT32,
                      auto)));
    }
    assertEquals(before, Tensor.liveHandles());
  }
}
