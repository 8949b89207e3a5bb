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
  requires transitive org.jspecify; // Json reads which components are nullable

  exports org.gammanet.experiments;
  exports org.gammanet.experiments.analysis;
  exports org.gammanet.experiments.export;
  exports org.gammanet.experiments.opto;
  exports org.gammanet.experiments.responses;
  exports org.gammanet.experiments.stimuli;
  exports org.gammanet.experiments.study;
  exports org.gammanet.experiments.protocols;

  opens org.gammanet.experiments.analysis to
      com.fasterxml.jackson.databind;
  opens org.gammanet.experiments.opto to
      com.fasterxml.jackson.databind;
  opens org.gammanet.experiments.protocols to
      com.fasterxml.jackson.databind;
  opens org.gammanet.experiments.responses to
      com.fasterxml.jackson.databind;
  opens org.gammanet.experiments.stimuli to
      com.fasterxml.jackson.databind;
  opens org.gammanet.experiments.study to
      com.fasterxml.jackson.databind;

  uses org.gammanet.experiments.study.Experiment;

  provides org.gammanet.experiments.study.Experiment with
      org.gammanet.experiments.protocols.OrientationExperiment,
      org.gammanet.experiments.protocols.ContrastExperiment,
      org.gammanet.experiments.protocols.SizeExperiment,
      org.gammanet.experiments.protocols.FieldExperiment,
      org.gammanet.experiments.protocols.KapadiaExperiment,
      org.gammanet.experiments.protocols.KinoshitaExperiment,
      org.gammanet.experiments.protocols.TextureExperiment,
      org.gammanet.experiments.protocols.TiltExperiment,
      org.gammanet.experiments.protocols.CrossOrientationExperiment,
      org.gammanet.experiments.protocols.TrottBornExperiment,
      org.gammanet.experiments.protocols.DynamicsExperiment,
      org.gammanet.experiments.protocols.PerturbationExperiment,
      org.gammanet.experiments.protocols.ParadoxicalExperiment,
      org.gammanet.experiments.protocols.PreferredStimulusExperiment,
      org.gammanet.experiments.protocols.PopulationExperiment;
}
