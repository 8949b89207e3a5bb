package org.gammanet.config;

/** Layouts of training data. */
public enum Dataset implements Word {
  /** {@code images/<split>/<id>.jpg} with {@code groundTruth/<split>/<id>.mat} (or .npy, .png). */
  BSDS500,
  /** A folder of images beside a folder of PNG edge maps of the same names. */
  FOLDER
}
