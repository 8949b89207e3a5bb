/**
 * The original PyTorch project's own stimuli, measures and definitions, its defects included, so
 * that its numbers can be reproduced.
 */
module org.gammanet.parity {
  requires transitive org.gammanet.experiments;
  requires org.gammanet.figures;
  requires static transitive org.jspecify;

  exports org.gammanet.parity;

  opens org.gammanet.parity to
      com.fasterxml.jackson.databind;

  provides org.gammanet.experiments.study.Experiment with
      org.gammanet.parity.OriginalExperiment.Orientation,
      org.gammanet.parity.OriginalExperiment.Contrast,
      org.gammanet.parity.OriginalExperiment.Kapadia,
      org.gammanet.parity.OriginalExperiment.Kinoshita;
}
