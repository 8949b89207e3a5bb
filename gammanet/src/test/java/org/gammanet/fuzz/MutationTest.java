package org.gammanet.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Damaged files of every format: {@code -Dgammanet.fuzz.inputs=N} of each, the same ones for the
 * same number. Run as a program it takes a number of inputs or seconds (such as {@code 90s}) and
 * names of readers, and prints a table.
 */
class MutationTest {
  private static final int INPUTS = Integer.getInteger("gammanet.fuzz.inputs", 300);

  @ParameterizedTest
  @EnumSource
  void onlyTheDocumentedExceptionIsThrown(Reader reader) throws IOException {
    assertEquals(List.of(), new Run(reader, 11).go(INPUTS, Long.MAX_VALUE).faults);
  }

  private static final class Run {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    final Reader reader;
    final Random random;
    final List<byte[]> corpus;
    final List<String> faults = new ArrayList<>();
    long inputs;
    long slow;
    long slowest;
    long most;
    int mostFor;

    Run(Reader reader, long seed) {
      this.reader = reader;
      this.random = new Random(seed);
      this.corpus = new ArrayList<>(reader.seeds());
    }

    Run go(long count, long nanos) throws IOException {
      for (byte[] seed : corpus) {
        reader.read(seed);
      }
      long end = System.nanoTime() + nanos;
      while (inputs < count && (nanos == Long.MAX_VALUE || System.nanoTime() < end)) {
        byte[] input = mutated();
        inputs++;
        long before = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        try {
          reader.read(input);
        } catch (RuntimeException | Error | IOException e) {
          if (faults.size() < 20) {
            String where = e.getStackTrace().length == 0 ? "" : " at " + e.getStackTrace()[0];
            faults.add(e + where + ": " + HexFormat.of().formatHex(input));
          }
        }
        long time = System.nanoTime() - start;
        slow += time > 1_000_000_000 ? 1 : 0;
        slowest = Math.max(slowest, time);
        long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
        if (allocated > most) {
          most = allocated;
          mostFor = input.length;
        }
      }
      return this;
    }

    private byte[] mutated() {
      byte[] bytes = corpus.get(random.nextInt(corpus.size())).clone();
      int changes = 1 + random.nextInt(4);
      for (int i = 0; i < changes && bytes.length > 0; i++) {
        // Headers are where the danger is.
        int bound = random.nextBoolean() ? Math.min(bytes.length, 200) : bytes.length;
        int at = random.nextInt(bound);
        switch (random.nextInt(8)) {
          case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
          case 1 -> bytes[at] = (byte) random.nextInt();
          case 2 -> {
            byte[] interesting = {0, 1, 2, -1, 0x7F, (byte) 0x80, '(', '.', 'R', '{', '"', ':'};
            bytes[at] = interesting[random.nextInt(interesting.length)];
          }
          case 3 -> {
            int n = Math.min(1 + random.nextInt(4), bytes.length - at);
            byte value = (byte) (random.nextBoolean() ? 0xFF : 0);
            java.util.Arrays.fill(bytes, at, at + n, value);
          }
          case 4 -> bytes = java.util.Arrays.copyOf(bytes, at);
          case 5 -> { // a piece again
            int n = Math.min(1 + random.nextInt(16), bytes.length - at);
            byte[] longer = new byte[bytes.length + n];
            System.arraycopy(bytes, 0, longer, 0, at + n);
            System.arraycopy(bytes, at, longer, at + n, bytes.length - at);
            bytes = longer;
          }
          case 6 -> { // a piece less
            int n = Math.min(1 + random.nextInt(8), bytes.length - at);
            byte[] shorter = new byte[bytes.length - n];
            System.arraycopy(bytes, 0, shorter, 0, at);
            System.arraycopy(bytes, at + n, shorter, at, bytes.length - at - n);
            bytes = shorter;
          }
          default -> { // a piece of another file
            byte[] other = corpus.get(random.nextInt(corpus.size()));
            int from = random.nextInt(other.length);
            int n =
                Math.min(Math.min(1 + random.nextInt(32), bytes.length - at), other.length - from);
            System.arraycopy(other, from, bytes, at, n);
          }
        }
      }
      return bytes;
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-14s %,12d inputs  %d faults  %d over 1 s (longest %.2f s)  most allocated %,d bytes"
              + " (input of %d)",
          reader,
          inputs,
          faults.size(),
          slow,
          slowest / 1e9,
          most,
          mostFor);
    }
  }

  /** Runs for a number of inputs or a time. */
  public static void main(String[] arguments) throws IOException {
    boolean timed = arguments[0].endsWith("s");
    long amount = Long.parseLong(arguments[0].replace("s", ""));
    for (int i = 1; i < arguments.length; i++) {
      Run run =
          new Run(Reader.valueOf(arguments[i]), System.nanoTime())
              .go(timed ? Long.MAX_VALUE : amount, timed ? amount * 1_000_000_000 : Long.MAX_VALUE);
      System.out.println(run);
      run.faults.forEach(System.out::println);
    }
  }
}
