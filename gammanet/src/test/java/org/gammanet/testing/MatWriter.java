package org.gammanet.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

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
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    content.writeBytes(element(5, ints(32)));
    byte[] names = new byte[32 * fields.size()];
    for (int i = 0; i < fields.size(); i++) {
      byte[] bytes = fields.get(i).getBytes(StandardCharsets.US_ASCII);
      System.arraycopy(bytes, 0, names, 32 * i, bytes.length);
    }
    content.writeBytes(element(1, names));
    values.forEach(content::writeBytes);
    return array(2, "", 1, 1, content.toByteArray());
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
