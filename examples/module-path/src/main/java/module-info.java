/** An experiment on the units of a network. */
module org.example.tuning {
  requires org.gammanet.experiments;
}
