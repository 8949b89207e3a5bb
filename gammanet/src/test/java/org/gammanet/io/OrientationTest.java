package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.Deflater;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/** Where files say how an image is to be turned, in pictures of 3 × 1 pixels. */
class OrientationTest {
  /** Exif in big-endian order with orientation 6. */
  private static final String EXIF =
      "4d4d002a00000008" + "0001" + "0112000300000001" + "00060000" + "00000000";

  private static byte[] xmp(String orientation) {
    return ("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description "
            + orientation
            + "/rdf:RDF></x:xmpmeta>")
        .getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] image(String format) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(3, 1, BufferedImage.TYPE_INT_RGB), format, out);
    return out.toByteArray();
  }

  private static byte[] inserted(byte[] file, int at, byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(file, 0, at);
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    out.write(file, at, file.length - at);
    return out.toByteArray();
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** A PNG with a chunk; nothing checks its sum. */
  private static byte[] png(String type, byte[]... data) throws IOException {
    int length = Arrays.stream(data).mapToInt(d -> d.length).sum();
    byte[] file =
        inserted(image("png"), 33, ByteBuffer.allocate(4).putInt(length).array(), latin(type));
    return inserted(inserted(file, 41, data), 41 + length, new byte[4]);
  }

  private static byte[] packed(byte[] data) {
    Deflater deflater = new Deflater();
    deflater.setInput(data);
    deflater.finish();
    byte[] out = new byte[data.length + 100];
    int length = deflater.deflate(out);
    deflater.end();
    return Arrays.copyOf(out, length);
  }

  private static byte[] jpeg(byte[]... data) throws IOException {
    int length = Arrays.stream(data).mapToInt(d -> d.length).sum();
    byte[] head = {(byte) 0xFF, (byte) 0xE1, (byte) (length + 2 >> 8), (byte) (length + 2)};
    byte[] file = inserted(image("jpg"), 2, head);
    return inserted(file, 6, data);
  }

  private static void assertTurned(boolean turned, byte[] file) throws ImageException {
    RgbImage image = Images.decode(file, "a");
    assertEquals(turned ? "RgbImage 1×3" : "RgbImage 3×1", image.toString());
  }

  @Test
  void pngSaysItInExif() throws IOException {
    assertTurned(false, image("png"));
    assertTurned(true, png("eXIf", HexFormat.of().parseHex(EXIF)));
    assertTurned(false, png("eXIf", HexFormat.of().parseHex(EXIF.replace("00060000", "00010000"))));
  }

  @Test
  void pngSaysItInXmp() throws IOException {
    byte[] key = latin("XML:com.adobe.xmp\0");
    assertTurned(true, png("iTXt", key, new byte[4], xmp("tiff:Orientation=\"6\">")));
    assertTurned(
        true, png("iTXt", key, new byte[4], xmp("><tiff:Orientation>8</tiff:Orientation>")));
    assertTurned(false, png("iTXt", key, new byte[4], xmp("tiff:Orientation='1'>")));
    assertTurned(false, png("iTXt", key, new byte[4], xmp("tiff:Orientation='60'>")));
    assertTurned(
        true,
        png(
            "iTXt",
            key,
            new byte[] {1, 0},
            latin("en\0key\0"),
            packed(xmp("tiff:Orientation='5'>"))));
    assertTurned(false, png("iTXt", latin("Comment\0"), new byte[4], xmp("tiff:Orientation='5'>")));
  }

  @Test
  void pngSaysItInARawProfile() throws IOException {
    byte[] text =
        latin(
            "\nexif\n      36\n"
                + "457869660000"
                + EXIF.substring(0, 30)
                + "\n"
                + EXIF.substring(30)
                + "\n");
    assertTurned(true, png("tEXt", latin("Raw profile type exif\0"), text));
    assertTurned(true, png("zTXt", latin("Raw profile type APP1\0\0"), packed(text)));
    assertTurned(false, png("zTXt", latin("Raw profile type exif\0\0"), new byte[] {1, 2, 3}));
    assertTurned(false, png("tEXt", latin("Raw profile type exif\0"), latin("\nexif\n 4\nxyz")));
  }

  @Test
  void exifGoesBeforeXmp() throws IOException {
    byte[] marker = latin(Orientation.XMP_IN_JPEG);
    assertTurned(true, jpeg(marker, xmp("tiff:Orientation='8'>")));
    byte[] both = jpeg(marker, xmp("tiff:Orientation='1'>"));
    byte[] exif = HexFormat.of().parseHex("457869660000" + EXIF);
    byte[] head = {(byte) 0xFF, (byte) 0xE1, 0, (byte) (exif.length + 2)};
    assertTurned(true, inserted(both, 2, head, exif));
  }
}
