package org.gammanet.figures;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import org.jspecify.annotations.Nullable;

/** Draws a figure into a picture with Java2D, without a display and without the system's fonts. */
final class PngCanvas implements Canvas {
  private final BufferedImage image;
  private final Graphics2D graphics;
  private final double scale;

  PngCanvas(double width, double height, int dotsPerInch) {
    scale = dotsPerInch / 72.0;
    image =
        new BufferedImage(
            (int) Math.round(width * scale),
            (int) Math.round(height * scale),
            BufferedImage.TYPE_INT_RGB);
    graphics = image.createGraphics();
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, image.getWidth(), image.getHeight());
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
    graphics.scale(scale, scale);
  }

  BufferedImage image() {
    return image;
  }

  /** A picture of pixels {@code 0xRRGGBB}, row by row. */
  static BufferedImage image(int[] rgb, int columns) {
    var picture = new BufferedImage(columns, rgb.length / columns, BufferedImage.TYPE_INT_RGB);
    picture.setRGB(0, 0, columns, rgb.length / columns, rgb, 0, columns);
    return picture;
  }

  @Override
  public void path(Path2D path, @Nullable Ink fill, @Nullable Pen pen) {
    if (fill != null) {
      graphics.setColor(color(fill.rgb(), fill.opacity()));
      graphics.fill(path);
    }
    if (pen != null) {
      graphics.setColor(color(pen.rgb(), pen.opacity()));
      float[] dashes = new float[pen.dashes().length];
      for (int i = 0; i < dashes.length; i++) {
        dashes[i] = (float) pen.dashes()[i];
      }
      graphics.setStroke(
          new BasicStroke(
              (float) pen.width(),
              BasicStroke.CAP_BUTT,
              BasicStroke.JOIN_ROUND,
              1,
              dashes.length == 0 ? null : dashes,
              0));
      graphics.draw(path);
    }
  }

  @Override
  public void cell(double x, double y, double width, double height, int rgb) {
    inPixels(
        () -> {
          int left = pixel(x);
          int top = pixel(y);
          graphics.setColor(new Color(rgb));
          graphics.fillRect(left, top, pixel(x + width) - left, pixel(y + height) - top);
        });
  }

  @Override
  public void text(String text, double x, double y, Font font, Anchor anchor, double degrees) {
    AffineTransform before = graphics.getTransform();
    graphics.translate(x, y);
    graphics.rotate(-Math.toRadians(degrees));
    double at = -anchor.fraction() * Type.width(text, font.size(), font.bold());
    graphics.setColor(new Color(font.rgb()));
    for (Type.Run run : Type.runs(text)) {
      double size = run.size(font.size());
      AffineTransform place = AffineTransform.getTranslateInstance(at, -run.rise(font.size()));
      place.scale(size / Glyphs.UNITS, size / Glyphs.UNITS);
      graphics.fill(place.createTransformedShape(Glyphs.outline(run.text(), font.bold())));
      at += Type.plainWidth(run.text(), size, font.bold());
    }
    graphics.setTransform(before);
  }

  @Override
  public void image(int[] rgb, int columns, double x, double y, double width, double height) {
    BufferedImage picture = image(rgb, columns);
    inPixels(
        () -> {
          int left = pixel(x);
          int top = pixel(y);
          graphics.drawImage(
              picture, left, top, pixel(x + width) - left, pixel(y + height) - top, null);
        });
  }

  @Override
  public void clip(double x, double y, double width, double height) {
    graphics.setClip(new Rectangle2D.Double(x, y, width, height));
  }

  @Override
  public void unclip() {
    graphics.setClip(null);
  }

  private int pixel(double points) {
    return (int) Math.round(points * scale);
  }

  private void inPixels(Runnable drawing) {
    AffineTransform before = graphics.getTransform();
    graphics.setTransform(new AffineTransform());
    drawing.run();
    graphics.setTransform(before);
  }

  private static Color color(int rgb, double opacity) {
    return new Color(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255, (int) Math.round(255 * opacity));
  }
}
