package org.gammanet.experiments.export;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes HDF5 files (format specification, version 0 of the superblock): groups, contiguous arrays
 * of numbers, and texts of variable length, as NWB wants them.
 */
final class HdfWriter implements AutoCloseable {
  private static final long UNDEFINED = -1;
  private static final int SUPERBLOCK = 96;

  /** Bytes of a collection of texts. */
  private static final int COLLECTION = 1 << 16;

  private static final int REFERENCE = 16;

  // Types of messages of an object's header.
  private static final int DATASPACE = 0x1;
  private static final int LINK_INFO = 0x2;
  private static final int DATATYPE = 0x3;
  private static final int FILL_VALUE = 0x5;
  private static final int LINK = 0x6;
  private static final int LAYOUT = 0x8;
  private static final int GROUP_INFO = 0xa;
  private static final int ATTRIBUTE = 0xc;

  private final FileChannel channel;
  private final Node root;
  private long end = SUPERBLOCK;
  private ByteBuffer texts = ByteBuffer.allocate(0);
  private long textsAt;
  private int textCount;

  HdfWriter(Path path) throws IOException {
    channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING);
    root = new Node(this, "", true);
  }

  Node root() {
    return root;
  }

  /** An array of numbers or texts. */
  private record Values(ByteBuffer type, ByteBuffer bytes) {}

  /** A group or a dataset. */
  static final class Node {
    private final HdfWriter file;
    private final String path;
    private final boolean group;
    private final Map<String, Node> children = new LinkedHashMap<>();
    private final List<ByteBuffer> messages = new ArrayList<>();

    private Node(HdfWriter file, String path, boolean group) {
      this.file = file;
      this.path = path;
      this.group = group;
    }

    /** Where it is in the file, with a / before each name. */
    String path() {
      return path;
    }

    /** A new group in this one. */
    Node group(String name) {
      return child(name, new Node(file, path + "/" + name, true));
    }

    /**
     * A new dataset in this group.
     *
     * @param value a text or number, or an array {@code float[]}, {@code double[]}, {@code int[]},
     *     {@code String[]}
     * @param shape of an array; its length by default
     */
    Node dataset(String name, Object value, int... shape) throws IOException {
      Node node = new Node(file, path + "/" + name, false);
      Values values = file.values(value);
      long size = values.bytes.limit();
      node.messages.add(message(DATASPACE, dataspace(value, shape)));
      node.messages.add(message(DATATYPE, values.type));
      node.messages.add(message(FILL_VALUE, buffer(4).put(new byte[] {2, 1, 0, 0})));
      long at = size == 0 ? UNDEFINED : file.append(values.bytes);
      node.messages.add(
          message(LAYOUT, buffer(18).put((byte) 3).put((byte) 1).putLong(at).putLong(size)));
      return child(name, node);
    }

    private Node child(String name, Node node) {
      if (!group || children.putIfAbsent(name, node) != null) {
        throw new IllegalArgumentException("there cannot be a second " + name);
      }
      return node;
    }

    /** Adds an attribute: as {@link #dataset}, of one dimension at most. */
    Node attribute(String name, Object value) throws IOException {
      byte[] title = (name + '\0').getBytes(StandardCharsets.UTF_8);
      Values values = file.values(value);
      ByteBuffer space = dataspace(value);
      messages.add(
          message(
              ATTRIBUTE,
              buffer(9 + title.length + values.type.limit() + space.limit() + values.bytes.limit())
                  .put((byte) 3)
                  .put((byte) 0)
                  .putShort((short) title.length)
                  .putShort((short) values.type.limit())
                  .putShort((short) space.limit())
                  .put((byte) 1)
                  .put(title)
                  .put(values.type)
                  .put(space)
                  .put(values.bytes)));
      return this;
    }

    /** Writes children and header; returns where the header is. */
    private long write() throws IOException {
      if (group) {
        messages.add(
            message(LINK_INFO, buffer(18).putShort((short) 0).putLong(UNDEFINED).putLong(-1)));
        messages.add(message(GROUP_INFO, buffer(2)));
        for (Map.Entry<String, Node> child : children.entrySet()) {
          byte[] name = child.getKey().getBytes(StandardCharsets.UTF_8);
          messages.add(
              message(
                  LINK,
                  buffer(13 + name.length)
                      .put((byte) 1)
                      .put((byte) 0x11) // two bytes for the name's length; a character set
                      .put((byte) 1)
                      .putShort((short) name.length)
                      .put(name)
                      .putLong(child.getValue().write())));
        }
      }
      int size = messages.stream().mapToInt(ByteBuffer::limit).sum();
      ByteBuffer header = buffer(16 + size);
      header.put((byte) 1).put((byte) 0).putShort((short) messages.size()).putInt(1).putInt(size);
      header.putInt(0);
      messages.forEach(header::put);
      return file.append(header.flip());
    }
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static int padded(int size) {
    return (size + 7) / 8 * 8;
  }

  private static ByteBuffer message(int type, ByteBuffer data) {
    data.rewind();
    int size = padded(data.limit());
    return buffer(8 + size)
        .putShort((short) type)
        .putShort((short) size)
        .putInt(0)
        .put(data)
        .rewind();
  }

  private static ByteBuffer dataspace(Object value, int... shape) {
    boolean scalar = !value.getClass().isArray();
    int[] sizes =
        scalar || shape.length > 0 ? shape : new int[] {java.lang.reflect.Array.getLength(value)};
    ByteBuffer out = buffer(4 + 8 * sizes.length);
    out.put((byte) 2).put((byte) sizes.length).put((byte) 0).put((byte) (scalar ? 0 : 1));
    Arrays.stream(sizes).forEach(out::putLong);
    return out.rewind();
  }

  private Values values(Object value) throws IOException {
    return switch (value) {
      case Integer i -> values(new int[] {i});
      case Double d -> values(new double[] {d});
      case Float f -> values(new float[] {f});
      case String s -> values(new String[] {s});
      case int[] all -> {
        ByteBuffer bytes = buffer(Math.multiplyExact(4, all.length));
        bytes.asIntBuffer().put(all);
        yield new Values(type(0x10, 0x08, 0, 4).putInt(32 << 16).rewind().limit(12), bytes);
      }
      case float[] all -> {
        ByteBuffer bytes = buffer(Math.multiplyExact(4, all.length));
        bytes.asFloatBuffer().put(all);
        yield new Values(floating(4, 23, 8, 127), bytes);
      }
      case double[] all -> {
        ByteBuffer bytes = buffer(Math.multiplyExact(8, all.length));
        bytes.asDoubleBuffer().put(all);
        yield new Values(floating(8, 52, 11, 1023), bytes);
      }
      case String[] all -> {
        ByteBuffer references = buffer(REFERENCE * all.length);
        for (String text : all) {
          put(text, references);
        }
        ByteBuffer type = type(0x19, 0x01, 0x01, REFERENCE); // of variable length, UTF-8
        type.put(type(0x13, 0x10, 0, 1).limit(8).rewind());
        yield new Values(type.limit(16).rewind(), references.rewind());
      }
      default -> throw new IllegalArgumentException("no type for " + value.getClass());
    };
  }

  /** The beginning of a datatype: class and version, two bytes of its class's bits, size. */
  private static ByteBuffer type(int kind, int bits, int moreBits, int size) {
    return buffer(24)
        .put((byte) kind)
        .put((byte) bits)
        .put((byte) moreBits)
        .put((byte) 0)
        .putInt(size);
  }

  private static ByteBuffer floating(int size, int mantissa, int exponent, int bias) {
    return type(0x11, 0x20, 8 * size - 1, size)
        .putShort((short) 0)
        .putShort((short) (8 * size))
        .put((byte) mantissa)
        .put((byte) exponent)
        .put((byte) 0)
        .put((byte) mantissa)
        .putInt(bias)
        .limit(20)
        .rewind();
  }

  /** Keeps a text and puts a reference to it. */
  private void put(String text, ByteBuffer references) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length == 0) {
      references.putInt(0).putLong(0).putInt(0);
      return;
    }
    int size = 16 + padded(bytes.length);
    if (texts.remaining() < size + 16) {
      endTexts();
      texts = buffer(Math.max(COLLECTION, size + 32));
      textsAt = end;
      end += texts.limit();
      textCount = 0;
      texts.put("GCOL".getBytes(StandardCharsets.US_ASCII)).putInt(1).putLong(texts.limit());
    }
    textCount++;
    texts.putShort((short) textCount).putShort((short) 1).putInt(0).putLong(bytes.length);
    texts.put(Arrays.copyOf(bytes, size - 16));
    references.putInt(bytes.length).putLong(textsAt).putInt(textCount);
  }

  private void endTexts() throws IOException {
    if (texts.limit() > 0) {
      texts.putLong(0).putLong(texts.remaining() + 8); // the rest is free
      write(texts.rewind(), textsAt);
    }
  }

  private long append(ByteBuffer bytes) throws IOException {
    long at = end;
    end += padded(bytes.limit());
    write(bytes.rewind(), at);
    return at;
  }

  private void write(ByteBuffer bytes, long at) throws IOException {
    for (long to = at; bytes.hasRemaining(); ) {
      to += channel.write(bytes, to);
    }
  }

  @Override
  public void close() throws IOException {
    try (channel) {
      long header = root.write();
      endTexts();
      ByteBuffer block = buffer(SUPERBLOCK);
      block.put(new byte[] {(byte) 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'});
      block.put(new byte[] {0, 0, 0, 0, 0, 8, 8, 0}).putShort((short) 4).putShort((short) 16);
      block.putInt(0).putLong(0).putLong(UNDEFINED).putLong(end).putLong(UNDEFINED);
      block.putLong(0).putLong(header);
      write(block.rewind(), 0);
      if (channel.size() < end) {
        write(ByteBuffer.allocate(1), end - 1);
      }
    }
  }
}
