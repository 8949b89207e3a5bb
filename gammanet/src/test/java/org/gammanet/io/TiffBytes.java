package org.gammanet.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.TreeMap;

/** Makes small uncompressed TIFF files, correct ones and others. */
public final class TiffBytes {
  private final TreeMap<Integer, long[]> tags = new TreeMap<>();
  private ByteOrder order = ByteOrder.LITTLE_ENDIAN;

  public TiffBytes(int width, int height, int samples, int bits, int photometric) {
    tag(TiffTags.WIDTH, width).tag(TiffTags.HEIGHT, height);
    long[] depths = new long[samples];
    java.util.Arrays.fill(depths, bits);
    tag(TiffTags.BITS_PER_SAMPLE, depths).tag(TiffTags.SAMPLES_PER_PIXEL, samples);
    tag(TiffTags.COMPRESSION, 1).tag(TiffTags.PHOTOMETRIC, photometric);
  }

  public TiffBytes tag(int tag, long... values) {
    tags.put(tag, values);
    return this;
  }

  public TiffBytes bigEndian() {
    order = ByteOrder.BIG_ENDIAN;
    return this;
  }

  ByteOrder order() {
    return order;
  }

  public byte[] bytes(byte[] pixels) {
    tags.putIfAbsent(TiffTags.STRIP_BYTE_COUNTS, new long[] {pixels.length});
    tags.putIfAbsent(TiffTags.STRIP_OFFSETS, new long[] {8});
    int directory = 8 + (pixels.length + 1) / 2 * 2;
    int longValues = directory + 2 + 12 * tags.size() + 4;
    int size = longValues;
    for (long[] values : tags.values()) {
      size += values.length > 1 ? 4 * values.length : 0;
    }
    ByteBuffer out = ByteBuffer.allocate(size).order(order);
    out.putShort((short) (order == ByteOrder.LITTLE_ENDIAN ? 0x4949 : 0x4D4D));
    out.putShort((short) 42).putInt(directory).put(pixels).position(directory);
    out.putShort((short) tags.size());
    int at = longValues;
    for (Map.Entry<Integer, long[]> tag : tags.entrySet()) {
      long[] values = tag.getValue();
      // Offsets and sizes are LONG, the rest SHORT, as libtiff writes them.
      boolean wide = values[0] > 0xFFFF || tag.getKey() == TiffTags.STRIP_OFFSETS;
      out.putShort((short) (int) tag.getKey())
          .putShort((short) (wide ? 4 : 3))
          .putInt(values.length);
      int size1 = wide ? 4 : 2;
      int next = out.position() + 4;
      if (values.length * size1 > 4) {
        out.putInt(at).position(at);
      }
      for (long value : values) {
        if (wide) {
          out.putInt((int) value);
        } else {
          out.putShort((short) value);
        }
      }
      at = values.length * size1 > 4 ? out.position() : at;
      out.position(next);
    }
    return out.array();
  }
}
