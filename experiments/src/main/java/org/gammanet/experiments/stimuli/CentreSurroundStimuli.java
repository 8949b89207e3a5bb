package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gratings within rings of gratings, as in studies of surround suppression (Cavanaugh, Bair and
 * Movshon 2002; Shushruth et al. 2013). Order: for each centre orientation the centre alone, then
 * each surround orientation, within it each surround phase, followed by that surround alone if it
 * was asked for.
 */
public final class CentreSurroundStimuli {
  private CentreSurroundStimuli() {}

  /** A builder with the original's parameters. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] centres = {0, 45, 90, 135};
    private double[] differences = {0, 30, 60, 90};
    private double @Nullable [] surrounds;
    private double centreRadius = 25;
    private double inner = 30;
    private double outer = 80;
    private double cycles = 4;
    private double centreContrast = 0.5;
    private double surroundContrast = 0.5;
    private double centrePhase;
    private double[] surroundPhases = {0};
    private boolean surroundAlone;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /** Directions of modulation of the centre, degrees. */
    public Builder centreOrientations(double... modulation) {
      centres = modulation.clone();
      return this;
    }

    /** Directions of modulation of the surround: every centre gets every surround. */
    public Builder surroundOrientations(double... modulation) {
      surrounds = modulation.clone();
      return this;
    }

    /** Surround minus centre, degrees; default 0, 30, 60, 90. */
    public Builder differences(double... degrees) {
      differences = degrees.clone();
      surrounds = null;
      return this;
    }

    /** Radius of the centre, and inner and outer radius of the ring, pixels. */
    public Builder radii(double centre, double ringInner, double ringOuter) {
      centreRadius = centre;
      inner = ringInner;
      outer = ringOuter;
      return this;
    }

    /** Cycles per image height. */
    public Builder spatialFrequency(double value) {
      cycles = value;
      return this;
    }

    /** Michelson contrasts of centre and surround. */
    public Builder contrasts(double centre, double surround) {
      centreContrast = centre;
      surroundContrast = surround;
      return this;
    }

    /** Phase of the centre and phases of the surround, radians; default 0. */
    public Builder phases(double centre, double... surround) {
      centrePhase = centre;
      surroundPhases = surround.clone();
      return this;
    }

    /** Adds each surround without a centre. */
    public Builder withSurroundAlone() {
      surroundAlone = true;
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      List<Stimulus> list = new ArrayList<>();
      var centre = new CentreSurround.Centre(null, centrePhase, centreContrast, centreRadius);
      for (double theta : Checks.given(centres, "orientation", "centreOrientations(…)")) {
        list.add(
            new CentreSurround(frame, "kinoshita_center_only", centre, null, theta, cycles, mode));
        double[] around = surrounds;
        if (around == null) {
          around = differences.clone();
          for (int i = 0; i < around.length; i++) {
            around[i] += theta;
          }
        }
        for (double s : Checks.given(around, "surround", "differences(…)")) {
          for (double p : Checks.given(surroundPhases, "phase", "phases(…)")) {
            var ring = new CentreSurround.Surround(s, p, surroundContrast, inner, outer);
            list.add(
                new CentreSurround(
                    frame, "kinoshita_center_surround", centre, ring, theta, cycles, mode));
            if (surroundAlone) {
              list.add(
                  new CentreSurround(
                      frame, "kinoshita_surround_only", null, ring, theta, cycles, mode));
            }
          }
        }
      }
      return list;
    }
  }
}
