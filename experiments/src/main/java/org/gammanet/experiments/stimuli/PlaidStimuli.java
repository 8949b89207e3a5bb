package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Single gratings and plaids within surrounds, after Trott and Born (2015): whether a surround
 * scales the response to its center or acts on the component that matches it. Order: for each
 * center orientation the grating without surround, then with the surrounds; then likewise the plaid
 * of that orientation and the one at the plaid's angle to it, whose surrounds are its two
 * components.
 */
public final class PlaidStimuli {
  private PlaidStimuli() {}

  /** A builder with centers of 0, 30, …, 150 degrees and plaids of 90 degrees. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] centers = {0, 30, 60, 90, 120, 150};
    private double[] differences = {0, 30, 60, 90};
    private double plaidAngle = 90;
    private double centerRadius = 25;
    private double inner = 30;
    private double outer = 80;
    private double cycles = 8;
    private double surroundContrast = 1;
    private double[] phases = {0};

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

    /** Surround minus center for single gratings, degrees. */
    public Builder differences(double... degrees) {
      differences = degrees.clone();
      return this;
    }

    /** Angle between the components of a plaid, degrees. */
    public Builder plaidAngle(double degrees) {
      plaidAngle = degrees;
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

    /** Michelson contrast of the surround; the components of a center have 1 each. */
    public Builder surroundContrast(double value) {
      surroundContrast = value;
      return this;
    }

    /** Phases of center and surround together, radians. */
    public Builder phases(double... radians) {
      phases = radians.clone();
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      List<Stimulus> list = new ArrayList<>();
      for (double theta : Checks.given(centers, "orientation", "centerOrientations(…)")) {
        add(list, theta, null, null);
        for (double difference : Checks.given(differences, "difference", "differences(…)")) {
          add(list, theta, null, theta + difference);
        }
        double second = theta + plaidAngle;
        add(list, theta, second, null);
        add(list, theta, second, theta);
        add(list, theta, second, second);
      }
      return list;
    }

    private void add(
        List<Stimulus> list, double theta, @Nullable Double plaid, @Nullable Double surround) {
      for (double p : Checks.given(phases, "phase", "phases(…)")) {
        list.add(
            new CenterSurround(
                frame,
                "trott_born",
                new CenterSurround.Center(plaid, p, 1, centerRadius),
                surround == null
                    ? null
                    : new CenterSurround.Surround(surround, p, surroundContrast, inner, outer),
                theta,
                cycles,
                mode));
      }
    }
  }
}
