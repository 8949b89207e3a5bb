package org.gammanet.config;

/** Pointwise non-linearity of the feed-forward path (from scratch and backbone models). */
public enum Activation implements Word {
  RELU,
  ELU,
  GELU
}
