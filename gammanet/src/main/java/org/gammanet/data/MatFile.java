package org.gammanet.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.gammanet.io.DataException;
import org.jspecify.annotations.Nullable;

/**
 * Reads MATLAB level 5 MAT files as far as data sets of contours use them: little-endian,
 * compressed or not, with cells, structs, full and sparse numbers ("MAT-File Format", The
 * MathWorks). Values of other kinds are kept as {@link Other}, so that a variable which nobody
 * needs does no harm.
 *
 * <p>Read here and not by a library (MFL) because a file of 100 kB may unpack to gigabytes: every
 * length is checked against the bytes that are left, and nesting, unpacked bytes and the number of
 * values are bounded over the whole file. Whatever is wrong ends in a {@link DataException} that
 * names the file.
 */
public final class MatFile {
  /** Largest size of a file, and of everything that is unpacked from it. */
  private static final int MAX_BYTES = 1 << 29;

  /** Elements of a sparse matrix, which a few bytes may claim: it is used unpacked. */
  private static final int MAX_SPARSE = 1 << 24;

  /** Cells, fields and variables of a file, all together. */
  private static final int MAX_VALUES = 200_000;

  /** Deflate makes at most 1032 bytes of one. */
  private static final long MAX_RATIO = 1032;

  private static final int MAX_DEPTH = 16;

  private static final int COMPRESSED = 15;
  private static final int MATRIX = 14;

  /** The content of a variable, a cell or a field. */
  public sealed interface Value permits Cells, Structs, Numbers, Other {
    /** Sizes, at least two. */
    int[] dimensions();
  }

  /** An array of cells, in column-major order. */
  public record Cells(int[] dimensions, List<Value> values) implements Value {}

  /** An array of structs, in column-major order; each maps field names to values. */
  public record Structs(int[] dimensions, List<Map<String, Value>> elements) implements Value {}

  /**
   * A value that is not read.
   *
   * @param kind such as {@code complex} or {@code function handle}
   */
  public record Other(int[] dimensions, String kind) implements Value {}

  /**
   * Numbers, logical values or characters.
   *
   * @param type MATLAB's class: {@code double}, {@code uint8}, …
   * @param data in column-major order, maybe stored in a smaller type than {@code type}
   * @param storage type of the stored values, by its number in the format
   * @param sparse where the stored values lie; null where all are stored
   */
  public record Numbers(
      int[] dimensions, String type, ByteBuffer data, int storage, @Nullable Sparse sparse)
      implements Value {
    /** Number of elements. */
    public int count() {
      return sparse == null ? data.capacity() / size(storage) : dimensions[0] * dimensions[1];
    }

    /** An element by its column-major index. */
    public double get(int index) {
      if (sparse == null) {
        return stored(index);
      }
      int at = sparse.find(index % dimensions[0], index / dimensions[0]);
      return at < 0 ? 0 : stored(at);
    }

    private double stored(int index) {
      return switch (storage) {
        case 1 -> data.get(index);
        case 2, 16 -> data.get(index) & 0xFF;
        case 3 -> data.getShort(2 * index);
        case 4, 17 -> data.getShort(2 * index) & 0xFFFF;
        case 5 -> data.getInt(4 * index);
        case 6 -> Integer.toUnsignedLong(data.getInt(4 * index));
        case 7 -> data.getFloat(4 * index);
        case 9 -> data.getDouble(8 * index);
        case 12 -> data.getLong(8 * index);
        case 13 -> unsigned(data.getLong(8 * index));
        default -> throw new IllegalStateException("storage type " + storage);
      };
    }

    private static double unsigned(long bits) {
      return bits >= 0 ? bits : 2.0 * (bits >>> 1 | bits & 1);
    }

    /** All elements of a matrix row by row; MATLAB stores columns one after the other. */
    public double[] rows() {
      int height = dimensions[0];
      int width = dimensions[1];
      double[] values = new double[height * width];
      for (int x = 0, i = 0; x < width; x++) {
        for (int y = 0; y < height; y++) {
          values[y * width + x] = get(i++);
        }
      }
      return values;
    }
  }

  /**
   * Columns of a sparse matrix.
   *
   * @param rows of the stored values, ascending in each column
   * @param starts where each column begins in them, and where the last one ends
   */
  public record Sparse(int[] rows, int[] starts) {
    /** Position of a stored value; negative where there is none. */
    private int find(int row, int column) {
      return Arrays.binarySearch(rows, starts[column], starts[column + 1], row);
    }
  }

  private static int size(int storage) {
    return switch (storage) {
      case 1, 2, 16 -> 1;
      case 3, 4, 17 -> 2;
      case 5, 6, 7 -> 4;
      case 9, 12, 13 -> 8;
      default -> 0;
    };
  }

  private final Path file;
  private long bytes;
  private int values;

  private MatFile(Path file) {
    this.file = file;
  }

  /**
   * All variables of a file by name, in its order.
   *
   * @throws DataException if the file cannot be read or is not of this form
   */
  public static Map<String, Value> read(Path file) {
    return new MatFile(file).read();
  }

  private DataException wrong(String what) {
    return new DataException(file + ": " + what);
  }

  private Map<String, Value> read() {
    byte[] bytes;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw wrong("a file of more than %s MiB is not read".formatted(MAX_BYTES >> 20));
      }
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new DataException("There is no file " + file, e);
    } catch (IOException e) {
      throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
    }
    if (bytes.length < 128) {
      throw wrong("%s bytes are too few for a MAT file".formatted(bytes.length));
    }
    if (startsWith(bytes, 0, "\u0089HDF") || startsWith(bytes, 0, "MATLAB 7.3")) {
      throw wrong("MAT files of version 7.3 (HDF5) are not read; save with version 7 or older");
    }
    if (startsWith(bytes, 126, "MI")) {
      throw wrong("big-endian MAT files are not read");
    }
    if (!startsWith(bytes, 126, "IM") || bytes[125] != 1) {
      throw wrong("this is not a level 5 MAT file");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(128);
    Map<String, Value> variables = new LinkedHashMap<>();
    while (in.remaining() >= 8) {
      int type = in.getInt();
      int length = in.getInt();
      ByteBuffer element = take(in, length, "a variable");
      if (type == COMPRESSED) {
        Element inner = inflate(element);
        type = inner.type;
        element = inner.data;
      } else {
        // Elements outside of compressed ones are padded to 8 bytes.
        in.position(Math.min(in.limit(), in.position() + (8 - (length & 7) & 7)));
      }
      if (type == MATRIX) {
        matrix(element, variables, 0);
      }
    }
    return variables;
  }

  private static boolean startsWith(byte[] bytes, int at, String text) {
    byte[] expected = text.getBytes(StandardCharsets.ISO_8859_1);
    return Arrays.equals(bytes, at, at + expected.length, expected, 0, expected.length);
  }

  /** The next bytes as a buffer of their own. */
  private ByteBuffer take(ByteBuffer in, int length, String what) {
    if (length < 0 || length > in.remaining()) {
      throw wrong(
          "%s says it has %s bytes where %s are left: the file is truncated or damaged"
              .formatted(what, Integer.toUnsignedLong(length), in.remaining()));
    }
    ByteBuffer part = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + length);
    return part;
  }

  /** Counts bytes that are about to be allocated. */
  private void charge(long more) {
    bytes += more;
    if (more < 0 || bytes > MAX_BYTES) {
      throw wrong("it unpacks to more than %s MiB".formatted(MAX_BYTES >> 20));
    }
  }

  private void chargeValue() {
    if (++values > MAX_VALUES) {
      throw wrong("it has more than %s values".formatted(MAX_VALUES));
    }
  }

  /** Unpacks a variable, whose own header says how long it is. */
  private Element inflate(ByteBuffer packed) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(packed.duplicate());
      byte[] head = new byte[8];
      fill(inflater, head);
      ByteBuffer header = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
      int type = header.getInt();
      int length = header.getInt();
      if (length < 0 || length > packed.remaining() * MAX_RATIO + 64) {
        throw wrong("a compressed variable is truncated or damaged");
      }
      charge(length);
      byte[] content = new byte[length];
      fill(inflater, content);
      return new Element(type, ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN));
    } catch (DataFormatException e) {
      throw new DataException(file + ": compressed data is damaged (" + e.getMessage() + ")", e);
    } finally {
      inflater.end();
    }
  }

  private void fill(Inflater inflater, byte[] content) throws DataFormatException {
    for (int at = 0; at < content.length; ) {
      int n = inflater.inflate(content, at, content.length - at);
      if (n == 0) {
        throw wrong("compressed data ends too early");
      }
      at += n;
    }
  }

  /** A data element: its type and bytes. */
  private record Element(int type, ByteBuffer data) {}

  private Element element(ByteBuffer in, String what) {
    if (in.remaining() < 8) {
      throw wrong("the file ends before " + what);
    }
    int word = in.getInt();
    if (word >>> 16 != 0) {
      // Small elements: type and length share a word, four bytes of data follow.
      if (word >>> 16 > 4) {
        throw wrong("%s has a small element of %s bytes".formatted(what, word >>> 16));
      }
      ByteBuffer data = take(in, word >>> 16, what);
      in.position(in.position() + 4 - (word >>> 16));
      return new Element(word & 0xFFFF, data);
    }
    int length = in.getInt();
    ByteBuffer data = take(in, length, what);
    in.position(Math.min(in.limit(), in.position() + (8 - (length & 7) & 7)));
    return new Element(word, data);
  }

  private int[] integers(ByteBuffer in, String what) {
    Element e = element(in, what);
    if (e.type != 5 && e.type != 6 || (e.data.capacity() & 3) != 0) {
      throw wrong("%s is of type %s, not 32-bit integers".formatted(what, e.type));
    }
    charge(e.data.capacity());
    int[] values = new int[e.data.capacity() / 4];
    e.data.asIntBuffer().get(values);
    return values;
  }

  private String text(ByteBuffer in, String what) {
    byte[] bytes = new byte[0];
    Element e = element(in, what);
    if (e.data.capacity() > 0) {
      bytes = new byte[e.data.capacity()];
      e.data.get(0, bytes);
    }
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  /** Reads the inside of a matrix element and puts it under its name. */
  private void matrix(ByteBuffer in, Map<String, Value> into, int depth) {
    if (depth > MAX_DEPTH) {
      throw wrong("values are nested more than %s deep".formatted(MAX_DEPTH));
    }
    chargeValue();
    if (!in.hasRemaining()) {
      // An empty cell or field is written without any content.
      into.put("", new Numbers(new int[2], "double", ByteBuffer.allocate(0), 9, null));
      return;
    }
    int[] flags = integers(in, "the flags of a variable");
    int type = flags.length == 0 ? 0 : flags[0] & 0xFF;
    if (type == 17) { // strings, tables and other classes: nothing of them is documented
      String name = in.hasRemaining() ? text(in, "the name of a variable") : "";
      into.put(name, new Other(new int[2], "object"));
      return;
    }
    int[] dimensions = integers(in, "the size of a variable");
    String name = text(in, "the name of a variable");
    long count = dimensions.length < 2 ? -1 : 1;
    for (int d : dimensions) {
      count = d < 0 || count < 0 || count * d > Integer.MAX_VALUE ? -1 : count * d;
    }
    if (flags.length > 0
        && type == 5
        && dimensions.length == 2
        && (count > MAX_SPARSE || count < 0)) {
      into.put(name, new Other(dimensions, "a sparse matrix of more than 16 million elements"));
      return;
    }
    if (flags.length == 0 || count < 0) {
      throw wrong(
          "variable '%s' has the impossible size %s".formatted(name, Arrays.toString(dimensions)));
    }
    boolean complex = (flags[0] & 0x800) != 0;
    into.put(
        name,
        complex
            ? new Other(dimensions, "complex")
            : switch (type) {
              case 1 -> new Cells(dimensions, values(in, (int) count, depth));
              case 2 -> structs(in, dimensions, (int) count, depth);
              case 5 -> sparse(in, dimensions, name);
              case 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 ->
                  numbers(in, dimensions, (int) count, type, name);
              default -> new Other(dimensions, type == 16 ? "function handle" : "object");
            });
  }

  /** Columns of a sparse matrix: row indices, where each column begins in them, values. */
  private Numbers sparse(ByteBuffer in, int[] dimensions, String name) {
    int[] rows = integers(in, "the row indices of '" + name + "'");
    int[] starts = integers(in, "the column starts of '" + name + "'");
    Element stored = element(in, "the values of '" + name + "'");
    int size = size(stored.type);
    boolean good = dimensions.length == 2 && starts.length == dimensions[1] + 1 && size > 0;
    int available = good ? Math.min(rows.length, stored.data.capacity() / size) : 0;
    good = good && starts[0] == 0 && starts[dimensions[1]] <= available;
    for (int x = 0; good && x < dimensions[1]; x++) {
      good = starts[x] <= starts[x + 1] && starts[x + 1] <= available;
      for (int i = starts[x]; good && i < starts[x + 1]; i++) {
        good = rows[i] < dimensions[0] && rows[i] > (i == starts[x] ? -1 : rows[i - 1]);
      }
    }
    if (!good) {
      throw wrong("the sparse matrix '%s' is damaged".formatted(name));
    }
    return new Numbers(dimensions, "sparse", stored.data, stored.type, new Sparse(rows, starts));
  }

  private List<Value> values(ByteBuffer in, int count, int depth) {
    List<Value> values = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Element e = element(in, "element %s of %s".formatted(i + 1, count));
      if (e.type != MATRIX) {
        throw wrong("element %s of a cell or struct is of type %s".formatted(i + 1, e.type));
      }
      Map<String, Value> one = new LinkedHashMap<>();
      matrix(e.data, one, depth + 1);
      values.addAll(one.values());
    }
    return values;
  }

  private Structs structs(ByteBuffer in, int[] dimensions, int count, int depth) {
    int[] length = integers(in, "the length of field names");
    if (length.length != 1 || length[0] < 1) {
      throw wrong("a struct has field names of an impossible length");
    }
    Element names = element(in, "field names");
    List<String> fields = new ArrayList<>();
    for (int at = 0; at + length[0] <= names.data.capacity(); at += length[0]) {
      chargeValue();
      byte[] bytes = new byte[length[0]];
      names.data.get(at, bytes);
      String field = new String(bytes, StandardCharsets.US_ASCII);
      int end = field.indexOf(0);
      fields.add(end < 0 ? field : field.substring(0, end));
    }
    List<Map<String, Value>> elements = new ArrayList<>();
    for (int i = 0; i < count && !fields.isEmpty(); i++) {
      List<Value> values = values(in, fields.size(), depth);
      Map<String, Value> element = new LinkedHashMap<>();
      for (int f = 0; f < values.size(); f++) {
        element.put(fields.get(f), values.get(f));
      }
      elements.add(element);
    }
    return new Structs(dimensions, elements);
  }

  private Value numbers(ByteBuffer in, int[] dimensions, int count, int type, String name) {
    Element e = element(in, "the values of '" + name + "'");
    int size = size(e.type);
    if (size == 0) { // such as text in UTF-32
      return new Other(dimensions, "of storage type " + e.type);
    }
    if ((long) size * count != e.data.capacity()) {
      throw wrong(
          "'%s' has %s bytes where %s needs %s"
              .formatted(
                  name, e.data.capacity(), Arrays.toString(dimensions), (long) size * count));
    }
    String[] types = {
      "char", "", "double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32",
      "int64", "uint64"
    };
    return new Numbers(dimensions, types[type - 4], e.data, e.type, null);
  }
}
