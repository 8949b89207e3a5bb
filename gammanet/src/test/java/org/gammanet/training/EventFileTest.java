package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads event files back with a parser that shares no code with the writer. */
class EventFileTest {
  @TempDir Path folder;

  /** Field number to values: Long (varint, fixed) or byte[] (length-delimited). */
  private static Map<Integer, List<Object>> parse(byte[] message) {
    Map<Integer, List<Object>> fields = new TreeMap<>();
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      long key = varint(in);
      Object value =
          switch ((int) (key & 7)) {
            case 0 -> varint(in);
            case 1 -> in.getLong();
            case 2 -> {
              byte[] bytes = new byte[(int) varint(in)];
              in.get(bytes);
              yield bytes;
            }
            case 5 -> (long) in.getInt();
            default -> throw new AssertionError("wire type " + (key & 7));
          };
      fields.computeIfAbsent((int) (key >> 3), k -> new ArrayList<>()).add(value);
    }
    return fields;
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte b = in.get();
      value |= (long) (b & 0x7F) << shift;
      if (b >= 0) {
        return value;
      }
    }
  }

  /** CRC-32C bit by bit, from its polynomial. */
  private static int crc(byte[] data) {
    int crc = ~0;
    for (byte b : data) {
      crc ^= b & 0xFF;
      for (int i = 0; i < 8; i++) {
        crc = crc >>> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
      }
    }
    return ~crc;
  }

  private static int masked(byte[] data) {
    int crc = crc(data);
    return ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
  }

  private static List<Map<Integer, List<Object>>> read(Path file) throws IOException {
    List<Map<Integer, List<Object>>> events = new ArrayList<>();
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      byte[] length = new byte[8];
      in.get(length);
      assertEquals(masked(length), in.getInt(), "checksum of a length");
      byte[] payload =
          new byte[(int) ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong()];
      in.get(payload);
      assertEquals(masked(payload), in.getInt(), "checksum of a payload");
      events.add(parse(payload));
    }
    return events;
  }

  private static Map<Integer, List<Object>> sub(Map<Integer, List<Object>> message, int field) {
    return parse((byte[]) message.get(field).getFirst());
  }

  private static String text(Map<Integer, List<Object>> message, int field) {
    return new String((byte[]) message.get(field).getFirst(), StandardCharsets.UTF_8);
  }

  @Test
  void checksumKnownAnswer() {
    // RFC 3720, appendix B.4: 32 bytes of zeros.
    assertEquals(0x8A9136AA, crc(new byte[32]));
  }

  @Test
  void histogramsCountEveryFiniteValue() throws IOException {
    Path file;
    try (EventFile events = new EventFile(folder)) {
      events.histogram("h", 3, new float[] {-1, 0, 0.5f, 3, Float.NaN, 3});
      events.histogram("constant", 3, new float[] {2, 2});
      events.histogram("nothing", 3, new float[] {Float.POSITIVE_INFINITY});
      file = events.file();
    }
    List<Map<Integer, List<Object>>> events = read(file);
    assertEquals(3, events.size()); // the first says the format
    Map<Integer, List<Object>> value = sub(sub(events.get(1), 5), 1);
    assertEquals("h", text(value, 1));
    Map<Integer, List<Object>> histogram = sub(value, 5);
    double[] expected = {-1, 3, 5, 5.5, 19.25}; // least, greatest, number, sum, sum of squares
    for (int field = 1; field <= 5; field++) {
      long bits = (Long) histogram.get(field).getFirst();
      assertEquals(expected[field - 1], Double.longBitsToDouble(bits));
    }
    ByteBuffer limits =
        ByteBuffer.wrap((byte[]) histogram.get(6).getFirst()).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer counts =
        ByteBuffer.wrap((byte[]) histogram.get(7).getFirst()).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(40 * 8, limits.capacity());
    assertEquals(3, limits.getDouble(39 * 8), 1e-12);
    assertEquals(2, counts.getDouble(39 * 8));
    assertEquals(1, counts.getDouble(0));
    double all = 0;
    for (int b = 0; b < 40; b++) {
      all += counts.getDouble(8 * b);
    }
    assertEquals(5, all);
  }

  @Test
  void recordsReadBack() throws IOException {
    BufferedImage picture = new BufferedImage(5, 3, BufferedImage.TYPE_INT_RGB);
    picture.setRGB(2, 1, 0xFF8040);
    Path file;
    try (EventFile out = new EventFile(folder)) {
      file = out.file();
      out.scalar("train/loss", 300, 1.5);
      out.image("validation/predictions", 4, picture);
      out.text("config", 0, "seed: 42 — ü");
      out.precisionRecall("val/pr", 7, new double[][] {{4, 1}, {4, 0}, {0, 4}, {0, 3}});
      out.hyperparameters("run", Map.of("training.learning_rate", 3e-4), List.of("val/loss"));
    }
    assertTrue(file.getFileName().toString().startsWith("events.out.tfevents."));
    var events = read(file);
    assertEquals(7, events.size());
    assertEquals("brain.Event:2", text(events.get(0), 3));
    for (var event : events) {
      double seconds = Double.longBitsToDouble((Long) event.get(1).getFirst());
      assertEquals(System.currentTimeMillis() / 1000.0, seconds, 60);
    }

    assertEquals(300L, events.get(1).get(2).getFirst());
    var scalar = sub(sub(events.get(1), 5), 1);
    assertEquals("train/loss", text(scalar, 1));
    assertEquals(1.5f, Float.intBitsToFloat(((Long) scalar.get(2).getFirst()).intValue()));

    var image = sub(sub(sub(events.get(2), 5), 1), 4);
    assertEquals(List.of(3L), image.get(1));
    assertEquals(List.of(5L), image.get(2));
    assertEquals(List.of(3L), image.get(3));
    BufferedImage back = ImageIO.read(new ByteArrayInputStream((byte[]) image.get(4).getFirst()));
    assertEquals(0xFFFF8040, back.getRGB(2, 1));

    var textValue = sub(sub(events.get(3), 5), 1);
    assertEquals("config/text_summary", text(textValue, 1));
    assertEquals("seed: 42 — ü", text(sub(textValue, 8), 8));
    assertEquals("text", text(sub(sub(textValue, 9), 1), 1));

    var curve = sub(sub(events.get(4), 5), 1);
    assertEquals("pr_curves", text(sub(sub(curve, 9), 1), 1));
    float[] values = new float[12];
    ByteBuffer.wrap((byte[]) sub(curve, 8).get(4).getFirst())
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(values);
    assertArrayEquals(new float[] {4, 1, 4, 0, 0, 4, 0, 3, 0.5f, 1, 1, 0.25f}, values);

    var start = sub(sub(events.get(6), 5), 1);
    assertEquals("_hparams_/session_start_info", text(start, 1));
    var content = sub(sub(start, 9), 1);
    assertEquals("hparams", text(content, 1));
    var entry = sub(sub(sub(content, 2), 3), 1);
    assertEquals("training.learning_rate", text(entry, 1));
    assertEquals(3e-4, Double.longBitsToDouble((Long) sub(entry, 2).get(2).getFirst()));
  }

  @Test
  void aSecondFileInTheSameSecondGetsAnotherName() throws IOException {
    try (EventFile a = new EventFile(folder);
        EventFile b = new EventFile(folder)) {
      assertTrue(!a.file().equals(b.file()));
    }
  }
}
