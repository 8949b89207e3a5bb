/** LibTorch tensors, operators and autograd for Java, called through the FFM API. */
module org.gammanet.torch {
  requires static transitive org.jspecify;
  requires java.logging;

  exports org.gammanet.kernels;
  exports org.gammanet.torch;
}
