package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every file is made here; expected samples are computed without {@link Images}. */
class ImagesTest {
  @TempDir Path folder;

  // PNG

  @Test
  void rgbPngKeepsEverySample() throws IOException {
    BufferedImage image = new BufferedImage(7, 5, BufferedImage.TYPE_INT_RGB);
    Random random = new Random(1);
    for (int i = 0; i < 35; i++) {
      image.setRGB(i % 7, i / 7, random.nextInt());
    }
    RgbImage read = Images.decode(encode(image, "png"), "x");
    for (int i = 0; i < 35; i++) {
      int rgb = image.getRGB(i % 7, i / 7);
      assertEquals(rgb >> 16 & 0xFF, read.sample(i % 7, i / 7, 0));
      assertEquals(rgb >> 8 & 0xFF, read.sample(i % 7, i / 7, 1));
      assertEquals(rgb & 0xFF, read.sample(i % 7, i / 7, 2));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16})
  void grayPngIsNotBrightened(int depth) throws IOException {
    int most = (1 << depth) - 1;
    int width = Math.min(most + 1, 256);
    // Written by hand: the JDK's writer has its own ideas of gray.
    ByteArrayOutputStream rows = new ByteArrayOutputStream();
    rows.write(0);
    int bits = 0;
    int pending = 0;
    for (int x = 0; x < width; x++) {
      int value = (int) Math.round((double) x * most / (width - 1));
      if (depth == 16) {
        rows.write(value >> 8);
        rows.write(value);
      } else {
        pending = pending << depth | value;
        bits += depth;
        if (bits == 8) {
          rows.write(pending);
          bits = pending = 0;
        }
      }
    }
    if (bits > 0) {
      rows.write(pending << (8 - bits));
    }
    RgbImage read = Images.decode(png(width, 1, depth, 0, rows.toByteArray()), "x");
    for (int x = 0; x < width; x++) {
      int expected = (int) Math.round((double) x * 255 / (width - 1));
      for (int c = 0; c < 3; c++) {
        assertEquals(expected, read.sample(x, 0, c), "x " + x);
      }
    }
  }

  @Test
  void sixteenBitsAreRoundedToEight() throws IOException {
    int[] values = {0, 128, 129, 257, 385, 386, 32768, 65535};
    ByteBuffer row = ByteBuffer.allocate(1 + 6 * values.length);
    row.put((byte) 0);
    for (int v : values) {
      row.putShort((short) v).putShort((short) (65535 - v)).putShort((short) 0);
    }
    RgbImage read = Images.decode(png(values.length, 1, 16, 2, row.array()), "x");
    for (int x = 0; x < values.length; x++) {
      assertEquals(Math.round(values[x] / 257.0), read.sample(x, 0, 0));
      assertEquals(Math.round((65535 - values[x]) / 257.0), read.sample(x, 0, 1));
      assertEquals(0, read.sample(x, 0, 2));
    }
  }

  @Test
  void transparencyIsLaidOverWhite() throws IOException {
    byte[] row = {0, 10, 20, 30, 0, 10, 20, 30, (byte) 255, 100, 0, (byte) 200, 127};
    RgbImage read = Images.decode(png(3, 1, 8, 6, row), "x");
    assertArrayEquals(new int[] {255, 255, 255, 10, 20, 30}, ints(read, 6));
    assertEquals(Math.round(100 * 127 / 255.0 + 255 - 127), read.sample(2, 0, 0));
    assertEquals(128, read.sample(2, 0, 1));
    byte[] gray = {0, 40, 0, 40, (byte) 255};
    assertArrayEquals(
        new int[] {255, 255, 255, 40, 40, 40}, ints(Images.decode(png(2, 1, 8, 4, gray), "x"), 6));
    byte[] deep = {0, 0, 0, 0, 0, 0, 0, (byte) 0x80, 0};
    assertEquals(127, Images.decode(png(1, 1, 16, 6, deep), "x").sample(0, 0, 0));
  }

  @Test
  void palettes() throws IOException {
    IndexColorModel colors =
        new IndexColorModel(
            8,
            4,
            new int[] {0xFFFF0000, 0xFF00FF00, 0xFF123456, 0x00000000},
            0,
            true,
            3,
            DataBuffer.TYPE_BYTE);
    BufferedImage image = new BufferedImage(4, 1, BufferedImage.TYPE_BYTE_INDEXED, colors);
    for (int x = 0; x < 4; x++) {
      image.getRaster().setSample(x, 0, 0, x);
    }
    assertArrayEquals(
        new int[] {255, 0, 0, 0, 255, 0, 0x12, 0x34, 0x56, 255, 255, 255},
        ints(Images.decode(encode(image, "png"), "x"), 12));
  }

  // JPEG

  @Test
  void colorJpegIsCloseToItsSource() throws IOException {
    BufferedImage image = smooth(BufferedImage.TYPE_INT_RGB);
    assertClose(RgbImage.of(image), Images.decode(jpeg(image), "x"), 6);
  }

  @Test
  void grayJpegIsNotBrightened() throws IOException {
    BufferedImage image = new BufferedImage(64, 8, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 512; i++) {
      image.getRaster().setSample(i % 64, i / 64, 0, i % 64 * 4);
    }
    RgbImage read = Images.decode(jpeg(image), "x");
    for (int x = 0; x < 64; x++) {
      assertEquals(x * 4, read.sample(x, 3, 0), 3);
      assertEquals(read.sample(x, 3, 0), read.sample(x, 3, 2));
    }
  }

  /** Inks of a smooth picture; the expected colors follow from the inks, not from the file. */
  @ParameterizedTest
  @ValueSource(strings = {"adobe-cmyk", "adobe-ycck", "plain-cmyk"})
  void cmykJpeg(String kind) throws IOException {
    int n = 32;
    WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, n, n, 4, null);
    int[] expected = new int[3 * n * n];
    for (int i = 0; i < n * n; i++) {
      int[] inks = {i % n * 8, i / n * 8, 255 - i % n * 4, i / n * 3};
      for (int c = 0; c < 3; c++) {
        expected[3 * i + c] = (int) Math.round((255 - inks[c]) * (255 - inks[3]) / 255.0);
      }
      int[] stored = inks.clone();
      if (kind.startsWith("adobe")) {
        for (int c = 0; c < 4; c++) {
          stored[c] = 255 - inks[c];
        }
      }
      if (kind.endsWith("ycck")) {
        // A YCCK encoder complements what it stores, then goes to YCbCr.
        double r = 255 - stored[0];
        double g = 255 - stored[1];
        double b = 255 - stored[2];
        stored[0] = (int) Math.round(0.299 * r + 0.587 * g + 0.114 * b);
        stored[1] = (int) Math.min(255, Math.round(128 - 0.168736 * r - 0.331264 * g + 0.5 * b));
        stored[2] = (int) Math.min(255, Math.round(128 + 0.5 * r - 0.418688 * g - 0.081312 * b));
      }
      raster.setPixel(i % n, i / n, stored);
    }
    byte[] file = jpeg(new IIOImage(raster, null, null));
    if (!kind.startsWith("plain")) {
      byte[] adobe = "Adobe\0\144\0\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
      adobe[adobe.length - 1] = (byte) (kind.endsWith("ycck") ? 2 : 0);
      file = withSegment(file, 0xEE, adobe);
    }
    RgbImage read = Images.decode(file, "x");
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], read.samples()[i] & 0xFF, 10, "sample " + i);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, abc def", "2, cba fed", "3, fed cba", "4, def abc",
    "5, ad be cf", "6, da eb fc", "7, fc eb da", "8, cf be ad"
  })
  void exifOrientation(int orientation, String rows) throws IOException {
    // Six flat blocks of 16×16 pixels a…f; rows tells where each is when the photo is upright.
    BufferedImage image = new BufferedImage(48, 32, BufferedImage.TYPE_INT_RGB);
    int[] shades = {20, 60, 100, 140, 180, 220};
    for (int i = 0; i < 48 * 32; i++) {
      int shade = shades[i % 48 / 16 + 3 * (i / 48 / 16)];
      image.setRGB(i % 48, i / 48, new Color(shade, 255 - shade, 128).getRGB());
    }
    for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
      RgbImage read =
          Images.decode(withSegment(jpeg(image), 0xE1, exif(orientation, order, true)), "x");
      String[] expected = rows.split(" ");
      assertEquals(16 * expected[0].length(), read.width());
      assertEquals(16 * expected.length, read.height());
      for (int y = 0; y < expected.length; y++) {
        for (int x = 0; x < expected[0].length(); x++) {
          int shade = shades[expected[y].charAt(x) - 'a'];
          assertEquals(shade, read.sample(16 * x + 8, 16 * y + 8, 0), 4);
        }
      }
    }
  }

  @Test
  void exifInPng() throws IOException {
    byte[] row = {0, 1, 2, 3};
    byte[] plain = png(3, 1, 8, 0, row);
    byte[] tiff = exif(6, ByteOrder.LITTLE_ENDIAN, false);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(plain, 0, 33); // signature and IHDR
    out.write(chunk("eXIf", tiff));
    out.write(plain, 33, plain.length - 33);
    RgbImage read = Images.decode(out.toByteArray(), "x");
    assertEquals(1, read.width());
    assertEquals(3, read.height());
  }

  @Test
  void damagedExifIsIgnored() throws IOException {
    byte[] plain = jpeg(smooth(BufferedImage.TYPE_INT_RGB));
    byte[] exif = exif(6, ByteOrder.LITTLE_ENDIAN, true);
    Random random = new Random(3);
    for (int i = 0; i < 200; i++) {
      byte[] damaged = Arrays.copyOf(exif, 6 + random.nextInt(exif.length - 6));
      if (damaged.length > 6) {
        damaged[6 + random.nextInt(damaged.length - 6)] = (byte) random.nextInt();
      }
      RgbImage read = Images.decode(withSegment(plain, 0xE1, damaged), "x");
      assertEquals(48 * 32, read.width() * read.height());
    }
  }

  @Test
  void damagedColorProfileDoesNotHideTheSamples() throws IOException {
    BufferedImage image = smooth(BufferedImage.TYPE_INT_RGB);
    byte[] profile = new byte[200];
    byte[] start = "ICC_PROFILE\0\1\1".getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(start, 0, profile, 0, start.length);
    byte[] file = withSegment(jpeg(image), 0xE2, profile);
    assertClose(RgbImage.of(image), Images.decode(file, "x"), 8);
  }

  // Errors

  private String error(byte[] bytes) throws IOException {
    Path file = folder.resolve("photo.jpg");
    Files.write(file, bytes);
    ImageException e = assertThrows(ImageException.class, () -> Images.read(file));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.startsWith(file.toString()), message);
    assertFalse(message.contains("\n"), message);
    return message.substring(file.toString().length());
  }

  @Test
  void missingAndEmptyFiles() throws IOException {
    assertEquals(" is empty", error(new byte[0]));
    Path missing = folder.resolve("none.png");
    ImageException e = assertThrows(ImageException.class, () -> Images.read(missing));
    assertEquals("there is no file " + missing, e.getMessage());
    assertTrue(
        String.valueOf(assertThrows(ImageException.class, () -> Images.read(folder)).getMessage())
            .endsWith(" is a folder, not an image"));
  }

  /** As a shell's {@code <(command)}. */
  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aPipeIsReadAndADeviceIsNot() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    byte[] png = encode(smooth(BufferedImage.TYPE_INT_RGB), "png");
    var writing =
        CompletableFuture.runAsync(() -> assertDoesNotThrow(() -> Files.write(pipe, png)));
    assertEquals(Images.decode(png, "p"), Images.read(pipe));
    writing.join();
    Path device = Path.of("/dev/null");
    Exception e = assertThrows(ImageException.class, () -> Images.read(device));
    assertEquals("/dev/null is a device, not an image", e.getMessage());
  }

  /** Whichever step of reading it is at which the heap is full. */
  @ParameterizedTest
  @ValueSource(ints = {16, 32, 64, 96})
  void anImageThatTheHeapCannotHoldIsNamed(int megabytes) throws Exception {
    Path file = folder.resolve("large.png");
    ImageIO.write(
        new BufferedImage(6000, 4000, BufferedImage.TYPE_BYTE_GRAY), "png", file.toFile());
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + megabytes + "m",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                Reading.class.getName(),
                file.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    assertTrue(said.startsWith(file + " needs more memory than the "), said);
  }

  /** Reads an image and prints why that is impossible. */
  static final class Reading {
    private Reading() {}

    public static void main(String[] args) {
      try {
        Images.read(Path.of(args[0]));
      } catch (ImageException e) {
        System.out.print(e.getMessage());
      }
    }
  }

  @Test
  void otherFormats() throws IOException {
    assertEquals(
        " is not an image in a known format; use PNG, JPEG, TIFF, WebP, GIF or BMP",
        error("hello, world".getBytes(StandardCharsets.UTF_8)));
    assertTrue(error("\0\0\0\030ftypheic".getBytes(StandardCharsets.ISO_8859_1)).contains("HEIC"));
    byte[] twelveBits = jpeg(smooth(BufferedImage.TYPE_INT_RGB));
    int frame = indexOfMarker(twelveBits, 0xC0);
    twelveBits[frame + 4] = 12;
    assertEquals(" is a JPEG of 12 bits per sample; only 8 are supported", error(twelveBits));
    byte[] arithmetic = jpeg(smooth(BufferedImage.TYPE_INT_RGB));
    arithmetic[frame + 1] = (byte) 0xC9;
    assertTrue(error(arithmetic).contains("arithmetic-coded JPEG, which is not supported"));
  }

  @Test
  void truncatedFilesAreRefusedWhereverTheyEnd() throws IOException {
    byte[] jpeg = jpeg(smooth(BufferedImage.TYPE_INT_RGB));
    byte[] png = encode(smooth(BufferedImage.TYPE_INT_RGB), "png");
    for (byte[] whole : List.of(jpeg, png)) {
      for (int length = 1; length < whole.length - 13; length += 1 + whole.length / 60) {
        byte[] part = Arrays.copyOf(whole, length);
        ImageException e =
            assertThrows(
                ImageException.class, () -> Images.decode(part, "p"), "length " + part.length);
        String message = String.valueOf(e.getMessage());
        assertTrue(message.startsWith("p is "), message);
      }
    }
    assertTrue(error(Arrays.copyOf(jpeg, jpeg.length / 2)).contains("truncated"));
    // The last marker alone says nothing about the image.
    assertArrayEquals(
        Images.decode(jpeg, "p").samples(),
        Images.decode(Arrays.copyOf(jpeg, jpeg.length - 2), "p").samples());
    assertTrue(error(Arrays.copyOf(png, png.length / 2)).contains("truncated"));
  }

  @Test
  void damagedFilesNeverEndInAnotherException() throws IOException {
    Random random = new Random(5);
    int refused = 0;
    for (byte[] whole :
        List.of(
            jpeg(smooth(BufferedImage.TYPE_INT_RGB)),
            encode(smooth(BufferedImage.TYPE_INT_RGB), "png"),
            encode(smooth(BufferedImage.TYPE_INT_RGB), "gif"),
            encode(smooth(BufferedImage.TYPE_INT_RGB), "bmp"),
            encode(smooth(BufferedImage.TYPE_INT_RGB), "tiff"))) {
      for (int i = 0; i < 100; i++) {
        byte[] damaged = whole.clone();
        for (int k = 0; k < 4; k++) {
          damaged[random.nextInt(Math.min(whole.length, 400))] = (byte) random.nextInt();
        }
        try {
          Images.decode(damaged, "x");
        } catch (ImageException e) {
          assertTrue(String.valueOf(e.getMessage()).startsWith("x "), e.getMessage());
          refused++;
        }
      }
    }
    assertTrue(refused > 50 && refused < 450, "refused: " + refused);
  }

  @Test
  void bombsAreRefusedBeforeMemoryIsUsed() throws IOException {
    byte[] row = {0};
    assertEquals(
        " has 40000×40000 pixels, more than the limit of 160 million",
        error(png(40_000, 40_000, 8, 2, row)));
    byte[] jpeg = jpeg(smooth(BufferedImage.TYPE_INT_RGB));
    ByteBuffer.wrap(jpeg).putInt(indexOfMarker(jpeg, 0xC0) + 5, 0xFFFFFFFF);
    assertTrue(error(jpeg).contains("65535×65535"));
  }

  // Writing

  @Test
  void probabilitiesSurviveInEightAndSixteenBits() throws IOException {
    float[] values = new float[256 * 3];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) i / (values.length - 1);
    }
    EdgeMap map = new EdgeMap(256, 3, values);
    Path file8 = folder.resolve("8.png");
    Path file16 = folder.resolve("16.png");
    Images.writePng8(file8, map);
    Images.writePng16(file16, map);
    EdgeMap read8 = Images.readEdgeMap(file8);
    EdgeMap read16 = Images.readEdgeMap(file16);
    for (int i = 0; i < values.length; i++) {
      assertEquals(Math.round(values[i] * 255) / 255f, read8.values()[i]);
      assertEquals(values[i], read16.values()[i], 0.5 / 65535 + 1e-7);
    }
    byte[] header = Arrays.copyOfRange(Files.readAllBytes(file16), 24, 26);
    assertArrayEquals(new byte[] {16, 0}, header, "16 bits, gray");
    assertArrayEquals(
        new byte[] {8, 0}, Arrays.copyOfRange(Files.readAllBytes(file8), 24, 26), "8 bits, gray");
    // What we call gray is what Images.read shows.
    assertEquals(Math.round(values[300] * 255), Images.read(file16).sample(300 % 256, 1, 0));
  }

  @Test
  void mapsMustBeGray() throws IOException {
    Path file = folder.resolve("c.png");
    Images.writePng(file, RgbImage.of(smooth(BufferedImage.TYPE_INT_RGB)));
    assertTrue(
        String.valueOf(
                assertThrows(ImageException.class, () -> Images.readEdgeMap(file)).getMessage())
            .endsWith("has colors, but an edge map must be gray"));
    assertThrows(IllegalArgumentException.class, () -> new EdgeMap(1, 1, new float[] {Float.NaN}));
    assertThrows(IllegalArgumentException.class, () -> new EdgeMap(1, 1, new float[] {1.5f}));
    assertThrows(IllegalArgumentException.class, () -> new EdgeMap(2, 2, new float[3]));
  }

  @Test
  void rgbRoundTrip() throws IOException {
    RgbImage image = RgbImage.of(smooth(BufferedImage.TYPE_INT_RGB));
    Path file = folder.resolve("rgb.png");
    Images.writePng(file, image);
    assertEquals(image, Images.read(file));
    assertEquals(image, RgbImage.of(image.toBufferedImage()));
  }

  @Test
  void sideBySide() {
    RgbImage a = new RgbImage(2, 1, new byte[] {1, 2, 3, 4, 5, 6});
    RgbImage b = new RgbImage(1, 1, new byte[] {7, 8, 9});
    RgbImage both = Images.sideBySide(List.of(a, b));
    assertEquals(11, both.width());
    assertEquals(6, both.sample(1, 0, 2));
    assertEquals(255, both.sample(5, 0, 0));
    assertEquals(7, both.sample(10, 0, 0));
  }

  @Test
  void resizeKeepsFlatPicturesMeansAndRamps() {
    byte[] flat = new byte[3 * 40 * 30];
    Arrays.fill(flat, (byte) 200);
    RgbImage small = new RgbImage(40, 30, flat).resize(7, 11);
    for (byte b : small.samples()) {
      assertEquals((byte) 200, b);
    }
    byte[] ramp = new byte[3 * 200 * 4];
    for (int i = 0; i < ramp.length; i++) {
      ramp[i] = (byte) (i / 3 % 200);
    }
    RgbImage half = new RgbImage(200, 4, ramp).resize(100, 2);
    for (int x = 2; x < 98; x++) {
      assertEquals(2 * x + 0.5, half.sample(x, 1, 0), 1);
    }
    // Single bright pixels must not vanish between the target's pixels.
    byte[] dots = new byte[3 * 64 * 64];
    for (int i = 0; i < 64 * 64; i += 4) {
      dots[3 * i] = (byte) 240;
    }
    RgbImage tiny = new RgbImage(64, 64, dots).resize(8, 8);
    for (int i = 0; i < 64; i++) {
      assertEquals(60, tiny.sample(i % 8, i / 8, 0), 8);
    }
    RgbImage large = new RgbImage(2, 1, new byte[] {0, 0, 0, 100, 100, 100}).resize(4, 1);
    assertArrayEquals(new int[] {0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100}, ints(large, 12));
  }

  // Making files

  private static BufferedImage smooth(int type) {
    BufferedImage image = new BufferedImage(48, 32, type);
    for (int i = 0; i < 48 * 32; i++) {
      int x = i % 48;
      int y = i / 48;
      image.setRGB(x, y, new Color(x * 5, y * 7, 255 - (x + y) * 3).getRGB());
    }
    return image;
  }

  private static byte[] encode(BufferedImage image, String format) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertTrue(ImageIO.write(image, format, out));
    return out.toByteArray();
  }

  private static byte[] jpeg(BufferedImage image) throws IOException {
    return jpeg(new IIOImage(image, null, null));
  }

  private static byte[] jpeg(IIOImage image) throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ImageWriteParam param = writer.getDefaultWriteParam();
    param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
    param.setCompressionQuality(0.99f);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
      writer.setOutput(out);
      writer.write(null, image, param);
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }

  /** Inserts a marker segment right after the start of a JPEG. */
  private static byte[] withSegment(byte[] jpeg, int marker, byte[] data) {
    return ByteBuffer.allocate(jpeg.length + data.length + 4)
        .put(jpeg, 0, 2)
        .put((byte) 0xFF)
        .put((byte) marker)
        .putShort((short) (data.length + 2))
        .put(data)
        .put(jpeg, 2, jpeg.length - 2)
        .array();
  }

  private static int indexOfMarker(byte[] jpeg, int marker) {
    int at = 2;
    while ((jpeg[at + 1] & 0xFF) != marker) {
      at += 2 + (ByteBuffer.wrap(jpeg).getShort(at + 2) & 0xFFFF);
    }
    return at;
  }

  private static byte[] exif(int orientation, ByteOrder order, boolean prefixed) {
    ByteBuffer tiff = ByteBuffer.allocate(8 + 2 + 2 * 12 + 4).order(order);
    tiff.put((order == ByteOrder.LITTLE_ENDIAN ? "II" : "MM").getBytes(StandardCharsets.US_ASCII));
    tiff.putShort((short) 42).putInt(8).putShort((short) 2);
    tiff.putShort((short) 0x0100).putShort((short) 4).putInt(1).putInt(48);
    tiff.putShort((short) 0x0112).putShort((short) 3).putInt(1);
    tiff.putShort((short) orientation).putShort((short) 0).putInt(0);
    if (!prefixed) {
      return tiff.array();
    }
    return ByteBuffer.allocate(6 + tiff.capacity())
        .put("Exif\0\0".getBytes(StandardCharsets.US_ASCII))
        .put(tiff.array())
        .array();
  }

  /** A PNG from filtered rows. */
  private static byte[] png(int width, int height, int depth, int colorType, byte[] rows)
      throws IOException {
    ByteArrayOutputStream compressed = new ByteArrayOutputStream();
    try (var deflater = new java.util.zip.DeflaterOutputStream(compressed)) {
      deflater.write(rows);
    }
    ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height);
    header.put((byte) depth).put((byte) colorType);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
    out.write(chunk("IHDR", header.array()));
    out.write(chunk("IDAT", compressed.toByteArray()));
    out.write(chunk("IEND", new byte[0]));
    return out.toByteArray();
  }

  private static byte[] chunk(String type, byte[] data) {
    ByteBuffer chunk = ByteBuffer.allocate(data.length + 12).putInt(data.length);
    chunk.put(type.getBytes(StandardCharsets.US_ASCII)).put(data);
    CRC32 crc = new CRC32();
    crc.update(chunk.array(), 4, data.length + 4);
    return chunk.putInt((int) crc.getValue()).array();
  }

  private static int[] ints(RgbImage image, int count) {
    int[] values = new int[count];
    for (int i = 0; i < count; i++) {
      values[i] = image.samples()[i] & 0xFF;
    }
    return values;
  }

  private static void assertClose(RgbImage expected, RgbImage actual, int most) {
    assertEquals(expected.width(), actual.width());
    assertEquals(expected.height(), actual.height());
    for (int i = 0; i < expected.samples().length; i++) {
      assertEquals(expected.samples()[i] & 0xFF, actual.samples()[i] & 0xFF, most, "sample " + i);
    }
  }
}
