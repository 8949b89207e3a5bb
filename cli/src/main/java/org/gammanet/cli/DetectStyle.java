package org.gammanet.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import org.gammanet.detection.EdgeLines;
import org.gammanet.detection.EdgePictures;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What is made of edge maps: thin lines, binary maps, pictures with the photo. */
final class DetectStyle {
  static final String HEADING = "%nLook of the results:%n";

  @Option(
      names = "--thin",
      description =
          "Lines of one pixel: the benchmark's non-maximum suppression (smooth), then thinning.")
  boolean thin;

  @Option(
      names = "--threshold",
      paramLabel = "T|auto",
      converter = ThresholdConverter.class,
      description = {
        "White where the probability is at least T (0 to 1), black elsewhere; auto chooses T for"
            + " each image by Otsu's method. Contours (SVG, GeoJSON) are cut at auto by default."
      })
  @Nullable Threshold threshold;

  /** Pictures that exclude one another. */
  static final class Picture {
    @Option(names = "--side-by-side", description = "PNG: the image and its edges in one picture.")
    boolean sideBySide;

    @Option(names = "--overlay", description = "PNG: the edges in --color over the image.")
    boolean overlay;

    @Option(
        names = "--transparent",
        description = "PNG: the edges in --color, opaque where one is likely.")
    boolean transparent;
  }

  @ArgGroup(exclusive = true)
  Picture picture = new Picture();

  @Option(names = "--invert", description = "PNG: black edges on white.")
  boolean invert;

  @Option(
      names = "--color",
      paramLabel = "COLOR",
      converter = ColorConverter.class,
      description =
          "Color of --overlay, --transparent and SVG: RRGGBB or a name such as red; default: red"
              + " over images, black elsewhere.")
  @Nullable Integer color;

  @Option(
      names = "--alpha",
      paramLabel = "A",
      defaultValue = "1",
      description =
          "Opacity of a certain edge with --overlay and --transparent, 0 to 1; default:"
              + " ${DEFAULT-VALUE}.")
  double alpha = 1;

  /** A threshold, or that it is chosen for each image ({@code NaN}). */
  record Threshold(double value) {
    static final Threshold AUTO = new Threshold(Double.NaN);

    double of(EdgeMap map) {
      return Double.isNaN(value) ? EdgeLines.otsu(map) : value;
    }
  }

  /** A number from 0 to 1, or {@code auto}. */
  static final class ThresholdConverter implements ITypeConverter<Threshold> {
    @Override
    public Threshold convert(String text) {
      if (text.equalsIgnoreCase("auto")) {
        return Threshold.AUTO;
      }
      try {
        double value = Double.parseDouble(text);
        if (value >= 0 && value <= 1) {
          return new Threshold(value);
        }
      } catch (NumberFormatException e) {
        // said below
      }
      throw new TypeConversionException("must be a number from 0 to 1 or auto, not '" + text + "'");
    }
  }

  /** Hexadecimal digits, with or without #, or a name. */
  static final class ColorConverter implements ITypeConverter<Integer> {
    private static final Map<String, Integer> NAMES =
        Map.ofEntries(
            Map.entry("black", 0x000000),
            Map.entry("white", 0xFFFFFF),
            Map.entry("red", 0xE8112D),
            Map.entry("orange", 0xE69F00),
            Map.entry("yellow", 0xF0E442),
            Map.entry("green", 0x009E73),
            Map.entry("cyan", 0x00E5FF),
            Map.entry("blue", 0x0072B2),
            Map.entry("magenta", 0xE600E6));

    @Override
    public Integer convert(String text) {
      String word = text.toLowerCase(Locale.ROOT);
      Integer named = NAMES.get(word);
      if (named != null) {
        return named;
      }
      if (word.matches("#?[0-9a-f]{6}")) {
        return Integer.parseInt(word.replace("#", ""), 16);
      }
      throw new TypeConversionException(
          "must be RRGGBB or one of %s, not '%s'"
              .formatted(String.join(", ", NAMES.keySet().stream().sorted().toList()), text));
    }
  }

  /** Checks what the parser cannot. */
  void check() {
    if (!(alpha >= 0 && alpha <= 1)) {
      throw new UsageException("--alpha must be from 0 to 1, not " + alpha);
    }
    if (invert && (picture.overlay || picture.transparent)) {
      throw new UsageException(
          "--invert is for edges on black; --overlay and --transparent take a --color");
    }
  }

  /** Whether pictures contain the photo. */
  boolean needsPhoto() {
    return picture.sideBySide || picture.overlay;
  }

  /** Color of lines on their own. */
  int lineColor() {
    return color == null ? 0x000000 : color;
  }

  /** The threshold of contours. */
  double contourThreshold(EdgeMap map) {
    return threshold == null ? EdgeLines.otsu(map) : threshold.of(map);
  }

  /** The threshold in use, if any. */
  OptionalDouble thresholdOf(EdgeMap map) {
    return threshold == null ? OptionalDouble.empty() : OptionalDouble.of(threshold.of(map));
  }

  /** The map with thin lines, or cut, as was asked for. */
  EdgeMap apply(EdgeMap map) {
    EdgeMap lines = thin ? EdgeLines.thin(map) : map;
    return threshold == null ? lines : EdgeLines.cut(lines, positive(threshold.of(map)));
  }

  /** A pixel without an edge stays black, whatever the threshold. */
  private static double positive(double threshold) {
    return Math.max(threshold, Float.MIN_VALUE);
  }

  /** Whether the picture is more than a gray map. */
  boolean isPicture() {
    return picture.sideBySide || picture.overlay || picture.transparent;
  }

  /** Black on white, if that was asked for. */
  EdgeMap gray(EdgeMap styled) {
    return invert ? EdgePictures.invert(styled) : styled;
  }

  /**
   * A styled map as a picture in color.
   *
   * @param photo of its size where {@link #needsPhoto}
   */
  RgbImage color(EdgeMap styled, @Nullable RgbImage photo) {
    if (photo != null && picture.overlay) {
      return EdgePictures.overlay(photo, styled, color == null ? 0xE8112D : color, alpha);
    }
    RgbImage edges = gray(styled).toImage();
    return photo != null && picture.sideBySide ? Images.sideBySide(List.of(photo, edges)) : edges;
  }
}
