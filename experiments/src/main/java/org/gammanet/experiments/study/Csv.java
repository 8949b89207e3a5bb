package org.gammanet.experiments.study;

import org.jspecify.annotations.Nullable;

/** Tables as comma-separated values (RFC 4180); NaN and null are empty cells. */
public final class Csv {
  private final StringBuilder out = new StringBuilder();

  /** Adds a row. */
  public Csv row(Iterable<? extends @Nullable Object> cells) {
    String comma = "";
    for (@Nullable Object cell : cells) {
      out.append(comma).append(cell(cell));
      comma = ",";
    }
    out.append('\n');
    return this;
  }

  private static String cell(@Nullable Object value) {
    if (value == null || (value instanceof Double d && !Double.isFinite(d))) {
      return "";
    }
    String text = value.toString();
    return text.matches("[^,\"\r\n]*") ? text : '"' + text.replace("\"", "\"\"") + '"';
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
