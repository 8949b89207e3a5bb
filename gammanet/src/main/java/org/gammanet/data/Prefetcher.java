package org.gammanet.data;

import java.util.ArrayDeque;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;

/**
 * Makes a numbered sequence of things ahead of time on threads of its own and hands them out in
 * order, whichever thread finishes first. Used by one thread.
 *
 * @param <T> what is made
 */
public final class Prefetcher<T> implements AutoCloseable {
  private static final AtomicInteger NAMES = new AtomicInteger();

  private final ExecutorService threads;
  private final ArrayDeque<Future<T>> pending = new ArrayDeque<>();
  private final LongFunction<T> make;
  private final int ahead;
  private final long end;
  private long submitted;

  /**
   * Starts making {@code make.apply(from)}, {@code make.apply(from + 1)}, … up to {@code end}
   * (exclusive).
   *
   * @param threads at least 1
   * @param ahead how many finished or half-finished things may wait; at least 1
   */
  public Prefetcher(long from, long end, int threads, int ahead, LongFunction<T> make) {
    if (threads < 1 || ahead < 1) {
      throw new IllegalArgumentException(
          "At least one thread and one batch ahead are needed, found %s and %s"
              .formatted(threads, ahead));
    }
    this.make = make;
    this.ahead = ahead;
    this.end = end;
    this.submitted = from;
    this.threads =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread thread = new Thread(task, "gammanet-loader-" + NAMES.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
    fill();
  }

  private void fill() {
    while (submitted < end && pending.size() < ahead) {
      long position = submitted++;
      pending.add(threads.submit(() -> make.apply(position)));
    }
  }

  /** Whether {@link #next} has something to give. */
  public boolean hasNext() {
    return !pending.isEmpty();
  }

  /**
   * The next thing in order; waits for it.
   *
   * @throws NoSuchElementException after the last
   * @throws IllegalStateException if this is closed
   * @throws InterruptedException if this thread was interrupted while it waited
   * @throws RuntimeException whatever making it threw
   */
  public T next() throws InterruptedException {
    if (pending.isEmpty()) {
      throw new NoSuchElementException("the sequence has ended");
    }
    if (threads.isShutdown()) { // what was finished before that is dropped too
      throw new IllegalStateException("the loader is closed");
    }
    try {
      T result = pending.getFirst().get();
      pending.removeFirst();
      fill();
      return result;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (CancellationException e) {
      throw new IllegalStateException("the loader is closed", e);
    }
  }

  /** Stops the threads; what they were making is dropped. */
  @Override
  public void close() {
    pending.forEach(future -> future.cancel(true));
    threads.shutdownNow();
  }
}
