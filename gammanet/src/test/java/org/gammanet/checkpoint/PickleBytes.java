package org.gammanet.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes pickles instruction by instruction, and the archive around them. */
public final class PickleBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final int storageBytes;

  /** A pickle whose storage "0" has this many bytes. */
  public PickleBytes(int storageBytes) {
    this.storageBytes = storageBytes;
    raw(0x80, 2);
  }

  public PickleBytes raw(int... bytes) {
    for (int b : bytes) {
      out.write(b);
    }
    return this;
  }

  public PickleBytes text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.write('X');
    out.writeBytes(ByteBuffer.allocate(4).putInt(Integer.reverseBytes(bytes.length)).array());
    out.writeBytes(bytes);
    return this;
  }

  public PickleBytes number(int value) {
    out.write('J');
    out.writeBytes(ByteBuffer.allocate(4).putInt(Integer.reverseBytes(value)).array());
    return this;
  }

  public PickleBytes global(String module, String name) {
    out.writeBytes(("c" + module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
    return this;
  }

  /** A tensor of floats in a storage of {@code count} elements. */
  public PickleBytes tensor(int count, int[] shape, int... strides) {
    global("torch._utils", "_rebuild_tensor_v2").raw('(', '(').text("storage");
    global("torch", "FloatStorage").text("0").text("cpu").number(count).raw('t', 'Q');
    number(0).raw('(');
    for (int n : shape) {
      number(n);
    }
    raw('t', '(');
    for (int n : strides) {
      number(n);
    }
    return raw('t', 0x89).global("collections", "OrderedDict").raw(')', 'R', 't', 'R');
  }

  /** {@code {name: tensor of 2 floats}}. */
  public PickleBytes weights(String... names) {
    raw('}');
    for (String name : names) {
      text(name).tensor(2, new int[] {2}, 1).raw('s');
    }
    return this;
  }

  public byte[] zip(String... otherRecords) {
    raw('.');
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(file)) {
      store(zip, "archive/data.pkl", out.toByteArray());
      store(zip, "archive/data/0", new byte[storageBytes]);
      for (String name : otherRecords) {
        zip.putNextEntry(new ZipEntry(name)); // compressed
        zip.write(new byte[10]);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return file.toByteArray();
  }

  /** The container of torch.save before 1.6: four pickles in a row, keys, storages. */
  public byte[] legacy() {
    raw('.');
    var file = new ByteArrayOutputStream();
    byte[] magic = HexFormat.of().parseHex("80028a0a6cfc9c46f9206aa850192e"); // little-endian
    file.writeBytes(magic);
    file.writeBytes(new byte[] {(byte) 0x80, 2, 'M', (byte) 0xE9, 3, '.'}); // 1001
    file.writeBytes(new byte[] {(byte) 0x80, 2, '}', '.'}); // sizes of C types
    file.writeBytes(out.toByteArray());
    file.writeBytes(new byte[] {(byte) 0x80, 2, ']', 'X', 1, 0, 0, 0, '0', 'a', '.'});
    long count = storageBytes / Float.BYTES;
    file.writeBytes(ByteBuffer.allocate(8).putLong(Long.reverseBytes(count)).array());
    file.writeBytes(new byte[storageBytes]);
    return file.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 crc = new CRC32();
    crc.update(bytes);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(bytes);
  }
}
