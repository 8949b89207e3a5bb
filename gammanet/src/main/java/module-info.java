/** The GammaNet library: networks, checkpoints, data, training, evaluation. */
module org.gammanet {
  requires transitive org.gammanet.torch;
  requires com.fasterxml.jackson.databind;
  requires com.fasterxml.jackson.dataformat.yaml;
  requires com.twelvemonkeys.imageio.jpeg;
  requires com.twelvemonkeys.imageio.tiff;
  requires com.twelvemonkeys.imageio.webp;
  requires io.jhdf;
  requires java.desktop;
  requires java.logging;
  // What jHDF, which is no module itself, needs.
  requires org.apache.commons.lang3;
  requires org.slf4j;
  requires org.yaml.snakeyaml;
  requires static jdk.incubator.vector;
  requires static transitive org.jspecify;

  uses org.gammanet.PretrainedModel;
  uses org.gammanet.training.ProcessGroupProvider;

  exports org.gammanet;
  exports org.gammanet.checkpoint;
  exports org.gammanet.config;
  exports org.gammanet.data;
  exports org.gammanet.detection;
  exports org.gammanet.evaluation;
  exports org.gammanet.io;
  exports org.gammanet.fused;
  exports org.gammanet.model;
  exports org.gammanet.nn;
  exports org.gammanet.simd;
  exports org.gammanet.training;

  opens org.gammanet.evaluation to
      com.fasterxml.jackson.databind;
}
