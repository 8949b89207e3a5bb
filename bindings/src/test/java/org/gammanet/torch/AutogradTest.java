package org.gammanet.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Gradient mode on virtual threads, which go on with another carrier thread after they waited. */
class AutogradTest {
  private static List<Boolean> onVirtualThreads(
      int count, java.util.concurrent.Callable<Boolean> body)
      throws ExecutionException, InterruptedException {
    List<Boolean> results = new ArrayList<>();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Boolean>> futures = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        futures.add(executor.submit(body));
      }
      for (Future<Boolean> future : futures) {
        results.add(future.get());
      }
    }
    return results;
  }

  private static boolean records() {
    try (var scope = TensorScope.open()) {
      return Ops.relu(Tensor.ones(1).requiresGrad(true)).requiresGrad();
    }
  }

  @Test
  void theModeBelongsToTheVirtualThread() throws Exception {
    assertFalse(
        onVirtualThreads(
                400,
                () -> {
                  try (var off = Autograd.noGrad()) {
                    for (int i = 0; i < 3; i++) {
                      Thread.sleep(1);
                      if (Autograd.isEnabled() || records()) {
                        return false;
                      }
                    }
                  }
                  Thread.sleep(1);
                  return Autograd.isEnabled() && records();
                })
            .contains(false),
        "the mode was another thread's");
    assertFalse(
        onVirtualThreads(
                64,
                () -> {
                  Thread.sleep(1);
                  return Autograd.isEnabled() && records();
                })
            .contains(false),
        "a new thread does not record");
    assertTrue(Autograd.isEnabled());
    assertEquals(true, records());
  }
}
