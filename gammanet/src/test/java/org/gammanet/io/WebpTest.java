package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.function.IntBinaryOperator;
import org.junit.jupiter.api.Test;

/** WebP files: written by Pillow, or put together here. */
class WebpTest {
  /** 48 × 40 pixels of the color (200, 100, 50), lossy; opacity is 5 x, compressed and filtered. */
  private static final byte[] LOSSY =
      Base64.getDecoder()
          .decode(
              "UklGRngAAABXRUJQVlA4WAoAAAAQAAAALwAAJwAAQUxQSBIAAAAFUNO2AdPJn3f/ShExAej6nwJWUDggQAAA"
                  + "ANADAJ0BKjAAKAA+bTaYSKQjIqEjiACADYlnANOOgH4AABzUeqUEAAD+rhf/8guWF1yNf/5xKiCTeYLE"
                  + "nyfkgAA=");

  /** 20 × 16 pixels; the first picture of 8 × 6 pixels lies at (6, 4) and is (200, 10, 30). */
  private static final byte[] ANIMATION =
      Base64.getDecoder()
          .decode(
              "UklGRroAAABXRUJQVlA4WAoAAAACAAAAEwAADwAAQU5JTQYAAAAAAAAAAABBTk1GKgAAAAMAAAIAAAcAAAUA"
                  + "AAAAAANWUDhMEQAAAC8HQAEAB1CFItej/4GI6H8AAEFOTUYqAAAABAAAAgAABQAABQAAAAAAAVZQOEwR"
                  + "AAAALwVAAQAHUJ4i16P/gYjofwAAQU5NRioAAAAFAAACAAADAAAFAAAAAAAAVlA4TBEAAAAvA0ABAAdQ"
                  + "tyLXo/+BiOh/AAA=");

  private static byte[] file(Object... chunks) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int i = 0; i < chunks.length; i += 2) {
      byte[] data = (byte[]) chunks[i + 1];
      out.writeBytes(chunks[i].toString().getBytes(StandardCharsets.US_ASCII));
      out.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(data.length).array());
      out.writeBytes(data);
      out.writeBytes(new byte[data.length & 1]);
    }
    return ByteBuffer.allocate(12 + out.size())
        .order(ByteOrder.LITTLE_ENDIAN)
        .put("RIFF".getBytes(StandardCharsets.US_ASCII))
        .putInt(4 + out.size())
        .put("WEBP".getBytes(StandardCharsets.US_ASCII))
        .put(out.toByteArray())
        .array();
  }

  private static byte[] canvas(int width, int height) {
    byte[] header = new byte[12];
    ByteBuffer.wrap(header)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0x10)
        .putInt(width - 1)
        .putInt(7, height - 1);
    return Arrays.copyOf(header, 10);
  }

  /** The chunk of that name. */
  private static byte[] chunk(byte[] file, String name) {
    String text = new String(file, StandardCharsets.ISO_8859_1);
    int at = text.indexOf(name, 12);
    int length = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt(at + 4);
    return Arrays.copyOfRange(file, at + 8, at + 8 + length);
  }

  private static String error(byte[] file) {
    return String.valueOf(
        assertThrows(ImageException.class, () -> Images.decode(file, "a")).getMessage());
  }

  private static void assertOverWhite(byte[] file, IntBinaryOperator opacity)
      throws ImageException {
    RgbImage image = Images.decode(file, "a");
    int[] color = {200, 100, 50};
    for (int y = 0; y < 40; y++) {
      for (int x = 0; x < 48; x++) {
        double a = opacity.applyAsInt(x, y) / 255.0;
        for (int c = 0; c < 3; c++) {
          assertEquals(color[c] * a + 255 * (1 - a), image.sample(x, y, c), 3, x + ", " + y);
        }
      }
    }
  }

  @Test
  void opacityIsReadHoweverItIsStored() throws ImageException {
    assertOverWhite(LOSSY, (x, y) -> 5 * x);
    IntBinaryOperator opacity = (x, y) -> (7 * x + 3 * y + (x ^ y)) & 0xFF;
    for (int filter = 0; filter < 4; filter++) {
      byte[] stored = new byte[1 + 48 * 40];
      stored[0] = (byte) (filter << 2);
      for (int y = 0; y < 40; y++) {
        for (int x = 0; x < 48; x++) {
          int left = x == 0 ? 0 : opacity.applyAsInt(x - 1, y);
          int above = y == 0 ? 0 : opacity.applyAsInt(x, y - 1);
          int predicted =
              filter == 0
                  ? 0
                  : y == 0
                      ? left
                      : x == 0
                          ? above
                          : filter == 1
                              ? left
                              : filter == 2
                                  ? above
                                  : Math.clamp(
                                      left + above - opacity.applyAsInt(x - 1, y - 1), 0, 255);
          stored[1 + 48 * y + x] = (byte) (opacity.applyAsInt(x, y) - predicted);
        }
      }
      assertOverWhite(
          file("VP8X", canvas(48, 40), "ALPH", stored, "VP8 ", chunk(LOSSY, "VP8 ")), opacity);
    }
  }

  @Test
  void theFirstPictureOfAnAnimationLiesOnItsCanvas() throws ImageException {
    RgbImage image = Images.decode(ANIMATION, "a");
    assertEquals("RgbImage 20×16", image.toString());
    for (int y = 0; y < 16; y++) {
      for (int x = 0; x < 20; x++) {
        boolean inside = x >= 6 && x < 14 && y >= 4 && y < 10;
        assertEquals(inside ? 10 : 255, image.sample(x, y, 1), x + ", " + y);
      }
    }
  }

  @Test
  void aPictureOfAnotherSizeIsDamage() {
    byte[] picture = chunk(LOSSY, "VP8 ");
    assertTrue(
        error(file("VP8X", canvas(48, 41), "VP8 ", picture)).contains("48×40 pixels, not 48×41"));
  }

  @Test
  void whatIsCutOffIsTruncated() {
    for (byte[] file : new byte[][] {LOSSY, ANIMATION}) {
      for (int length = 13; length < file.length; length += 7) {
        assertEquals(
            "a is truncated: the end of the image is missing", error(Arrays.copyOf(file, length)));
      }
    }
    // Whole chunks whose pixels are not there: 16,000 × 6,000 lossy ones, and lossless ones.
    byte[] lossy = chunk(LOSSY, "VP8 ");
    ByteBuffer.wrap(lossy)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(6, (short) 16_000)
        .putShort(8, (short) 6_000);
    assertTrue(error(file("VP8 ", lossy)).contains("truncated"));
    byte[] lossless = HexFormat.of().parseHex("2f07400100075085");
    assertTrue(error(file("VP8L", lossless)).contains("ends too early"));
  }

  /** A lossless picture of one color, after so many transforms "subtract green". */
  private static byte[] transforms(int count) {
    // Bits, the lowest of a byte first: transform follows, of type 2; none follows; no color cache,
    // one group of codes; five codes of one symbol each.
    String bits = "101".repeat(count) + "0" + "0" + "0" + "1000".repeat(5);
    byte[] data = new byte[5 + (bits.length() + 7) / 8];
    ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).put((byte) 0x2F).putInt(99 | 99 << 14);
    for (int i = 0; i < bits.length(); i++) {
      data[5 + i / 8] |= (byte) ((bits.charAt(i) - '0') << i % 8);
    }
    return file("VP8L", data);
  }

  @Test
  void transformsCannotBeRepeatedAtWill() throws ImageException {
    assertEquals(0, Images.decode(transforms(1), "a").sample(99, 99, 1));
    assertTrue(error(transforms(500)).contains("transforms are repeated"));
  }
}
