package org.gammanet.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What is checked before the dispatcher sees a call, and what happens to arguments when it fails.
 */
class OperatorTest {
  private static final Operator VERSION = Operator.of("aten::_version(Tensor self) -> int");
  private static final Operator MUL =
      Operator.of("aten::mul.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator FLIP = Operator.of("aten::flip(Tensor self, int[] dims) -> Tensor");
  private static final Operator CAT = Operator.of("aten::cat(Tensor[] tensors, int dim) -> Tensor");
  private static final Operator ARGMAX =
      Operator.of("aten::argmax(Tensor self, int? dim, bool keepdim) -> Tensor");

  private long before;
  private TensorScope scope;

  @BeforeEach
  void open() {
    before = Tensor.liveHandles();
    scope = TensorScope.open();
  }

  @AfterEach
  void nothingLeaks() {
    scope.close();
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  private static void refused(String part, Runnable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void numberAndKindOfArgumentsAreChecked() {
    Tensor x = Tensor.ones(2, 2);
    refused("aten::mul.Tensor takes 2 arguments, not 1", () -> MUL.tensor(x));
    refused("takes 2 arguments, not 3", () -> MUL.tensor(x, x, x));
    refused("aten::_version: self must be a tensor, not 5", () -> VERSION.integer(5));
    refused(
        "aten::_version: self must be a tensor, not null", () -> VERSION.integer((Object) null));
    refused("aten::flip: dims must be a list", () -> FLIP.tensor(x, 1));
    refused("tensors must be a list", () -> CAT.tensor(List.of(x, 3), 0));
    refused("dim must be an integer or null", () -> ARGMAX.tensor(x, 0.5, false));
    refused("keepdim must be a boolean", () -> ARGMAX.tensor(x, 0, 0));
  }

  @Test
  void theKindOfTheResultIsChecked() {
    Tensor x = Tensor.ones(2, 2);
    refused("aten::_version returns something else", () -> VERSION.tensor(x));
    refused("returns something else", () -> MUL.integer(x, x));
    refused("returns something else", () -> MUL.tensors(2, x, x));
    long version = VERSION.integer(x);
    x.copy_(Tensor.zeros(2, 2));
    assertEquals(version + 1, VERSION.integer(x));
  }

  @Test
  void aResultThatNobodyWantsIsReleased() {
    Tensor x = Tensor.ones(2, 2);
    long alive = Tensor.liveHandles();
    MUL.run(x, x);
    assertEquals(alive, Tensor.liveHandles());
  }

  @Test
  void aMissingOptionalIsNull() {
    Tensor x = Tensor.of(new float[] {1, 5, 3}, 3);
    assertArrayEquals(new long[] {1}, ARGMAX.tensor(x, null, false).toLongArray());
    assertArrayEquals(new long[] {1}, ARGMAX.tensor(x, 0, false).toLongArray());
  }

  @Test
  void malformedSchemasAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Operator.of("aten::relu"));
    refused("no slot for the type Scalar", () -> Operator.of("aten::f(Scalar x) -> Tensor"));
  }

  @Test
  void aReasonOfAnyLengthIsReported() {
    Operator none = Operator.of("aten::" + "x".repeat(100_000) + "() -> Tensor");
    TorchException e = assertThrows(TorchException.class, none::tensor);
    assertTrue(e.getMessage().length() > 100_000);
  }

  private static long residentMiB() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS")) {
        return Long.parseLong(line.replaceAll("\\D+", "")) >> 10;
      }
    }
    throw new IOException("no VmRSS");
  }

  /** 100 calls that fail after they have taken a tensor of 4 MB each. */
  @Test
  void argumentsOfCallsThatFailAreReleased() throws IOException {
    assumeTrue(Files.isReadable(Path.of("/proc/self/status")));
    Tensor closed = Tensor.zeros(1);
    closed.close();
    long start = 0;
    for (int i = 0; i < 120; i++) {
      if (i == 20) {
        start = residentMiB();
      }
      try (var inner = TensorScope.open()) {
        Tensor large = Tensor.ones(1, 16, 256, 256);
        assertThrows(IllegalStateException.class, () -> Ops.cat(List.of(large, closed), 0));
        assertThrows(IllegalStateException.class, () -> Ops.stack(List.of(large, closed), 0));
        assertThrows(
            IllegalStateException.class, () -> Ops.instanceNorm(large, large, closed, 1e-5));
        assertThrows(TorchException.class, () -> Ops.cat(List.of(large, Tensor.ones(3, 3)), 0));
      }
    }
    long grown = residentMiB() - start;
    assertTrue(grown < 200, "resident memory has grown by " + grown + " MiB");
  }
}
