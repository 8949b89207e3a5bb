/** Figures of curves, scatters, histograms and heat maps as SVG and PNG; reports as HTML. */
module org.gammanet.figures {
  requires transitive java.desktop;
  requires static transitive org.jspecify;

  exports org.gammanet.figures;

  opens org.gammanet.figures; // results hold axes as JSON
}
