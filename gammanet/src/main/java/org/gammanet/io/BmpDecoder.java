package org.gammanet.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Decodes BMP after a check of its header, since the JDK's reader allocates what that asks for
 * before it looks further.
 */
final class BmpDecoder {
  private BmpDecoder() {}

  static Pixels decode(ImageFile file) throws IOException {
    byte[] bytes = file.bytes;
    if (bytes.length < 26) {
      throw file.damaged("it ends inside the header");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
    long offset = in.getInt(10) & 0xFFFFFFFFL;
    int headerSize = in.getInt(14);
    boolean old = headerSize == 12;
    if (!old && (headerSize < 40 || headerSize > 124 || bytes.length < 14 + headerSize)) {
      throw file.damaged("its header has %s bytes".formatted(headerSize));
    }
    long width = old ? in.getShort(18) & 0xFFFF : in.getInt(18);
    long height = old ? in.getShort(20) & 0xFFFF : Math.abs((long) in.getInt(22));
    int bits = (old ? in.getShort(24) : in.getShort(28)) & 0xFFFF;
    int compression = old ? 0 : in.getInt(30);
    file.checkSize(width, height);
    if (compression < 0 || compression == 4 || compression == 5 || compression > 6) {
      throw file.refused(
          "is a BMP with compression %s, which is not supported".formatted(compression));
    }
    if (!List.of(1, 4, 8, 16, 24, 32).contains(bits)) {
      throw file.damaged("it has %s bits per pixel".formatted(bits));
    }
    if (offset > bytes.length) {
      throw file.damaged("its pixels begin behind its end");
    }
    boolean runLengths = compression == 1 || compression == 2;
    boolean complete =
        runLengths
            ? runLengthsEnd(bytes, (int) offset, compression == 1 ? 8 : 4, width, height)
            : (width * bits + 31) / 32 * 4 * height <= bytes.length - offset;
    if (!complete) {
      throw file.truncated();
    }
    if (!old) {
      long colors = in.getInt(46) & 0xFFFFFFFFL;
      if (colors > 1 << 16) {
        throw file.damaged("it has a palette of %s colors".formatted(colors));
      }
    }
    if (headerSize >= 108) {
      in.putInt(70, 0x73524742); // sRGB: the reader would otherwise load a color profile
    }
    var input = new BytesInput(in.array(), bytes.length);
    return Pixels.of(ImageReaders.read(file, ImageReaders.jdk("bmp"), input, r -> r.read(0)), 1);
  }

  /** Whether runs of pixels reach the end of the image: the reader leaves black what is missing. */
  private static boolean runLengthsEnd(byte[] bytes, int from, int bits, long width, long height) {
    long x = 0;
    long y = 0;
    for (int at = from; at + 1 < bytes.length; ) {
      int count = bytes[at] & 0xFF;
      int value = bytes[at + 1] & 0xFF;
      at += 2;
      if (count > 0) {
        x += count;
      } else if (value == 0) { // end of a row
        x = 0;
        y++;
      } else if (value == 1) { // end of the image
        return true;
      } else if (value == 2 && at + 1 < bytes.length) { // a step to the right and up
        x += bytes[at] & 0xFF;
        y += bytes[at + 1] & 0xFF;
        at += 2;
      } else if (value > 2) { // pixels as they are, padded to two bytes
        at += (value * bits + 15) / 16 * 2;
        x += at > bytes.length ? 0 : value;
      }
      if (y >= height || y == height - 1 && x >= width) {
        return true;
      }
    }
    return false;
  }
}
