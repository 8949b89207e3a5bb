package org.gammanet.experiments.analysis;

/**
 * A unit's response over timesteps.
 *
 * @param peakStep step of the first maximum, from 0
 * @param halfRiseStep where the trace first reaches half of the peak, by linear interpolation; 0
 *     where it is there at once; NaN where the peak is not positive
 * @param transience {@code (peak - last) / peak}; NaN where the peak is at most 1e-12
 */
public record Dynamics(int peakStep, double halfRiseStep, double transience) {

  /**
   * Measures a trace.
   *
   * @param trace response after each timestep
   * @throws IllegalArgumentException for an empty trace or a response that is not finite
   */
  public static Dynamics of(double[] trace) {
    Curves.require(trace, trace, 1, "timestep");
    int peak = Curves.argMax(trace);
    double half = trace[peak] / 2;
    double rise = Double.NaN;
    if (trace[peak] > Curves.EPSILON) {
      int i = 0;
      while (trace[i] < half) {
        i++;
      }
      rise = i == 0 ? 0 : i - 1 + (half - trace[i - 1]) / (trace[i] - trace[i - 1]);
    }
    return new Dynamics(
        peak, rise, OrientationMeasures.ratio(trace[peak] - trace[trace.length - 1], trace[peak]));
  }

  /** The first step at which a value, NaN aside, exceeds a threshold; -1 where none does. */
  public static int firstAbove(double[] values, double threshold) {
    for (int i = 0; i < values.length; i++) {
      if (values[i] > threshold) {
        return i;
      }
    }
    return -1;
  }

  /** Balance {@code (E - I) / (|E| + |I|)} of excitation and inhibition; 0 where both vanish. */
  public static double balance(double excitation, double inhibition) {
    double sum = Math.abs(excitation) + Math.abs(inhibition);
    return sum == 0 ? 0 : (excitation - inhibition) / sum;
  }

  /**
   * {@link #balance} at each step.
   *
   * @throws IllegalArgumentException where the lengths differ or a number is not finite
   */
  public static double[] balance(double[] excitation, double[] inhibition) {
    Curves.sameLength(excitation, inhibition, 1, "excitatory and inhibitory traces");
    double[] out = new double[excitation.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = balance(excitation[i], inhibition[i]);
    }
    return out;
  }
}
