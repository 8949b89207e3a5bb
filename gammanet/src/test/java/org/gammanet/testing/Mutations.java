package org.gammanet.testing;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Reads damaged copies of good files and counts what goes wrong: exceptions that are not
 * documented, inputs that take long, and inputs that take much memory. The same seed makes the same
 * inputs.
 *
 * <p>Time is that of the processor, so that a busy machine finds no fault; one second is allowed
 * for each ten megapixels that the input declares, and never less than one. Java's memory may be
 * twice that of the decoded content, the file and 16 MB.
 */
public final class Mutations {
  /** A reader of files from outside. */
  public interface Target {
    /** Good files to begin with. */
    List<byte[]> seeds();

    /** Reads bytes. Whatever it throws is a fault: documented exceptions are caught in here. */
    void read(byte[] input) throws IOException;

    /** What the header of an input that took long or much memory declares. */
    default Declared declared(byte[] input) {
      return new Declared(0, 0);
    }
  }

  /**
   * What an input says that it holds.
   *
   * @param pixels of the decoded image; 0 for other files
   * @param bytes of the decoded content
   */
  public record Declared(long pixels, long bytes) {}

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final long FREE_BYTES = 16 << 20;
  private static final long FREE_NANOS = 1_000_000_000;

  private final Target target;
  private final Random random;
  private final List<byte[]> corpus;
  private final List<String> faults = new ArrayList<>();
  private long inputs;
  private long faulty;
  private long longest;
  private long most;

  /** Begins with the files of a target. */
  public Mutations(Target target, long seed) {
    this.target = target;
    this.random = new Random(seed);
    this.corpus = new ArrayList<>(target.seeds());
  }

  /** The first faults with their inputs. */
  public List<String> faults() {
    return faults;
  }

  /** Reads the good files, and then so many damaged ones or for so long. */
  public Mutations run(long count, long nanos) throws IOException {
    for (byte[] seed : corpus) {
      target.read(seed);
    }
    long start = System.nanoTime();
    for (long n = 0; n < count && System.nanoTime() - start < nanos; n++) {
      read(mutated());
    }
    return this;
  }

  private void read(byte[] input) {
    inputs++;
    long memory = THREADS.getCurrentThreadAllocatedBytes();
    long time = THREADS.getCurrentThreadCpuTime();
    try {
      target.read(input);
    } catch (Throwable e) {
      String where = e.getStackTrace().length == 0 ? "" : " at " + e.getStackTrace()[0];
      fault(e + where, input);
    }
    time = THREADS.getCurrentThreadCpuTime() - time;
    memory = THREADS.getCurrentThreadAllocatedBytes() - memory;
    longest = Math.max(longest, time);
    most = Math.max(most, memory);
    if (time > FREE_NANOS || memory > FREE_BYTES + input.length) {
      Declared declared = target.declared(input);
      if (time > FREE_NANOS * Math.max(1, declared.pixels / 1e7)) {
        fault("%.1f s for %,d pixels".formatted(time / 1e9, declared.pixels), input);
      }
      if (memory > FREE_BYTES + input.length + 2 * declared.bytes) {
        fault("%,d bytes taken for %,d in %s".formatted(memory, declared.bytes, declared), input);
      }
    }
  }

  private void fault(String what, byte[] input) {
    faulty++;
    if (faults.size() < 20) {
      faults.add(what + ": " + HexFormat.of().formatHex(input));
    }
  }

  private byte[] mutated() {
    byte[] bytes = corpus.get(random.nextInt(corpus.size())).clone();
    int changes = 1 + random.nextInt(4);
    for (int i = 0; i < changes && bytes.length > 0; i++) {
      // Headers are where the danger is.
      int bound = random.nextBoolean() ? Math.min(bytes.length, 200) : bytes.length;
      int at = random.nextInt(bound);
      switch (random.nextInt(9)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> {
          byte[] interesting = {0, 1, 2, -1, 0x7F, (byte) 0x80, '(', '.', 'R', '{', '"', ':'};
          bytes[at] = interesting[random.nextInt(interesting.length)];
        }
        case 3 -> {
          int n = Math.min(1 + random.nextInt(4), bytes.length - at);
          byte value = (byte) (random.nextBoolean() ? 0xFF : 0);
          Arrays.fill(bytes, at, at + n, value);
        }
        case 4 -> bytes = Arrays.copyOf(bytes, at);
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
        case 7 -> { // another digit: text holds its numbers so
          if (bytes[at] >= '0' && bytes[at] <= '9') {
            bytes[at] = (byte) ('0' + random.nextInt(10));
          }
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
        "%-14s %,12d inputs  %d faults  longest %.2f s  most memory %,d bytes",
        target,
        inputs,
        faulty,
        longest / 1e9,
        most);
  }

  /** Writes bytes to a file that each call replaces, for readers that take a file. */
  public static Path file(byte[] bytes, String ending) throws IOException {
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    Path file = folder.resolve("gammanet-fuzz-" + ProcessHandle.current().pid() + ending);
    file.toFile().deleteOnExit();
    return Files.write(file, bytes);
  }

  /** What writes a good file. */
  public interface Writing {
    void to(Path file) throws IOException;
  }

  /** The bytes that a writer puts into a file. */
  public static byte[] written(Writing writing) {
    try {
      Path file = Files.createTempFile("gammanet-seed", ".bin");
      Files.delete(file);
      writing.to(file);
      byte[] bytes = Files.readAllBytes(file);
      Files.delete(file);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Runs for a number of inputs or a time: a number or seconds (such as {@code 90s}), the name of
   * an enum of targets, and names of targets or none for all. The exit status is 1 after a fault.
   */
  public static void main(String[] arguments) throws Exception {
    boolean timed = arguments[0].endsWith("s");
    long amount = Long.parseLong(arguments[0].replace("s", ""));
    List<String> names = Arrays.asList(arguments).subList(2, arguments.length);
    int status = 0;
    for (Object constant : Class.forName(arguments[1]).getEnumConstants()) {
      if (names.isEmpty() || names.contains(constant.toString())) {
        long nanos = timed ? amount * 1_000_000_000 : Long.MAX_VALUE;
        Mutations run =
            new Mutations((Target) constant, System.nanoTime())
                .run(timed ? Long.MAX_VALUE : amount, nanos);
        System.out.println(run);
        run.faults.forEach(System.out::println);
        status |= run.faults.isEmpty() ? 0 : 1;
      }
    }
    System.exit(status);
  }
}
