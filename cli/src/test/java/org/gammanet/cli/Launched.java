package org.gammanet.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command in a Java of its own, on the class path of the tests. */
final class Launched {
  private Launched() {}

  static ProcessBuilder command(List<String> arguments) {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"));
    words.addAll(List.of("-Xmx1g", "-XX:+UseSerialGC", "-cp", path));
    words.add(GammanetCommand.class.getName());
    words.addAll(arguments);
    return new ProcessBuilder(words);
  }
}
