package org.gammanet.io;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Where an image's first row and column belong, 1 (upright) to 8 as Exif counts, from all places
 * where files say so. Exif goes before XMP.
 */
final class Orientation {
  /** What an XMP packet in a JPEG begins with. */
  static final String XMP_IN_JPEG = "http://ns.adobe.com/xap/1.0/\0";

  private static final Pattern XMP =
      Pattern.compile("\\btiff:Orientation(?:\\s*=\\s*[\"']|\\s*>)\\s*([1-8])\\b");

  /** Longer metadata is left alone: it may be a decompression bomb. */
  private static final int MAX_TEXT = 1 << 20;

  private int exif;
  private int xmp;

  /** The orientation; 1 where nothing says anything. */
  int value() {
    return exif > 0 ? exif : xmp > 0 ? xmp : 1;
  }

  /** Takes an Exif block, which has the structure of a TIFF file. */
  void exif(byte[] bytes, int from, int to) {
    long value = TiffTags.of(bytes, from, to).get(TiffTags.ORIENTATION, 0);
    if (exif == 0 && value >= 1 && value <= 8) {
      exif = (int) value;
    }
  }

  /** Takes an XMP packet. */
  void xmp(byte[] bytes, int from, int to) {
    Matcher found =
        XMP.matcher(
            new String(bytes, from, Math.min(MAX_TEXT, to - from), StandardCharsets.ISO_8859_1));
    if (xmp == 0 && found.find()) {
      xmp = Integer.parseInt(found.group(1));
    }
  }

  /**
   * Takes a text of a PNG: an XMP packet, or Exif in hexadecimal digits, as ImageMagick writes it.
   *
   * @param type position of the chunk's type: iTXt, zTXt or tEXt
   */
  void pngText(byte[] bytes, int type, int from, int to) {
    int key = from;
    while (key < to && bytes[key] != 0) {
      key++;
    }
    String keyword = new String(bytes, from, key - from, StandardCharsets.ISO_8859_1);
    boolean isXmp = keyword.equals("XML:com.adobe.xmp");
    if (!isXmp && !keyword.matches("Raw profile type (exif|APP1)")) {
      return;
    }
    int at = key + 1;
    boolean compressed = bytes[type] == 'z';
    if (compressed) {
      at++;
    } else if (bytes[type] == 'i') {
      compressed = at < to && bytes[at] != 0;
      at += 2;
      for (int text = 0; text < 2 && at < to; at++) { // language, translated keyword
        text += bytes[at] == 0 ? 1 : 0;
      }
    }
    if (at >= to) {
      return;
    }
    byte[] text = bytes;
    if (compressed) {
      text = inflated(bytes, at, to);
      at = 0;
      to = text.length;
    }
    if (isXmp) {
      xmp(text, at, to);
    } else {
      hexadecimal(new String(text, at, Math.min(MAX_TEXT, to - at), StandardCharsets.ISO_8859_1));
    }
  }

  /** A name and a number of bytes on lines of their own, and bytes in two digits each. */
  private void hexadecimal(String profile) {
    String[] lines = profile.strip().split("\\s+", 3);
    String digits = lines.length < 3 ? "" : lines[2].replaceAll("\\s", "");
    try {
      byte[] block = HexFormat.of().parseHex(digits);
      exif(
          block,
          new String(block, StandardCharsets.ISO_8859_1).startsWith("Exif") ? 6 : 0,
          block.length);
    } catch (IllegalArgumentException e) {
      return; // damaged, as no orientation
    }
  }

  private static byte[] inflated(byte[] bytes, int from, int to) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(bytes, from, to - from);
      byte[] text = new byte[(int) Math.min(MAX_TEXT, 1032L * (to - from))];
      int size = 0;
      for (int n = 1; n > 0 && size < text.length; size += n) {
        n = inflater.inflate(text, size, text.length - size);
      }
      return Arrays.copyOf(text, size);
    } catch (DataFormatException e) {
      return new byte[0];
    } finally {
      inflater.end();
    }
  }
}
