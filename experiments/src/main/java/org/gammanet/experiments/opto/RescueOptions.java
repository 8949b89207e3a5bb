package org.gammanet.experiments.opto;

import java.nio.file.Path;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.jspecify.annotations.Nullable;

/**
 * How initial states are optimised; immutable, each method with an argument gives a changed copy.
 */
public final class RescueOptions {
  final String layer;
  @Nullable PixelPoint location;
  double factor = 1.5;
  int steps = 100;
  double learningRate = 0.01;
  double ecrfRadius = 18;
  boolean withinStimulus;
  @Nullable Injection injection;
  double sparseness;
  double positivity;
  int draw;
  int batch = 2;
  @Nullable Path folder;

  private RescueOptions(String layer) {
    this.layer = layer;
  }

  /**
   * The drive of a layer times 1.5 at the decoder's location; 100 steps at rate 0.01 on the states
   * within 18 pixels; two gratings at once; no penalties.
   *
   * @param name cell whose drive is perturbed and whose states are optimised
   */
  public static RescueOptions layer(String name) {
    return new RescueOptions(name);
  }

  private RescueOptions copy() {
    RescueOptions copy = new RescueOptions(layer);
    copy.location = location;
    copy.factor = factor;
    copy.steps = steps;
    copy.learningRate = learningRate;
    copy.ecrfRadius = ecrfRadius;
    copy.withinStimulus = withinStimulus;
    copy.injection = injection;
    copy.sparseness = sparseness;
    copy.positivity = positivity;
    copy.draw = draw;
    copy.batch = batch;
    copy.folder = folder;
    return copy;
  }

  /** Perturbs this pixel of the layer's map; unless told, the one that the decoder reads. */
  public RescueOptions location(int y, int x) {
    return at(new PixelPoint(y, x));
  }

  RescueOptions at(@Nullable PixelPoint point) {
    RescueOptions copy = copy();
    copy.location = point;
    return copy;
  }

  /**
   * By which the drive is multiplied at each timestep: 1.5 for half as much again, 0 for a lesion.
   */
  public RescueOptions factor(double value) {
    requireNotNegative(value, "the factor of a perturbation");
    RescueOptions copy = copy();
    copy.factor = value;
    return copy;
  }

  /** Updates with Adam. */
  public RescueOptions steps(int count) {
    requireAtLeastOne(count, "steps");
    RescueOptions copy = copy();
    copy.steps = count;
    return copy;
  }

  /** Rate of Adam. */
  public RescueOptions learningRate(double rate) {
    requirePositive(rate, "the learning rate");
    RescueOptions copy = copy();
    copy.learningRate = rate;
    return copy;
  }

  /**
   * The states within this distance of the perturbed place change, but for the perturbed disc;
   * pixels of the layer's map.
   */
  public RescueOptions ecrfRadius(double pixels) {
    requirePositive(pixels, "the extra-classical radius");
    RescueOptions copy = copy();
    copy.ecrfRadius = pixels;
    return copy;
  }

  /** Whether only pixels that the stimulus covers change. */
  public RescueOptions withinStimulus(boolean value) {
    RescueOptions copy = copy();
    copy.withinStimulus = value;
    return copy;
  }

  /**
   * Where the states enter. Unless told, {@link Injection#INITIAL_STATE}, and with parity {@link
   * Injection#AFTER_FIRST_STEP}.
   */
  public RescueOptions injection(Injection value) {
    RescueOptions copy = copy();
    copy.injection = value;
    return copy;
  }

  /**
   * Penalties in the loss, with means over all channels and pixels of the layer.
   *
   * @param sparseness λ₁ of {@code λ₁ (mean |A_E| + mean |A_I|)}
   * @param positivity λ₂ of {@code λ₂ mean(min(E₀, 0)²)}, with E₀ the excitatory state once A_E is
   *     in: a rate should not be negative
   */
  public RescueOptions penalties(double sparseness, double positivity) {
    requireNotNegative(sparseness, "the weight of sparseness");
    requireNotNegative(positivity, "the weight of positivity");
    RescueOptions copy = copy();
    copy.sparseness = sparseness;
    copy.positivity = positivity;
    return copy;
  }

  /** Number of the random start, from 0: other draws show what the start decides. */
  public RescueOptions draw(int number) {
    RescueOptions copy = copy();
    copy.draw = number;
    return copy;
  }

  /**
   * Gratings that are optimised at once. Memory grows with it; results do not depend on it, but for
   * rounding.
   */
  public RescueOptions batch(int gratings) {
    requireAtLeastOne(gratings, "gratings at once");
    RescueOptions copy = copy();
    copy.batch = gratings;
    return copy;
  }

  /** Keeps what is done in a folder, and goes on with what is there. */
  public RescueOptions folder(Path path) {
    RescueOptions copy = copy();
    copy.folder = path;
    return copy;
  }

  /** The settings on which a result depends, in words. */
  @Override
  public String toString() {
    return "layer=%s location=%s factor=%s steps=%d rate=%s radius=%s within=%s injection=%s sparseness=%s positivity=%s draw=%d batch=%d"
        .formatted(
            layer,
            location,
            factor,
            steps,
            learningRate,
            ecrfRadius,
            withinStimulus,
            injection,
            sparseness,
            positivity,
            draw,
            batch);
  }

  static void requireAtLeastOne(int value, String what) {
    if (value < 1) {
      throw new IllegalArgumentException("%s must be at least 1, not %d".formatted(what, value));
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
