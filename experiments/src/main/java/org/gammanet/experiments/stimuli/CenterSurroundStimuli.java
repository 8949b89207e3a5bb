package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gratings within rings of gratings, as in studies of surround suppression (Cavanaugh, Bair and
 * Movshon 2002; Shushruth et al. 2013). Order: for each center orientation the center alone, then
 * each surround orientation, within it each surround phase, followed by that surround alone if it
 * was asked for.
 */
public final class CenterSurroundStimuli {
  private CenterSurroundStimuli() {}

  /** A builder with the original's parameters. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] centers = {0, 45, 90, 135};
    private double[] differences = {0, 30, 60, 90};
    private double @Nullable [] surrounds;
    private double centerRadius = 25;
    private double inner = 30;
    private double outer = 80;
    private double cycles = 4;
    private double centerContrast = 0.5;
    private double surroundContrast = 0.5;
    private double centerPhase;
    private double[] surroundPhases = {0};
    private boolean surroundAlone;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /** Directions of modulation of the center, degrees. */
    public Builder centerOrientations(double... modulation) {
      centers = modulation.clone();
      return this;
    }

    /** Directions of modulation of the surround: every center gets every surround. */
    public Builder surroundOrientations(double... modulation) {
      surrounds = modulation.clone();
      return this;
    }

    /** Surround minus center, degrees; default 0, 30, 60, 90. */
    public Builder differences(double... degrees) {
      differences = degrees.clone();
      surrounds = null;
      return this;
    }

    /** Radius of the center, and inner and outer radius of the ring, pixels. */
    public Builder radii(double center, double ringInner, double ringOuter) {
      centerRadius = center;
      inner = ringInner;
      outer = ringOuter;
      return this;
    }

    /** Cycles per image height. */
    public Builder spatialFrequency(double value) {
      cycles = value;
      return this;
    }

    /** Michelson contrasts of center and surround. */
    public Builder contrasts(double center, double surround) {
      centerContrast = center;
      surroundContrast = surround;
      return this;
    }

    /** Phase of the center and phases of the surround, radians; default 0. */
    public Builder phases(double center, double... surround) {
      centerPhase = center;
      surroundPhases = surround.clone();
      return this;
    }

    /** Adds each surround without a center. */
    public Builder withSurroundAlone() {
      surroundAlone = true;
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      List<Stimulus> list = new ArrayList<>();
      var center = new CenterSurround.Center(null, centerPhase, centerContrast, centerRadius);
      for (double theta : Checks.given(centers, "orientation", "centerOrientations(…)")) {
        list.add(
            new CenterSurround(frame, "kinoshita_center_only", center, null, theta, cycles, mode));
        double[] around = surrounds;
        if (around == null) {
          around = differences.clone();
          for (int i = 0; i < around.length; i++) {
            around[i] += theta;
          }
        }
        for (double s : Checks.given(around, "surround", "differences(…)")) {
          for (double p : Checks.given(surroundPhases, "phase", "phases(…)")) {
            var ring = new CenterSurround.Surround(s, p, surroundContrast, inner, outer);
            list.add(
                new CenterSurround(
                    frame, "kinoshita_center_surround", center, ring, theta, cycles, mode));
            if (surroundAlone) {
              list.add(
                  new CenterSurround(
                      frame, "kinoshita_surround_only", null, ring, theta, cycles, mode));
            }
          }
        }
      }
      return list;
    }
  }
}
