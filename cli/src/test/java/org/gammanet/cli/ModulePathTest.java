package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Users run modules, tests run on the class path: each command runs once as users run it. */
class ModulePathTest {
  /** Native libraries, which are no modules. */
  private static final Predicate<String> NATIVE =
      Pattern.compile("bytedeco|gammanet-native|native.target").asPredicate();

  /** What the launcher does not have. */
  private static final Predicate<String> TESTS =
      Pattern.compile(
              "test-classes|-tests\\.jar|junit|opentest4j|apiguardian|picocli-codegen|jazzer")
          .asPredicate();

  private static List<String> path() {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return Arrays.stream(path.split(File.pathSeparator)).filter(TESTS.negate()).toList();
  }

  private static String joined(Predicate<String> wanted) {
    return path().stream().filter(wanted).collect(Collectors.joining(File.pathSeparator));
  }

  private static String folderOf(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  @Test
  void eachCommandRunsOnTheModulePath(@TempDir Path folder) throws Exception {
    Path classes = Path.of(folderOf(GammanetCommand.class));
    assumeTrue(
        Files.exists(classes.resolve("module-info.class")), "the classes are not in modules");
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=org.gammanet.torch",
                "-p",
                joined(NATIVE.negate()),
                "-cp",
                joined(NATIVE),
                "--patch-module",
                "org.gammanet.cli=" + folderOf(EachCommand.class),
                "-m",
                "org.gammanet.cli/" + EachCommand.class.getName(),
                folder.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertEquals(0, process.waitFor(), Files.readString(log));
  }

  @Test
  void noCommandIsLeftOut() {
    Set<String> commands = new TreeSet<>(GammanetCommand.commandLine().getSubcommands().keySet());
    assertEquals(commands, new TreeSet<>(EachCommand.names()));
  }
}
