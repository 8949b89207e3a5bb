package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.figures.Axis;
import org.jspecify.annotations.Nullable;

/**
 * The figure and the report of {@link FieldExperiment}.
 *
 * @param occlusion the median map of the units; null where no unit responds
 */
record FieldFigures(
    RunContext context, List<Gradient> gradients, @Nullable ReceptiveField occlusion) {

  /** The field by the gradient after a timestep, from 0. */
  record Gradient(int timestep, ReceptiveField field) {}

  Findings findings(Findings findings, FieldExperiment.Summary summary) {
    List<Panel> panels = new ArrayList<>();
    for (Gradient g : gradients) {
      double extent = g.field.extent();
      String after = ", timestep " + g.timestep;
      if (g == gradients.getFirst() || g.timestep == context.lastStep()) {
        int shown = (int) Math.min(context.size() / 2.0, Math.max(24, extent));
        panels.add(
            panel(panels.size(), "gradient" + after, "Gradient" + after, g.field, shown, true));
      }
      findings.value(
          "Extent of the gradient" + after,
          "%s px (%s deg)"
              .formatted(
                  Format.number(extent),
                  Format.number(extent / context.settings().pixelsPerDegree())));
    }
    ReceptiveField map = occlusion;
    if (map != null) {
      panels.add(
          panel(panels.size(), "occlusion", "Occlusion", map, context.size(), false)
              .title("Occlusion", summary.n()));
      findings
          .value("Extent of units' occlusion maps, mean [95 %] (px)", summary.occlusionExtent())
          .value(
              "Extent of the median occlusion map",
              "%s px with squares of %s px"
                  .formatted(Format.number(map.extent()), summary.squareSidePx()));
    }
    return findings.figure(
        new FigureSpec(
            "receptive_field",
            gradients.isEmpty() ? 5.5 : 15,
            4.6,
            """
            Mean absolute gradient of the units' mean response after the first and the last \
            timestep; median over units of the fraction by which a gray square of %s px reduces \
            the response, at the position of its center.\
            """
                .formatted(summary.squareSidePx()),
            true,
            panels));
  }

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
  private Panel panel(
      int column, String key, String title, ReceptiveField field, int within, boolean gradient) {
    Frame frame = context.frame();
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
