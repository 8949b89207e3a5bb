package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;

/** A picture of a set: its stimuli side by side, each with what distinguishes it. */
public final class ContactSheet {
  private ContactSheet() {}

  /**
   * Draws a set. Bare patterns about 0 are shown as luminances 0.5 + 0.5 P.
   *
   * @param most the largest number of stimuli shown; of larger sets, evenly spaced ones
   */
  public static Figure of(StimulusSet set, int most) {
    int n = Math.min(set.size(), Math.max(1, most));
    List<Integer> shown = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      shown.add((int) ((long) i * set.size() / n));
    }
    int columns = (int) Math.ceil(Math.sqrt(n * 1.3));
    int rows = (n + columns - 1) / columns;
    double aspect = (double) set.height() / set.width();
    var figure = new Figure(0.4 + 1.25 * columns, 0.9 + (1.25 * aspect + 0.35) * rows);
    figure.title(
        n == set.size()
            ? "%s stimuli, %s × %s px".formatted(n, set.width(), set.height())
            : "%s of %s stimuli, %s × %s px".formatted(n, set.size(), set.width(), set.height()));
    for (int i = 0; i < n; i++) {
      StimulusImage image = set.get(shown.get(i));
      figure
          .panel(i / columns, i % columns)
          .title(caption(image.meta()))
          .x(Axis.hidden())
          .y(Axis.hidden().reverse())
          .luminance(luminance(image.values()), image.width());
    }
    return figure;
  }

  private static float[] luminance(float[] values) {
    float least = 0;
    for (float v : values) {
      least = Math.min(least, v);
    }
    if (least >= 0) {
      return values;
    }
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = 0.5f + 0.5f * values[i];
    }
    return out;
  }

  private static String caption(StimulusMeta meta) {
    Orientation orientation = meta.orientation();
    if (orientation == null) {
      return "blank";
    }
    boolean bar = meta.parameters().containsKey("axis");
    var text = new StringBuilder();
    text.append(bar ? "axis " : "")
        .append(number(bar ? orientation.axis() : orientation.modulation()));
    text.append('°');
    for (String name : List.of("orientation_difference", "surround_tilt", "flanker_angle")) {
      if (meta.parameters().get(name) instanceof Number value) {
        text.append(value.doubleValue() < 0 ? " −" : " +")
            .append(number(Math.abs(value.doubleValue())))
            .append('°');
      }
    }
    return text.toString();
  }

  private static String number(double value) {
    String text = String.format(Locale.ROOT, "%.1f", value);
    return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
  }
}
