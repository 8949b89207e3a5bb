package org.gammanet.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/**
 * Decodes PNG. Only the chunks that make the image are given to the reader: metadata may be a
 * decompression bomb, and the JDK refuses a transparent color beside an alpha channel, which PNG
 * ignores.
 */
final class PngDecoder {
  /** Deflate gets at most 1032 bytes out of one. */
  private static final int DEFLATE = 1032;

  private static final Set<String> IMAGE_CHUNKS = Set.of("IHDR", "PLTE", "IDAT", "IEND");

  private PngDecoder() {}

  static Pixels decode(ImageFile file) throws IOException {
    byte[] bytes = file.bytes;
    ByteBuffer in = ByteBuffer.wrap(bytes);
    byte[] kept = new byte[bytes.length];
    int size = Math.min(8, bytes.length);
    System.arraycopy(bytes, 0, kept, 0, size);
    var orientation = new Orientation();
    int colorType = 0;
    long needed = 0;
    long stored = 0;
    int at = 8;
    while (at + 12 <= bytes.length) {
      int length = in.getInt(at);
      int data = at + 8;
      if (length < 0 || length > bytes.length - data) {
        break;
      }
      String type = new String(bytes, at + 4, 4, StandardCharsets.ISO_8859_1);
      switch (type) {
        case "IHDR" -> {
          if (length >= 13) {
            long width = in.getInt(data) & 0xFFFFFFFFL;
            long height = in.getInt(data + 4) & 0xFFFFFFFFL;
            file.checkSize(width, height);
            colorType = bytes[data + 9];
            int samples = colorType == 2 ? 3 : colorType == 4 ? 2 : colorType == 6 ? 4 : 1;
            needed = width * height * samples * (bytes[data + 8] & 0xFF) / 8;
          }
        }
        case "IDAT" -> stored += length;
        case "eXIf" -> orientation.exif(bytes, data, data + length);
        case "iTXt", "zTXt", "tEXt" -> orientation.pngText(bytes, at + 4, data, data + length);
        default -> {}
      }
      int end = Math.min(bytes.length, data + length + 4);
      if (IMAGE_CHUNKS.contains(type) || type.equals("tRNS") && colorType < 4) {
        System.arraycopy(bytes, at, kept, size, end - at);
        size += end - at;
      }
      at = end;
    }
    System.arraycopy(bytes, at, kept, size, bytes.length - at);
    size += bytes.length - at;
    file.checkStored(needed, stored + bytes.length - at, DEFLATE);
    var input = new BytesInput(kept, size);
    return Pixels.of(
        ImageReaders.read(file, ImageReaders.jdk("png"), input, r -> r.read(0)),
        orientation.value());
  }
}
