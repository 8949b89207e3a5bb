/** Virtual physiology and optogenetics: stimuli, responses, tuning, figures. */
module org.gammanet.experiments {
  requires transitive org.gammanet;
  requires transitive org.gammanet.figures;
  requires transitive com.fasterxml.jackson.databind;
  requires hipparchus.core;
  requires hipparchus.optim;
  requires hipparchus.stat;
  requires java.desktop;
  requires static jdk.incubator.vector;
  requires static transitive org.jspecify;

  exports org.gammanet.experiments;
  exports org.gammanet.experiments.analysis;
  exports org.gammanet.experiments.opto;
  exports org.gammanet.experiments.insilico;
  exports org.gammanet.experiments.responses;
  exports org.gammanet.experiments.stimuli;
  exports org.gammanet.experiments.study;
}
