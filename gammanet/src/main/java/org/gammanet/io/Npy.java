package org.gammanet.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * An array in NumPy's file format (versions 1 to 3): numbers and truth values of any size, both
 * byte orders, C and Fortran order. Nothing in a file is executed; objects and records are refused.
 */
public final class Npy {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int MAX_HEADER = 1 << 16;

  /** Bytes of an array that is read at once. */
  private static final int MAX_DATA = Integer.MAX_VALUE - 16;

  /** Numbers that are encoded at a time. */
  private static final int CHUNK = 1 << 14;

  /** Marks a result, between the header and its padding. */
  private static final String RESULT = "\t ";

  /** Time of the parts of an .npz file: equal arrays give equal files. */
  private static final LocalDateTime NO_TIME = LocalDateTime.of(1980, 1, 1, 0, 0);

  private static final Pattern TYPE = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
  private static final Pattern ORDER = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
  private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([0-9,\\sL]*)\\)");

  private final int[] shape;
  private final String type;
  private final ByteBuffer data;
  private final boolean fortran;

  private Npy(int[] shape, String type, ByteBuffer data, boolean fortran) {
    this.shape = shape;
    this.type = type;
    this.data = data;
    this.fortran = fortran;
  }

  /** Sizes of the dimensions; empty for a single number. */
  public int[] shape() {
    return shape.clone();
  }

  /** NumPy's name of the element type, such as {@code <f4}. */
  public String type() {
    return type;
  }

  /**
   * Reads a file.
   *
   * @throws DataException if it cannot be read, is truncated or holds something else; the message
   *     names the file
   */
  public static Npy read(Path file) {
    try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = in.size();
      ByteBuffer start = fill(in, (int) Math.min(size, MAX_HEADER + 12L));
      if (size < 10 || !Arrays.equals(Arrays.copyOf(start.array(), 6), MAGIC)) {
        throw new DataException(file + " is not a file of NumPy's format (.npy)");
      }
      int version = start.get(6);
      if (version < 1 || version > 3) {
        throw new DataException(
            "%s is of version %s of NumPy's format; 1 to 3 are read".formatted(file, version));
      }
      int at = version == 1 ? 10 : 12;
      int length = version == 1 ? start.getShort(8) & 0xFFFF : size < 12 ? -1 : start.getInt(8);
      if (length < 0 || length > start.limit() - at) {
        throw new DataException(file + " has a header that is truncated or damaged");
      }
      String header = new String(start.array(), at, length, StandardCharsets.UTF_8);
      return read(file, in, header, at + length, size);
    } catch (NoSuchFileException e) {
      throw new DataException("There is no file " + file, e);
    } catch (IOException e) {
      throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  private static Npy read(Path file, FileChannel in, String header, long at, long size)
      throws IOException {
    Matcher descr = TYPE.matcher(header);
    Matcher order = ORDER.matcher(header);
    Matcher sizes = SHAPE.matcher(header);
    if (!descr.find() || !order.find() || !sizes.find()) {
      throw new DataException(file + " has a header without type, order or shape of one array");
    }
    String type = descr.group(1);
    if (!type.matches("\\|[bui]1|[<>=][ui][1248]|[<>=]f[248]")) {
      throw new DataException(
          "%s holds elements of type '%s'; real numbers and truth values are read"
              .formatted(file, type));
    }
    String[] parts =
        Arrays.stream(sizes.group(1).split(","))
            .map(s -> s.strip().replace("L", ""))
            .filter(s -> !s.isEmpty())
            .toArray(String[]::new);
    if (!Arrays.stream(parts).allMatch(s -> s.matches("[0-9]+"))) {
      throw new DataException(file + " has a header that is truncated or damaged");
    }
    int[] shape = new int[parts.length];
    long bytes = type.charAt(2) - '0';
    for (int i = 0; i < parts.length; i++) {
      // Each factor is checked alone, so that the product cannot overflow.
      long n = parts[i].length() > 10 ? Long.MAX_VALUE : Long.parseLong(parts[i]);
      bytes = n > Integer.MAX_VALUE || bytes > Integer.MAX_VALUE ? Long.MAX_VALUE : bytes * n;
      shape[i] = (int) n;
    }
    if (size - at > MAX_DATA) {
      throw new DataException(
          "%s has %s bytes of data; at most %s are read".formatted(file, size - at, MAX_DATA));
    }
    if (bytes != size - at) {
      throw new DataException(
          "%s says its shape is (%s) of '%s', but has %s bytes of data"
              .formatted(file, String.join(", ", parts), type, size - at));
    }
    in.position(at);
    ByteBuffer data = fill(in, (int) bytes);
    data.order(type.charAt(0) == '>' ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
    return new Npy(shape, type, data, order.group(1).equals("True"));
  }

  private static ByteBuffer fill(FileChannel in, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && in.read(buffer) >= 0) {
      // A read may give less than is asked for.
    }
    return buffer.flip();
  }

  private double element(int i) {
    return switch (type.substring(1)) {
      case "b1", "u1" -> data.get(i) & 0xFF;
      case "i1" -> data.get(i);
      case "u2" -> data.getShort(2 * i) & 0xFFFF;
      case "i2" -> data.getShort(2 * i);
      case "u4" -> Integer.toUnsignedLong(data.getInt(4 * i));
      case "i4" -> data.getInt(4 * i);
      case "u8", "i8" -> data.getLong(8 * i);
      case "f2" -> Float.float16ToFloat(data.getShort(2 * i));
      case "f4" -> data.getFloat(4 * i);
      default -> data.getDouble(8 * i);
    };
  }

  /** All elements in C order: the last index runs fastest. Integers beyond 2^53 are rounded. */
  public double[] doubles() {
    int n = 1;
    for (int size : shape) {
      n *= size;
    }
    double[] values = new double[n];
    int[] index = new int[shape.length];
    for (int i = 0; i < n; i++) {
      int from = i;
      if (fortran) {
        from = 0;
        for (int d = shape.length - 1; d >= 0; d--) {
          from = from * shape[d] + index[d];
        }
        for (int d = shape.length - 1; d >= 0 && ++index[d] == shape[d]; d--) {
          index[d] = 0;
        }
      }
      values[i] = element(from);
    }
    return values;
  }

  /** All elements in C order, rounded to single precision. */
  public float[] floats() {
    double[] doubles = doubles();
    float[] values = new float[doubles.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) doubles[i];
    }
    return values;
  }

  /** Double-precision numbers in C order. */
  public static Npy of(double[] values, int... shape) {
    ByteBuffer data = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asDoubleBuffer().put(values);
    return new Npy(shape.clone(), "<f8", data, false);
  }

  /** Single-precision numbers in C order. */
  public static Npy of(float[] values, int... shape) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return new Npy(shape.clone(), "<f4", data, false);
  }

  /**
   * Writes single-precision numbers in C order; the file is there completely or not at all.
   *
   * @throws IllegalArgumentException if the shape has another number of elements
   */
  public static void write(Path file, float[] values, int... shape) throws IOException {
    write(
        file,
        "<f4",
        values.length,
        shape,
        (to, from, count) -> to.asFloatBuffer().put(values, from, count));
  }

  /**
   * A file with single-precision numbers in C order and the mark of a result, which {@link
   * #isResult} finds and NumPy takes for padding.
   *
   * @throws IllegalArgumentException if the shape has another number of elements
   */
  public static ByteBuffer result(float[] values, int... shape) {
    ByteBuffer head = header("<f4", values.length, shape, RESULT);
    ByteBuffer data = of(values, shape).data;
    return ByteBuffer.allocate(head.remaining() + data.remaining()).put(head).put(data).flip();
  }

  /** Whether a file has the mark of {@link #result}; false for one that cannot be read. */
  public static boolean isResult(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] start = in.readNBytes(256);
      String header = new String(start, StandardCharsets.ISO_8859_1);
      return start.length > MAGIC.length
          && Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length)
          && header.contains("}" + RESULT);
    } catch (IOException e) {
      return false;
    }
  }

  /** As {@link #write(Path, float[], int...)}, in double precision. */
  public static void write(Path file, double[] values, int... shape) throws IOException {
    write(
        file,
        "<f8",
        values.length,
        shape,
        (to, from, count) -> to.asDoubleBuffer().put(values, from, count));
  }

  /** Encodes some of the numbers of an array. */
  private interface Encoder {
    void put(ByteBuffer to, int from, int count);
  }

  /** The whole array in bytes would double its memory, and may be longer than a buffer can be. */
  private static void write(Path file, String type, int count, int[] shape, Encoder encoder)
      throws IOException {
    ByteBuffer head = header(type, count, shape, "");
    int size = type.charAt(2) - '0';
    AtomicFile.write(
        file,
        channel -> {
          writeFully(channel, head);
          ByteBuffer chunk = ByteBuffer.allocate(size * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
          int n;
          for (int from = 0; from < count; from += n) {
            n = Math.min(CHUNK, count - from);
            encoder.put(chunk.clear(), from, n);
            writeFully(channel, chunk.limit(size * n));
          }
        });
  }

  /**
   * Writes several arrays into one file (.npz), which NumPy's {@code load} reads by name.
   *
   * @param arrays by name
   */
  public static void writeAll(Path file, Map<String, Npy> arrays) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var zip = new ZipOutputStream(bytes);
        WritableByteChannel out = Channels.newChannel(zip)) {
      for (Map.Entry<String, Npy> entry : arrays.entrySet()) {
        Npy array = entry.getValue();
        ZipEntry part = new ZipEntry(entry.getKey() + ".npy");
        part.setTimeLocal(NO_TIME);
        zip.putNextEntry(part);
        int size = array.type.charAt(2) - '0';
        writeFully(out, header(array.type, array.data.limit() / size, array.shape, ""));
        writeFully(out, array.data.duplicate());
        zip.closeEntry();
      }
    }
    ByteBuffer all = ByteBuffer.wrap(bytes.toByteArray());
    AtomicFile.write(file, channel -> writeFully(channel, all));
  }

  private static void writeFully(WritableByteChannel channel, ByteBuffer data) throws IOException {
    while (data.hasRemaining()) {
      channel.write(data);
    }
  }

  /**
   * What stands before the numbers.
   *
   * @param mark white space, or nothing
   */
  private static ByteBuffer header(String type, int count, int[] shape, String mark) {
    long product = 1;
    for (int size : shape) {
      product *= size;
    }
    if (product != count) {
      throw new IllegalArgumentException(
          "%s values do not have the shape %s".formatted(count, Arrays.toString(shape)));
    }
    String sizes = Arrays.stream(shape).mapToObj(s -> s + ",").collect(Collectors.joining(" "));
    String header =
        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }%s"
            .formatted(type, shape.length == 1 ? sizes : sizes.replaceAll(",$", ""), mark);
    // NumPy wants the data to begin at a multiple of 64.
    String padded = header + " ".repeat(63 - (10 + header.length()) % 64) + "\n";
    ByteBuffer start = ByteBuffer.allocate(10 + padded.length()).order(ByteOrder.LITTLE_ENDIAN);
    start.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) padded.length());
    return start.put(padded.getBytes(StandardCharsets.US_ASCII)).flip();
  }
}
