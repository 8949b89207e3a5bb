package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.study.Panel;
import org.gammanet.figures.Axis;

/** Maps of receptive fields. */
final class FieldMaps {
  private FieldMaps() {}

  /** The median of maps at each position. */
  static ReceptiveField median(List<ReceptiveField> maps) {
    ReceptiveField first = maps.getFirst();
    double[] values =
        Samples.fill(
            first.values().length,
            i -> Samples.median(maps.stream().mapToDouble(m -> m.values()[i]).toArray()));
    return new ReceptiveField(first.height(), first.width(), values, first.step(), first.first());
  }

  /** A map within a distance of the image's center; a gradient as fractions of its maximum. */
  static Panel panel(
      int column,
      String key,
      String title,
      ReceptiveField field,
      Frame frame,
      int within,
      boolean gradient) {
    int[] rows =
        IntStream.range(0, field.height())
            .filter(r -> Math.abs(y(field, frame, r)) <= within)
            .toArray();
    int[] columns =
        IntStream.range(0, field.width())
            .filter(c -> Math.abs(x(field, frame, c)) <= within)
            .toArray();
    double[][] values = new double[rows.length][columns.length];
    double largest = 0;
    for (int r = 0; r < rows.length; r++) {
      for (int c = 0; c < columns.length; c++) {
        values[r][c] = field.values()[rows[r] * field.width() + columns[c]];
        largest = Math.max(largest, Math.abs(values[r][c]));
      }
    }
    return Panel.at(0, column, key)
        .title(title)
        .axes(Axis.linear("x − center (px)"), Axis.linear("y − center (px)").reverse())
        .heatMap(
            IntStream.of(columns).mapToDouble(c -> x(field, frame, c)).toArray(),
            IntStream.of(rows).mapToDouble(r -> y(field, frame, r)).toArray(),
            values,
            gradient && largest > 0 ? largest : 1,
            !gradient,
            gradient ? "|Gradient| (fraction of maximum)" : "Response reduction (fraction)");
  }

  private static int x(ReceptiveField field, Frame frame, int column) {
    return field.first().x() + column * field.step() - frame.center().x();
  }

  private static int y(ReceptiveField field, Frame frame, int row) {
    return field.first().y() + row * field.step() - frame.center().y();
  }
}
