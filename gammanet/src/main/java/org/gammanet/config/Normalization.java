package org.gammanet.config;

/** Kinds of feature normalization; which of them a key accepts is said there. */
public enum Normalization implements Word {
  NONE,
  INSTANCE,
  LAYER,
  GROUP,
  BATCH
}
