package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.SizeTuning;
import org.gammanet.experiments.study.RunContext;

/**
 * Per probe, the center and the ring with which experiments on surrounds begin.
 *
 * @param centerDiameterPx median summation field of the probe's units
 * @param ringInnerDiameterPx of the smallest ring that leaves their median response below 5 % of
 *     that to the best disc
 * @param ringAloneIsSilent whether there is such a ring
 */
record Fields(
    double[] centerDiameterPx, double[] ringInnerDiameterPx, boolean[] ringAloneIsSilent) {
  /** A ring that evokes less, as a fraction of the center's response, is outside the field. */
  static final double SILENT = 0.05;

  /**
   * What was measured.
   *
   * @param rings of each probe, the median response to rings over that to the best disc
   */
  record Measured(Fields fields, List<double[]> rings) {}

  /** What {@link SizeExperiment} found; a center of 25 px and a ring from 33 px for a preview. */
  static Fields of(RunContext context) {
    int n = context.settings().probes();
    return context
        .findings("size_tuning", SizeExperiment.Summary.class)
        .map(SizeExperiment.Summary::fields)
        .orElseGet(
            () ->
                new Fields(
                    Samples.fill(n, i -> context.pixels(25)),
                    Samples.fill(n, i -> context.pixels(33)),
                    new boolean[n]));
  }

  /** The outer radius of rings around centers, pixels. */
  static double outerRadius(RunContext context) {
    return Math.min(context.pixels(80), context.frame().largestRadius());
  }

  static Measured measure(
      Probed<SizeExperiment.Condition> probed, double[] diameters, double[] inner) {
    RunContext context = probed.context();
    int probes = probed.preferences().probes().size();
    double[] center = new double[probes];
    double[] ring = new double[probes];
    boolean[] silent = new boolean[probes];
    List<double[]> rings = new ArrayList<>();
    for (int p = 0; p < probes; p++) {
      int[] units = probed.preferences().testedWith(p);
      double[][] discs =
          curves(probed, units, diameters, SizeStimuli.discs(context.settings().contrast()));
      double summation =
          Samples.median(
              Samples.fill(
                  units.length, i -> SizeTuning.of(diameters, discs[i], 0).summationField()));
      center[p] =
          Math.clamp(
              Double.isNaN(summation) ? context.pixels(13) : summation,
              context.pixels(5),
              context.pixels(45)); // room for a ring
      double[][] withRing = curves(probed, units, inner, SizeExperiment.Ring::new);
      double[] fractions =
          Samples.fill(
              inner.length,
              k ->
                  Samples.median(
                      Samples.fill(units.length, i -> fraction(withRing[i][k], discs[i]))));
      rings.add(fractions);
      int chosen = inner.length;
      while (chosen > 0 && Math.abs(fractions[chosen - 1]) < SILENT) {
        chosen--;
      }
      silent[p] = chosen < inner.length;
      ring[p] =
          Math.max(
              silent[p] ? inner[chosen] : center[p] + context.pixels(4),
              center[p] + context.pixels(2));
    }
    return new Measured(new Fields(center, ring, silent), rings);
  }

  private static double[][] curves(
      Probed<SizeExperiment.Condition> probed,
      int[] units,
      double[] values,
      Probed.Shown<SizeExperiment.Condition> shown) {
    return Arrays.stream(units)
        .mapToObj(u -> probed.curve(probed.last(u), values, shown))
        .toArray(double[][]::new);
  }

  private static double fraction(double response, double[] discs) {
    double best = Samples.maximum(discs);
    return best > 1e-12 ? response / best : Double.NaN;
  }
}
