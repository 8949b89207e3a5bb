package org.gammanet.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/** Ends work in an orderly way on Ctrl-C; a second one ends the program at once. */
final class Interrupt implements AutoCloseable {
  private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();
  private final AtomicInteger received = new AtomicInteger();

  private Interrupt() {}

  /** Calls {@code stop} on the first SIGINT or SIGTERM until this is closed. */
  static Interrupt handle(Runnable stop) {
    Interrupt interrupt = new Interrupt();
    for (String name : new String[] {"INT", "TERM"}) {
      Signal signal = new Signal(name);
      interrupt.before.put(
          signal,
          Signal.handle(
              signal,
              s -> {
                if (interrupt.received.getAndSet(s.getNumber()) != 0) {
                  Runtime.getRuntime().halt(128 + s.getNumber());
                }
                stop.run();
              }));
    }
    return interrupt;
  }

  /** Whether a signal came. */
  boolean happened() {
    return received.get() != 0;
  }

  /** Number of the signal that came; 0 if none did. */
  int signal() {
    return received.get();
  }

  @Override
  public void close() {
    before.forEach(Signal::handle);
  }
}
