package org.gammanet.config;

/**
 * Symmetry imposed on horizontal kernels: over input and output channel, over rows and columns, or
 * both.
 */
public enum Symmetry implements Word {
  NONE,
  CHANNEL,
  SPATIAL,
  SPATIAL_CHANNEL
}
