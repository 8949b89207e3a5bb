package org.gammanet.parity;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.stimuli.FlankedBars.Flankers;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.TextureBoundary.Boundary;
import org.jspecify.annotations.Nullable;

/** The original's sets of stimuli, in its order. Its gratings are those of GratingStimuli. */
public final class OriginalStimuli {
  private OriginalStimuli() {}

  /**
   * Flanked bars: axes, then distances, then angles.
   *
   * @param axes degrees
   * @param distances of the flankers, pixels; null for the targets alone
   * @param angles of the flankers to the target, degrees
   */
  public static StimulusSet bars(
      Frame frame,
      double[] axes,
      double @Nullable [] distances,
      double[] angles,
      double target,
      double flanker,
      int length,
      int width) {
    List<Stimulus> out = new ArrayList<>();
    for (double axis : axes) {
      if (distances == null) {
        out.add(new OriginalBars(frame, axis, length, width, target, null));
        continue;
      }
      for (double d : distances) {
        for (double a : angles) {
          Flankers flankers = Flankers.at(d, flanker).angle(a);
          out.add(new OriginalBars(frame, axis, length, width, target, flankers));
        }
      }
    }
    return StimulusSet.of(out);
  }

  /**
   * Oriented surrounds: for each center the center alone, then one ring per difference.
   *
   * @param radii of the center and of the ring's inner and outer edge, pixels
   * @param contrasts of center and ring
   */
  public static StimulusSet surrounds(
      Frame frame,
      double[] centers,
      double[] differences,
      double[] radii,
      double cycles,
      double[] contrasts) {
    List<Stimulus> out = new ArrayList<>();
    for (double center : centers) {
      for (int i = -1; i < differences.length; i++) {
        Double ring = i < 0 ? null : center + differences[i];
        out.add(
            new OriginalCenterSurround(
                frame,
                false,
                center,
                ring,
                cycles,
                contrasts[0],
                contrasts[1],
                radii[0],
                radii[1],
                radii[2]));
      }
    }
    return StimulusSet.of(out);
  }

  /** Tilt illusion at contrast 1, with a gap of 5 pixels: centers, then tilts. */
  public static StimulusSet tilts(
      Frame frame, double[] centers, double[] tilts, double radius, double outer, double cycles) {
    List<Stimulus> out = new ArrayList<>();
    for (double center : centers) {
      for (double tilt : tilts) {
        out.add(
            new OriginalCenterSurround(
                frame, true, center, center + tilt, cycles, 1, 1, radius, radius + 5, outer));
      }
    }
    return StimulusSet.of(out);
  }

  /** Texture boundaries: orientations, then differences, then a vertical and a horizontal one. */
  public static StimulusSet textures(
      Frame frame, double[] orientations, double[] differences, double cycles) {
    List<Stimulus> out = new ArrayList<>();
    for (double theta : orientations) {
      for (double d : differences) {
        for (Boundary boundary : Boundary.values()) {
          out.add(new OriginalTexture(frame, theta, theta + d, cycles, boundary, 0, 0));
        }
      }
    }
    return StimulusSet.of(out);
  }

  static float[] floats(double[] pattern) {
    float[] out = new float[pattern.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) pattern[i];
    }
    return out;
  }
}
