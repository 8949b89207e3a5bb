/** A network trained on BSDS500, for {@code GammaNet.pretrained}. */
module org.gammanet.pretrained {
  requires org.gammanet;

  provides org.gammanet.PretrainedModel with
      org.gammanet.pretrained.BsdsModel;
}
