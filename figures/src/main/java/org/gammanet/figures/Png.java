package org.gammanet.figures;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * PNG files with a resolution (ISO/IEC 15948). Written here because pictures inside an SVG must not
 * need the desktop libraries, and because ImageIO's encoder hides the resolution.
 */
final class Png {
  private static final byte[] SIGNATURE = {(byte) 137, 'P', 'N', 'G', 13, 10, 26, 10};
  private static final double INCHES_PER_METRE = 1 / 0.0254;

  private Png() {}

  /**
   * Encodes an opaque picture.
   *
   * @param rgb {@code 0xRRGGBB} of each pixel, row by row
   * @param dotsPerInch resolution to note in the file, 0 for none
   */
  static byte[] encode(int[] rgb, int width, int dotsPerInch) {
    int height = rgb.length / width;
    var out = new ByteArrayOutputStream();
    out.writeBytes(SIGNATURE);
    chunk(
        out,
        "IHDR",
        ByteBuffer.allocate(13)
            .putInt(width)
            .putInt(height)
            .put(new byte[] {8, 2, 0, 0, 0}) // 8 bits of red, green and blue
            .array());
    if (dotsPerInch > 0) {
      int perMetre = (int) Math.round(dotsPerInch * INCHES_PER_METRE);
      chunk(
          out,
          "pHYs",
          ByteBuffer.allocate(9).putInt(perMetre).putInt(perMetre).put((byte) 1).array());
    }
    chunk(out, "IDAT", deflate(rgb, width, height));
    chunk(out, "IEND", new byte[0]);
    return out.toByteArray();
  }

  /** Rows of differences to the row above, which large even areas turn into zeros. */
  private static byte[] deflate(int[] rgb, int width, int height) {
    var out = new ByteArrayOutputStream();
    var deflater = new Deflater(7);
    byte[] row = new byte[1 + 3 * width];
    byte[] buffer = new byte[1 << 16];
    row[0] = 2;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int here = rgb[y * width + x];
        int above = y == 0 ? 0 : rgb[(y - 1) * width + x];
        row[1 + 3 * x] = (byte) ((here >> 16) - (above >> 16));
        row[2 + 3 * x] = (byte) ((here >> 8) - (above >> 8));
        row[3 + 3 * x] = (byte) (here - above);
      }
      deflater.setInput(row);
      if (y == height - 1) {
        deflater.finish();
      }
      while (!deflater.needsInput() || (y == height - 1 && !deflater.finished())) {
        out.write(buffer, 0, deflater.deflate(buffer));
      }
    }
    deflater.end();
    return out.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream out, String name, byte[] content) {
    byte[] type = name.getBytes(StandardCharsets.US_ASCII);
    var crc = new CRC32();
    crc.update(type);
    crc.update(content);
    out.writeBytes(ByteBuffer.allocate(4).putInt(content.length).array());
    out.writeBytes(type);
    out.writeBytes(content);
    out.writeBytes(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }
}
