package org.gammanet.config;

/** Kinds of feature normalisation; which of them a key accepts is said there. */
public enum Normalization implements Word {
  NONE,
  INSTANCE,
  LAYER,
  GROUP,
  BATCH
}
