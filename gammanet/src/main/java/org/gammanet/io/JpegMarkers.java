package org.gammanet.io;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The marker segments of a JPEG up to its first scan: size, components, what the components mean,
 * and orientation.
 */
final class JpegMarkers {
  private static final int TEM = 0x01;
  private static final int SOF0 = 0xC0;
  private static final int SOF2 = 0xC2;
  private static final int SOF3 = 0xC3;
  private static final int DHT = 0xC4;
  private static final int JPG = 0xC8;
  private static final int DAC = 0xCC;
  private static final int SOF15 = 0xCF;
  private static final int RST0 = 0xD0;
  private static final int SOI = 0xD8;
  private static final int EOI = 0xD9;
  private static final int SOS = 0xDA;
  private static final int APP0 = 0xE0;
  private static final int APP1 = 0xE1;
  private static final int APP14 = 0xEE;
  private static final int APP15 = 0xEF;
  private static final int COM = 0xFE;

  /** A segment that is cut out, with its marker, as {@code bytes[begin, end)}. */
  private record Cut(int begin, int end, boolean adobe) {}

  private final ImageFile file;
  private final byte[] bytes;
  private final int from;
  private final int limit;
  private final List<Cut> cuts = new ArrayList<>();
  private boolean jfif;
  private boolean sequential;

  final Orientation orientation = new Orientation();

  /** Size in pixels. */
  int width;

  int height;

  /** 1, 3 or 4. */
  int components;

  /** Whether Adobe's segment is there. */
  boolean adobe;

  /** Adobe's color transform: 0 (none), 1 (YCbCr) or 2 (YCCK); -1 without the segment. */
  int adobeTransform = -1;

  /** Whether the marker at the end is missing, as in files of some cameras and in cut streams. */
  final boolean lacksEnd;

  /** Reads the JPEG in {@code bytes[from, limit)} of a file. */
  JpegMarkers(ImageFile file, int from, int limit) throws ImageException {
    this.file = file;
    this.bytes = file.bytes;
    this.from = from;
    this.limit = limit;
    int scan = readSegments();
    // A progressive file is not completed: whole scans could be missing, too.
    lacksEnd =
        sequential && scan + 4 < limit && bytes[scan + 4] == components && !hasEndAfter(scan);
    if (components == 0) {
      throw file.damaged("there is no JPEG frame in it");
    }
  }

  /** Reads up to the first scan, or what cannot be a segment, and returns its offset. */
  private int readSegments() throws ImageException {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    int at = from + 2;
    while (at + 4 <= limit) {
      int marker = bytes[at + 1] & 0xFF;
      if (bytes[at] != (byte) 0xFF || marker == 0xFF) {
        at++; // a fill byte, or one of those that some writers leave between segments
      } else if (marker == 0 || marker == TEM || marker >= RST0 && marker <= SOI) {
        at += 2;
      } else {
        int length = in.getShort(at + 2) & 0xFFFF;
        int end = at + 2 + length;
        if (marker == EOI || marker == SOS || length < 2 || end > limit) {
          break;
        }
        segment(marker, at, end);
        at = end;
      }
    }
    return at;
  }

  private void segment(int marker, int begin, int end) throws ImageException {
    int data = begin + 4;
    boolean isJfif = marker == APP0 && file.textAt(data, "JFIF\0");
    boolean isAdobe = marker == APP14 && file.textAt(data, "Adobe") && end - data >= 12;
    if (isFrame(marker) && end - data >= 6) {
      frame(marker, data);
    } else if (marker == APP1 && file.textAt(data, "Exif\0\0")) {
      orientation.exif(bytes, data + 6, end);
    } else if (marker == APP1 && file.textAt(data, Orientation.XMP_IN_JPEG)) {
      orientation.xmp(bytes, data + Orientation.XMP_IN_JPEG.length(), end);
    } else if (isAdobe) {
      adobe = true;
      adobeTransform = bytes[data + 11] & 0xFF;
    }
    jfif |= isJfif;
    if (marker >= APP0 && marker <= APP15 && !isJfif || marker == COM) {
      cuts.add(new Cut(begin, end, isAdobe));
    }
  }

  private static boolean isFrame(int marker) {
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
  }

  private void frame(int marker, int data) throws ImageException {
    int precision = bytes[data] & 0xFF;
    if (precision != 8) {
      throw file.refused("is a JPEG of " + precision + " bits per sample; only 8 are supported");
    }
    if (marker > SOF2) {
      throw file.refused(
          (marker == SOF3 ? "is a lossless" : "is a hierarchical or arithmetic-coded")
              + " JPEG, which is not supported; save it as an ordinary JPEG or as PNG");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes);
    sequential = marker != SOF2;
    height = in.getShort(data + 1) & 0xFFFF;
    width = in.getShort(data + 3) & 0xFFFF;
    components = bytes[data + 5] & 0xFF;
    if (components != 1 && components != 3 && components != 4) {
      throw file.refused("is a JPEG of " + components + " color components");
    }
    file.checkSize(width, height);
  }

  private boolean hasEndAfter(int scan) {
    for (int i = scan; i + 1 < limit; i++) {
      if (bytes[i] == (byte) 0xFF && bytes[i + 1] == (byte) EOI) {
        return true;
      }
    }
    return false;
  }

  /**
   * The JPEG with its end and without application segments but for JFIF's and Adobe's, which say
   * what the components mean: a color profile would be applied by readers, or stop them.
   */
  byte[] withoutMetadata() {
    // As libjpeg has it, JFIF means YCbCr whatever Adobe says; the library thinks otherwise.
    boolean keepsAdobe = !(jfif && components == 3);
    var out = new ByteArrayOutputStream(limit - from);
    int copied = from;
    for (Cut cut : cuts) {
      if (!cut.adobe || !keepsAdobe) {
        out.write(bytes, copied, cut.begin - copied);
        copied = cut.end;
      }
    }
    out.write(bytes, copied, limit - copied);
    if (lacksEnd) {
      out.write(0xFF);
      out.write(EOI);
    }
    return out.toByteArray();
  }
}
