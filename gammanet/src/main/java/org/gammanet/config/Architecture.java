package org.gammanet.config;

/** The four networks of the family. */
public enum Architecture implements Word {
  /** VGG16 with excitatory and inhibitory states at five levels: the main model. */
  VGG16_GAMMANET_V2("VGG16GammaNetV2"),
  /** VGG16 with one state per level. */
  VGG16_GAMMANET("VGG16GammaNet"),
  /** Encoder and decoder built from a list of layers, without VGG16. */
  GAMMANET("GammaNet"),
  /** Recurrence on top of VGG16 features that are computed once. */
  GAMMANET_BACKBONE("GammaNetBackbone");

  private final String word;

  Architecture(String word) {
    this.word = word;
  }

  @Override
  public String word() {
    return word;
  }

  /** Whether the hierarchy's feed-forward part is VGG16. */
  public boolean usesVgg() {
    return this != GAMMANET;
  }

  /** Whether each level has an excitatory and an inhibitory state (otherwise one state). */
  public boolean hasInhibitoryStates() {
    return this == VGG16_GAMMANET_V2;
  }
}
