package org.gammanet.io;

import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import java.awt.Point;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.imageio.ImageReadParam;
import org.gammanet.io.Pixels.Layout;
import org.jspecify.annotations.Nullable;

/**
 * Decodes WebP. The container is read here: the library decodes every picture that it finds in a
 * file, takes for opaque what is stored without compression, and reads on behind the end of damaged
 * data. It is given one picture at a time.
 *
 * @see <a href="https://developers.google.com/speed/webp/docs/riff_container">WebP container</a>
 */
final class WebpDecoder {
  private final ImageFile file;
  private final byte[] bytes;
  private final ByteBuffer in;
  private final Orientation orientation = new Orientation();

  /** Size that the picture must have; 0 before anything says so. */
  private int width;

  private int height;

  /** Where the picture lies: whole, unless it is the first of an animation. */
  private int left;

  private int top;
  private int canvasWidth;
  private int canvasHeight;

  /** Begin and end of the first picture and of its opacity; 0 without. */
  private int picture;

  private int pictureEnd;
  private int opacity;
  private int opacityEnd;
  private boolean lossless;

  /** A lossless picture has a fourth band even where it says that it means nothing. */
  private boolean opaque;

  WebpDecoder(ImageFile file) {
    this.file = file;
    this.bytes = file.bytes;
    this.in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  Pixels decode() throws IOException {
    long size = 8 + (in.getInt(4) & 0xFFFFFFFFL);
    if (size > bytes.length) {
      throw file.truncated();
    }
    chunks(12, (int) size, false);
    if (picture == 0) {
      throw file.damaged("there is no picture in it");
    }
    WritableRaster raster = lossless ? lossless(picture + 5, pictureEnd) : lossy();
    if (canvasWidth == width && canvasHeight == height) {
      return pixels(raster, opaque ? Layout.RGB : Layout.RGB_ALPHA);
    }
    if (opaque) {
      byte[] samples = samples(raster);
      for (int i = 3; i < samples.length; i += 4) {
        samples[i] = (byte) 255;
      }
    }
    WritableRaster canvas = rgba(canvasWidth, canvasHeight);
    canvas.setRect(left, top, raster);
    return pixels(canvas, Layout.RGB_ALPHA);
  }

  private Pixels pixels(Raster raster, Layout layout) {
    return new Pixels(raster, layout, 255, false, null, orientation.value());
  }

  // Container

  private void chunks(int from, int to, boolean inFrame) throws ImageException {
    for (long at = from; at + 8 <= to; ) {
      int chunk = (int) at;
      int data = chunk + 8;
      long length = in.getInt(chunk + 4) & 0xFFFFFFFFL;
      if (length > to - data) {
        throw file.truncated();
      }
      int end = data + (int) length;
      String type = new String(bytes, chunk, 4, StandardCharsets.ISO_8859_1);
      if (type.equals("VP8X") && length >= 10) {
        setSize(1 + uint24(data + 4), 1 + uint24(data + 7));
      } else if (type.equals("ANMF") && length >= 16 && picture == 0 && !inFrame) {
        frame(data, end);
      } else if (type.equals("ALPH") && length >= 1 && picture == 0) {
        opacity = data;
        opacityEnd = end;
      } else if (type.equals("VP8 ") && length >= 10 && picture == 0) {
        lossyPicture(data, end);
      } else if (type.equals("VP8L") && length >= 5 && picture == 0) {
        losslessPicture(data, end);
      } else if (type.equals("EXIF")) {
        orientation.exif(bytes, file.textAt(data, "Exif\0\0") ? data + 6 : data, end);
      } else if (type.equals("XMP ")) {
        orientation.xmp(bytes, data, end);
      }
      at = end + (length & 1);
    }
  }

  private int uint24(int at) {
    return in.getShort(at) & 0xFFFF | (in.get(at + 2) & 0xFF) << 16;
  }

  /** The first frame of an animation. */
  private void frame(int data, int end) throws ImageException {
    left = 2 * uint24(data);
    top = 2 * uint24(data + 3);
    width = 1 + uint24(data + 6);
    height = 1 + uint24(data + 9);
    file.checkSize(width, height);
    if (left > canvasWidth - width || top > canvasHeight - height) {
      throw file.damaged("its first picture lies outside of it");
    }
    chunks(data + 16, end, true);
  }

  private void lossyPicture(int data, int end) throws ImageException {
    if ((bytes[data] & 1) != 0 || !file.textAt(data + 3, "\u009D\u0001\u002A")) {
      throw file.damaged("its picture does not begin with a key frame");
    }
    setPicture(data, end, in.getShort(data + 6) & 0x3FFF, in.getShort(data + 8) & 0x3FFF);
  }

  private void losslessPicture(int data, int end) throws ImageException {
    int sizes = in.getInt(data + 1);
    if (bytes[data] != 0x2F || sizes >>> 29 != 0) {
      throw file.damaged("its picture is of an unknown version");
    }
    setPicture(data, end, 1 + (sizes & 0x3FFF), 1 + (sizes >>> 14 & 0x3FFF));
    lossless = true;
    opaque = (sizes & 1 << 28) == 0;
  }

  private void setSize(int w, int h) throws ImageException {
    file.checkSize(w, h);
    width = canvasWidth = w;
    height = canvasHeight = h;
  }

  private void setPicture(int from, int to, int w, int h) throws ImageException {
    if (width == 0) {
      setSize(w, h);
    } else if (w != width || h != height) {
      throw file.damaged("its picture has %s×%s pixels, not %s×%s".formatted(w, h, width, height));
    }
    picture = from;
    pictureEnd = to;
  }

  // Pictures

  private static WritableRaster rgba(int width, int height) {
    return Raster.createInterleavedRaster(
        DataBuffer.TYPE_BYTE, width, height, 4 * width, 4, new int[] {0, 1, 2, 3}, null);
  }

  private static byte[] samples(WritableRaster raster) {
    return ((DataBufferByte) raster.getDataBuffer()).getData();
  }

  /** Red, green, blue and opacity of a lossless picture, whose header is made anew. */
  private WritableRaster lossless(int from, int to) throws IOException {
    byte[] start =
        ByteBuffer.allocate(5)
            .order(ByteOrder.LITTLE_ENDIAN)
            .put((byte) 0x2F)
            .putInt(width - 1 | (height - 1) << 14 | 1 << 28)
            .array();
    var raster = new BoundedRaster(rgba(width, height));
    decode(single("VP8L", start, from, to), raster, 8, 8, 8, 8);
    return raster;
  }

  private WritableRaster lossy() throws IOException {
    // A macroblock of 256 pixels takes 3.4 bits at least, for the modes of prediction.
    file.checkStored((long) width * height, pictureEnd - picture, 600);
    WritableRaster raster = opacity == 0 ? opaque() : withOpacity();
    WritableRaster colors =
        raster.createWritableChild(0, 0, width, height, 0, 0, new int[] {0, 1, 2});
    decode(single("VP8 ", new byte[0], picture, pictureEnd), colors, 8, 8, 8);
    return raster;
  }

  /** A file with one picture, followed by zeros that no picture needs but the library reads. */
  private BytesInput single(String kind, byte[] start, int from, int to) {
    int length = start.length + to - from;
    ByteBuffer single = ByteBuffer.allocate(20 + length + 16).order(ByteOrder.LITTLE_ENDIAN);
    single.put("RIFF    WEBP".getBytes(StandardCharsets.US_ASCII)).putInt(4, 12 + length);
    single.put(kind.getBytes(StandardCharsets.US_ASCII)).putInt(length);
    single.put(start).put(bytes, from, to - from);
    return new BytesInput(single.array(), single.capacity(), 20 + length);
  }

  private void decode(BytesInput single, WritableRaster into, int... bits) throws IOException {
    boolean alpha = bits.length == 4;
    var model =
        new ComponentColorModel(
            ColorSpace.getInstance(ColorSpace.CS_sRGB),
            bits,
            alpha,
            false,
            alpha ? Transparency.TRANSLUCENT : Transparency.OPAQUE,
            DataBuffer.TYPE_BYTE);
    var parameters = new ImageReadParam();
    parameters.setDestination(new BufferedImage(model, into, false, null));
    ImageReaders.read(
        file,
        ImageReaders.twelveMonkeys(WebPImageReaderSpi.class),
        single,
        reader -> reader.read(0, parameters));
  }

  private WritableRaster opaque() {
    WritableRaster raster = rgba(width, height);
    Arrays.fill(samples(raster), (byte) 255);
    return raster;
  }

  /** A raster whose fourth band is the picture's opacity. */
  private WritableRaster withOpacity() throws IOException {
    int method = bytes[opacity] & 3;
    WritableRaster raster;
    if (method == 0) {
      if (opacityEnd - opacity - 1 < width * height) {
        throw file.truncated();
      }
      raster = rgba(width, height);
    } else if (method == 1) {
      raster = lossless(opacity + 1, opacityEnd); // opacity is its green
    } else {
      throw file.damaged("its opacity is stored by method %s".formatted(method));
    }
    byte[] samples = samples(raster);
    for (int i = 0; i < width * height; i++) {
      int stored = method == 0 ? bytes[opacity + 1 + i] : samples[4 * i + 1];
      samples[4 * i + 3] = (byte) (stored + predicted(samples, i, bytes[opacity] >> 2 & 3));
    }
    return raster;
  }

  /** What opacity is stored relative to: nothing, left, above, or the gradient of both. */
  private int predicted(byte[] samples, int i, int filter) {
    int x = i % width;
    int before = x > 0 ? samples[4 * i - 1] & 0xFF : 0;
    int above = i >= width ? samples[4 * (i - width) + 3] & 0xFF : 0;
    if (filter == 0) {
      return 0;
    }
    if (i < width || x == 0) {
      return i < width ? before : above;
    }
    int diagonal = samples[4 * (i - width) - 1] & 0xFF;
    return filter == 1
        ? before
        : filter == 2 ? above : Math.clamp(before + above - diagonal, 0, 255);
  }

  /**
   * Four bytes per pixel, each of which may be written a few times: once while a lossless picture
   * is decoded, and once for each of the four transforms, which a hostile file repeats at will.
   */
  private static final class BoundedRaster extends WritableRaster {
    private final byte[] samples;
    private long left;

    BoundedRaster(WritableRaster raster) {
      super(raster.getSampleModel(), raster.getDataBuffer(), new Point());
      this.samples = samples(raster);
      this.left = 5L * width * height;
    }

    @Override
    public WritableRaster createWritableChild(
        int x, int y, int w, int h, int childX, int childY, int @Nullable [] bands) {
      boolean all = x == 0 && y == 0 && w == width && h == height && bands == null;
      return all ? this : super.createWritableChild(x, y, w, h, childX, childY, bands);
    }

    @Override
    public void setDataElements(int x, int y, Object pixel) {
      if (--left < 0) {
        throw new IllegalStateException("transforms are repeated");
      }
      System.arraycopy(pixel, 0, samples, 4 * (y * width + x), 4);
    }

    @Override
    public Object getDataElements(int x, int y, @Nullable Object pixel) {
      byte[] out = pixel == null ? new byte[4] : (byte[]) pixel;
      System.arraycopy(samples, 4 * (y * width + x), out, 0, 4);
      return out;
    }
  }
}
