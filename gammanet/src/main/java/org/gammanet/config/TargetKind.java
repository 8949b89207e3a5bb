package org.gammanet.config;

/** How several annotators become one training target. */
public enum TargetKind implements Word {
  /** The fraction of annotators that marked the pixel. */
  CONSENSUS,
  /** One annotator, drawn anew at each access. */
  RANDOM_ANNOTATOR
}
