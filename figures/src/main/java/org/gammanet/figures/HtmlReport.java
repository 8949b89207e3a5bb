package org.gammanet.figures;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A report of one run as a single HTML file: text, tables and figures inside it, nothing loaded
 * from elsewhere, no scripts; made for the screen and for paper.
 *
 * <p>Texts are plain; {@code ^{…}} and {@code _{…}} raise and lower a part as in figures.
 */
public final class HtmlReport {
  private static final String STYLE =
      """
      :root { color-scheme: light; }
      body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.5rem 4rem; color: #1a1a1a;
        background: #fff; font: 16px/1.5 Helvetica, Arial, "Liberation Sans", sans-serif; }
      h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
      h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .8rem;
        border-top: 1px solid #d8d8d8; }
      h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
      p { max-width: 46rem; margin: .5rem 0; }
      .lead { color: #444; }
      .warning { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .5rem .9rem; }
      nav { margin: 1.2rem 0; columns: 16rem; }
      nav a { display: block; color: #00527f; text-decoration: none; padding: .1rem 0; }
      nav a:hover { text-decoration: underline; }
      figure { margin: 1.4rem 0; }
      figure svg { display: block; max-width: 100%; height: auto; }
      .pictures { display: flex; gap: .4rem; break-inside: avoid; }
      .pictures img { flex: 1 1 0; min-width: 0; object-fit: contain; border: 1px solid #ddd; }
      figcaption, caption { color: #333; font-size: .9rem; text-align: left; max-width: 46rem; }
      figcaption { margin-top: .4rem; }
      caption { padding-bottom: .4rem; }
      .scroll { overflow-x: auto; margin: 1rem 0; }
      table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
      th, td { padding: .22rem .9rem .22rem 0; text-align: left; vertical-align: top; }
      thead th { border-bottom: 1.5px solid #333; }
      tbody tr + tr > * { border-top: 1px solid #ececec; }
      td.number, th.number { text-align: right; }
      tbody th { font-weight: normal; color: #444; padding-right: 1.6rem; }
      code, .hash { font: .85em/1.4 "Liberation Mono", Menlo, Consolas, monospace;
        overflow-wrap: anywhere; }
      footer { margin-top: 3rem; color: #555; font-size: .85rem; border-top: 1px solid #d8d8d8;
        padding-top: .6rem; }
      @media print {
        body { max-width: none; padding: 0; font-size: 10.5pt; }
        nav { display: none; }
        h2 { break-after: avoid; }
        figure, tr, .warning { break-inside: avoid; }
        figure svg { max-height: 22cm; }
        @page { margin: 18mm; }
      }
      """;

  private final String title;
  private final StringBuilder body = new StringBuilder();
  private final Map<String, String> sections = new LinkedHashMap<>();
  private final List<String> footer = new ArrayList<>();
  private String lead = "";
  private int figures;
  private int tables;

  /** An empty report. */
  public HtmlReport(String title) {
    this.title = title;
  }

  /** A sentence below the title. */
  public HtmlReport lead(String text) {
    lead = text;
    return this;
  }

  /** Begins a section, listed at the top. */
  public HtmlReport section(String heading) {
    String id = "s" + (sections.size() + 1);
    sections.put(id, heading);
    body.append("<h2 id=\"%s\">%s</h2>\n".formatted(id, html(heading)));
    return this;
  }

  /** A smaller heading. */
  public HtmlReport heading(String text) {
    body.append("<h3>").append(html(text)).append("</h3>\n");
    return this;
  }

  /** A paragraph. */
  public HtmlReport text(String text) {
    body.append("<p>").append(html(text)).append("</p>\n");
    return this;
  }

  /** A highlighted paragraph: an untrained network, a disqualified run. */
  public HtmlReport warning(String text) {
    body.append("<p class=\"warning\">").append(html(text)).append("</p>\n");
    return this;
  }

  /** A figure with its numbered caption. */
  public HtmlReport figure(Figure figure, String caption) {
    body.append("<figure>\n")
        .append(figure.svg())
        .append(
            "<figcaption><b>Figure %s.</b> %s</figcaption>\n</figure>\n"
                .formatted(++figures, html(caption)));
    return this;
  }

  /**
   * A picture other than a figure, such as a photo.
   *
   * @param bytes an encoded file
   * @param type its media type, such as {@code image/png}
   * @param alternative alternative text
   */
  public record Picture(byte[] bytes, String type, String alternative) {}

  /** Pictures side by side with one caption. */
  public HtmlReport pictures(List<Picture> pictures, String caption) {
    body.append("<figure>\n<div class=\"pictures\">");
    for (Picture picture : pictures) {
      body.append(
          "<img alt=\"%s\" src=\"data:%s;base64,%s\">\n"
              .formatted(
                  html(picture.alternative),
                  picture.type,
                  Base64.getEncoder().encodeToString(picture.bytes)));
    }
    body.append("</div>\n<figcaption>%s</figcaption>\n</figure>\n".formatted(html(caption)));
    return this;
  }

  /** Names and values, one a line: parameters, versions. */
  public HtmlReport values(Map<String, ?> values) {
    body.append("<div class=\"scroll\"><table><tbody>\n");
    values.forEach(
        (name, value) -> {
          String text = String.valueOf(value);
          boolean hash = text.matches("[0-9a-f]{32,}");
          body.append(
              "<tr><th scope=\"row\">%s</th><td%s>%s</td></tr>\n"
                  .formatted(html(name), hash ? " class=\"hash\"" : "", html(text)));
        });
    body.append("</tbody></table></div>\n");
    return this;
  }

  /**
   * A table; columns whose cells are all numbers (or "n/a") stand to the right.
   *
   * @param rows cells, as many in each row as there are {@code columns}
   */
  public HtmlReport table(String caption, List<String> columns, List<List<String>> rows) {
    boolean[] numeric = new boolean[columns.size()];
    for (int c = 0; c < numeric.length; c++) {
      int column = c;
      for (List<String> row : rows) {
        if (row.size() != columns.size()) {
          throw new IllegalArgumentException(
              "a row of the table '%s' has %s cells for %s columns"
                  .formatted(caption, row.size(), columns.size()));
        }
      }
      numeric[c] = !rows.isEmpty() && rows.stream().allMatch(r -> isNumber(r.get(column)));
    }
    body.append("<div class=\"scroll\"><table>\n<caption><b>Table %s.</b> ".formatted(++tables))
        .append(html(caption))
        .append("</caption>\n<thead>");
    row(columns, numeric, "th scope=\"col\"", "th");
    body.append("</thead>\n<tbody>\n");
    rows.forEach(r -> row(r, numeric, "td", "td"));
    body.append("</tbody></table></div>\n");
    return this;
  }

  private void row(List<String> cells, boolean[] numeric, String open, String close) {
    body.append("<tr>");
    for (int c = 0; c < cells.size(); c++) {
      body.append('<')
          .append(open)
          .append(numeric[c] ? " class=\"number\">" : ">")
          .append(html(cells.get(c)))
          .append("</")
          .append(close)
          .append('>');
    }
    body.append("</tr>\n");
  }

  /** A line at the end of the report. */
  public HtmlReport footer(String text) {
    footer.add(text);
    return this;
  }

  /** The document. */
  public String html() {
    var out = new StringBuilder();
    out.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .append("<title>%s</title>\n".formatted(SvgCanvas.escaped(plain(title))))
        .append("<style>\n")
        .append(STYLE)
        .append("</style>\n</head>\n<body>\n<h1>%s</h1>\n".formatted(html(title)));
    if (!lead.isEmpty()) {
      out.append("<p class=\"lead\">%s</p>\n".formatted(html(lead)));
    }
    if (sections.size() > 1) {
      out.append("<nav aria-label=\"Contents\">\n");
      sections.forEach(
          (id, heading) -> out.append("<a href=\"#%s\">%s</a>\n".formatted(id, html(heading))));
      out.append("</nav>\n");
    }
    out.append(body);
    if (!footer.isEmpty()) {
      out.append("<footer>\n");
      footer.forEach(line -> out.append("<div>%s</div>\n".formatted(html(line))));
      out.append("</footer>\n");
    }
    return out.append("</body>\n</html>\n").toString();
  }

  /**
   * Writes the report, creating the folder if it is missing.
   *
   * @throws IOException when the file cannot be written
   */
  public void write(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    Figure.save(file, html().getBytes(StandardCharsets.UTF_8));
  }

  /**
   * A number, perhaps with an error, an interval or a unit behind it; or none where one belongs.
   */
  private static boolean isNumber(String cell) {
    return cell.equals("n/a")
        || cell.isEmpty()
        || cell.matches("[<≈]? ?[−+-]?[0-9∞].{0,24}") && !cell.matches(".*\\p{L}{4,}.*");
  }

  private static String plain(String text) {
    var out = new StringBuilder();
    Type.runs(text).forEach(run -> out.append(run.text()));
    return out.toString();
  }

  private static String html(String text) {
    var out = new StringBuilder();
    for (Type.Run run : Type.runs(text)) {
      String part = SvgCanvas.escaped(run.text());
      switch (Integer.signum(run.level())) {
        case 1 -> out.append("<sup>").append(part).append("</sup>");
        case -1 -> out.append("<sub>").append(part).append("</sub>");
        default -> out.append(part);
      }
    }
    return out.toString();
  }
}
