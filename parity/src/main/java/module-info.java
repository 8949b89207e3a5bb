/**
 * The original PyTorch project's own stimuli, measures and definitions, its defects included, so
 * that its numbers can be reproduced.
 */
module org.gammanet.parity {
  requires transitive org.gammanet.experiments;
  requires static transitive org.jspecify;

  exports org.gammanet.parity;
}
