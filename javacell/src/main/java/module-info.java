/** The fGRU cell in Java alone, for benchmarks and as an independent check. */
module org.gammanet.javacell {
  requires org.gammanet;
  requires static jdk.incubator.vector;
  requires static transitive org.jspecify;

  exports org.gammanet.javacell;
}
