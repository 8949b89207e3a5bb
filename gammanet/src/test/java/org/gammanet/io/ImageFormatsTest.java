package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/** What the bands of image files mean, in files written by hand. */
class ImageFormatsTest {
  private static int[] samples(byte[] file) throws ImageException {
    byte[] samples = Images.decode(file, "a").samples();
    int[] values = new int[samples.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = samples[i] & 0xFF;
    }
    return values;
  }

  private static String error(byte[] file) {
    ImageException e = assertThrows(ImageException.class, () -> Images.decode(file, "a.x"));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.startsWith("a.x ") && !message.contains("\n"), message);
    return message.substring(4);
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] shorts(ByteOrder order, int... values) {
    ByteBuffer out = ByteBuffer.allocate(2 * values.length).order(order);
    for (int v : values) {
      out.putShort((short) v);
    }
    return out.array();
  }

  private static byte[] floats(ByteOrder order, double... values) {
    ByteBuffer out = ByteBuffer.allocate(4 * values.length).order(order);
    for (double v : values) {
      out.putFloat((float) v);
    }
    return out.array();
  }

  // TIFF

  @Test
  void tiffFloatsAreFractionsOfWhite() throws ImageException {
    for (boolean big : new boolean[] {false, true}) {
      TiffBytes gray = new TiffBytes(3, 1, 1, 32, 1).tag(TiffTags.SAMPLE_FORMAT, 3);
      TiffBytes rgb = new TiffBytes(1, 1, 3, 32, 2).tag(TiffTags.SAMPLE_FORMAT, 3, 3, 3);
      TiffBytes inverted = new TiffBytes(2, 1, 1, 32, 0).tag(TiffTags.SAMPLE_FORMAT, 3);
      for (TiffBytes tiff : new TiffBytes[] {gray, rgb, inverted}) {
        if (big) {
          tiff.bigEndian();
        }
      }
      assertArrayEquals(
          new int[] {0, 0, 0, 128, 128, 128, 255, 255, 255},
          samples(gray.bytes(floats(gray.order(), 0, 0.5, 1))));
      assertArrayEquals(
          new int[] {51, 102, 204}, samples(rgb.bytes(floats(rgb.order(), 0.2, 0.4, 0.8))));
      assertArrayEquals(
          new int[] {204, 204, 204, 0, 0, 0},
          samples(inverted.bytes(floats(inverted.order(), 0.2, 1))));
      assertEquals(
          "has floating-point samples from -3.0 to 200.0; scale them to 0 to 1",
          error(gray.bytes(floats(gray.order(), 200, -3, 1))));
      assertEquals(
          "has samples that are not numbers (NaN)",
          error(gray.bytes(floats(gray.order(), 0, Double.NaN, 1))));
    }
  }

  @Test
  void tiffMayCountFromWhite() throws ImageException {
    assertArrayEquals(
        new int[] {255, 255, 255, 0, 0, 0, 193, 193, 193},
        samples(new TiffBytes(3, 1, 1, 12, 0).bytes(bytes(0x00, 0x0F, 0xFF, 0x3E, 0x80))));
    TiffBytes opacity = new TiffBytes(4, 1, 2, 8, 0).tag(TiffTags.EXTRA_SAMPLES, 2);
    assertArrayEquals(
        new int[] {255, 255, 255, 0, 0, 0, 255, 255, 255, 204, 204, 204},
        samples(opacity.bytes(bytes(0, 255, 255, 255, 255, 0, 255, 51))));
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    TiffBytes wide = new TiffBytes(2, 1, 2, 16, 0).tag(TiffTags.EXTRA_SAMPLES, 2);
    assertArrayEquals(
        new int[] {0, 0, 0, 153, 153, 153},
        samples(wide.bytes(shorts(order, 0xFFFF, 0xFFFF, 0xFFFF, 0x6666))));
  }

  @Test
  void tiffColorSpacesThatAreNotReadAreNamed() {
    assertEquals(
        "is in the TIFF color space 32803, which is not supported",
        error(new TiffBytes(2, 1, 1, 8, 32803).bytes(bytes(1, 2))));
  }

  @Test
  void tiffFloat16AndFloat64() throws ImageException {
    byte[] halves =
        shorts(ByteOrder.LITTLE_ENDIAN, Float.floatToFloat16(0.4f), Float.floatToFloat16(1));
    assertArrayEquals(
        new int[] {102, 102, 102, 255, 255, 255},
        samples(new TiffBytes(2, 1, 1, 16, 1).tag(TiffTags.SAMPLE_FORMAT, 3).bytes(halves)));
    ByteBuffer doubles = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putDouble(0.6);
    assertArrayEquals(
        new int[] {153, 153, 153},
        samples(
            new TiffBytes(1, 1, 1, 64, 1).tag(TiffTags.SAMPLE_FORMAT, 3).bytes(doubles.array())));
  }

  @Test
  void tiffIntegersWithoutAKnownWhiteAreRefused() {
    for (int bits : new int[] {8, 16, 32}) {
      assertTrue(
          error(
                  new TiffBytes(1, 1, 1, bits, 1)
                      .tag(TiffTags.SAMPLE_FORMAT, 2)
                      .bytes(new byte[bits / 8]))
              .startsWith("has signed integer samples"));
      assertTrue(
          error(
                  new TiffBytes(1, 1, 3, bits, 2)
                      .tag(TiffTags.SAMPLE_FORMAT, 2, 2, 2)
                      .bytes(new byte[3 * bits / 8]))
              .startsWith("has signed integer samples"));
    }
    assertTrue(
        error(new TiffBytes(1, 1, 1, 32, 1).bytes(new byte[4]))
            .startsWith("has integer samples of 32 bits"));
    assertTrue(
        error(new TiffBytes(1, 1, 1, 32, 1).tag(TiffTags.SAMPLE_FORMAT, 6).bytes(new byte[4]))
            .startsWith("has samples of format 6"));
  }

  @Test
  void tiffInksAndLab() throws ImageException {
    assertArrayEquals(
        new int[] {255, 255, 255, 0, 0, 0, 0, 128, 191},
        samples(
            new TiffBytes(3, 1, 4, 8, 5)
                .bytes(bytes(0, 0, 0, 0, 10, 20, 30, 255, 255, 127, 64, 0))));
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    assertArrayEquals(
        new int[] {128, 0, 128},
        samples(new TiffBytes(1, 1, 4, 16, 5).bytes(shorts(order, 0, 65535, 0, 127 * 257))));
    assertTrue(
        error(new TiffBytes(1, 1, 4, 8, 5).tag(TiffTags.INK_SET, 2).bytes(new byte[4]))
            .startsWith("has inks other than cyan"));
    for (int lab : new int[] {8, 9, 10}) {
      assertTrue(
          error(new TiffBytes(1, 1, 3, 8, lab).bytes(new byte[3])).contains("Lab color space"));
    }
  }

  @Test
  void anExtraBandIsOpacityOnlyWhereItSaysSo() throws ImageException {
    byte[] four = bytes(100, 50, 0, 51);
    TiffBytes tiff = new TiffBytes(1, 1, 4, 8, 2);
    int[] colors = {100, 50, 0};
    assertArrayEquals(colors, samples(tiff.tag(TiffTags.EXTRA_SAMPLES, 0).bytes(four)));
    assertArrayEquals(
        new int[] {224, 214, 204}, samples(tiff.tag(TiffTags.EXTRA_SAMPLES, 2).bytes(four)));
    assertArrayEquals(
        new int[] {224, 214, 204},
        samples(tiff.tag(TiffTags.EXTRA_SAMPLES, 1).bytes(bytes(20, 10, 0, 51))));
    assertArrayEquals(
        colors,
        samples(
            new TiffBytes(1, 1, 5, 8, 2)
                .tag(TiffTags.EXTRA_SAMPLES, 0, 0)
                .bytes(bytes(100, 50, 0, 51, 7))));
    TiffBytes two = new TiffBytes(1, 1, 2, 8, 1);
    assertArrayEquals(
        new int[] {100, 100, 100},
        samples(two.tag(TiffTags.EXTRA_SAMPLES, 0).bytes(bytes(100, 51))));
    assertArrayEquals(
        new int[] {224, 224, 224},
        samples(two.tag(TiffTags.EXTRA_SAMPLES, 2).bytes(bytes(100, 51))));
  }

  @Test
  void tiffIsTurnedAsItsOrientationSays() throws ImageException {
    byte[] pixels = bytes(1, 2, 3, 4, 5, 6); // 3 × 2
    int[][] upright = {
      {1, 2, 3, 4, 5, 6},
      {3, 2, 1, 6, 5, 4},
      {6, 5, 4, 3, 2, 1},
      {4, 5, 6, 1, 2, 3},
      {1, 4, 2, 5, 3, 6},
      {4, 1, 5, 2, 6, 3},
      {6, 3, 5, 2, 4, 1},
      {3, 6, 2, 5, 1, 4}
    };
    for (int o = 1; o <= 8; o++) {
      byte[] file = new TiffBytes(3, 2, 1, 8, 1).tag(TiffTags.ORIENTATION, o).bytes(pixels);
      RgbImage image = Images.decode(file, "a");
      assertEquals(o < 5 ? 3 : 2, image.width());
      int[] red = new int[6];
      for (int i = 0; i < 6; i++) {
        red[i] = image.samples()[3 * i];
      }
      assertArrayEquals(upright[o - 1], red, "orientation " + o);
    }
  }

  @Test
  void tiffThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken() {
    byte[] few = new byte[12];
    assertTrue(error(new TiffBytes(60000, 60000, 1, 8, 1).bytes(few)).contains("160 million"));
    assertTrue(error(new TiffBytes(9000, 9000, 16, 16, 1).bytes(few)).contains("1 GiB"));
    assertTrue(error(new TiffBytes(1, 1, 60000, 8, 1).bytes(few)).contains("samples per pixel"));
    TiffBytes tiled = new TiffBytes(2, 2, 3, 8, 2);
    tiled.tag(TiffTags.TILE_WIDTH, 65536 * 4096L).tag(TiffTags.TILE_HEIGHT, 16);
    tiled.tag(TiffTags.TILE_OFFSETS, 8).tag(TiffTags.TILE_BYTE_COUNTS, 12);
    assertTrue(error(tiled.bytes(few)).contains("tiles of"));
    TiffBytes strip = new TiffBytes(2, 2, 3, 8, 2).tag(TiffTags.STRIP_BYTE_COUNTS, 1 << 30);
    assertTrue(error(strip.bytes(few)).startsWith("is truncated"));
    // Fewer bytes than pixels.
    assertTrue(error(new TiffBytes(5, 2, 3, 8, 2).bytes(few)).startsWith("is truncated"));
  }

  // JPEG

  private static BufferedImage colorful() {
    BufferedImage image = new BufferedImage(24, 16, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 24 * 16; i++) {
      image.setRGB(i % 24, i / 24, new Color(i % 24 * 10, 128, i / 24 * 15).getRGB());
    }
    return image;
  }

  private static byte[] jpeg() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(colorful(), "jpg", out);
    return out.toByteArray();
  }

  /** A file with a segment behind its first marker. */
  private static byte[] withSegment(byte[] jpeg, int marker, byte[] content) {
    ByteBuffer out = ByteBuffer.allocate(jpeg.length + 4 + content.length);
    out.put(jpeg, 0, 2).put((byte) 0xFF).put((byte) marker);
    out.putShort((short) (2 + content.length)).put(content).put(jpeg, 2, jpeg.length - 2);
    return out.array();
  }

  private static byte[] withoutJfif(byte[] jpeg) {
    int length = (jpeg[4] & 0xFF) << 8 | jpeg[5] & 0xFF;
    byte[] out = new byte[jpeg.length - 2 - length];
    System.arraycopy(jpeg, 0, out, 0, 2);
    System.arraycopy(jpeg, 4 + length, out, 2, out.length - 2);
    return out;
  }

  private static byte[] profile(int number, int count, byte[] icc) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("ICC_PROFILE\0".getBytes(StandardCharsets.ISO_8859_1));
    out.write(number);
    out.write(count);
    out.writeBytes(icc);
    return out.toByteArray();
  }

  @Test
  void noColorProfileIsAppliedAndADamagedOneDoesNotMatter() throws IOException {
    byte[] jpeg = jpeg();
    int[] plain = samples(jpeg);
    byte[] linear =
        java.awt.color.ICC_Profile.getInstance(java.awt.color.ColorSpace.CS_LINEAR_RGB).getData();
    byte[] gray =
        java.awt.color.ICC_Profile.getInstance(java.awt.color.ColorSpace.CS_GRAY).getData();
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xE2, profile(1, 1, linear))), "linear RGB");
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xE2, profile(1, 1, gray))), "gray");
    byte[] once = withSegment(jpeg, 0xE2, profile(1, 1, linear));
    assertArrayEquals(plain, samples(withSegment(once, 0xE2, profile(1, 1, linear))), "twice");
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xE2, profile(3, 2, linear))), "number");
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xE2, profile(1, 1, new byte[3]))), "short");
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xE2, profile(1, 1, new byte[0]))), "empty");
  }

  @Test
  void threeComponentsAreYCbCrUnlessTheFileSaysOtherwise() throws IOException {
    byte[] jpeg = jpeg();
    int[] plain = samples(jpeg);
    byte[] bare = withoutJfif(jpeg);
    assertArrayEquals(plain, samples(bare));
    byte[] adobe = "Adobe\0d\0\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
    for (int transform : new int[] {1, 2, 3, 7}) {
      adobe[11] = (byte) transform;
      assertArrayEquals(plain, samples(withSegment(bare, 0xEE, adobe)), "Adobe " + transform);
      assertArrayEquals(
          plain, samples(withSegment(jpeg, 0xEE, adobe)), "JFIF and Adobe " + transform);
    }
    adobe[11] = 0;
    assertArrayEquals(plain, samples(withSegment(jpeg, 0xEE, adobe)), "JFIF wins over Adobe 0");
    int[] rgb = samples(withSegment(bare, 0xEE, adobe));
    assertTrue(Math.abs(rgb[0] - plain[0]) > 50, "Adobe 0 says RGB");
    for (int first : new int[] {0, 5, 65}) { // component numbers that are not 1, 2, 3
      byte[] other = bare.clone();
      int frame = 0;
      while (other[frame] != (byte) 0xFF || other[frame + 1] != (byte) 0xC0) {
        frame++;
      }
      int scan = frame;
      while (other[scan] != (byte) 0xFF || other[scan + 1] != (byte) 0xDA) {
        scan++;
      }
      for (int c = 0; c < 3; c++) {
        other[frame + 10 + 3 * c] = (byte) (first + c);
        other[scan + 5 + 2 * c] = (byte) (first + c);
      }
      assertArrayEquals(plain, samples(other), "components from " + first);
    }
  }

  // PNG, GIF, BMP, WebP

  private static byte[] png(int colorType, int bits, byte[] rows, String... chunks) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(HexFormat.of().parseHex("89504e470d0a1a0a"));
    byte[] header = ByteBuffer.allocate(13).putInt(1).putInt(1).array();
    header[8] = (byte) bits;
    header[9] = (byte) colorType;
    chunk(out, "IHDR", header);
    for (int i = 0; i < chunks.length; i += 2) {
      chunk(out, chunks[i], HexFormat.of().parseHex(chunks[i + 1]));
    }
    Deflater deflater = new Deflater();
    deflater.setInput(rows);
    deflater.finish();
    byte[] packed = new byte[100];
    int length = deflater.deflate(packed);
    deflater.end();
    chunk(out, "IDAT", Arrays.copyOf(packed, length));
    chunk(out, "IEND", new byte[0]);
    return out.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream out, String type, byte[] data) {
    byte[] body = new byte[4 + data.length];
    System.arraycopy(type.getBytes(StandardCharsets.ISO_8859_1), 0, body, 0, 4);
    System.arraycopy(data, 0, body, 4, data.length);
    CRC32 crc = new CRC32();
    crc.update(body);
    out.writeBytes(ByteBuffer.allocate(4).putInt(data.length).array());
    out.writeBytes(body);
    out.writeBytes(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }

  @Test
  void pngIgnoresATransparentColorBesideAnAlphaChannel() throws ImageException {
    byte[] rgba = bytes(0, 10, 20, 30, 255);
    assertArrayEquals(new int[] {10, 20, 30}, samples(png(6, 8, rgba, "tRNS", "000a0014001e")));
    byte[] grayAlpha = bytes(0, 40, 255);
    assertArrayEquals(new int[] {40, 40, 40}, samples(png(4, 8, grayAlpha, "tRNS", "0028")));
    // In an RGB image the same chunk makes the color transparent, that is, white.
    byte[] rgb = bytes(0, 10, 20, 30);
    assertArrayEquals(new int[] {255, 255, 255}, samples(png(2, 8, rgb, "tRNS", "000a0014001e")));
  }

  @Test
  void pngOrientationMayBeLongAndBigEndian() throws ImageException {
    String exif = "4d4d002a00000008" + "0001" + "011200040000000100000003" + "00000000";
    assertArrayEquals(
        new int[] {10, 20, 30}, samples(png(2, 8, bytes(0, 10, 20, 30), "eXIf", exif)));
  }

  @Test
  void theFirstFrameOfAGifLiesOnItsScreen() throws IOException {
    BufferedImage frame = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(frame, "gif", out); // black
    byte[] gif = out.toByteArray();
    gif[6] = 4; // the screen: 4 × 3
    gif[8] = 3;
    int at = 13 + 3 * (2 << (gif[10] & 7));
    while (gif[at] != ',') {
      at++;
    }
    gif[at + 1] = 1; // the frame at (1, 2)
    gif[at + 3] = 2;
    RgbImage image = Images.decode(gif, "a");
    assertEquals(4, image.width());
    assertEquals(3, image.height());
    for (int y = 0; y < 3; y++) {
      for (int x = 0; x < 4; x++) {
        boolean inside = y == 2 && (x == 1 || x == 2);
        assertEquals(inside ? 0 : 255, image.sample(x, y, 1), x + ", " + y);
      }
    }
  }

  private static ByteBuffer bmp(int bits, int colors, int pixelBytes) {
    ByteBuffer out = ByteBuffer.allocate(54 + 4 * colors + pixelBytes);
    out.order(ByteOrder.LITTLE_ENDIAN).put((byte) 'B').put((byte) 'M').putInt(out.capacity());
    out.putInt(0).putInt(54 + 4 * colors).putInt(40).putInt(1).putInt(1);
    out.putShort((short) 1).putShort((short) bits).putInt(0).putInt(0).putInt(0).putInt(0);
    return out.putInt(colors).putInt(0);
  }

  @Test
  void aBmpPixelBeyondThePaletteIsBlack() throws ImageException {
    ByteBuffer file = bmp(8, 2, 4).putInt(0xFFFFFF).putInt(0x0000FF).put((byte) 200);
    assertArrayEquals(new int[] {0, 0, 0}, samples(file.array()));
    file.put(file.position() - 1, (byte) 1);
    assertArrayEquals(new int[] {0, 0, 255}, samples(file.array()));
  }

  @Test
  void aRunLengthBmpIsRefusedWhereItsPixelsEndEarly() throws ImageException {
    ByteBuffer one = bmp(8, 1, 4).putInt(30, 1).putInt(0x0000FF);
    byte[] whole = one.put(new byte[] {1, 0, 0, 1}).array();
    assertArrayEquals(new int[] {0, 0, 255}, samples(whole));
    ByteBuffer rows = ByteBuffer.wrap(whole.clone()).order(ByteOrder.LITTLE_ENDIAN).putInt(22, 2);
    assertArrayEquals(new int[] {0, 0, 255, 0, 0, 255}, samples(rows.array()), "ended by a mark");
    rows.put(whole.length - 1, (byte) 0);
    assertTrue(error(rows.array()).startsWith("is truncated"), "a row of two");
  }

  @Test
  void aBmpThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken() {
    ByteBuffer embedded = bmp(24, 0, 4).putInt(30, 4).putInt(34, 1_700_000_000);
    assertTrue(error(embedded.array()).contains("compression 4"));
    assertTrue(error(bmp(8, 0, 4).putInt(46, 1 << 28).array()).contains("palette"));
    assertTrue(error(bmp(24, 0, 4).putInt(18, 9000).array()).startsWith("is truncated"));
    assertTrue(error(bmp(24, 0, 4).putInt(14, 1 << 30).array()).contains("header"));
  }

  @Test
  void webpIsRead() throws ImageException {
    // A lossless image of 1 × 1 red pixel.
    byte[] webp =
        HexFormat.of()
            .parseHex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700");
    RgbImage image = Images.decode(webp, "a");
    assertEquals(1, image.width());
    assertEquals(1, image.height());
  }

  @Test
  void formatsOfPhonesAreNamedWithTheCommandThatConverts() {
    byte[] heic = "\0\0\0\u0018ftypheic\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
    assertTrue(error(heic).contains("HEIC") && error(heic).contains("magick"));
    byte[] avif = "\0\0\0\u0018ftypavif\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
    assertTrue(error(avif).contains("AVIF") && error(avif).contains("magick"));
    byte[] xl = "\0\0\0\fJXL \r\n\u0087\n".getBytes(StandardCharsets.ISO_8859_1);
    assertTrue(error(xl).contains("JPEG XL") && error(xl).contains("magick"));
    byte[] video = "\0\0\0\u0018ftypisom\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
    assertEquals("is a video, not an image", error(video));
  }

  @Test
  void resizingChecksTheSizeFirst() {
    RgbImage image = new RgbImage(1, 1, new byte[3]);
    for (int size : new int[] {0, -1, 27_000, 40_000, Integer.MAX_VALUE}) {
      assertThrows(IllegalArgumentException.class, () -> image.resize(size, size));
    }
  }
}
