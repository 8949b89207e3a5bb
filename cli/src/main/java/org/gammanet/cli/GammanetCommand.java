package org.gammanet.cli;

/** Entry point of the {@code gammanet} command. */
public final class GammanetCommand {
  private GammanetCommand() {}

  /** Runs the command line and exits with its status. */
  public static void main(String[] args) {
    System.out.println("gammanet");
  }
}
