package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.study.RunContext;

/** Where units are recorded, pixels from the boundary and along it. */
record BoundaryPositions(double step, double[] columns, double[] rows) {
  static BoundaryPositions of(RunContext context) {
    int step = Math.max((int) Math.max(1, Math.round(context.pixels(4))), context.stride());
    int reach =
        Math.min((int) Math.round(context.pixels(32)), context.size() / 2 - 8) / step * step;
    return new BoundaryPositions(
        step,
        Samples.fill(2 * reach / step, i -> -reach + step * i),
        context.size() >= context.pixels(96)
            ? context.pixels(new double[] {-18, 0, 18})
            : new double[] {0});
  }

  List<PixelPoint> points(int size) {
    List<PixelPoint> out = new ArrayList<>();
    for (double y : rows) {
      for (double x : columns) {
        // The unit's center is half its stride to the right of its first pixel.
        out.add(new PixelPoint((int) (size / 2 + y), (int) (size / 2 + x + step / 2)));
      }
    }
    return out;
  }

  double[] distances() {
    return Arrays.stream(columns).map(x -> x + step / 2).toArray();
  }

  /** The last column left of the boundary. */
  int beside() {
    return columns.length / 2 - 1;
  }

  int count() {
    return rows.length * columns.length;
  }
}
