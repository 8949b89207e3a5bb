package org.gammanet.experiments.stimuli;

import java.util.List;
import org.gammanet.experiments.Mode;

/**
 * What the builders of all families share: image size, position and mode.
 *
 * @param <B> the builder itself
 */
public abstract sealed class StimulusBuilder<B extends StimulusBuilder<B>>
    permits GratingStimuli.Builder,
        FlankedBarStimuli.Builder,
        CenterSurroundStimuli.Builder,
        PlaidStimuli.Builder,
        TiltStimuli.Builder,
        TextureStimuli.Builder {
  Frame frame = Frame.of(256, 256);
  Mode mode = Mode.OWN;

  StimulusBuilder() {}

  abstract B self();

  /** The stimuli in their documented order. */
  abstract List<Stimulus> stimuli();

  /** Image size in pixels, with stimuli at its center; default 256 x 256. */
  public final B size(int height, int width) {
    frame = Frame.of(height, width);
    return self();
  }

  /** The image, and the pixel in it on which stimuli are centered. */
  public final B frame(Frame image) {
    frame = image;
    return self();
  }

  /** Whose definitions the images and metadata follow; default {@link Mode#OWN}. */
  public final B mode(Mode value) {
    mode = value;
    return self();
  }

  /**
   * Fixes the description.
   *
   * @throws IllegalArgumentException for values out of range, a stimulus that does not fit into the
   *     image, or when a list that must not be empty is
   */
  public final StimulusGenerator build() {
    StimulusSet set = StimulusSet.of(stimuli());
    return () -> set;
  }
}
