package org.gammanet.config;

/** Weights that training starts from. */
public enum ModelInit implements Word {
  /** Those of the paper: orthogonal horizontal kernels, small gates. */
  ORIGINAL,

  /**
   * Cells and alignments hand on what they receive, so that VGG16's blocks get the features that
   * they were trained for.
   */
  PASS_THROUGH
}
