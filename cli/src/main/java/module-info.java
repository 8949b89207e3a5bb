/** The {@code gammanet} command. */
module org.gammanet.cli {
  requires org.gammanet.parity;
  requires org.gammanet.javacell;
  requires org.gammanet.view;
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires java.desktop;
  requires jdk.unsupported; // signals
  requires static transitive org.jspecify;

  opens org.gammanet.cli to
      com.fasterxml.jackson.databind,
      info.picocli;
}
