package org.gammanet.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;

/** Owners close all that they own, whatever fails. */
class ResourcesTest {
  @Test
  void allAreClosedAndTheFirstFailureIsThrown() {
    List<Integer> closed = new ArrayList<>();
    var first = new IllegalStateException("in use");
    var second = new java.io.IOException("full");
    List<AutoCloseable> owners = new ArrayList<>();
    owners.add(() -> closed.add(0));
    owners.add(
        () -> {
          throw first;
        });
    owners.add(() -> closed.add(2));
    owners.add(
        () -> {
          throw second;
        });
    owners.add(() -> closed.add(4));
    var thrown = assertThrows(IllegalStateException.class, () -> Resources.closeAll(owners));
    assertSame(first, thrown);
    assertSame(second, thrown.getSuppressed()[0]);
    assertEquals(List.of(0, 2, 4), closed);
  }

  @Test
  void aParameterClosesItsValueThoughADependentFails() {
    long before = Tensor.liveHandles();
    Layers layers = new Layers();
    Parameter weight = layers.parameter("w", Initialization.ONE, 2, 3);
    weight.initialize(0);
    weight.closeWith(
        () -> {
          throw new IllegalStateException("in use");
        });
    assertThrows(IllegalStateException.class, weight::close);
    assertEquals(before, Tensor.liveHandles());
    weight.close();
    assertThrows(IllegalStateException.class, weight::tensor);
  }
}
