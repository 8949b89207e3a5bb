package org.gammanet.config;

/**
 * Attention on the input gate: none, squeeze-and-excitation (Hu et al. 2018) or GALA (Linsley et
 * al. 2019).
 */
public enum Attention implements Word {
  NONE,
  SE,
  GALA
}
