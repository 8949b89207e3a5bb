package org.gammanet.experiments;

/** Which definitions an experiment follows. */
public enum Mode {
  /** This library's definitions, the default everywhere. */
  OWN,
  /**
   * The behavior of the PyTorch implementation of γ-net's experiments, quirks and defects included,
   * so that its numbers can be reproduced.
   */
  PARITY
}
