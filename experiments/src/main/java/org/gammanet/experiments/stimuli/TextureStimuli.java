package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.TextureBoundary.Boundary;

/**
 * Texture boundaries. Order: base orientations, differences, directions of the boundary, offsets,
 * phase pairs.
 */
public final class TextureStimuli {
  private TextureStimuli() {}

  /** A builder with the original's parameters. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] orientations = {0, 45, 90, 135};
    private double[] differences = {0, 30, 60, 90};
    private Boundary[] boundaries = {Boundary.VERTICAL, Boundary.HORIZONTAL};
    private double[] offsets = {0};
    private double[] firstPhases = {0};
    private double[] secondPhases = {0};
    private double cycles = 8;
    private double contrast = 1;
    private double jitter;
    private long seed;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /** Modulation of the left or top texture, degrees. */
    public Builder orientations(double... modulation) {
      orientations = modulation.clone();
      return this;
    }

    /** Second minus first texture, degrees. */
    public Builder differences(double... degrees) {
      differences = degrees.clone();
      return this;
    }

    /** Directions of the boundary; default both. */
    public Builder boundaries(Boundary... values) {
      boundaries = values.clone();
      return this;
    }

    /** Where the second texture begins, pixels from the center. */
    public Builder offsets(double... pixels) {
      offsets = pixels.clone();
      return this;
    }

    /** Pairs of phases in radians: the i-th of the first texture with the i-th of the second. */
    public Builder phasePairs(double[] first, double[] second) {
      if (first.length != second.length || first.length == 0) {
        throw new IllegalArgumentException(
            "phases come in pairs, but there are %d of the first texture and %d of the second"
                .formatted(first.length, second.length));
      }
      firstPhases = first.clone();
      secondPhases = second.clone();
      return this;
    }

    /** Cycles per image height. */
    public Builder spatialFrequency(double value) {
      cycles = value;
      return this;
    }

    /** Michelson contrast; default 1. */
    public Builder contrast(double michelson) {
      contrast = michelson;
      return this;
    }

    /** Parity only: each patch is turned by a random angle of at most so many degrees. */
    public Builder jitter(double degrees, long randomSeed) {
      jitter = degrees;
      seed = randomSeed;
      return this;
    }

    @Override
    List<Stimulus> stimuli() {
      List<Stimulus> list = new ArrayList<>();
      for (double theta : Checks.given(orientations, "orientation", "orientations(…)")) {
        for (double difference : Checks.given(differences, "difference", "differences(…)")) {
          for (Boundary boundary : boundaries) {
            for (double offset : Checks.given(offsets, "offset", "offsets(…)")) {
              for (int p = 0; p < firstPhases.length; p++) {
                list.add(
                    new TextureBoundary(
                        frame,
                        theta,
                        theta + difference,
                        cycles,
                        contrast,
                        boundary,
                        offset,
                        firstPhases[p],
                        secondPhases[p],
                        mode == Mode.PARITY ? jitter : 0,
                        seed + list.size(),
                        mode));
              }
            }
          }
        }
      }
      return list;
    }
  }
}
