package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * Center and surround gratings for the tilt illusion (O'Toole and Wenderoth 1977). Order: center
 * orientations, surround tilts, phase pairs; with {@link Builder#withCenterAlone} the center alone
 * comes before its tilts.
 */
public final class TiltStimuli {
  private TiltStimuli() {}

  /** A builder with the original's parameters. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] centers = {45, 90, 135};
    private double[] tilts = {-30, -15, 0, 15, 30};
    private double centerRadius = 20;
    private double gap = 5;
    private double outer = 60;
    private double cycles = 4;
    private double contrast = 1;
    private double[] centerPhases = {0};
    private double[] surroundPhases = {0};
    private boolean centerAlone;

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

    /** Surround minus center, degrees. */
    public Builder tilts(double... degrees) {
      tilts = degrees.clone();
      return this;
    }

    /** Radius of the center, gap between it and the ring, outer radius of the ring, pixels. */
    public Builder radii(double center, double gapPixels, double ringOuter) {
      centerRadius = center;
      gap = gapPixels;
      outer = ringOuter;
      return this;
    }

    /** Cycles per image height. */
    public Builder spatialFrequency(double value) {
      cycles = value;
      return this;
    }

    /** Michelson contrast of center and surround; default 1, and in the parity mode. */
    public Builder contrast(double michelson) {
      contrast = michelson;
      return this;
    }

    /** Pairs of phases in radians: the i-th of the center with the i-th of the surround. */
    public Builder phasePairs(double[] center, double[] surround) {
      if (center.length != surround.length || center.length == 0) {
        throw new IllegalArgumentException(
            "phases come in pairs, but there are %d of the center and %d of the surround"
                .formatted(center.length, surround.length));
      }
      centerPhases = center.clone();
      surroundPhases = surround.clone();
      return this;
    }

    /** Adds the centers without a surround. */
    public Builder withCenterAlone() {
      centerAlone = true;
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      if (mode == Mode.PARITY && contrast != 1) {
        throw new IllegalArgumentException("tilt stimuli of the parity mode have contrast 1");
      }
      List<Stimulus> list = new ArrayList<>();
      for (double theta : Checks.given(centers, "orientation", "centerOrientations(…)")) {
        if (centerAlone) {
          for (double phase : centerPhases) {
            list.add(stimulus(theta, phase, null));
          }
        }
        for (double tilt : Checks.given(tilts, "tilt", "tilts(…)")) {
          for (int p = 0; p < centerPhases.length; p++) {
            list.add(
                stimulus(
                    theta,
                    centerPhases[p],
                    new CenterSurround.Surround(
                        theta + tilt, surroundPhases[p], contrast, centerRadius + gap, outer)));
          }
        }
      }
      return list;
    }

    private CenterSurround stimulus(
        double theta, double phase, CenterSurround.@Nullable Surround surround) {
      return new CenterSurround(
          frame,
          "tilt_illusion",
          new CenterSurround.Center(null, phase, contrast, centerRadius),
          surround,
          theta,
          cycles,
          mode);
    }
  }
}
