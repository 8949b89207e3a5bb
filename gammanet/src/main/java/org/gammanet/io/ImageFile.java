package org.gammanet.io;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** An image file in memory, with the checks and errors that the decoders of all formats share. */
final class ImageFile {
  final byte[] bytes;
  private final String name;

  /** A file that errors call {@code name}. */
  ImageFile(byte[] bytes, String name) {
    this.bytes = bytes;
    this.name = name;
  }

  boolean begins(String text) {
    return textAt(0, text);
  }

  /** Whether the file has the Latin-1 bytes of a text at an offset, which may lie outside of it. */
  boolean textAt(int at, String text) {
    byte[] expected = text.getBytes(StandardCharsets.ISO_8859_1);
    return at >= 0
        && bytes.length - at >= expected.length
        && Arrays.equals(bytes, at, at + expected.length, expected, 0, expected.length);
  }

  /** Refuses sizes in pixels that are not positive, or more than {@link Images#MAX_PIXELS}. */
  void checkSize(long width, long height) throws ImageException {
    if (width < 1 || height < 1) {
      throw refused("has no pixels: " + width + "×" + height);
    }
    if (width > Images.MAX_PIXELS / height) {
      throw refused("has " + width + "×" + height + " pixels, more than the limit of 160 million");
    }
  }

  /**
   * Refuses an image whose pixels cannot all be in the file, before memory is allocated for them.
   *
   * @param needed pixels, or bytes of them
   * @param stored bytes of compressed pixels
   * @param most pixels, or bytes of them, that the format can get out of a byte
   */
  void checkStored(long needed, long stored, long most) throws ImageException {
    if (needed > most * stored + 4096) {
      throw truncated();
    }
  }

  ImageException truncated() {
    return refused("is truncated: the end of the image is missing");
  }

  /** An error that says what is wrong in a clause. */
  ImageException damaged(String what) {
    return refused("is truncated or damaged: " + what);
  }

  /** An error whose sentence continues the file's name. */
  ImageException refused(String predicate) {
    return new ImageException(name + " " + predicate);
  }
}
