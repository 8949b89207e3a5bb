package org.gammanet.experiments.study;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.figures.Axis;
import org.gammanet.figures.ColorMap;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HeatMap;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** A panel of a figure as data: it is kept in the results, from which figures are drawn. */
public final class Panel {
  private record Guide(double at, boolean vertical, boolean dashed) {}

  /** A map over x and y, rows from the first y on. */
  private record Heat(
      double[] x, double[] y, double[][] values, double unit, boolean diverging, String barLabel) {}

  private record Image(byte[] luminance, int columns) {}

  private String key = "";
  private String title = "";
  private int row;
  private int column;
  private int columns = 1;
  private Axis x = Axis.linear("");
  private Axis y = Axis.linear("");
  private List<Series> series = new ArrayList<>();
  private List<Guide> guides = new ArrayList<>();
  private String note = "";
  private boolean unity;
  private boolean equalAspect;
  private Plot.Legend legend = Plot.Legend.AUTO;
  private @Nullable Heat heat;
  private @Nullable Image image;

  private Panel() {}

  /**
   * A panel.
   *
   * @param key its name in the results
   * @param row in the figure, from 0
   * @param column in the figure, from 0
   */
  public static Panel at(int row, int column, String key) {
    var out = new Panel();
    out.row = row;
    out.column = column;
    out.key = key;
    return out;
  }

  /** This panel at another position. */
  Panel moved(int toRow, int toColumn) {
    var out = Panel.at(toRow, toColumn, key).title(title).axes(x, y).note(note).legend(legend);
    out.series = series;
    out.guides = guides;
    out.unity = unity;
    out.equalAspect = equalAspect;
    out.heat = heat;
    out.image = image;
    return out;
  }

  /** How many columns it spans. */
  public Panel span(int value) {
    columns = value;
    return this;
  }

  /** Its heading. */
  public Panel title(String text) {
    title = text;
    return this;
  }

  /** Its heading with the size of the sample. */
  public Panel title(String text, int n) {
    return title("%s (n = %s)".formatted(text, n));
  }

  /** Its axes. */
  public Panel axes(Axis horizontal, Axis vertical) {
    x = horizontal;
    y = vertical;
    return this;
  }

  /** Linear axes with these labels. */
  public Panel axes(String horizontal, String vertical) {
    return axes(Axis.linear(horizontal), Axis.linear(vertical));
  }

  /** A horizontal axis, and a linear vertical one with this label. */
  public Panel axes(Axis horizontal, String vertical) {
    return axes(horizontal, Axis.linear(vertical));
  }

  /** Adds series. */
  public Panel add(Series... more) {
    series.addAll(List.of(more));
    return this;
  }

  /** Adds series. */
  public Panel add(List<Series> more) {
    series.addAll(more);
    return this;
  }

  /** A line across at a height. */
  public Panel horizontal(double at) {
    guides.add(new Guide(at, false, false));
    return this;
  }

  /** A dashed line across at a height: a criterion. */
  public Panel criterion(double at) {
    guides.add(new Guide(at, false, true));
    return this;
  }

  /** A line up at an x. */
  public Panel vertical(double at) {
    guides.add(new Guide(at, true, false));
    return this;
  }

  /** A dashed line up at an x: an estimate or a criterion. */
  public Panel marker(double at) {
    guides.add(new Guide(at, true, true));
    return this;
  }

  /** The line y = x. */
  public Panel unity() {
    unity = true;
    return this;
  }

  /** One scale for both axes. */
  public Panel equalAspect() {
    equalAspect = true;
    return this;
  }

  /** Text in the upper left corner. */
  public Panel note(String text) {
    note = text;
    return this;
  }

  /** Where the legend is. */
  public Panel legend(Plot.Legend where) {
    legend = where;
    return this;
  }

  /**
   * A heat map.
   *
   * @param values a row per y, in each a value per x
   * @param unit what the colors count in, such as the maximum
   * @param diverging whether colors diverge from 0; otherwise they run from 0 to 1
   */
  public Panel heatMap(
      double[] xs,
      double[] ys,
      double[][] values,
      double unit,
      boolean diverging,
      String barLabel) {
    heat = new Heat(xs, ys, values, unit, diverging, barLabel);
    equalAspect = true;
    return this;
  }

  /** A picture of a stimulus. */
  public Panel picture(Stimulus stimulus) {
    float[] values = stimulus.draw();
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) Math.round(255 * Math.clamp(values[i], 0, 1));
    }
    image = new Image(bytes, stimulus.frame().width());
    return axes(Axis.hidden(), Axis.hidden().reverse());
  }

  /** Its name in the results. */
  public String key() {
    return key;
  }

  /** Its series; changes to the list change the panel. */
  public List<Series> series() {
    return series;
  }

  /**
   * A series by its name.
   *
   * @throws IllegalArgumentException where there is none
   */
  public Series series(String name) {
    return series.stream()
        .filter(s -> s.name().equals(name))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("the panel %s has no %s".formatted(key, name)));
  }

  void csv(String figure, Csv out) {
    for (Series s : series) {
      double[] low = s.low();
      double[] high = s.high();
      for (int i = 0; i < s.x().length; i++) {
        boolean histogram = s.look() == Series.Look.HISTOGRAM;
        out.row(
            List.of(
                figure,
                key,
                s.name(),
                s.x()[i],
                histogram ? Double.NaN : s.y()[i],
                low == null ? Double.NaN : low[i],
                high == null ? Double.NaN : high[i],
                s.n()));
      }
    }
    Heat map = heat;
    if (map != null) {
      for (int r = 0; r < map.y.length; r++) {
        for (int c = 0; c < map.x.length; c++) {
          out.row(
              List.of(
                  figure,
                  key,
                  "y = " + Format.number(map.y[r]),
                  map.x[c],
                  map.values[r][c],
                  Double.NaN,
                  Double.NaN,
                  0));
        }
      }
    }
  }

  void drawIn(Figure figure) {
    Plot plot = figure.panel(row, column, 1, columns).title(title).x(x).y(y).legend(legend);
    for (Guide g : guides) {
      Style style = g.dashed ? Style.GUIDE.dash(Style.Dash.DASHED) : Style.GUIDE;
      if (g.vertical) {
        plot.vertical(g.at, style);
      } else {
        plot.horizontal(g.at, style);
      }
    }
    if (unity) {
      plot.unity();
    }
    if (equalAspect) {
      plot.equalAspect();
    }
    series.forEach(s -> s.drawIn(plot));
    Heat map = heat;
    if (map != null) {
      double half = (map.x[map.x.length - 1] - map.x[0]) / Math.max(1, map.x.length - 1) / 2;
      double[][] scaled =
          Arrays.stream(map.values)
              .map(r -> Arrays.stream(r).map(v -> v / map.unit).toArray())
              .toArray(double[][]::new);
      HeatMap drawn =
          HeatMap.of(scaled)
              .extent(
                  map.x[0] - half,
                  map.x[map.x.length - 1] + half,
                  map.y[0] - half,
                  map.y[map.y.length - 1] + half)
              .barLabel(map.barLabel);
      double largest = 0;
      for (double[] r : scaled) {
        for (double v : r) {
          largest = Math.max(largest, Math.abs(v));
        }
      }
      if (map.diverging) {
        drawn.diverging(largest > 0 ? largest : 1);
      } else {
        drawn.colors(ColorMap.VIRIDIS, 0, 1);
      }
      plot.heatMap(drawn);
    }
    Image picture = image;
    if (picture != null) {
      float[] values = new float[picture.luminance.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = (picture.luminance[i] & 0xff) / 255f;
      }
      plot.luminance(values, picture.columns);
    }
    if (!note.isEmpty()) {
      plot.note(Plot.Corner.TOP_LEFT, note);
    }
  }
}
