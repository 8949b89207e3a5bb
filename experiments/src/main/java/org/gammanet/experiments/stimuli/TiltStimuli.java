package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * Centre and surround gratings for the tilt illusion (O'Toole and Wenderoth 1977). Order: centre
 * orientations, surround tilts, phase pairs; with {@link Builder#withCentreAlone} the centre alone
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
    private double[] centres = {45, 90, 135};
    private double[] tilts = {-30, -15, 0, 15, 30};
    private double centreRadius = 20;
    private double gap = 5;
    private double outer = 60;
    private double cycles = 4;
    private double contrast = 1;
    private double[] centrePhases = {0};
    private double[] surroundPhases = {0};
    private boolean centreAlone;

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

    /** Surround minus centre, degrees. */
    public Builder tilts(double... degrees) {
      tilts = degrees.clone();
      return this;
    }

    /** Radius of the centre, gap between it and the ring, outer radius of the ring, pixels. */
    public Builder radii(double centre, double gapPixels, double ringOuter) {
      centreRadius = centre;
      gap = gapPixels;
      outer = ringOuter;
      return this;
    }

    /** Cycles per image height. */
    public Builder spatialFrequency(double value) {
      cycles = value;
      return this;
    }

    /** Michelson contrast of centre and surround; default 1, and in the parity mode. */
    public Builder contrast(double michelson) {
      contrast = michelson;
      return this;
    }

    /** Pairs of phases in radians: the i-th of the centre with the i-th of the surround. */
    public Builder phasePairs(double[] centre, double[] surround) {
      if (centre.length != surround.length || centre.length == 0) {
        throw new IllegalArgumentException(
            "phases come in pairs, but there are %d of the centre and %d of the surround"
                .formatted(centre.length, surround.length));
      }
      centrePhases = centre.clone();
      surroundPhases = surround.clone();
      return this;
    }

    /** Adds the centres without a surround. */
    public Builder withCentreAlone() {
      centreAlone = true;
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      if (mode == Mode.PARITY && contrast != 1) {
        throw new IllegalArgumentException("tilt stimuli of the parity mode have contrast 1");
      }
      List<Stimulus> list = new ArrayList<>();
      for (double theta : Checks.given(centres, "orientation", "centreOrientations(…)")) {
        if (centreAlone) {
          for (double phase : centrePhases) {
            list.add(stimulus(theta, phase, null));
          }
        }
        for (double tilt : Checks.given(tilts, "tilt", "tilts(…)")) {
          for (int p = 0; p < centrePhases.length; p++) {
            list.add(
                stimulus(
                    theta,
                    centrePhases[p],
                    new CentreSurround.Surround(
                        theta + tilt, surroundPhases[p], contrast, centreRadius + gap, outer)));
          }
        }
      }
      return list;
    }

    private CentreSurround stimulus(
        double theta, double phase, CentreSurround.@Nullable Surround surround) {
      return new CentreSurround(
          frame,
          "tilt_illusion",
          new CentreSurround.Centre(null, phase, contrast, centreRadius),
          surround,
          theta,
          cycles,
          mode);
    }
  }
}
