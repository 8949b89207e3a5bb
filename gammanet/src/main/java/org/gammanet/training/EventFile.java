package org.gammanet.training;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32C;
import javax.imageio.ImageIO;

/**
 * Writes what TensorBoard shows: scalars, images, precision-recall curves, texts and
 * hyperparameters.
 *
 * <p>The file is a sequence of records (length, checksum of the length, payload, checksum of the
 * payload, as in TFRecord files); a payload is a protobuf message {@code Event}. Records are
 * written whole, so a reader that follows the file never sees half of one, and each is handed to
 * the operating system at once. Not for use by several threads.
 */
public final class EventFile implements AutoCloseable {
  private static final int HISTOGRAM_BINS = 40;
  private static final int FLOAT = 1;
  private static final int STRING = 7;

  private final FileChannel channel;
  private final Path file;

  /**
   * Opens a new file {@code events.out.tfevents.<seconds>.<host>} in the folder, which is made if
   * absent.
   */
  public EventFile(Path folder) throws IOException {
    Files.createDirectories(folder);
    long seconds = System.currentTimeMillis() / 1000;
    Path candidate = folder.resolve("events.out.tfevents." + seconds + "." + host());
    for (int i = 1; Files.exists(candidate); i++) {
      candidate = folder.resolve("events.out.tfevents." + seconds + "." + host() + "." + i);
    }
    file = candidate;
    channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    Message event = new Message().fixed64(1, now()).text(3, "brain.Event:2");
    write(event.bytes());
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName().replaceAll("[^A-Za-z0-9.-]", "_");
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }

  private static double now() {
    return System.currentTimeMillis() / 1000.0;
  }

  /** The file that is written. */
  public Path file() {
    return file;
  }

  /** A point of a curve. */
  public void scalar(String tag, long step, double value) throws IOException {
    event(step, new Message().text(1, tag).fixed32(2, (float) value));
  }

  /** A picture, stored as PNG. */
  public void image(String tag, long step, BufferedImage picture) throws IOException {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    if (!ImageIO.write(picture, "png", png)) {
      throw new IOException("This Java has no PNG writer");
    }
    boolean gray = picture.getRaster().getNumBands() == 1;
    Message image =
        new Message()
            .varint(1, picture.getHeight())
            .varint(2, picture.getWidth())
            .varint(3, gray ? 1 : 3)
            .bytes(4, png.toByteArray());
    event(step, new Message().text(1, tag).message(4, image));
  }

  /**
   * A histogram in equal bins from the least to the greatest value. Values that are not finite are
   * left out.
   */
  public void histogram(String tag, long step, float[] values) throws IOException {
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (float v : values) {
      if (Float.isFinite(v)) {
        min = Math.min(min, v);
        max = Math.max(max, v);
        sum += v;
        squares += (double) v * v;
        count++;
      }
    }
    if (count == 0) {
      return;
    }
    double width = max > min ? (max - min) / HISTOGRAM_BINS : 1;
    double[] bins = new double[HISTOGRAM_BINS];
    for (float v : values) {
      if (Float.isFinite(v)) {
        bins[(int) Math.min(HISTOGRAM_BINS - 1, (v - min) / width)]++;
      }
    }
    ByteBuffer limits = ByteBuffer.allocate(8 * HISTOGRAM_BINS).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer counts = ByteBuffer.allocate(8 * HISTOGRAM_BINS).order(ByteOrder.LITTLE_ENDIAN);
    for (int b = 0; b < HISTOGRAM_BINS; b++) {
      limits.putDouble(min + width * (b + 1));
      counts.putDouble(bins[b]);
    }
    Message histogram =
        new Message()
            .fixed64(1, min)
            .fixed64(2, max)
            .fixed64(3, count)
            .fixed64(4, sum)
            .fixed64(5, squares)
            .bytes(6, limits.array())
            .bytes(7, counts.array());
    event(step, new Message().text(1, tag).message(5, histogram));
  }

  /** A text; Markdown is rendered. */
  public void text(String tag, long step, String text) throws IOException {
    Message tensor =
        new Message()
            .varint(1, STRING)
            .message(2, shape(1))
            .bytes(8, text.getBytes(StandardCharsets.UTF_8));
    Message metadata = plugin("text", new Message());
    event(
        step, new Message().text(1, tag + "/text_summary").message(8, tensor).message(9, metadata));
  }

  /**
   * A precision-recall curve at equally spaced thresholds from 0 to 1, both included.
   *
   * @param counts rows: true positives, false positives, true negatives, false negatives; each with
   *     one value per threshold
   */
  public void precisionRecall(String tag, long step, double[][] counts) throws IOException {
    int n = counts[0].length;
    ByteBuffer content = ByteBuffer.allocate(6 * n * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < 4; row++) {
      for (double count : counts[row]) {
        content.putFloat((float) count);
      }
    }
    for (int row = 0; row < 2; row++) {
      for (int i = 0; i < n; i++) {
        double hits = counts[0][i];
        double all = hits + counts[row == 0 ? 1 : 3][i];
        content.putFloat((float) (all == 0 ? 0 : hits / all));
      }
    }
    Message tensor =
        new Message().varint(1, FLOAT).message(2, shape(6, n)).bytes(4, content.array());
    Message metadata = plugin("pr_curves", new Message().varint(2, n));
    event(step, new Message().text(1, tag).message(8, tensor).message(9, metadata));
  }

  /**
   * The hyperparameters of this run, for the table that compares runs.
   *
   * @param run its name in that table
   * @param values {@link Number}, {@link Boolean}, or anything as its text
   * @param metrics tags of scalars to show beside them
   */
  public void hyperparameters(String run, Map<String, ?> values, Iterable<String> metrics)
      throws IOException {
    Message experiment = new Message();
    Message start = new Message();
    for (var value : values.entrySet()) {
      Object v = value.getValue();
      int type = v instanceof Number ? 3 : v instanceof Boolean ? 2 : 1;
      experiment.message(4, new Message().text(1, value.getKey()).varint(4, type));
      Message typed =
          switch (v) {
            case Number n -> new Message().fixed64(2, n.doubleValue());
            case Boolean b -> new Message().varint(4, b ? 1 : 0);
            default -> new Message().text(3, String.valueOf(v));
          };
      start.message(1, new Message().text(1, value.getKey()).message(2, typed));
    }
    for (String metric : metrics) {
      experiment.message(5, new Message().message(1, new Message().text(2, metric)));
    }
    start.text(4, run).fixed64(5, now());
    hparams("_hparams_/experiment", new Message().message(2, experiment));
    hparams("_hparams_/session_start_info", new Message().message(3, start));
  }

  private void hparams(String tag, Message data) throws IOException {
    // The plugin reads the metadata alone, but readers of tensors expect one that is whole.
    Message zero = new Message().varint(1, FLOAT).message(2, shape(1)).bytes(4, new byte[4]);
    event(0, new Message().text(1, tag).message(8, zero).message(9, plugin("hparams", data)));
  }

  private static Message plugin(String name, Message content) {
    return new Message().message(1, new Message().text(1, name).bytes(2, content.bytes()));
  }

  private static Message shape(long... sizes) {
    Message shape = new Message();
    for (long size : sizes) {
      shape.message(2, new Message().varint(1, size));
    }
    return shape;
  }

  private void event(long step, Message value) throws IOException {
    Message summary = new Message().message(1, value);
    write(new Message().fixed64(1, now()).varint(2, step).message(5, summary).bytes());
  }

  private void write(byte[] payload) throws IOException {
    ByteBuffer record = ByteBuffer.allocate(payload.length + 16).order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(payload.length);
    record.putInt(maskedChecksum(record.array(), 0, 8));
    record.put(payload);
    record.putInt(maskedChecksum(payload, 0, payload.length));
    record.flip();
    while (record.hasRemaining()) {
      channel.write(record);
    }
  }

  private static int maskedChecksum(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    int value = (int) crc.getValue();
    // Checksums of data that contains checksums are weak: the format masks them.
    return Integer.rotateRight(value, 15) + 0xa282ead8;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  /** A protobuf message under construction; fields go out in the order of the calls. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private void raw(long value) {
      long v = value;
      while ((v & ~0x7FL) != 0) {
        out.write((int) (v & 0x7F | 0x80));
        v >>>= 7;
      }
      out.write((int) v);
    }

    private Message tag(int field, int type) {
      raw((long) field << 3 | type);
      return this;
    }

    Message varint(int field, long value) {
      tag(field, 0).raw(value);
      return this;
    }

    Message fixed64(int field, double value) {
      tag(field, 1);
      little(Double.doubleToRawLongBits(value), 8);
      return this;
    }

    Message fixed32(int field, float value) {
      tag(field, 5);
      little(Float.floatToRawIntBits(value), 4);
      return this;
    }

    private void little(long bits, int count) {
      for (int i = 0; i < count; i++) {
        out.write((int) (bits >>> 8 * i));
      }
    }

    Message bytes(int field, byte[] value) {
      tag(field, 2).raw(value.length);
      out.writeBytes(value);
      return this;
    }

    Message text(int field, String value) {
      return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message value) {
      return bytes(field, value.bytes());
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }
}
