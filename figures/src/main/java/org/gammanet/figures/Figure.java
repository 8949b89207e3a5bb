package org.gammanet.figures;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A figure: panels on a grid, whose axes line up. The same description is drawn as SVG and as PNG;
 * the same description gives the same bytes.
 *
 * <pre>{@code
 * var figure = new Figure(8, 6);
 * figure.panel(0, 0)
 *     .x(Axis.linear("Orientation (deg)").range(-10, 190).ticks(0, 45, 90, 135, 180))
 *     .y(Axis.linear("Response"))
 *     .points(angles, responses, Style.series(0).label("data"))
 *     .line(grid, fit, Style.BLACK.label("fit"));
 * figure.write(Path.of("tuning")); // tuning.svg and tuning.png
 * }</pre>
 */
public final class Figure {
  /** Resolution of PNG files. */
  public static final int DOTS_PER_INCH = 300;

  private record Cell(int row, int column, int rows, int columns, Plot plot) {
    /** Gives a panel the room between the cell's edges. */
    void fit(Panel panel, double[] x, double[] y) {
      panel.fit(x[2 * column], y[2 * row], x[2 * (column + columns) - 1], y[2 * (row + rows) - 1]);
    }
  }

  private final double width;
  private final double height;
  private final List<Cell> cells = new ArrayList<>();
  private String title = "";
  private String footer = "";
  private boolean letters;
  private double[] rowFractions = {};
  private double[] columnFractions = {};

  /**
   * An empty figure.
   *
   * @param widthInches, heightInches its size
   */
  public Figure(double widthInches, double heightInches) {
    if (!(widthInches > 0 && heightInches > 0)) {
      throw new IllegalArgumentException(
          "a figure cannot be %s × %s inches large".formatted(widthInches, heightInches));
    }
    width = 72 * widthInches;
    height = 72 * heightInches;
  }

  /** Title above all panels. */
  public Figure title(String text) {
    title = text;
    return this;
  }

  /** Small print below all panels: conditions, warnings; a line each. */
  public Figure footer(String text) {
    footer = text;
    return this;
  }

  /** Marks the panels A, B, C, … in order. */
  public Figure letters() {
    letters = true;
    return this;
  }

  /** Relative heights of the rows; equal by default. */
  public Figure rowHeights(double... fractions) {
    rowFractions = fractions.clone();
    return this;
  }

  /** Relative widths of the columns; equal by default. */
  public Figure columnWidths(double... fractions) {
    columnFractions = fractions.clone();
    return this;
  }

  /** Adds a panel in one cell of the grid, which grows as needed; numbers from 0. */
  public Plot panel(int row, int column) {
    return panel(row, column, 1, 1);
  }

  /** Adds a panel over several cells of the grid. */
  public Plot panel(int row, int column, int rows, int columns) {
    var plot = new Plot();
    cells.add(new Cell(row, column, rows, columns, plot));
    return plot;
  }

  /** The figure as an SVG document. */
  public String svg() {
    var canvas = new SvgCanvas(width, height);
    draw(canvas);
    return canvas.document(title.isEmpty() ? firstTitle() : title);
  }

  private String firstTitle() {
    return cells.stream()
        .map(c -> c.plot.title)
        .filter(t -> !t.isEmpty())
        .findFirst()
        .orElse("figure");
  }

  /** The figure as a PNG file's bytes. */
  public byte[] png(int dotsPerInch) {
    return Png.encode(image(dotsPerInch), dotsPerInch);
  }

  BufferedImage image(int dotsPerInch) {
    var canvas = new PngCanvas(width, height, dotsPerInch);
    draw(canvas);
    return canvas.image();
  }

  /**
   * Writes {@code <base>.svg} and {@code <base>.png} at {@value #DOTS_PER_INCH} dots per inch,
   * creating the folder if it is missing.
   *
   * @param base path without the ending
   * @return the files written
   * @throws IOException when a file cannot be written
   */
  public List<Path> write(Path base) throws IOException {
    Path folder = base.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    Path svg = base.resolveSibling(base.getFileName() + ".svg");
    save(svg, svg().getBytes(StandardCharsets.UTF_8));
    Path png = base.resolveSibling(base.getFileName() + ".png");
    save(png, png(DOTS_PER_INCH));
    return List.of(svg, png);
  }

  /** Writes a file under a temporary name and renames it, so that it is never half there. */
  static void save(Path file, byte[] bytes) throws IOException {
    Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
    try {
      Files.write(temporary, bytes);
      Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) { // such as a full disk, without the file's name
      throw (IOException)
          new FileSystemException(file.toString(), null, e.getMessage()).initCause(e);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private void draw(Canvas canvas) {
    double top = 8;
    double bottom = height - 8;
    if (!title.isEmpty()) {
      canvas.text(
          title, width / 2, top + 12, new Canvas.Font(13, true, 0), Canvas.Anchor.MIDDLE, 0);
      top += 26;
    }
    if (!footer.isEmpty()) {
      for (String line : footer.lines().toList().reversed()) {
        canvas.text(line, 10, bottom, new Canvas.Font(8, false, 0x505050), Canvas.Anchor.START, 0);
        bottom -= 11;
      }
      bottom -= 3;
    }
    int rows = cells.stream().mapToInt(c -> c.row + c.rows).max().orElse(1);
    int columns = cells.stream().mapToInt(c -> c.column + c.columns).max().orElse(1);
    List<Panel> panels = new ArrayList<>();
    for (int i = 0; i < cells.size(); i++) {
      panels.add(new Panel(cells.get(i).plot, letters ? letter(i) : ""));
    }
    // The margins depend on the ticks and these on the room: begin with a guess, correct once.
    double[] x = new double[2 * columns];
    double[] y = new double[2 * rows];
    double[] letterX = new double[columns];
    even(x, 0, width, columnFractions);
    even(y, top, bottom, rowFractions);
    for (int pass = 0; pass < 3; pass++) {
      double[] before = new double[columns];
      double[] after = new double[columns];
      double[] above = new double[rows];
      double[] below = new double[rows];
      for (int i = 0; i < panels.size(); i++) {
        Cell c = cells.get(i);
        Panel panel = panels.get(i);
        c.fit(panel, x, y);
        before[c.column] = Math.max(before[c.column], panel.leftMargin);
        after[c.column + c.columns - 1] =
            Math.max(after[c.column + c.columns - 1], panel.rightMargin);
        above[c.row] = Math.max(above[c.row], panel.topMargin);
        below[c.row + c.rows - 1] = Math.max(below[c.row + c.rows - 1], panel.bottomMargin);
      }
      distribute(x, 10, width - 12, before, after, columnFractions, 12);
      Arrays.setAll(letterX, i -> x[2 * i] - Math.max(before[i], 14));
      distribute(y, top, bottom, above, below, rowFractions, 10);
    }
    for (int i = 0; i < panels.size(); i++) {
      Cell c = cells.get(i);
      Panel panel = panels.get(i);
      c.fit(panel, x, y);
      panel.draw(canvas, letterX[c.column], y[2 * c.row] - 6);
    }
  }

  private static void even(double[] edges, double from, double to, double[] fractions) {
    distribute(
        edges, from, to, new double[edges.length / 2], new double[edges.length / 2], fractions, 0);
  }

  /** Puts start and end of each inner rectangle into {@code edges}. */
  private static void distribute(
      double[] edges,
      double from,
      double to,
      double[] before,
      double[] after,
      double[] fractions,
      double gap) {
    int n = before.length;
    double room =
        to - from - gap * (n - 1) - Arrays.stream(before).sum() - Arrays.stream(after).sum();
    double all = 0;
    for (int i = 0; i < n; i++) {
      all += fraction(fractions, i);
    }
    // A figure too small for its words keeps a little room for its data.
    room = Math.max(room, 20.0 * n);
    double at = from;
    for (int i = 0; i < n; i++) {
      edges[2 * i] = at + before[i];
      edges[2 * i + 1] = edges[2 * i] + room * fraction(fractions, i) / all;
      at = edges[2 * i + 1] + after[i] + gap;
    }
  }

  private static double fraction(double[] fractions, int i) {
    return i < fractions.length ? fractions[i] : 1;
  }

  private static String letter(int i) {
    return i < 26 ? String.valueOf((char) ('A' + i)) : letter(i / 26 - 1) + letter(i % 26);
  }
}
