package org.gammanet.experiments.stimuli;

import java.util.Locale;

/** Families of stimuli, and the roles of single images in them. */
public enum StimulusType {
  BLANK,
  ORIENTED_GRATING,
  GABOR,
  HYBRID_CONTRAST,
  /** Target and flankers. */
  KAPADIA_COLLINEAR,
  /** The target of a flanked bar alone. */
  KAPADIA_CENTER_ONLY,
  KAPADIA_FLANKERS_ONLY,
  KINOSHITA_CENTER_ONLY,
  KINOSHITA_CENTER_SURROUND,
  KINOSHITA_SURROUND_ONLY,
  TROTT_BORN,
  TEXTURE_BOUNDARY,
  ELEMENT_TEXTURE,
  TILT_ILLUSION,
  /** Another stimulus with a grey square over it. */
  OCCLUDED;

  /** The name in files, such as {@code oriented_grating}. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
