package org.gammanet.figures;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.AffineTransform;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import org.jspecify.annotations.Nullable;

/** Draws a figure into a picture with Java2D, which needs neither a display nor fonts for it. */
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

  /** Pixels {@code 0xRRGGBB}, row by row. */
  int[] pixels() {
    return ((DataBufferInt) image.getRaster().getDataBuffer()).getData();
  }

  int columns() {
    return image.getWidth();
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
    graphics.translate(-anchor.share() * Type.width(text, font.size(), font.bold()), 0);
    graphics.setColor(new Color(font.rgb()));
    for (Type.Run run : Type.runs(text)) {
      double size = run.size(font.size());
      Shape outline = Glyphs.chosen().outline(run.text(), size, font.bold());
      graphics.translate(0, -run.rise(font.size()));
      graphics.fill(outline);
      graphics.translate(Type.plainWidth(run.text(), size, font.bold()), run.rise(font.size()));
    }
    graphics.setTransform(before);
  }

  @Override
  public void image(int[] rgb, int columns, double x, double y, double width, double height) {
    var picture = new BufferedImage(columns, rgb.length / columns, BufferedImage.TYPE_INT_RGB);
    System.arraycopy(
        rgb, 0, ((DataBufferInt) picture.getRaster().getDataBuffer()).getData(), 0, rgb.length);
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
