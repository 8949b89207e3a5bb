package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Oriented gratings, also as series of sizes and of contrasts. Order: orientations, spatial
 * frequencies, diameters, contrasts, phases, the last running fastest; a blank comes last.
 */
public final class GratingStimuli {
  private GratingStimuli() {}

  /** A builder, which must be given orientations. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder {
    private Frame frame = Frame.of(256, 256);
    private double[] orientations = {};
    private double[] frequencies = {10, 20, 30, 40};
    private double[] contrasts = {1};
    private double[] phases = {0};
    private double @Nullable [] diameters;
    private ApertureRule rule = ApertureRule.FLOOR_RADIUS;
    private double softEdge;
    private boolean blank;

    private Builder() {}

    /** Image size in pixels, with stimuli at its center; default 256 x 256. */
    public Builder size(int height, int width) {
      return frame(Frame.of(height, width));
    }

    /** The image, and the pixel on which stimuli are centered. */
    public Builder frame(Frame image) {
      frame = image;
      return this;
    }

    /** Directions of modulation, degrees: 0 has vertical stripes. */
    public Builder orientations(double... modulation) {
      orientations = modulation.clone();
      return this;
    }

    /** Cycles per image height; default 10, 20, 30, 40. */
    public Builder spatialFrequencies(double... cycles) {
      frequencies = cycles.clone();
      return this;
    }

    /** Michelson contrasts in 0 … 1; default 1. */
    public Builder contrasts(double... michelson) {
      contrasts = michelson.clone();
      return this;
    }

    /** Phases in radians; default 0. */
    public Builder phases(double... radians) {
      phases = radians.clone();
      return this;
    }

    /** Equally spaced phases from 0 on: four are 0, 90, 180 and 270 degrees. */
    public Builder equallySpacedPhases(int count) {
      phases = new double[count];
      for (int i = 0; i < count; i++) {
        phases[i] = 2 * Math.PI * i / count;
      }
      return this;
    }

    /** Diameter of a disc in pixels; default the whole image. */
    public Builder diameter(double pixels) {
      diameters = new double[] {pixels};
      return this;
    }

    /** A series of sizes: diameters in pixels. */
    public Builder diameters(double... pixels) {
      diameters = pixels.clone();
      return this;
    }

    /** How a radius follows from a diameter; default {@link ApertureRule#FLOOR_RADIUS}. */
    public Builder aperture(ApertureRule value) {
      rule = value;
      return this;
    }

    /** Width of a raised-cosine edge around the disc, pixels; default 0, a hard edge. */
    public Builder softEdge(double pixels) {
      softEdge = pixels;
      return this;
    }

    /** Adds a blank image of mid gray at the end. */
    public Builder withBlank() {
      blank = true;
      return this;
    }

    /**
     * Fixes the description.
     *
     * @throws IllegalArgumentException for values out of range, a stimulus that does not fit into
     *     the image, or a list without values
     */
    public StimulusGenerator build() {
      List<@Nullable Aperture> apertures = new ArrayList<>();
      if (diameters == null) {
        apertures.add(null);
      } else {
        for (double d : Checks.given(diameters, "diameter", "diameters(…)")) {
          apertures.add(new Aperture(d, rule, softEdge));
        }
      }
      List<Stimulus> list = new ArrayList<>();
      for (double theta : Checks.given(orientations, "orientation", "orientations(…)")) {
        for (double f : Checks.given(frequencies, "frequency", "spatialFrequencies(…)")) {
          for (Aperture aperture : apertures) {
            for (double c : Checks.given(contrasts, "contrast", "contrasts(…)")) {
              for (double p : Checks.given(phases, "phase", "phases(…)")) {
                list.add(new Grating(frame, new Sine(theta, f, p, c), aperture));
              }
            }
          }
        }
      }
      if (blank) {
        list.add(new Blank(frame, 0.5));
      }
      StimulusSet set = StimulusSet.of(list);
      return () -> set;
    }
  }
}
