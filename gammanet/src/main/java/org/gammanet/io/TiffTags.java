package org.gammanet.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The tags of a TIFF file's first directory, or of the same structure inside an Exif block. Read
 * here and not by a library because they are looked at before anything is allocated: whatever the
 * bytes are, a tag that does not lie within them counts as absent.
 *
 * @see <a href="https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf">TIFF 6.0</a>
 */
final class TiffTags {
  static final int WIDTH = 256;
  static final int HEIGHT = 257;
  static final int BITS_PER_SAMPLE = 258;
  static final int COMPRESSION = 259;
  static final int PHOTOMETRIC = 262;
  static final int STRIP_OFFSETS = 273;
  static final int ORIENTATION = 274;
  static final int SAMPLES_PER_PIXEL = 277;
  static final int STRIP_BYTE_COUNTS = 279;
  static final int PLANAR_CONFIGURATION = 284;
  static final int COLOR_MAP = 320;
  static final int TILE_WIDTH = 322;
  static final int TILE_HEIGHT = 323;
  static final int TILE_OFFSETS = 324;
  static final int TILE_BYTE_COUNTS = 325;
  static final int INK_SET = 332;
  static final int EXTRA_SAMPLES = 338;
  static final int SAMPLE_FORMAT = 339;

  private final ByteBuffer data;
  private final boolean big;
  private final int firstEntry;
  private final int entries;

  private TiffTags(ByteBuffer data, boolean big, int firstEntry, int entries) {
    this.data = data;
    this.big = big;
    this.firstEntry = firstEntry;
    this.entries = entries;
  }

  /** Whether bytes begin as a TIFF or BigTIFF file does. */
  static boolean isTiff(byte[] bytes) {
    return bytes.length >= 8
        && (bytes[0] == 'I'
                && bytes[1] == 'I'
                && (bytes[2] == 42 || bytes[2] == 43)
                && bytes[3] == 0
            || bytes[0] == 'M'
                && bytes[1] == 'M'
                && bytes[2] == 0
                && (bytes[3] == 42 || bytes[3] == 43));
  }

  /** The tags of the structure in {@code bytes[from, end)}; none when it is not one. */
  static TiffTags of(byte[] bytes, int from, int end) {
    ByteBuffer data = ByteBuffer.wrap(bytes, from, Math.max(0, end - from)).slice();
    if (data.capacity() >= 8 && data.get(0) == 'I') {
      data.order(ByteOrder.LITTLE_ENDIAN);
    }
    boolean big = data.capacity() >= 16 && data.getShort(2) == 43;
    long directory =
        data.capacity() < 8 ? -1 : big ? data.getLong(8) : data.getInt(4) & 0xFFFFFFFFL;
    int countBytes = big ? 8 : 2;
    if (directory < 8 || directory > data.capacity() - countBytes) {
      return new TiffTags(data, big, 0, 0);
    }
    int at = (int) directory;
    long count = big ? data.getLong(at) : data.getShort(at) & 0xFFFF;
    int first = at + countBytes;
    long room = (data.capacity() - first) / (big ? 20 : 12);
    return new TiffTags(data, big, first, (int) Math.clamp(count, 0, room));
  }

  /** The first value of a tag, or {@code otherwise} where it is absent. */
  long get(int tag, long otherwise) {
    long[] values = all(tag, 1);
    return values.length == 0 ? otherwise : values[0];
  }

  /** Up to {@code most} values of a tag of whole numbers; empty where it is absent. */
  long[] all(int tag, int most) {
    int entry = entry(tag);
    int count = entry < 0 ? 0 : count(entry);
    long[] values = new long[Math.min(count, most)];
    for (int i = 0; i < values.length; i++) {
      int at = start(entry) + i * size(entry);
      values[i] =
          switch (size(entry)) {
            case 1 -> data.get(at) & 0xFF;
            case 2 -> data.getShort(at) & 0xFFFF;
            case 4 -> data.getInt(at) & 0xFFFFFFFFL;
            default -> data.getLong(at);
          };
    }
    return values;
  }

  private int entry(int tag) {
    for (int i = 0; i < entries; i++) {
      int entry = firstEntry + i * (big ? 20 : 12);
      if ((data.getShort(entry) & 0xFFFF) == tag) {
        return entry;
      }
    }
    return -1;
  }

  /** Bytes of a value; 0 for types that are not whole numbers. */
  private int size(int entry) {
    return switch (data.getShort(entry + 2)) {
      case 1, 6, 7 -> 1;
      case 3, 8 -> 2;
      case 4, 9, 13 -> 4;
      case 16, 17, 18 -> 8;
      default -> 0;
    };
  }

  /** Number of values; 0 where they do not lie within the bytes. */
  private int count(int entry) {
    int size = size(entry);
    long count = big ? data.getLong(entry + 4) : data.getInt(entry + 4) & 0xFFFFFFFFL;
    if (size == 0 || count < 1 || count > data.capacity() / size) {
      return 0;
    }
    int inline = entry + (big ? 12 : 8);
    long at = big ? data.getLong(inline) : data.getInt(inline) & 0xFFFFFFFFL;
    boolean inside = at >= 0 && at <= data.capacity() - count * size;
    return count * size <= (big ? 8 : 4) || inside ? (int) count : 0;
  }

  private int start(int entry) {
    int inline = entry + (big ? 12 : 8);
    int bytes = count(entry) * size(entry);
    return bytes <= (big ? 8 : 4)
        ? inline
        : (int) (big ? data.getLong(inline) : data.getInt(inline) & 0xFFFFFFFFL);
  }

  /** Where Exif puts the first row and column: 1 (upright) to 8. */
  int orientation() {
    long value = get(ORIENTATION, 1);
    return value >= 1 && value <= 8 ? (int) value : 1;
  }
}
