package org.gammanet.view;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A computation and its answer on the way to a page: a stream of frames.
 *
 * <p>A frame is the length of its header (int32), the header (JSON) and {@code header.bytes} bytes
 * of data; numbers are little-endian. {@code header.kind} says what it is; the last one is {@code
 * end} or {@code error}.
 */
final class Job {
  /** What may wait for a page that reads slowly. */
  private static final long MAX_WAITING = 256L << 20;

  /** How long the computation waits for such a page before it is given up. */
  private static final long PATIENCE = TimeUnit.SECONDS.toNanos(20);

  private final Queue<byte[]> frames = new ArrayDeque<>();
  private long waiting;
  private boolean ended;
  private boolean canceled;

  /** The header of a frame. */
  static ObjectNode header(String kind) {
    return JsonNodeFactory.instance.objectNode().put("kind", kind);
  }

  /** Ends the computation at its next {@link #check}: nobody waits for it. */
  synchronized void cancel() {
    canceled = true;
    notifyAll();
  }

  /**
   * Ends a computation that was canceled.
   *
   * @throws CancellationException if it was
   */
  synchronized void check() {
    if (canceled) {
      throw new CancellationException("nobody waits for this computation");
    }
  }

  /** Sends a frame without data. */
  void send(ObjectNode header) {
    send(header, ByteBuffer.allocate(0));
  }

  /**
   * Sends a frame.
   *
   * @param data its bytes up to the limit, as they are
   * @throws CancellationException when nobody waits for it
   */
  void send(ObjectNode header, ByteBuffer data) {
    byte[] frame = frame(header, data);
    synchronized (this) {
      long until = System.nanoTime() + PATIENCE;
      while (!canceled && waiting > 0 && waiting + frame.length > MAX_WAITING) {
        long left = until - System.nanoTime();
        if (left <= 0) {
          canceled = true;
        } else {
          pause(left);
        }
      }
      check();
      add(frame);
    }
  }

  /** Sends the last frame, also when the computation was canceled. */
  synchronized void end(ObjectNode header) {
    add(frame(header, ByteBuffer.allocate(0)));
    ended = true;
  }

  private void add(byte[] frame) {
    frames.add(frame);
    waiting += frame.length;
    notifyAll();
  }

  /**
   * The next frame; null if none comes within a time. After the last one, empty.
   *
   * @param millis at most
   */
  synchronized byte @Nullable [] next(long millis) {
    if (frames.isEmpty() && !ended) {
      pause(TimeUnit.MILLISECONDS.toNanos(millis));
    }
    byte[] frame = frames.poll();
    if (frame == null) {
      return ended ? new byte[0] : null;
    }
    waiting -= frame.length;
    notifyAll();
    return frame;
  }

  private void pause(long nanos) {
    try {
      TimeUnit.NANOSECONDS.timedWait(this, nanos);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      canceled = true;
    }
  }

  static byte[] frame(ObjectNode header, ByteBuffer data) {
    byte[] json = header.put("bytes", data.remaining()).toString().getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(4 + json.length + data.remaining())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(json.length)
        .put(json)
        .put(data.duplicate())
        .array();
  }
}
