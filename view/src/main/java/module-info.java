/** A local page to look inside a network. */
module org.gammanet.view {
  requires transitive org.gammanet.experiments;
  requires com.fasterxml.jackson.databind;
  requires jdk.httpserver;
  requires static transitive org.jspecify;

  exports org.gammanet.view;
}
