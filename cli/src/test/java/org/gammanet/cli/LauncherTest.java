package org.gammanet.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher in a clone or archive of its own, with a JDK that prints what it is started with.
 */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
  private record Run(int status, String out, String err) {}

  @TempDir Path temp;
  private Path project;
  private Path jdk;

  @BeforeEach
  void project() throws IOException {
    project = project("project");
    jdk = jdk("jdk", "25.0.1");
  }

  private Path project(String name) throws IOException {
    Path folder = Files.createDirectories(temp.resolve(name));
    Files.createDirectories(folder.resolve("cli/target/modules"));
    Files.copy(Path.of("gammanet"), folder.resolve("cli/gammanet"));
    Files.copy(Path.of("build.sh"), folder.resolve("cli/build.sh"));
    Files.writeString(folder.resolve("pom.xml"), "<project>\n  <version>1.2.3</version>\n");
    Files.createFile(folder.resolve("cli/target/launcher.stamp"));
    return folder;
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = temp.resolve(name);
    program(
        home.resolve("bin/java"), "echo \"locale $LC_ALL\"\nfor a in \"$@\"; do echo \"$a\"; done");
    program(home.resolve("bin/javac"), "");
    Files.writeString(home.resolve("release"), "JAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private static void program(Path file, String script) throws IOException {
    Files.createDirectories(file.resolveSibling("."));
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Run run(Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeAll(List.of("LC_ALL", "LC_CTYPE", "LANG"));
    builder.environment().put("LANG", "en_US.UTF-8");
    builder.environment().put("JAVA_HOME", jdk.toString());
    builder.environment().put("GAMMANET_CACHE", temp.resolve("cache").toString());
    builder.environment().putAll(environment);
    Path out = temp.resolve("out");
    Path err = temp.resolve("err");
    Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return new Run(process.exitValue(), Files.readString(out, UTF_8), Files.readString(err, UTF_8));
  }

  private Run launch(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(project.resolve("cli/gammanet").toString()));
    command.addAll(List.of(arguments));
    return run(environment, command.toArray(String[]::new));
  }

  @Test
  void startsTheJdkWithItsOptions() throws Exception {
    Run run = launch(Map.of("GAMMANET_JAVA_OPTS", "-Xmx8g -Xms1g"), "detect", "a b.png", "");
    assertEquals(0, run.status, run.err);
    assertEquals("", run.err);
    List<String> lines = run.out.lines().toList();
    assertTrue(lines.containsAll(List.of("-Xmx8g", "-Xms1g", "detect", "a b.png")), run.out);
    assertEquals("", lines.getLast());
    assertFalse(run.out.contains("incubator"), run.out); // its remark would reach the user
    assertTrue(launch(Map.of(), "bench").out.contains("jdk.incubator.vector"));
  }

  @Test
  void theVersionNeedsNoBuild() throws Exception {
    Files.delete(project.resolve("cli/target/launcher.stamp"));
    assertEquals(
        new Run(0, "gammanet 1.2.3 (not built yet)\n", ""),
        launch(Map.of("JAVA_HOME", "/nonexistent"), "--version"));
  }

  @Test
  void aCloneIsBuiltWhereASourceIsNewer() throws Exception {
    program(
        temp.resolve("path/mvn"),
        "echo \"$JAVA_HOME $*\" >maven; [ ! -f broken ] || { echo \"[ERROR] line 5\"; exit 1; }\n"
            + "touch cli/target/launcher.stamp");
    var path = Map.of("PATH", temp.resolve("path") + ":" + System.getenv("PATH"));
    Path source = Files.createDirectories(project.resolve("gammanet/src/main")).resolve("A.java");
    Files.createFile(source);
    FileTime past = FileTime.fromMillis(System.currentTimeMillis() - 60_000);
    Files.setLastModifiedTime(project.resolve("pom.xml"), past);
    Files.setLastModifiedTime(source, past);
    assertEquals("", launch(path, "info").err);

    Path stamp = project.resolve("cli/target/launcher.stamp");
    Files.setLastModifiedTime(stamp, FileTime.fromMillis(past.toMillis() - 60_000));
    Path broken = Files.createFile(project.resolve("broken"));
    Run failed = launch(path, "info");
    assertEquals(1, failed.status);
    assertTrue(failed.err.contains("[ERROR] line 5\ngammanet: the build failed"), failed.err);
    Files.delete(broken);
    assertEquals("", launch(path, "--version").err);
    Run run = launch(path, "info");
    assertEquals(0, run.status, run.err);
    assertTrue(run.err.startsWith("gammanet: building "), run.err);
    assertTrue(run.out.endsWith("info\n"), run.out);
    String maven = Files.readString(project.resolve("maven"));
    assertTrue(maven.startsWith(jdk + " ") && maven.endsWith("-pl cli -am package\n"), maven);
    assertEquals("", launch(path, "info").err);
  }

  @Test
  void anArchiveRunsTheJavaThatItHolds() throws Exception {
    Path archive = jdk("archive/runtime", "22").resolveSibling("bin");
    Path launcher = Files.createDirectories(archive).resolve("gammanet");
    Files.copy(Path.of("gammanet"), launcher);
    Run empty = run(Map.of(), launcher.toString(), "info");
    assertTrue(empty.err.startsWith("gammanet: there is nothing to run in "), empty.err);
    Path modules = Files.createDirectories(temp.resolve("archive/lib/modules"));
    Path link = Files.createSymbolicLink(temp.resolve("link"), Path.of("archive/bin/gammanet"));
    Run run = run(Map.of("JAVA_HOME", "/nonexistent"), link.toString(), "info");
    assertEquals(0, run.status, run.err);
    assertTrue(run.out.contains(modules.toRealPath().toString()), run.out);
  }

  @Test
  void aJdkThatIsTooOldIsPassedOver() throws Exception {
    assertTrue(launch(Map.of(), "info").out.contains("locale "));
    jdk("jdk", "21.0.2");
    assertFalse(launch(Map.of(), "info").out.contains("locale "));
  }

  @Test
  void theCLocaleBecomesOneThatKnowsAllNames() throws Exception {
    assertTrue(launch(Map.of("LC_ALL", "C"), "info").out.contains("locale C.UTF-8\n"));
    assertTrue(launch(Map.of("LC_ALL", "POSIX"), "info").out.contains("locale C.UTF-8\n"));
    assertTrue(launch(Map.of("LANG", ""), "info").out.contains("locale C.UTF-8\n"));
    assertTrue(launch(Map.of("LC_ALL", "de_DE"), "info").out.contains("locale de_DE\n"));
  }

  /** What Java opens next would otherwise stand in for a stream that is closed. */
  @Test
  void closedStreamsAreNoFilesOfJava() throws Exception {
    Path java = jdk.resolve("bin/java");
    Files.writeString(java, "#!/bin/sh\ncat > /dev/null\necho text || exit 7\n");
    String launcher = project + "/cli/gammanet";
    assertEquals(0, run(Map.of(), "sh", "-c", "exec \"$0\" info <&-", launcher).status);
    Run closed = run(Map.of(), "sh", "-c", "exec \"$0\" info <&- >&- 2>&-", launcher);
    assertEquals(new Run(7, "", ""), closed);
  }

  @Test
  void aCurrentFolderThatIsGoneIsTold() throws Exception {
    Path gone = Files.createDirectory(temp.resolve("gone"));
    Run run =
        run(
            Map.of(),
            "sh",
            "-c",
            "cd \"$1\" && rmdir \"$1\" && exec \"$0\" info",
            project + "/cli/gammanet",
            gone.toString());
    assertEquals(1, run.status);
    assertTrue(run.err.endsWith("gammanet: the current folder is no longer there\n"), run.err);
  }

  @Test
  void worksWithAClosedErrorStream() throws Exception {
    Run run = run(Map.of(), "sh", "-c", "exec \"$0\" info 2>&-", project + "/cli/gammanet");
    assertEquals(0, run.status);
    assertTrue(run.out.endsWith("info\n"), run.out);
  }

  @Test
  void aPathSeparatorInThePathOfTheProjectDoesNoHarm() throws Exception {
    project = project("a:b");
    Run run = launch(Map.of(), "info");
    List<String> lines = run.out.lines().toList();
    String modules = lines.get(lines.indexOf("-p") + 1);
    assertFalse(
        modules.contains(":") || lines.get(lines.indexOf("-cp") + 1).contains(":"), run.out);
    assertTrue(Files.isDirectory(Path.of(modules)), modules);
  }

  @Test
  void eachProjectHasAnArchiveOfItsOwnWhichNobodyElseMayWrite() throws Exception {
    String first = archive(launch(Map.of(), "info"));
    project = project("copy");
    String second = archive(launch(Map.of(), "info"));
    assertFalse(first.isEmpty() || first.equals(second), first + second);
    Files.setPosixFilePermissions(
        temp.resolve("cache/classes"), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertEquals("", archive(launch(Map.of(), "info")));
  }

  private static String archive(Run run) {
    return run.out
        .lines()
        .filter(l -> l.startsWith("-XX:SharedArchiveFile="))
        .findFirst()
        .orElse("");
  }
}
