package org.gammanet.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorTest {
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveHandles();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  @Test
  void holdsWhatItIsGiven() {
    try (Tensor t = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)) {
      assertArrayEquals(new long[] {2, 3}, t.shape());
      assertEquals(3, t.size(-1));
      assertEquals(2, t.dim());
      assertEquals(6, t.numel());
      assertEquals(DType.FLOAT32, t.dtype());
      assertEquals(Device.CPU, t.device());
      assertTrue(t.isContiguous());
      assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, t.toFloatArray());
      assertArrayEquals(new long[] {1, 2, 3, 4, 5, 6}, t.toLongArray());
      assertEquals("float32[2, 3]", t.toString());
      try (Tensor turned = Ops.transpose(t, 0, 1)) {
        assertFalse(turned.isContiguous());
        assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, turned.toDoubleArray());
      }
    }
  }

  @Test
  void theShapeArrayIsACopy() {
    try (Tensor t = Tensor.zeros(2, 3)) {
      t.shape()[0] = 99;
      assertEquals(2, t.size(0));
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyTypeRoundTripsThroughBytes(DType type) {
    ByteBuffer bytes = ByteBuffer.allocate(3 * type.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 3; i++) {
      bytes.put(i * type.byteSize(), (byte) (i % 2));
    }
    try (Tensor t = Tensor.fromBuffer(bytes, type, 3)) {
      assertEquals(type, t.dtype());
      assertEquals(bytes, t.toBuffer());
    }
  }

  @Test
  void emptyAndScalarTensorsWork() {
    try (Tensor none = Tensor.zeros(0, 3);
        Tensor scalar = Tensor.scalar(2.5);
        Tensor full = Tensor.full(7, DType.INT64, Device.CPU, 2)) {
      assertEquals(0, none.toFloatArray().length);
      assertEquals(2.5, scalar.item());
      assertEquals(0, scalar.dim());
      assertArrayEquals(new long[] {7, 7}, full.toLongArray());
    }
  }

  @Test
  void wrongShapesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[3], 2, 2));
    assertThrows(IllegalArgumentException.class, () -> Tensor.zeros(-1));
    assertThrows(IllegalArgumentException.class, () -> Tensor.zeros(1L << 40, 1L << 40));
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.fromBuffer(ByteBuffer.allocate(7), DType.FLOAT32, 2));
    TorchException huge = assertThrows(TorchException.class, () -> Tensor.empty(1L << 55));
    assertTrue(huge.getMessage().contains("cannot allocate"), huge.getMessage());
    try (Tensor two = Tensor.zeros(2)) {
      assertThrows(IllegalArgumentException.class, two::item);
      assertThrows(IllegalArgumentException.class, () -> two.size(1));
    }
  }

  @Test
  void useAfterCloseIsAnError() {
    Tensor t = Tensor.zeros(2);
    t.close();
    assertTrue(t.isClosed());
    assertThrows(IllegalStateException.class, t::shape);
    assertThrows(IllegalStateException.class, t::toFloatArray);
    assertThrows(IllegalStateException.class, t::dtype);
    IllegalStateException e = assertThrows(IllegalStateException.class, () -> Ops.relu(t));
    assertTrue(e.getMessage().contains("aten::relu"), e.getMessage());
    assertThrows(IllegalStateException.class, () -> Ops.add(t, t));
    assertEquals("a closed tensor", t.toString());
  }

  @Test
  void closingTwiceIsAnError() {
    Tensor t = Tensor.zeros(2);
    t.close();
    IllegalStateException e = assertThrows(IllegalStateException.class, t::close);
    assertTrue(e.getMessage().contains("already closed"), e.getMessage());
  }

  @Test
  void ofManyThreadsThatCloseOneSucceeds() throws InterruptedException {
    for (int round = 0; round < 200; round++) {
      Tensor t = TensorScope.detach(Tensor.zeros(16));
      CountDownLatch start = new CountDownLatch(1);
      AtomicInteger closed = new AtomicInteger();
      AtomicInteger refused = new AtomicInteger();
      Thread[] threads = new Thread[3];
      for (int i = 0; i < threads.length; i++) {
        threads[i] =
            Thread.ofPlatform()
                .start(
                    () -> {
                      try {
                        start.await();
                        t.close();
                        closed.incrementAndGet();
                      } catch (IllegalStateException e) {
                        refused.incrementAndGet();
                      } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                      }
                    });
      }
      start.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(1, closed.get());
      assertEquals(2, refused.get());
    }
  }

  @Test
  void readingWhileAnotherThreadClosesNeverCrashes() throws InterruptedException {
    AtomicReference<Throwable> wrong = new AtomicReference<>();
    for (int round = 0; round < 200; round++) {
      Tensor t = TensorScope.detach(Tensor.ones(1000));
      Thread reader =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      while (true) {
                        assertEquals(1, t.toFloatArray()[999]);
                      }
                    } catch (IllegalStateException expected) {
                      // closed meanwhile
                    } catch (AssertionError | RuntimeException e) {
                      wrong.set(e);
                    }
                  });
      boolean open = true;
      while (open) {
        try {
          t.close();
          open = false;
        } catch (IllegalStateException inUse) {
          Thread.onSpinWait();
        }
      }
      reader.join();
    }
    assertNull(wrong.get());
  }

  @Test
  void aScopeClosesWhatIsNotKept() {
    Tensor kept;
    Tensor lost;
    try (var scope = TensorScope.open()) {
      lost = Tensor.zeros(1);
      kept = scope.keep(Tensor.ones(1));
      Tensor.zeros(1).close(); // closing early is fine
    }
    assertTrue(lost.isClosed());
    assertEquals(1, kept.item());
    kept.close();
  }

  @Test
  void keptTensorsBelongToTheEnclosingScope() {
    Tensor t;
    try (var outer = TensorScope.open()) {
      try (var inner = TensorScope.open()) {
        t = inner.keep(Tensor.ones(1));
      }
      assertFalse(t.isClosed());
    }
    assertTrue(t.isClosed());
  }

  @Test
  void scopesCloseInOrderAndOnTheirThread() throws InterruptedException {
    TensorScope outer = TensorScope.open();
    TensorScope inner = TensorScope.open();
    assertThrows(IllegalStateException.class, outer::close);
    AtomicInteger refused = new AtomicInteger();
    Thread.ofPlatform()
        .start(
            () -> {
              try {
                inner.close();
              } catch (IllegalStateException e) {
                refused.incrementAndGet();
              }
            })
        .join();
    assertEquals(1, refused.get());
    inner.close();
    outer.close();
    outer.close(); // closing again does nothing
  }

  @Test
  void versionsCountChanges() {
    try (var scope = TensorScope.open()) {
      Tensor x = Tensor.ones(3);
      long first = x.version();
      x.detach().zero_();
      assertTrue(x.version() > first);
      long second = x.version();
      x.toFloatArray();
      assertEquals(second, x.version());
      x.copyFrom(new float[] {1, 2, 3});
      assertTrue(x.version() > second, "copyFrom changes the elements, too");
      Tensor transposed = Ops.transpose(Tensor.ones(2, 3).requiresGrad(true), 0, 1);
      long third = transposed.version();
      transposed.bumpVersion();
      assertEquals(third + 1, transposed.version());
    }
  }

  @Test
  void aScopeClosesAllThatCanBeClosedAndTheRestLater() {
    TensorScope scope = TensorScope.open();
    Tensor first = Tensor.ones(1);
    Tensor busy = Tensor.ones(1);
    Tensor alsoBusy = Tensor.ones(1);
    Tensor last = Tensor.ones(1);
    try (Borrowed use = new Borrowed()) {
      use.of(busy);
      use.of(alsoBusy);
      IllegalStateException e = assertThrows(IllegalStateException.class, scope::close);
      assertTrue(e.getMessage().contains("in use"), e.getMessage());
      assertEquals(1, e.getSuppressed().length);
      assertTrue(first.isClosed() && last.isClosed());
      assertFalse(busy.isClosed() || alsoBusy.isClosed());
    }
    scope.close();
    assertTrue(busy.isClosed() && alsoBusy.isClosed());
    try (var next = TensorScope.open()) {
      assertFalse(Tensor.ones(1).isClosed(), "the scope was left at the first attempt");
    }
  }

  @Test
  void aScopeCloses_AlsoWhenSomethingThrows() {
    assertThrows(
        TorchException.class,
        () -> {
          try (var scope = TensorScope.open()) {
            Tensor a = Tensor.zeros(2, 3);
            Ops.matmul(a, Tensor.zeros(2, 3));
          }
        });
  }

  @Test
  void aliasAndOriginalAreClosedSeparately() {
    Tensor t = Tensor.ones(2);
    Tensor same = t.alias();
    t.close();
    assertArrayEquals(new float[] {1, 1}, same.toFloatArray());
    same.close();
  }

  @Test
  void copiesConvert() {
    try (var scope = TensorScope.open()) {
      Tensor t = Tensor.zeros(2, 2);
      t.copyFrom(new float[] {1, 2, 3, 4});
      assertArrayEquals(new double[] {1, 2, 3, 4}, t.to(DType.FLOAT64).toDoubleArray());
      t.copy_(Tensor.of(new long[] {9, 8}, 2));
      assertArrayEquals(new float[] {9, 8, 9, 8}, t.toFloatArray());
      assertThrows(IllegalArgumentException.class, () -> t.copyFrom(new float[3]));
      assertThrows(TorchException.class, () -> t.copy_(Tensor.zeros(3)));
    }
  }

  @Test
  void errorsNameTheOperatorTheShapesAndTheReason() {
    try (var scope = TensorScope.open()) {
      Tensor x = Tensor.zeros(1, 3, 8, 8);
      Tensor w = Tensor.zeros(4, 5, 3, 3);
      TorchException e = assertThrows(TorchException.class, () -> Ops.conv2d(x, w, null, 1, 1));
      assertTrue(e.getMessage().contains("aten::conv2d"), e.getMessage());
      assertTrue(e.getMessage().contains("float32[1, 3, 8, 8]"), e.getMessage());
      boolean tells = !LibTorch.version().matches("2\\.1[12]\\..*");
      String reason = tells ? "channels" : "the reason is on standard error";
      assertTrue(e.getMessage().contains(reason), e.getMessage());
      assertFalse(e.getMessage().contains("Exception raised from"), e.getMessage());
      Tensor wrongType = Tensor.of(new long[] {1}, 1);
      assertThrows(
          TorchException.class, () -> Ops.conv2d(x, Ops.to(w, DType.FLOAT64), wrongType, 1, 1));
      e = assertThrows(TorchException.class, () -> Ops.add(x, w));
      assertTrue(e.getMessage().startsWith("aten::add.Tensor("), e.getMessage());
      e = assertThrows(TorchException.class, () -> Ops.sub(x, w));
      assertTrue(e.getMessage().startsWith("aten::sub.Tensor("), e.getMessage());
      Operator none = Operator.of("aten::no_such_thing() -> Tensor");
      assertThrows(TorchException.class, none::tensor);
    }
  }

  @Test
  void forgottenTensorsAreReleasedByTheCleanerWithAWarning() throws InterruptedException {
    List<String> warnings = Collections.synchronizedList(new ArrayList<>());
    Logger logger = Logger.getLogger(Tensor.class.getName());
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord message) {
            warnings.add(message.getMessage());
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      forget();
      for (int i = 0; i < 100 && Tensor.liveHandles() != before; i++) {
        System.gc();
        Thread.sleep(20);
      }
      assertEquals(before, Tensor.liveHandles());
      assertTrue(warnings.toString().contains("float32[1, 3]"), warnings.toString());
      assertTrue(warnings.toString().contains("gammanet.trace"), warnings.toString());
    } finally {
      logger.removeHandler(handler);
      logger.setUseParentHandlers(true);
    }
  }

  private void forget() {
    assertEquals(3, Tensor.ones(1, 3).numel());
    assertEquals(before + 1, Tensor.liveHandles());
  }

  @Test
  void devicesAreParsed() {
    assertEquals(Device.CPU, Device.parse(" CPU "));
    assertEquals(LibTorch.cudaDeviceCount() > 0 ? Device.cuda(0) : Device.CPU, Device.best());
    assertThrows(IllegalArgumentException.class, () -> Device.parse("gpu"));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Device.parse("cuda:999"));
    assertTrue(e.getMessage().contains("CUDA"), e.getMessage());
  }
}
