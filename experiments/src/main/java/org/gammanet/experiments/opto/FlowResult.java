package org.gammanet.experiments.opto;

import java.util.Arrays;

/**
 * Input through horizontal connections, with and without the perturbation: the two rectified
 * horizontal terms of the cell, {@code relu(W_exc * N(i'))} (E) and {@code relu(W_inh * N(e))} (I),
 * or what {@link Definitions#horizontalInput} says.
 *
 * @param layer cell
 * @param factor gain of the drive inside the perturbed disc
 * @param centerY row of the perturbed site
 * @param centerX its column
 * @param height of the layer's map, pixels
 * @param width pixels
 * @param baseline without perturbation
 * @param perturbed with it
 */
public record FlowResult(
    String layer,
    double factor,
    int centerY,
    int centerX,
    int height,
    int width,
    Trace baseline,
    Trace perturbed) {

  /**
   * One run.
   *
   * @param excitatory E at the perturbed site: [T][C]
   * @param inhibitory I there: [T][C]
   * @param excitatoryMap E at the last timestep, mean over channels: [height][width] row by row
   * @param inhibitoryMap I likewise
   * @param excitatorySources where E at the perturbed site comes from, before rectification: the
   *     contribution of each pixel under the kernel, mean over output channels, [T][k · k]; empty
   *     without {@link Definitions#splitsSources}
   * @param inhibitorySources likewise for I
   */
  public record Trace(
      double[][] excitatory,
      double[][] inhibitory,
      double[] excitatoryMap,
      double[] inhibitoryMap,
      double[][] excitatorySources,
      double[][] inhibitorySources) {

    /** E at the perturbed site, mean over channels: [T]. */
    public double[] meanExcitatory() {
      return means(excitatory);
    }

    /** I at the perturbed site, mean over channels: [T]. */
    public double[] meanInhibitory() {
      return means(inhibitory);
    }

    private static double[] means(double[][] rows) {
      double[] out = new double[rows.length];
      for (int t = 0; t < out.length; t++) {
        for (double v : rows[t]) {
          out[t] += v / rows[t].length;
        }
      }
      return out;
    }
  }

  /** E with minus E without perturbation at the perturbed site, mean over channels: [T]. */
  public double[] excitatoryChange() {
    return difference(perturbed.meanExcitatory(), baseline.meanExcitatory());
  }

  /** I likewise. */
  public double[] inhibitoryChange() {
    return difference(perturbed.meanInhibitory(), baseline.meanInhibitory());
  }

  /** Change of E at the last timestep, mean over channels. */
  public SurroundMap excitatoryChangeMap() {
    return map(difference(perturbed.excitatoryMap, baseline.excitatoryMap));
  }

  /** Change of I at the last timestep, mean over channels. */
  public SurroundMap inhibitoryChangeMap() {
    return map(difference(perturbed.inhibitoryMap, baseline.inhibitoryMap));
  }

  private SurroundMap map(double[] values) {
    return new SurroundMap(values, height, width, centerY, centerX);
  }

  private static double[] difference(double[] a, double[] b) {
    double[] out = new double[a.length];
    Arrays.setAll(out, i -> a[i] - b[i]);
    return out;
  }
}
