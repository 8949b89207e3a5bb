package org.gammanet.io;

import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.IOException;
import java.util.Iterator;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/** The ImageIO readers that decode pixels. */
final class ImageReaders {
  /** Warnings of a truncated file: libjpeg fills what is missing with gray and only warns. */
  static final Pattern TRUNCATION = Pattern.compile("Premature end|Truncated");

  private ImageReaders() {}

  /** What is asked of a reader whose input is set. */
  interface Decoding<T> {
    T apply(ImageReader reader) throws IOException;
  }

  /** The JDK's reader, whichever others a program has installed. */
  static ImageReader jdk(String format) throws IOException {
    for (Iterator<ImageReader> it = ImageIO.getImageReadersByFormatName(format); it.hasNext(); ) {
      ImageReader reader = it.next();
      if (reader.getClass().getModule() == ImageIO.class.getModule()) {
        return reader;
      }
    }
    throw new IOException("this Java has no reader for " + format);
  }

  /**
   * A reader of TwelveMonkeys; its provider must be registered to find the readers it builds on.
   */
  static ImageReader twelveMonkeys(Class<? extends ImageReaderSpi> type) throws IOException {
    IIORegistry registry = IIORegistry.getDefaultInstance();
    ImageReaderSpi provider = registry.getServiceProviderByClass(type);
    if (provider == null) {
      ImageIO.scanForPlugins();
      provider = registry.getServiceProviderByClass(type);
    }
    if (provider == null) {
      try {
        provider = type.getDeclaredConstructor().newInstance();
      } catch (ReflectiveOperationException e) {
        throw new IOException(type.getName() + " cannot be created", e);
      }
      registry.registerServiceProvider(provider, ImageReaderSpi.class);
    }
    return provider.createReaderInstance();
  }

  /** Decodes an input without its metadata; both reader and input are closed afterwards. */
  static <T> T read(ImageFile file, ImageReader reader, BytesInput input, Decoding<T> decoding)
      throws IOException {
    return read(file, reader, input, true, TRUNCATION, decoding);
  }

  /**
   * Decodes an input after a check of the size that the reader finds.
   *
   * @param truncation warnings that mean that the file is truncated
   */
  static <T> T read(
      ImageFile file,
      ImageReader reader,
      BytesInput input,
      boolean ignoreMetadata,
      Pattern truncation,
      Decoding<T> decoding)
      throws IOException {
    try (BytesInput in = input) {
      boolean[] truncated = new boolean[1];
      reader.addIIOReadWarningListener(
          (source, warning) -> truncated[0] |= truncation.matcher(warning).find());
      reader.setInput(in, false, ignoreMetadata);
      file.checkSize(reader.getWidth(0), reader.getHeight(0));
      T result = decoding.apply(reader);
      if (truncated[0]) {
        throw file.truncated();
      }
      return result;
    } finally {
      reader.dispose();
    }
  }

  /**
   * The samples as stored, without color conversion, in a raster that nobody else holds: a copy
   * only where the reader's cannot be changed.
   */
  static WritableRaster raster(ImageReader reader) throws IOException {
    Raster raster = reader.readRaster(0, null);
    if (raster instanceof WritableRaster own) {
      return own;
    }
    WritableRaster copy = raster.createCompatibleWritableRaster();
    copy.setRect(raster);
    return copy;
  }
}
