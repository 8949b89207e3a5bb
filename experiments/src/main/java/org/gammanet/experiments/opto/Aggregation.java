package org.gammanet.experiments.opto;

/** How the maps of all channels become one. */
public enum Aggregation {
  /** The mean over channels. */
  MEAN,
  /** At each pixel the largest value of all channels. */
  MAX
}
