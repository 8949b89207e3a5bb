package org.gammanet.io;

import java.io.EOFException;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import javax.imageio.stream.ImageInputStreamImpl;

/**
 * The bytes of an image as decoders read them, without a copy. Zeros may follow the data, for
 * decoders that look ahead; one that continues there is stopped, instead of decoding zeros.
 */
final class BytesInput extends ImageInputStreamImpl {
  private static final VarHandle LITTLE =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle BIG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final byte[] bytes;
  private final int length;
  private final int end;

  /** The first bytes of an array. */
  BytesInput(byte[] bytes, int length) {
    this(bytes, length, length);
  }

  /**
   * Data with something behind them.
   *
   * @param end of the data, at most {@code length}
   */
  BytesInput(byte[] bytes, int length, int end) {
    this.bytes = bytes;
    this.length = length;
    this.end = end;
  }

  @Override
  public void seek(long position) throws IOException {
    if (end < length && position > end) {
      throw new EOFException("its data ends too early");
    }
    super.seek(position);
  }

  @Override
  public int read() {
    bitOffset = 0;
    return streamPos < length ? bytes[(int) streamPos++] & 0xFF : -1;
  }

  @Override
  public int read(byte[] into, int offset, int count) {
    bitOffset = 0;
    if (streamPos >= length && count > 0) {
      return -1;
    }
    int n = (int) Math.min(count, length - streamPos);
    System.arraycopy(bytes, (int) streamPos, into, offset, n);
    streamPos += n;
    return n;
  }

  @Override
  public long readLong() throws IOException {
    if (streamPos > length - 8) {
      throw new EOFException();
    }
    bitOffset = 0;
    VarHandle order = byteOrder == ByteOrder.LITTLE_ENDIAN ? LITTLE : BIG;
    long value = (long) order.get(bytes, (int) streamPos);
    streamPos += 8;
    return value;
  }

  @Override
  public long length() {
    return length;
  }
}
