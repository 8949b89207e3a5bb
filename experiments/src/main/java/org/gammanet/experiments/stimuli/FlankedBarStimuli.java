package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * Flanked bars. Order: orientations, target contrasts, distances, relative angles, sideways
 * displacements. Before the conditions of an orientation and contrast comes the target alone; after
 * each condition its flankers alone; a blank comes last. The parity mode has the conditions, or
 * with {@link Builder#centerOnly} the targets, and nothing else.
 */
public final class FlankedBarStimuli {
  private FlankedBarStimuli() {}

  /** A builder with the original's parameters. */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes a set. */
  public static final class Builder extends StimulusBuilder<Builder> {
    private double[] orientations = {0, 45, 90, 135};
    private double[] distances = {15, 20, 25, 30, 35, 40};
    private double[] angles = {0, 15, 30, 45, 60, 75, 90};
    private double[] laterals = {0};
    private double[] targetContrasts = {0.2};
    private double flankerContrast = 0.6;
    private double length = 20;
    private double width = 5;
    private boolean oneFlanker;
    private boolean centerOnly;
    private boolean clip;
    private @Nullable Double gaborCycles;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /** Long axes of the target, degrees: 0 is horizontal. */
    public Builder orientations(double... axis) {
      orientations = axis.clone();
      return this;
    }

    /** Distances between the middles of target and flanker, pixels. */
    public Builder distances(double... pixels) {
      distances = pixels.clone();
      return this;
    }

    /** Angles of the flankers relative to the target, degrees. */
    public Builder angles(double... degrees) {
      angles = degrees.clone();
      return this;
    }

    /** Displacements of the flankers across the target's axis, pixels; default 0. */
    public Builder laterals(double... pixels) {
      laterals = pixels.clone();
      return this;
    }

    /** Signed increments of the target, -1 to 1. */
    public Builder targetContrasts(double... increments) {
      targetContrasts = increments.clone();
      return this;
    }

    /** Signed increment of the flankers, -1 to 1. */
    public Builder flankerContrast(double increment) {
      flankerContrast = increment;
      return this;
    }

    /** Length and width of each bar, pixels. */
    public Builder bar(double lengthPixels, double widthPixels) {
      length = lengthPixels;
      width = widthPixels;
      return this;
    }

    /** A single flanker in place of two. */
    public Builder oneFlanker() {
      oneFlanker = true;
      return this;
    }

    /** The targets without flankers. */
    public Builder centerOnly() {
      centerOnly = true;
      return this;
    }

    /** Gabor elements in place of bars. */
    public Builder gaborElements(double cyclesPerImage) {
      Checks.cycles(cyclesPerImage);
      gaborCycles = cyclesPerImage;
      return this;
    }

    /** Elements may reach beyond the image. */
    public Builder allowClipping() {
      clip = true;
      return this;
    }

    private FlankedBars bars(
        double axis,
        double contrast,
        double distance,
        double angle,
        double lateral,
        FlankedBars.Elements shown) {
      return new FlankedBars(
          frame,
          axis,
          length,
          width,
          distance,
          angle,
          lateral,
          contrast,
          flankerContrast,
          shown,
          oneFlanker,
          gaborCycles,
          clip,
          mode);
    }

    @Override
    List<Stimulus> stimuli() {
      List<Stimulus> list = new ArrayList<>();
      boolean own = mode == Mode.OWN;
      for (double axis : Checks.given(orientations, "orientation", "orientations(…)")) {
        for (double c : Checks.given(targetContrasts, "contrast", "targetContrasts(…)")) {
          if (own || centerOnly) {
            list.add(bars(axis, c, 0, 0, 0, FlankedBars.Elements.TARGET));
          }
          if (centerOnly) {
            continue;
          }
          for (double distance : Checks.given(distances, "distance", "distances(…)")) {
            for (double angle : Checks.given(angles, "angle", "angles(…)")) {
              for (double lateral : Checks.given(laterals, "displacement", "laterals(…)")) {
                list.add(bars(axis, c, distance, angle, lateral, FlankedBars.Elements.BOTH));
                if (own) {
                  list.add(bars(axis, c, distance, angle, lateral, FlankedBars.Elements.FLANKERS));
                }
              }
            }
          }
        }
      }
      if (own) {
        list.add(new Blank(frame, 0.5));
      }
      return list;
    }
  }
}
