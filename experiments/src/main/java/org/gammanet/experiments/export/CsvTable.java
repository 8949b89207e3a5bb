package org.gammanet.experiments.export;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.io.DataException;

/**
 * A table of comma-separated values (RFC 4180), with names in its first row.
 *
 * @param columns names
 * @param rows cells as texts, as many in each row as there are columns
 */
public record CsvTable(List<String> columns, List<List<String>> rows) {
  /**
   * Reads a file.
   *
   * @throws DataException for rows of different lengths, an open quotation, an empty file, or one
   *     that is not UTF-8 text
   */
  public static CsvTable read(Path file) throws IOException {
    String text;
    try {
      text = Files.readString(file, StandardCharsets.UTF_8).replaceFirst("^\uFEFF", "");
    } catch (CharacterCodingException e) {
      throw new DataException(file + " is not UTF-8 text", e);
    }
    List<List<String>> rows = new ArrayList<>();
    List<String> row = new ArrayList<>();
    var cell = new StringBuilder();
    boolean quoted = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quoted) {
        if (c != '"') {
          cell.append(c);
        } else if (i + 1 < text.length() && text.charAt(i + 1) == '"') {
          cell.append('"');
          i++;
        } else {
          quoted = false;
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',' || c == '\n') {
        row.add(cell.toString());
        cell.setLength(0);
        if (c == '\n') {
          rows.add(row);
          row = new ArrayList<>();
        }
      } else if (c != '\r') {
        cell.append(c);
      }
    }
    if (quoted) {
      throw new DataException(file + ": a quotation is not closed");
    }
    if (!cell.isEmpty() || !row.isEmpty()) {
      row.add(cell.toString());
      rows.add(row);
    }
    rows.removeIf(r -> r.size() == 1 && r.getFirst().isBlank());
    if (rows.isEmpty()) {
      throw new DataException(file + " is empty: a first row of names is needed");
    }
    List<String> columns = rows.removeFirst();
    for (int i = 0; i < rows.size(); i++) {
      if (rows.get(i).size() != columns.size()) {
        throw new DataException(
            "%s: row %s has %s cells for %s columns"
                .formatted(file, i + 2, rows.get(i).size(), columns.size()));
      }
    }
    return new CsvTable(List.copyOf(columns), List.copyOf(rows));
  }

  /** Whether there is a column. */
  public boolean has(String column) {
    return columns.contains(column);
  }

  /**
   * The cells of a column.
   *
   * @throws DataException where there is none of this name
   */
  public List<String> column(String name) {
    int at = columns.indexOf(name);
    if (at < 0) {
      throw new DataException(
          "there is no column %s; there are %s".formatted(name, String.join(", ", columns)));
    }
    return rows.stream().map(r -> r.get(at)).toList();
  }

  /** The numbers of a column; NaN for cells that are none. */
  public double[] numbers(String name) {
    return column(name).stream()
        .mapToDouble(
            c -> {
              try {
                return Double.parseDouble(c);
              } catch (NumberFormatException e) {
                return Double.NaN;
              }
            })
        .toArray();
  }
}
