package org.gammanet.experiments.export;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.gammanet.io.DataException;
import org.jspecify.annotations.Nullable;

/**
 * What the stimuli of a recording are: a row per stimulus, in the order of the responses.
 *
 * @param columns names
 * @param rows cells: numbers, texts, or null where a stimulus has no such parameter
 */
public record StimulusTable(List<String> columns, List<List<@Nullable Object>> rows) {
  private static final List<String> COMMON =
      List.of(
          "row",
          "condition",
          "type",
          "orientation_modulation_deg",
          "orientation_axis_deg",
          "contrast",
          "cycles_per_image",
          "phase_rad",
          "center_y_px",
          "center_x_px",
          "height_px",
          "width_px");

  /**
   * The parameters of stimuli, with both conventions of orientation.
   *
   * @param conditions of the first stimuli; those that follow are blanks
   */
  public static StimulusTable of(List<? extends Stimulus> stimuli, List<?> conditions) {
    Set<String> parameters = new LinkedHashSet<>();
    stimuli.forEach(s -> parameters.addAll(s.meta().parameters().keySet()));
    List<String> columns = new ArrayList<>(COMMON);
    columns.addAll(parameters);
    List<List<@Nullable Object>> rows = new ArrayList<>();
    for (int i = 0; i < stimuli.size(); i++) {
      StimulusMeta meta = stimuli.get(i).meta();
      Orientation orientation = meta.orientation();
      List<@Nullable Object> cells = new ArrayList<>();
      cells.add(i);
      cells.add(i < conditions.size() ? String.valueOf(conditions.get(i)) : "blank");
      cells.add(meta.type());
      cells.add(orientation == null ? null : orientation.modulation());
      cells.add(orientation == null ? null : orientation.axis());
      cells.addAll(List.of(meta.contrast(), meta.cyclesPerImage(), meta.phase()));
      cells.addAll(List.of(meta.center().y(), meta.center().x(), meta.height(), meta.width()));
      parameters.forEach(p -> cells.add(meta.parameters().get(p)));
      rows.add(cells);
    }
    return new StimulusTable(columns, rows);
  }

  /** Whether all cells of a column that are not null are numbers. */
  boolean isNumeric(int column) {
    return rows.stream().allMatch(r -> r.get(column) == null || r.get(column) instanceof Number);
  }

  /** A column of numbers; NaN for null. */
  double[] numbers(int column) {
    return rows.stream()
        .mapToDouble(r -> r.get(column) instanceof Number n ? n.doubleValue() : Double.NaN)
        .toArray();
  }

  /** A column as texts; empty for null. */
  String[] texts(int column) {
    return rows.stream()
        .map(r -> r.get(column) == null ? "" : String.valueOf(r.get(column)))
        .toArray(String[]::new);
  }

  /**
   * The luminance of stimuli: n x height x width.
   *
   * @throws DataException if it has more values than an array can hold
   */
  public static float[] luminance(List<? extends Stimulus> stimuli) {
    Frame frame = stimuli.getFirst().frame();
    int pixels = Math.multiplyExact(frame.height(), frame.width());
    long count = (long) stimuli.size() * pixels;
    if (count > Responses.MAX_VALUES) {
      throw new DataException(
          "%s stimuli of %s x %s pixels (height x width) have %s values; an array can hold %s"
              .formatted(
                  stimuli.size(), frame.height(), frame.width(), count, Responses.MAX_VALUES));
    }
    float[] out = new float[(int) count];
    for (int i = 0; i < stimuli.size(); i++) {
      System.arraycopy(stimuli.get(i).draw(), 0, out, i * pixels, pixels);
    }
    return out;
  }

  /** Words of all columns, for messages. */
  @Override
  public String toString() {
    return rows.size() + " stimuli with " + Arrays.toString(columns.toArray());
  }
}
