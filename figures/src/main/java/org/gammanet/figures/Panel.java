package org.gammanet.figures;

import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Draws one {@link Plot}: chooses limits and ticks, measures the margins, places the legend. */
final class Panel {
  private static final Canvas.Font TICK = new Canvas.Font(9, false, 0);
  private static final Canvas.Font LABEL = new Canvas.Font(10, false, 0);
  private static final Canvas.Font TITLE = new Canvas.Font(10.5, true, 0);
  private static final Canvas.Font LETTER = new Canvas.Font(13, true, 0);
  private static final Canvas.Font NOTE = new Canvas.Font(8.5, false, 0x303030);
  private static final Canvas.Pen SPINE = new Canvas.Pen(0, 1, 0.8);
  private static final double TICK_LENGTH = 3.5;
  private static final double BAR_WIDTH = 9;
  private static final double BAR_GAP = 6;
  private static final double SWATCH = 24;
  private static final double LINE_HEIGHT = 12.5;
  private static final double NOTE_HEIGHT = 11;

  private final Plot plot;
  private final String letter;
  private final boolean missing;
  private final @Nullable HeatMap barMap;
  private final Axis xAxis;
  private final Axis yAxis;
  private final double xMin;
  private final double xMax;
  private final double yMin;
  private final double yMax;

  /** Limit of the y axis with head room for legend and notes. */
  private double yTop;

  double leftMargin;
  double rightMargin;
  double topMargin;
  double bottomMargin;
  private Projection to;
  private Ticks xTicks;
  private Ticks yTicks;
  private Ticks barTicks = new Ticks(List.of(), List.of(), List.of(), 0);
  private boolean slanted;
  private double legendX;

  Panel(Plot plot, String letter) {
    this.plot = plot;
    this.letter = letter;
    xAxis = plot.x;
    yAxis = plot.y;
    var extent = new Mark.Extent(xAxis.scale() == Axis.Scale.LOG, yAxis.scale() == Axis.Scale.LOG);
    plot.marks.forEach(m -> m.extend(extent));
    missing = extent.isEmpty() && !plot.bare;
    double[] x = limits(xAxis, extent.xMin, extent.xMax, extent.tight);
    double[] y = limits(yAxis, extent.yMin, extent.yMax, extent.tight);
    if (plot.marks.stream().anyMatch(m -> m instanceof Mark.Bars)
        && Double.isNaN(yAxis.min())
        && yAxis.scale() == Axis.Scale.LINEAR
        && extent.yMin == 0) {
      y[0] = 0; // bars stand on the axis
    }
    xMin = x[0];
    xMax = x[1];
    yMin = y[0];
    yMax = y[1];
    yTop = yMax;
    barMap =
        plot.marks.stream()
            .filter(m -> m instanceof Mark.Cells c && c.map().bar)
            .map(m -> ((Mark.Cells) m).map())
            .findFirst()
            .orElse(null);
    to = new Projection(0, 0, 1, 1, xAxis, xMin, xMax, yAxis, yMin, yMax);
    xTicks = barTicks;
    yTicks = barTicks;
  }

  private static double[] limits(Axis axis, double dataMin, double dataMax, boolean tight) {
    boolean log = axis.scale() == Axis.Scale.LOG;
    double lo = dataMin <= dataMax ? dataMin : log ? 1 : 0;
    double hi = dataMin <= dataMax ? dataMax : log ? 10 : 1;
    if (!tight) {
      if (log) {
        double room = lo == hi ? 2 : Math.pow(hi / lo, 0.04);
        lo /= room;
        hi *= room;
      } else {
        double room = lo == hi ? (lo == 0 ? 1 : Math.abs(lo) * 0.1) : 0.04 * (hi - lo);
        lo -= room;
        hi += room;
      }
    }
    if (!Double.isNaN(axis.min())) {
      lo = axis.min();
    }
    if (!Double.isNaN(axis.max())) {
      hi = axis.max();
    }
    if (!(hi > lo)) { // one limit was given and all data lie beyond it
      if (Double.isNaN(axis.max())) {
        hi = log ? lo * 10 : lo + 1;
      } else {
        lo = log ? hi / 10 : hi - 1;
      }
    }
    return new double[] {lo, hi};
  }

  /** Takes the room for the axes' rectangle and measures what stands around it. */
  void fit(double left, double top, double right, double bottom) {
    double width = right - left;
    double height = bottom - top;
    if (plot.square && !missing) {
      double scale = Math.min(width / (xMax - xMin), height / (yMax - yMin));
      double w = scale * (xMax - xMin);
      double h = scale * (yMax - yMin);
      left += (width - w) / 2;
      top += (height - h) / 2;
      width = w;
      height = h;
    }
    double outside = 0;
    if (plot.legend == Plot.Legend.OUTSIDE && !missing) {
      outside = Math.min(14 + legendWidth(legendEntries()), width / 2);
      width -= outside;
      right -= outside;
    }
    for (int step = 0; step < 5; step++) { // raises the limit until no text lies on data
      yTop = yMax + 0.12 * step * (yMax - yMin);
      to = new Projection(left, top, width, height, xAxis, xMin, xMax, yAxis, yMin, yTop);
      if (!hasHeadRoom() || !textHidesData()) {
        break;
      }
      if (step == 4) {
        yTop = yMax;
        to = new Projection(left, top, width, height, xAxis, xMin, xMax, yAxis, yMin, yMax);
      }
    }
    int rows = (int) Math.max(2, height / 26);
    yTicks =
        plot.counts && yAxis.ticks().isEmpty()
            ? Ticks.linear(yMin, yTop, rows, 1)
            : yAxis.ticksBetween(yMin, yTop, rows);
    slanted = false;
    int most = (int) Math.max(2, Math.min(9, width / 30));
    xTicks = xAxis.ticksBetween(xMin, xMax, most);
    while (crowded(xTicks) && xAxis.ticks().isEmpty() && most > 2) {
      xTicks = xAxis.ticksBetween(xMin, xMax, --most);
    }
    slanted = crowded(xTicks) && xAxis.scale() == Axis.Scale.NAMES;

    boolean showX = xAxis.shown() && !plot.bare;
    boolean showY = yAxis.shown() && !plot.bare;
    leftMargin = 2;
    if (showY) {
      leftMargin = TICK_LENGTH + 3 + widest(yTicks);
      leftMargin += yAxis.label().isEmpty() ? 0 : LABEL.size() * 1.55;
    }
    bottomMargin = 2;
    if (showX) {
      bottomMargin =
          TICK_LENGTH
              + (slanted ? 6 + 0.6 * widest(xTicks) : 3 + TICK.size())
              + (xAxis.label().isEmpty() ? 0 : LABEL.size() * 1.6);
    } else if (!xAxis.label().isEmpty()) {
      bottomMargin = LABEL.size() * 1.6;
    }
    topMargin = Math.max(plot.title.isEmpty() ? 4 : 17, letter.isEmpty() ? 0 : 17);
    if (slanted) { // the words hang to the left of their ticks
      for (int i = 0; i < xTicks.values().size(); i++) {
        double reach = 0.82 * Type.width(xTicks.labels().get(i), TICK.size(), false);
        leftMargin = Math.max(leftMargin, reach - (to.x(xTicks.values().get(i)) - left));
      }
    }
    rightMargin = 2;
    if (showX && !xTicks.labels().isEmpty() && !slanted) {
      double overhang =
          to.x(xTicks.values().getLast())
              + Type.width(xTicks.labels().getLast(), TICK.size(), false) / 2
              - left
              - width;
      rightMargin = Math.max(rightMargin, overhang);
    }
    for (Mark mark : plot.marks) {
      if (mark instanceof Mark.Words w && to.contains(w.x(), w.y()) && w.degrees() == 0) {
        double end = to.x(w.x()) + w.dx() + Type.width(w.text(), w.font().size(), false);
        rightMargin = Math.max(rightMargin, end - right);
      }
    }
    if (barMap != null && !missing) {
      double[] limits = barMap.limits();
      barTicks = Ticks.linear(limits[0], limits[1], (int) Math.clamp(height / 24, 2, 7));
      rightMargin =
          BAR_GAP
              + BAR_WIDTH
              + TICK_LENGTH
              + 2
              + widest(barTicks)
              + (barMap.barLabel.isEmpty() && barTicks.exponent() == 0 ? 0 : LABEL.size() * 1.5);
    }
    legendX = right + rightMargin + 8;
  }

  /** Whether the y axis may grow to make room for text. */
  private boolean hasHeadRoom() {
    return yAxis.scale() == Axis.Scale.LINEAR
        && Double.isNaN(yAxis.max())
        && !yAxis.reversed()
        && !plot.square
        && !plot.bare
        && !missing;
  }

  private boolean crowded(Ticks ticks) {
    double end = Double.NEGATIVE_INFINITY;
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < ticks.values().size(); i++) {
      order.add(i);
    }
    order.sort((a, b) -> Double.compare(to.x(ticks.values().get(a)), to.x(ticks.values().get(b))));
    for (int i : order) {
      double w = Type.width(ticks.labels().get(i), TICK.size(), false);
      double at = to.x(ticks.values().get(i));
      if (at - w / 2 < end + 4) {
        return true;
      }
      end = at + w / 2;
    }
    return false;
  }

  private static double widest(Ticks ticks) {
    return ticks.labels().stream()
        .mapToDouble(l -> Type.width(l, TICK.size(), false))
        .max()
        .orElse(0);
  }

  /**
   * Draws everything.
   *
   * @param letterX, letterY base line of the panel's letter, which lines up over the whole figure
   */
  void draw(Canvas canvas, double letterX, double letterY) {
    if (missing) {
      canvas.text(
          "n/a",
          to.left() + to.width() / 2,
          to.top() + to.height() / 2 + 4,
          new Canvas.Font(11, false, 0x707070),
          Canvas.Anchor.MIDDLE,
          0);
    }
    for (Mark mark : plot.marks) {
      if (mark.clipped() && !plot.bare) {
        canvas.clip(to.left(), to.top(), to.width(), to.height());
        mark.draw(canvas, to);
        canvas.unclip();
      } else {
        mark.draw(canvas, to);
      }
    }
    if (!plot.bare) {
      axes(canvas);
    }
    if (barMap != null && !missing) {
      colorBar(canvas, barMap);
    }
    List<Spot> spots = spots();
    notes(canvas, spots);
    legend(canvas, spots);
    double baseLine = to.top() - 6;
    if (!plot.title.isEmpty()) {
      boolean left = plot.bare;
      canvas.text(
          plot.title,
          left ? to.left() : to.left() + to.width() / 2,
          baseLine,
          TITLE,
          left ? Canvas.Anchor.START : Canvas.Anchor.MIDDLE,
          0);
    }
    if (!letter.isEmpty()) {
      canvas.text(letter, letterX, letterY, LETTER, Canvas.Anchor.START, 0);
    }
  }

  private void axes(Canvas canvas) {
    double right = to.left() + to.width();
    double bottom = to.top() + to.height();
    var lines = new Path2D.Double();
    if (plot.framed) {
      lines.append(new Rectangle2D.Double(to.left(), to.top(), to.width(), to.height()), false);
    }
    if (xAxis.shown()) {
      if (!plot.framed) {
        Mark.segment(lines, to.left(), bottom, right, bottom);
      }
      for (int i = 0; i < xTicks.values().size(); i++) {
        double x = to.x(xTicks.values().get(i));
        String label = xTicks.labels().get(i);
        if (xAxis.scale() != Axis.Scale.NAMES) {
          Mark.segment(lines, x, bottom, x, bottom + TICK_LENGTH);
        }
        if (slanted) {
          canvas.text(label, x + 4, bottom + TICK_LENGTH + 6, TICK, Canvas.Anchor.END, 35);
        } else {
          canvas.text(
              label, x, bottom + TICK_LENGTH + 1 + TICK.size(), TICK, Canvas.Anchor.MIDDLE, 0);
        }
      }
      for (double v : xTicks.minor()) {
        Mark.segment(lines, to.x(v), bottom, to.x(v), bottom + TICK_LENGTH * 0.55);
      }
    }
    if (yAxis.shown()) {
      if (!plot.framed) {
        Mark.segment(lines, to.left(), bottom, to.left(), to.top());
      }
      for (int i = 0; i < yTicks.values().size(); i++) {
        double y = to.y(yTicks.values().get(i));
        if (yAxis.scale() != Axis.Scale.NAMES) {
          Mark.segment(lines, to.left(), y, to.left() - TICK_LENGTH, y);
        }
        canvas.text(
            yTicks.labels().get(i),
            to.left() - TICK_LENGTH - 2,
            y + TICK.size() * Type.CAP_HEIGHT / 2,
            TICK,
            Canvas.Anchor.END,
            0);
      }
      for (double v : yTicks.minor()) {
        Mark.segment(lines, to.left(), to.y(v), to.left() - TICK_LENGTH * 0.55, to.y(v));
      }
    }
    canvas.path(lines, null, SPINE);
    String below = withExponent(xAxis.label(), xAxis.shown() ? xTicks.exponent() : 0);
    if (!below.isEmpty()) {
      canvas.text(
          below,
          to.left() + to.width() / 2,
          bottom + bottomMargin - LABEL.size() * 0.3,
          LABEL,
          Canvas.Anchor.MIDDLE,
          0);
    }
    String beside = withExponent(yAxis.label(), yAxis.shown() ? yTicks.exponent() : 0);
    if (!beside.isEmpty() && yAxis.shown()) {
      canvas.text(
          beside,
          to.left() - leftMargin + LABEL.size() * 0.85,
          to.top() + to.height() / 2,
          LABEL,
          Canvas.Anchor.MIDDLE,
          90);
    }
  }

  /** "Loss (×10^{-4})"; a unit in brackets takes the power into the same brackets. */
  private static String withExponent(String label, int exponent) {
    if (exponent == 0) {
      return label;
    }
    String power = "10^{" + Ticks.fixed(exponent, 0) + "}";
    return label.endsWith(")")
        ? label.substring(0, label.lastIndexOf('(') + 1)
            + power
            + " "
            + label.substring(label.lastIndexOf('(') + 1)
        : (label + " (×" + power + ")").strip();
  }

  private void colorBar(Canvas canvas, HeatMap map) {
    double[] limits = map.limits();
    double x = to.left() + to.width() + BAR_GAP;
    int steps = 128;
    int[] colors = new int[steps];
    for (int i = 0; i < steps; i++) {
      colors[i] = map.colors.rgb(1 - (i + 0.5) / steps);
    }
    canvas.image(colors, 1, x, to.top(), BAR_WIDTH, to.height());
    var lines = new Path2D.Double();
    lines.append(new Rectangle2D.Double(x, to.top(), BAR_WIDTH, to.height()), false);
    for (int i = 0; i < barTicks.values().size(); i++) {
      double fraction = (barTicks.values().get(i) - limits[0]) / (limits[1] - limits[0]);
      double y = to.top() + to.height() * (1 - fraction);
      Mark.segment(lines, x + BAR_WIDTH, y, x + BAR_WIDTH + TICK_LENGTH * 0.8, y);
      canvas.text(
          barTicks.labels().get(i),
          x + BAR_WIDTH + TICK_LENGTH + 1.5,
          y + TICK.size() * Type.CAP_HEIGHT / 2,
          TICK,
          Canvas.Anchor.START,
          0);
    }
    canvas.path(lines, null, new Canvas.Pen(0, 1, 0.6));
    String label = withExponent(map.barLabel, barTicks.exponent());
    if (!label.isEmpty()) {
      canvas.text(
          label,
          x + BAR_WIDTH + TICK_LENGTH + 2 + widest(barTicks) + LABEL.size() * 1.25,
          to.top() + to.height() / 2,
          LABEL,
          Canvas.Anchor.MIDDLE,
          90);
    }
  }

  /** A rectangle for text, and how many inked points it hides. */
  private record Spot(double x, double y, double width, double height, int hidden) {
    /** Draws a light background if text lies on data. */
    void clear(Canvas canvas) {
      if (hidden > 0) {
        var background = new Path2D.Double();
        background.append(new Rectangle2D.Double(x - 3, y - 1, width + 6, height + 2), false);
        canvas.path(background, new Canvas.Ink(0xFFFFFF, 0.8), null);
      }
    }
  }

  /**
   * The position that hides least, the preferred one first.
   *
   * @param wanted name of a corner, or AUTO
   * @param fixed whether only that corner will do
   */
  private Spot spot(Occupancy ink, double w, double h, String wanted, boolean fixed) {
    double[] xs = {to.left() + to.width() - w - 6, to.left() + 8};
    double[] ys = {to.top() + 3, to.top() + to.height() - h - 5};
    int column = wanted.endsWith("LEFT") ? 1 : 0;
    int row = wanted.startsWith("BOTTOM") ? 1 : 0;
    xs = new double[] {xs[column], xs[1 - column], to.left() + (to.width() - w) / 2};
    ys = new double[] {ys[row], ys[1 - row], to.top() + (to.height() - h) / 2};
    Spot best = null;
    for (int i = 0; i < (fixed ? 1 : xs.length * ys.length); i++) {
      double x = xs[i / ys.length];
      double y = ys[i % ys.length];
      int hidden = ink.count(x - 3, y - 2, w + 6, h + 4);
      if (best == null || hidden < best.hidden) {
        best = new Spot(x, y, w, h, hidden);
      }
    }
    return Objects.requireNonNull(best);
  }

  /** Where the notes and, last, the legend stand; the legend only if it is among the data. */
  private List<Spot> spots() {
    var ink = new Occupancy();
    plot.marks.forEach(m -> m.draw(ink, to));
    var spots = new ArrayList<Spot>();
    for (Plot.Note note : plot.notes) {
      String[] rows = note.text().split("\n", -1);
      double w = 0;
      for (String row : rows) {
        w = Math.max(w, Type.width(row, NOTE.size(), false));
      }
      Spot spot = spot(ink, w, rows.length * NOTE_HEIGHT, note.corner().name(), false);
      spots.add(spot);
      ink.image(new int[0], 1, spot.x, spot.y, spot.width, spot.height);
    }
    List<Entry> entries = legendEntries();
    if (!entries.isEmpty()
        && plot.legend != Plot.Legend.NONE
        && plot.legend != Plot.Legend.OUTSIDE) {
      double h = entries.size() * LINE_HEIGHT;
      boolean fixed = plot.legend != Plot.Legend.AUTO;
      spots.add(spot(ink, legendWidth(entries), h, plot.legend.name(), fixed));
    }
    return spots;
  }

  private boolean textHidesData() {
    return spots().stream().anyMatch(s -> s.hidden > 0);
  }

  private void notes(Canvas canvas, List<Spot> spots) {
    for (int k = 0; k < plot.notes.size(); k++) {
      Spot spot = spots.get(k);
      spot.clear(canvas);
      boolean right = spot.x > to.left() + to.width() / 2 - spot.width / 2;
      double y = spot.y + NOTE.size();
      for (String row : plot.notes.get(k).text().split("\n", -1)) {
        canvas.text(
            row,
            right ? spot.x + spot.width : spot.x,
            y,
            NOTE,
            right ? Canvas.Anchor.END : Canvas.Anchor.START,
            0);
        y += NOTE_HEIGHT;
      }
    }
  }

  private record Entry(String label, Style style, boolean area) {}

  private List<Entry> legendEntries() {
    var entries = new ArrayList<Entry>();
    for (Mark mark : plot.marks) {
      Style style = mark.style();
      if (style != null && !style.label().isEmpty()) {
        entries.add(new Entry(style.label(), style, mark.area()));
      }
    }
    return entries;
  }

  private static double legendWidth(List<Entry> entries) {
    return SWATCH
        + 6
        + entries.stream()
            .mapToDouble(e -> Type.width(e.label(), TICK.size(), false))
            .max()
            .orElse(0);
  }

  private void legend(Canvas canvas, List<Spot> spots) {
    List<Entry> entries = legendEntries();
    if (entries.isEmpty() || plot.legend == Plot.Legend.NONE || missing) {
      return;
    }
    double x = legendX;
    double y = to.top();
    if (plot.legend != Plot.Legend.OUTSIDE) {
      Spot spot = spots.getLast();
      spot.clear(canvas);
      x = spot.x;
      y = spot.y;
    }
    for (Entry entry : entries) {
      double middle = y + LINE_HEIGHT / 2;
      swatch(canvas, entry, x, middle);
      canvas.text(
          entry.label(),
          x + SWATCH + 5,
          middle + TICK.size() * Type.CAP_HEIGHT / 2,
          TICK,
          Canvas.Anchor.START,
          0);
      y += LINE_HEIGHT;
    }
  }

  private static void swatch(Canvas canvas, Entry entry, double x, double y) {
    Style style = entry.style();
    if (entry.area()) {
      var box = new Path2D.Double();
      box.append(new Rectangle2D.Double(x + 6, y - 3.5, SWATCH - 12, 7), false);
      canvas.path(
          box,
          style.filled() ? new Canvas.Ink(style.rgb(), style.opacity()) : null,
          style.filled()
              ? style.opacity() < 1 ? null : new Canvas.Pen(0x202020, 1, 0.7)
              : style.pen());
      return;
    }
    if (style.width() > 0) {
      var line = new Path2D.Double();
      Mark.segment(line, x, y, x + SWATCH, y);
      canvas.path(line, null, style.pen());
    }
    var unit = new Projection(x, y, SWATCH, 1, Axis.hidden(), 0, 1, Axis.hidden(), 0, 1);
    Mark.markers(canvas, style, new double[] {0.5}, new double[] {1}, unit);
  }
}
