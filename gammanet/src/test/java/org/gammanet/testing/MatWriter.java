package org.gammanet.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.DeflaterOutputStream;

/** Writes small MAT files of level 5, uncompressed, for tests of what reads them. */
public final class MatWriter {
  private MatWriter() {}

  /** A file with these variables, each made by {@link #matrix} or {@link #cells}. */
  public static Path write(Path file, byte[]... variables) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("%-124s".formatted("MATLAB 5.0 MAT-file").getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(new byte[] {0, 1, 'I', 'M'});
    for (byte[] variable : variables) {
      out.writeBytes(variable);
    }
    return Files.write(file, out.toByteArray());
  }

  /** A matrix of doubles, given row by row. */
  public static byte[] matrix(String name, int height, int width, double... rows) {
    ByteBuffer data = ByteBuffer.allocate(8 * rows.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int x = 0; x < width; x++) {
      for (int y = 0; y < height; y++) {
        data.putDouble(rows[y * width + x]);
      }
    }
    return array(6, name, height, width, element(9, data.array()));
  }

  /** A row of cells; what is in them has the empty name. */
  public static byte[] cells(String name, List<byte[]> values) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    values.forEach(content::writeBytes);
    return array(1, name, 1, values.size(), content.toByteArray());
  }

  /** A struct of one element. */
  public static byte[] struct(List<String> fields, List<byte[]> values) {
    return structs("", fields, values);
  }

  /** A row of structs; the values of all fields of the first one come first. */
  public static byte[] structs(String name, List<String> fields, List<byte[]> values) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    content.writeBytes(element(5, ints(32)));
    byte[] names = new byte[32 * fields.size()];
    for (int i = 0; i < fields.size(); i++) {
      byte[] bytes = fields.get(i).getBytes(StandardCharsets.US_ASCII);
      System.arraycopy(bytes, 0, names, 32 * i, bytes.length);
    }
    content.writeBytes(element(1, names));
    values.forEach(content::writeBytes);
    return array(2, name, 1, values.size() / fields.size(), content.toByteArray());
  }

  /** A variable of a class that is not read, by its number. */
  public static byte[] other(String name, int type) {
    return array(type, name, 1, 1, new byte[0]);
  }

  /** A complex number. */
  public static byte[] complex(String name) {
    byte[] part = element(9, new byte[8]);
    return array(6 | 0x800, name, 1, 1, ByteBuffer.allocate(32).put(part).put(part).array());
  }

  /** A sparse matrix of doubles: row indices, starts of columns, values. */
  public static byte[] sparse(
      String name, int height, int width, int[] rows, int[] starts, double... values) {
    ByteBuffer data = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asDoubleBuffer().put(values);
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    content.writeBytes(element(5, ints(rows)));
    content.writeBytes(element(5, ints(starts)));
    content.writeBytes(element(9, data.array()));
    return array(5, name, height, width, content.toByteArray());
  }

  /** A row of unsigned 64-bit integers, given as their bits. */
  public static byte[] unsigned(String name, int height, int width, long... values) {
    ByteBuffer data = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(values);
    return array(15, name, height, width, element(13, data.array()));
  }

  /** A row of cells without content. */
  public static byte[] emptyCells(String name, int count) {
    ByteBuffer content = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      content.putInt(14).putInt(0);
    }
    return array(1, name, 1, count, content.array());
  }

  /** The same variable, compressed. */
  public static byte[] compressed(byte[] variable) {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (var out = new DeflaterOutputStream(packed)) {
      out.write(variable);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    ByteBuffer whole = ByteBuffer.allocate(8 + packed.size()).order(ByteOrder.LITTLE_ENDIAN);
    return whole.putInt(15).putInt(packed.size()).put(packed.toByteArray()).array();
  }

  private static byte[] array(int type, String name, int height, int width, byte[] content) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(element(6, ints(type, 0)));
    out.writeBytes(element(5, ints(height, width)));
    out.writeBytes(element(1, name.getBytes(StandardCharsets.US_ASCII)));
    out.writeBytes(content);
    return element(14, out.toByteArray());
  }

  private static byte[] element(int type, byte[] data) {
    ByteBuffer out =
        ByteBuffer.allocate(8 + (data.length + 7) / 8 * 8).order(ByteOrder.LITTLE_ENDIAN);
    return out.putInt(type).putInt(data.length).put(data).array();
  }

  private static byte[] ints(int... values) {
    ByteBuffer out = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    out.asIntBuffer().put(values);
    return out.array();
  }
}
