package org.gammanet.data;

import java.io.ByteArrayOutputStream;
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

/**
 * Reads MATLAB level 5 MAT files as far as data sets of contours use them: little-endian,
 * compressed or not, with cells, structs, numbers and texts ("MAT-File Format", The MathWorks).
 *
 * <p>Every length is checked against the bytes that are left, nesting and unpacked size are
 * bounded; whatever is wrong ends in a {@link DataException} that names the file.
 */
public final class MatFile {
  private static final int MAX_UNPACKED = 1 << 29;
  private static final int MAX_DEPTH = 16;

  private static final int COMPRESSED = 15;
  private static final int MATRIX = 14;

  /** The content of a variable, a cell or a field. */
  public sealed interface Value permits Cells, Structs, Numbers {
    /** Sizes, at least two. */
    int[] dimensions();
  }

  /** An array of cells, in column-major order. */
  public record Cells(int[] dimensions, List<Value> values) implements Value {}

  /** An array of structs, in column-major order; each maps field names to values. */
  public record Structs(int[] dimensions, List<Map<String, Value>> elements) implements Value {}

  /**
   * Numbers, logical values or characters.
   *
   * @param type MATLAB's class: {@code double}, {@code uint8}, …
   * @param data in column-major order, maybe stored in a smaller type than {@code type}
   * @param storage type of the stored values, by its number in the format
   */
  public record Numbers(int[] dimensions, String type, ByteBuffer data, int storage)
      implements Value {
    /** Number of elements. */
    public int count() {
      return data.capacity() / size(storage);
    }

    /** An element by its column-major index. */
    public double get(int index) {
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
        default -> throw new IllegalStateException("storage type " + storage);
      };
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

  private static int size(int storage) {
    return switch (storage) {
      case 1, 2, 16 -> 1;
      case 3, 4, 17 -> 2;
      case 5, 6, 7 -> 4;
      case 9, 12 -> 8;
      default -> 0;
    };
  }

  private final Path file;

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
      if (Files.size(file) > MAX_UNPACKED) {
        throw wrong("a file of more than %d MiB is not read".formatted(MAX_UNPACKED >> 20));
      }
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new DataException("There is no file " + file, e);
    } catch (IOException e) {
      throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
    }
    if (bytes.length < 128) {
      throw wrong("%d bytes are too few for a MAT file".formatted(bytes.length));
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
        element = inflate(element);
        if (element.remaining() < 8) {
          throw wrong("a compressed variable is empty");
        }
        type = element.getInt();
        int inner = element.getInt();
        element = take(element, inner, "a compressed variable");
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
          "%s says it has %d bytes where %d are left: the file is truncated or damaged"
              .formatted(what, Integer.toUnsignedLong(length), in.remaining()));
    }
    ByteBuffer part = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + length);
    return part;
  }

  private ByteBuffer inflate(ByteBuffer packed) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(packed);
      ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);
      byte[] chunk = new byte[1 << 16];
      while (!inflater.finished()) {
        int n = inflater.inflate(chunk);
        if (n == 0) {
          throw wrong("compressed data ends too early");
        }
        out.write(chunk, 0, n);
        if (out.size() > MAX_UNPACKED) {
          throw wrong("a variable unpacks to more than %d MiB".formatted(MAX_UNPACKED >> 20));
        }
      }
      return ByteBuffer.wrap(out.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
    } catch (DataFormatException e) {
      throw new DataException(file + ": compressed data is damaged (" + e.getMessage() + ")", e);
    } finally {
      inflater.end();
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
        throw wrong("%s has a small element of %d bytes".formatted(what, word >>> 16));
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
      throw wrong("%s is of type %d, not 32-bit integers".formatted(what, e.type));
    }
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
      throw wrong("values are nested more than %d deep".formatted(MAX_DEPTH));
    }
    if (!in.hasRemaining()) {
      // An empty cell or field is written without any content.
      into.put("", new Numbers(new int[2], "double", ByteBuffer.allocate(0), 9));
      return;
    }
    int[] flags = integers(in, "the flags of a variable");
    int[] dimensions = integers(in, "the size of a variable");
    String name = text(in, "the name of a variable");
    long count = dimensions.length < 2 ? -1 : 1;
    for (int d : dimensions) {
      count = d < 0 || count < 0 || count * d > Integer.MAX_VALUE ? -1 : count * d;
    }
    if (flags.length == 0 || count < 0) {
      throw wrong(
          "variable '%s' has the impossible size %s".formatted(name, Arrays.toString(dimensions)));
    }
    if ((flags[0] & 0x800) != 0) {
      throw wrong("variable '%s' is complex; only real numbers are read".formatted(name));
    }
    int type = flags[0] & 0xFF;
    into.put(
        name,
        switch (type) {
          case 1 -> new Cells(dimensions, values(in, (int) count, depth));
          case 2 -> structs(in, dimensions, (int) count, depth);
          case 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 ->
              numbers(in, dimensions, (int) count, type, name);
          default ->
              throw wrong(
                  "variable '%s' is of MATLAB class %d, not read here".formatted(name, type));
        });
  }

  private List<Value> values(ByteBuffer in, int count, int depth) {
    List<Value> values = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Element e = element(in, "element %d of %d".formatted(i + 1, count));
      if (e.type != MATRIX) {
        throw wrong("element %d of a cell or struct is of type %d".formatted(i + 1, e.type));
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

  private Numbers numbers(ByteBuffer in, int[] dimensions, int count, int type, String name) {
    Element e = element(in, "the values of '" + name + "'");
    int size = size(e.type);
    if (size == 0) {
      throw wrong("'%s' is stored as type %d, which is not read".formatted(name, e.type));
    }
    if ((long) size * count != e.data.capacity()) {
      throw wrong(
          "'%s' has %d bytes where %s needs %d"
              .formatted(
                  name, e.data.capacity(), Arrays.toString(dimensions), (long) size * count));
    }
    String[] types = {
      "char", "", "double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32",
      "int64", "uint64"
    };
    return new Numbers(dimensions, types[type - 4], e.data, e.type);
  }
}
