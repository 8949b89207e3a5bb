package org.gammanet.experiments.export;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A file of MATLAB's format 5, uncompressed: arrays of numbers, cells of texts, and structures of
 * both. Written here and not by a library (MFL), which needs {@code sun.misc.Unsafe}: current JVMs
 * warn of it.
 */
final class MatWriter {
  private static final int INT8 = 1;
  private static final int INT32 = 5;
  private static final int UINT32 = 6;
  private static final int SINGLE = 7;
  private static final int DOUBLE = 9;
  private static final int MATRIX = 14;
  private static final int UTF16 = 17;

  private static final int CELL_CLASS = 1;
  private static final int STRUCT_CLASS = 2;
  private static final int CHAR_CLASS = 4;
  private static final int DOUBLE_CLASS = 6;
  private static final int SINGLE_CLASS = 7;
  private static final int NAME = 63;

  private final Map<String, byte[]> variables = new LinkedHashMap<>();

  /** Adds a variable made by one of the methods below. */
  MatWriter put(String name, Value value) {
    variables.put(name, value.named(name));
    return this;
  }

  /** A value, which becomes an element under a name; fields and cells have empty names. */
  interface Value {
    byte[] named(String name);
  }

  /** An array in which the last index runs fastest. */
  static Value array(float[] values, int... shape) {
    ByteBuffer data = buffer(Math.multiplyExact(4, values.length));
    int[] from = columnMajor(shape);
    for (int i : from) {
      data.putFloat(values[i]);
    }
    return name -> matrix(SINGLE_CLASS, shape, name, element(SINGLE, data.array()));
  }

  /** A column of numbers. */
  static Value column(double[] values) {
    ByteBuffer data = buffer(8 * values.length);
    Arrays.stream(values).forEach(data::putDouble);
    int[] shape = {values.length, 1};
    return name -> matrix(DOUBLE_CLASS, shape, name, element(DOUBLE, data.array()));
  }

  /** A text. */
  static Value text(String text) {
    byte[] data = text.getBytes(StandardCharsets.UTF_16LE);
    int[] shape = {text.isEmpty() ? 0 : 1, text.length()};
    return name -> matrix(CHAR_CLASS, shape, name, element(UTF16, data));
  }

  /** A column of texts. */
  static Value texts(String... texts) {
    byte[][] cells = Arrays.stream(texts).map(t -> text(t).named("")).toArray(byte[][]::new);
    return name -> matrix(CELL_CLASS, new int[] {texts.length, 1}, name, cells);
  }

  /** A structure. */
  static Value struct(Map<String, Value> fields) {
    ByteBuffer names = buffer((NAME + 1) * fields.size());
    byte[][] parts = new byte[fields.size() + 2][];
    int at = 0;
    for (Map.Entry<String, Value> field : fields.entrySet()) {
      names.put((NAME + 1) * at, ascii(field.getKey()));
      parts[2 + at++] = field.getValue().named("");
    }
    parts[0] = element(INT32, buffer(4).putInt(NAME + 1).array());
    parts[1] = element(INT8, names.array());
    return name -> matrix(STRUCT_CLASS, new int[] {1, 1}, name, parts);
  }

  /**
   * The bytes of the file.
   *
   * @throws IOException for a variable of 2 GB or more, which the format cannot hold
   */
  byte[] bytes() throws IOException {
    long size = 128 + variables.values().stream().mapToLong(v -> v.length).sum();
    if (size > Integer.MAX_VALUE - 64) {
      throw new IOException("a file of MATLAB's format 5 cannot hold %s bytes".formatted(size));
    }
    ByteBuffer out = buffer((int) size);
    byte[] header = new byte[116];
    Arrays.fill(header, (byte) ' ');
    byte[] words = ascii("MATLAB 5.0 MAT-file, written by GammaNet");
    System.arraycopy(words, 0, header, 0, words.length);
    out.put(header).putLong(0).putShort((short) 0x0100).put((byte) 'I').put((byte) 'M');
    variables.values().forEach(out::put);
    return out.array();
  }

  private static byte[] ascii(String text) {
    byte[] all = text.getBytes(StandardCharsets.US_ASCII);
    return all.length > NAME ? Arrays.copyOf(all, NAME) : all;
  }

  /** Where each element, with the first index running fastest, is when the last runs fastest. */
  private static int[] columnMajor(int[] shape) {
    int[] from = new int[Arrays.stream(shape).reduce(1, Math::multiplyExact)];
    int[] index = new int[shape.length];
    for (int i = 0; i < from.length; i++) {
      int at = 0;
      for (int d = 0; d < shape.length; d++) {
        at = at * shape[d] + index[d];
      }
      from[i] = at;
      for (int d = 0; d < shape.length && ++index[d] == shape[d]; d++) {
        index[d] = 0;
      }
    }
    return from;
  }

  private static byte[] matrix(int kind, int[] shape, String name, byte[]... parts) {
    ByteBuffer dimensions = buffer(4 * shape.length);
    Arrays.stream(shape).forEach(dimensions::putInt);
    byte[] flags = element(UINT32, buffer(8).putInt(kind).putInt(0).array());
    byte[] sizes = element(INT32, dimensions.array());
    byte[] title = element(INT8, ascii(name));
    long length = (long) flags.length + sizes.length + title.length;
    length += Arrays.stream(parts).mapToLong(p -> p.length).sum();
    ByteBuffer out = buffer(Math.toIntExact(length + 8));
    out.putInt(MATRIX).putInt((int) length).put(flags).put(sizes).put(title);
    Arrays.stream(parts).forEach(out::put);
    return out.array();
  }

  /** Data with its type and length, up to a multiple of 8 bytes. */
  private static byte[] element(int type, byte[] data) {
    ByteBuffer out = buffer(8 + (data.length + 7) / 8 * 8);
    out.putInt(type).putInt(data.length).put(data);
    return out.array();
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
