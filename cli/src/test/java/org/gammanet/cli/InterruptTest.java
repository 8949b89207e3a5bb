package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import sun.misc.Signal;
import sun.misc.SignalHandler;

class InterruptTest {
  /** The exit statuses that the help lists, and shells expect. */
  @ParameterizedTest
  @CsvSource({"HUP, 129", "INT, 130", "TERM, 143"})
  void theFirstSignalStopsTheWorkAndGivesTheStatus(String signal, int status)
      throws InterruptedException {
    assumeFalse(isIgnored(signal), "whoever started this JVM ignores SIG" + signal);
    var stopped = new CountDownLatch(1);
    try (var interrupt = Interrupt.handle(stopped::countDown)) {
      assertFalse(interrupt.happened());
      Signal.raise(new Signal(signal));
      assertTrue(stopped.await(10, TimeUnit.SECONDS));
      assertTrue(interrupt.happened());
      assertEquals(status, Failures.status(interrupt.exception("interrupted")));
    }
  }

  /** Programs that a shell starts in the background inherit an ignored SIGINT. */
  private static boolean isIgnored(String name) {
    Signal signal = new Signal(name);
    SignalHandler before = Signal.handle(signal, SignalHandler.SIG_DFL);
    Signal.handle(signal, before);
    return before == SignalHandler.SIG_IGN;
  }
}
