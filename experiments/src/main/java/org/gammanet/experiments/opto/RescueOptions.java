package org.gammanet.experiments.opto;

import org.gammanet.experiments.stimuli.PixelPoint;
import org.jspecify.annotations.Nullable;

/**
 * How initial states are optimized. Methods named like a component return a changed copy.
 *
 * @param layer cell whose drive is perturbed and whose states are optimized
 * @param location perturbed pixel of the layer's map; null for the decoder's
 * @param factor gain of the drive at each timestep: 1.5 for + 50 %, 0 for a lesion
 * @param steps updates with Adam
 * @param learningRate of Adam
 * @param ecrfRadius states change within this distance of the site, except inside the perturbed
 *     disc; pixels of the layer's map
 * @param withinStimulus whether only pixels that the stimulus covers change
 * @param injection where the states enter; null for {@link Definitions#injection}
 * @param sparseness λ₁ of the penalty {@code λ₁ (mean |A_E| + mean |A_I|)}, means over all channels
 *     and pixels of the layer
 * @param positivity λ₂ of the penalty {@code λ₂ mean(min(E₀, 0)²)}, with E₀ the excitatory state
 *     including A_E
 * @param draw number of the random start, from 0
 * @param batch gratings optimized at once; memory grows with it
 */
public record RescueOptions(
    String layer,
    @Nullable PixelPoint location,
    double factor,
    int steps,
    double learningRate,
    double ecrfRadius,
    boolean withinStimulus,
    @Nullable Injection injection,
    double sparseness,
    double positivity,
    int draw,
    int batch) {

  /** Default radius within which states change, pixels. */
  public static final double ECRF_RADIUS = 18;

  /** Checks the ranges. */
  public RescueOptions {
    requireNotNegative(factor, "the gain of a perturbation");
    requireAtLeastOne(steps, "steps");
    requirePositive(learningRate, "the learning rate");
    requirePositive(ecrfRadius, "the extra-classical radius");
    requireNotNegative(sparseness, "the weight of sparseness");
    requireNotNegative(positivity, "the weight of positivity");
    requireAtLeastOne(batch, "gratings at once");
  }

  /**
   * The drive of a layer times 1.5 at the decoder's site; 100 steps at rate 0.01 on the states
   * within 18 pixels; two gratings at once; no penalties.
   */
  public static RescueOptions layer(String name) {
    return new RescueOptions(name, null, 1.5, 100, 0.01, ECRF_RADIUS, false, null, 0, 0, 0, 2);
  }

  /** Perturbs another pixel of the layer's map. */
  public RescueOptions location(int y, int x) {
    return at(new PixelPoint(y, x));
  }

  RescueOptions at(@Nullable PixelPoint point) {
    return copy(point, factor, steps, ecrfRadius, draw, batch);
  }

  /** Changes the gain of the drive. */
  public RescueOptions factor(double gain) {
    return copy(location, gain, steps, ecrfRadius, draw, batch);
  }

  /** Changes the number of updates. */
  public RescueOptions steps(int count) {
    return copy(location, factor, count, ecrfRadius, draw, batch);
  }

  /** Changes the radius within which states change. */
  public RescueOptions ecrfRadius(double pixels) {
    return copy(location, factor, steps, pixels, draw, batch);
  }

  /** Takes another random start. */
  public RescueOptions draw(int number) {
    return copy(location, factor, steps, ecrfRadius, number, batch);
  }

  /** Changes how many gratings are optimized at once. */
  public RescueOptions batch(int gratings) {
    return copy(location, factor, steps, ecrfRadius, draw, gratings);
  }

  private RescueOptions copy(
      @Nullable PixelPoint at, double gain, int count, double radius, int start, int gratings) {
    return new RescueOptions(
        layer,
        at,
        gain,
        count,
        learningRate,
        radius,
        withinStimulus,
        injection,
        sparseness,
        positivity,
        start,
        gratings);
  }

  static void requireAtLeastOne(int value, String what) {
    if (value < 1) {
      throw new IllegalArgumentException("%s must be at least 1, not %s".formatted(what, value));
    }
  }

  static void requirePositive(double value, String what) {
    if (!(value > 0 && Double.isFinite(value))) {
      throw new IllegalArgumentException("%s must be positive, not %s".formatted(what, value));
    }
  }

  static void requireNotNegative(double value, String what) {
    if (!(value >= 0 && Double.isFinite(value))) {
      throw new IllegalArgumentException(
          "%s must not be negative, but is %s".formatted(what, value));
    }
  }
}
