package org.gammanet.figures;

import java.awt.geom.Path2D;
import java.awt.geom.PathIterator;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** Writes a figure as SVG 1.1: text stays text, pictures are inlined as PNG. */
final class SvgCanvas implements Canvas {
  /** Stands for the figure's own name in ids until the content, and so the name, is known. */
  private static final String NAME = "\u0001";

  private final StringBuilder body = new StringBuilder();
  private final double width;
  private final double height;
  private int clips;

  SvgCanvas(double width, double height) {
    this.width = width;
    this.height = height;
  }

  /**
   * The whole document. Ids begin with a checksum of the content, so that several figures can stand
   * in one page.
   *
   * @param description text for screen readers
   */
  String document(String description) {
    var crc = new CRC32();
    crc.update(body.toString().getBytes(StandardCharsets.UTF_8));
    String name = "f%08x".formatted(crc.getValue());
    return """
    <svg xmlns="http://www.w3.org/2000/svg" width="%sin" height="%sin" viewBox="0 0 %s %s" \
    font-family="%s" role="img">
    <title>%s</title>
    <rect width="100%%" height="100%%" fill="#fff"/>
    %s</svg>
    """
        .formatted(
            number(width / 72),
            number(height / 72),
            number(width),
            number(height),
            "Helvetica, Arial, 'Liberation Sans', 'Nimbus Sans', Arimo, sans-serif",
            escaped(description),
            body.toString().replace(NAME, name));
  }

  @Override
  public void path(Path2D path, @Nullable Ink fill, @Nullable Pen pen) {
    String data = data(path);
    if (data.isEmpty()) {
      return;
    }
    body.append("<path d=\"").append(data).append('"');
    if (fill == null) {
      body.append(" fill=\"none\"");
    } else {
      attribute("fill", color(fill.rgb()));
      opacity("fill-opacity", fill.opacity());
      if (path.getWindingRule() == Path2D.WIND_EVEN_ODD) {
        attribute("fill-rule", "evenodd");
      }
    }
    if (pen != null) {
      attribute("stroke", color(pen.rgb()));
      attribute("stroke-width", number(pen.width()));
      opacity("stroke-opacity", pen.opacity());
      attribute("stroke-linejoin", "round");
      if (pen.dashes().length > 0) {
        var dashes = new StringBuilder();
        for (double d : pen.dashes()) {
          dashes.append(dashes.isEmpty() ? "" : " ").append(number(d));
        }
        attribute("stroke-dasharray", dashes.toString());
      }
    }
    body.append("/>\n");
  }

  @Override
  public void cell(double x, double y, double w, double h, int rgb) {
    body.append("<rect shape-rendering=\"crispEdges\"");
    box(x, y, w, h);
    attribute("fill", color(rgb));
    body.append("/>\n");
  }

  @Override
  public void text(String text, double x, double y, Font font, Anchor anchor, double degrees) {
    body.append("<text");
    attribute("x", number(x));
    attribute("y", number(y));
    attribute("font-size", number(font.size()));
    if (font.bold()) {
      attribute("font-weight", "bold");
    }
    if (font.rgb() != 0) {
      attribute("fill", color(font.rgb()));
    }
    if (anchor != Anchor.START) {
      attribute("text-anchor", anchor == Anchor.MIDDLE ? "middle" : "end");
    }
    if (degrees != 0) {
      attribute(
          "transform", "rotate(" + number(-degrees) + " " + number(x) + " " + number(y) + ")");
    }
    body.append('>');
    List<Type.Run> runs = Type.runs(text);
    double rise = 0;
    for (Type.Run run : runs) {
      double change = rise - run.rise(font.size());
      if (run.level() == 0 && change == 0) {
        body.append(escaped(run.text()));
      } else {
        body.append("<tspan");
        attribute("dy", number(change));
        if (run.level() != 0) {
          attribute("font-size", number(run.size(font.size())));
        }
        body.append('>').append(escaped(run.text())).append("</tspan>");
      }
      rise = run.rise(font.size());
    }
    body.append("</text>\n");
  }

  @Override
  public void image(int[] rgb, int columns, double x, double y, double w, double h) {
    body.append("<image preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"");
    box(x, y, w, h);
    attribute(
        "href",
        "data:image/png;base64,"
            + Base64.getEncoder().encodeToString(Png.encode(PngCanvas.image(rgb, columns), 0)));
    body.append("/>\n");
  }

  @Override
  public void clip(double x, double y, double w, double h) {
    String id = NAME + "c" + clips++;
    body.append("<clipPath id=\"").append(id).append("\"><rect");
    box(x, y, w, h);
    body.append("/></clipPath>\n<g clip-path=\"url(#").append(id).append(")\">\n");
  }

  @Override
  public void unclip() {
    body.append("</g>\n");
  }

  private void box(double x, double y, double w, double h) {
    attribute("x", number(x));
    attribute("y", number(y));
    attribute("width", number(w));
    attribute("height", number(h));
  }

  private void attribute(String name, String value) {
    body.append(' ').append(name).append("=\"").append(value).append('"');
  }

  private void opacity(String name, double value) {
    if (value < 1) {
      attribute(name, number(value));
    }
  }

  private static String data(Path2D path) {
    var out = new StringBuilder();
    double[] p = new double[6];
    for (var i = path.getPathIterator(null); !i.isDone(); i.next()) {
      int kind = i.currentSegment(p);
      out.append(
          switch (kind) {
            case PathIterator.SEG_MOVETO -> 'M';
            case PathIterator.SEG_LINETO -> 'L';
            case PathIterator.SEG_QUADTO -> 'Q';
            case PathIterator.SEG_CUBICTO -> 'C';
            default -> 'Z';
          });
      int values =
          switch (kind) {
            case PathIterator.SEG_CLOSE -> 0;
            case PathIterator.SEG_QUADTO -> 4;
            case PathIterator.SEG_CUBICTO -> 6;
            default -> 2;
          };
      for (int k = 0; k < values; k++) {
        out.append(k == 0 ? "" : " ").append(number(p[k]));
      }
    }
    return out.toString();
  }

  /** Hundredths of a point, without zeros at the end. */
  static String number(double value) {
    if (!Double.isFinite(value)) {
      return "NaN"; // a viewer skips the element; rounding would draw it at 0
    }
    long hundredths = Math.round(value * 100);
    String sign = hundredths < 0 ? "-" : "";
    long magnitude = Math.abs(hundredths);
    long rest = magnitude % 100;
    String whole = sign + magnitude / 100;
    if (rest == 0) {
      return whole;
    }
    return whole + (rest % 10 == 0 ? "." + rest / 10 : (rest < 10 ? ".0" : ".") + rest);
  }

  private static String color(int rgb) {
    return "#%06x".formatted(rgb);
  }

  static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
