/** The network of the paper at full size, for {@code GammaNet.full}. */
module org.gammanet.pretrained.full {
  requires org.gammanet;

  provides org.gammanet.PretrainedModel with
      org.gammanet.pretrained.full.FullModel;
}
