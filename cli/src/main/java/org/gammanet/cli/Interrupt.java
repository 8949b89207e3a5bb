package org.gammanet.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ends work in an orderly way on Ctrl-C (SIGINT), SIGTERM and, when the terminal is closed, SIGHUP;
 * a second signal ends the program at once.
 */
final class Interrupt implements AutoCloseable {
  private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();
  private final AtomicInteger received = new AtomicInteger();

  private Interrupt() {}

  /** Calls {@code stop} on the first signal until this is closed. */
  static Interrupt handle(Runnable stop) {
    Interrupt interrupt = new Interrupt();
    for (String name : new String[] {"HUP", "INT", "TERM"}) {
      try {
        Signal signal = new Signal(name);
        interrupt.before.put(
            signal, Signal.handle(signal, s -> interrupt.receive(s.getNumber(), stop)));
      } catch (IllegalArgumentException e) {
        // Windows has no SIGHUP; and one that nohup ignores stays ignored.
      }
    }
    return interrupt;
  }

  private void receive(int number, Runnable stop) {
    if (received.getAndSet(number) != 0) {
      Runtime.getRuntime().halt(128 + number);
    }
    stop.run();
  }

  /** Whether a signal came. */
  boolean happened() {
    return received.get() != 0;
  }

  /** The number of the signal that came last; 0 before. */
  int signal() {
    return received.get();
  }

  /** The exit status that it means. */
  int status() {
    return 128 + received.get();
  }

  /** What a command throws once its work has ended. */
  InterruptedByUser exception(String message) {
    return new InterruptedByUser(received.get(), message);
  }

  @Override
  public void close() {
    before.forEach(Signal::handle);
  }
}
