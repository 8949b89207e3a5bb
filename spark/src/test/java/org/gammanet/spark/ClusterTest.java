package org.gammanet.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.gammanet.GammaNet;
import org.gammanet.detection.Detector;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.io.Images;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The jar, submitted to clusters of this machine, of which some executors and workers are killed.
 */
@DisabledOnOs(OS.WINDOWS)
class ClusterTest {
  private static final Path HOME = Path.of(System.getProperty("spark.home", ""));
  private static final String JAR = System.getProperty("gammanet.jar", "");
  private static final int PHOTOS = 16;
  private static final int BROKEN = 5;

  @TempDir Path folder = Path.of("");
  private final List<Process> running = new ArrayList<>();

  @AfterEach
  void end() {
    for (Process process : running) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  /** A Java with Spark's jars, as its scripts start it. */
  private Process java(Path log, List<String> words) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String opened :
        "lang lang.invoke lang.reflect io net nio util util.concurrent util.concurrent.atomic"
            .split(" ")) {
      command.add("--add-opens=java.base/java." + opened + "=ALL-UNNAMED");
    }
    command.addAll(
        List.of(
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            "--enable-native-access=ALL-UNNAMED",
            "-Xmx512m",
            "-cp",
            HOME.resolve("jars") + "/*"));
    command.addAll(words);
    var builder = new ProcessBuilder(command);
    builder.environment().put("SPARK_HOME", HOME.toString());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    Process process = builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
    running.add(process);
    return process;
  }

  private Process submit(String master, Path log, String... words) throws IOException {
    List<String> all = new ArrayList<>(List.of("org.apache.spark.deploy.SparkSubmit"));
    all.addAll(List.of("--master", master, "--driver-memory", "512m"));
    for (String setting :
        List.of(
            "spark.ui.enabled=false",
            "spark.executor.memory=512m",
            "spark.executorEnv.MALLOC_ARENA_MAX=1",
            "spark.executorEnv.OMP_WAIT_POLICY=passive",
            "spark.sql.files.openCostInBytes=1m",
            "spark.sql.files.maxPartitionBytes=1m")) {
      all.addAll(List.of("--conf", setting));
    }
    all.addAll(List.of("--class", GammaNetSparkCommand.class.getName(), JAR));
    all.addAll(Arrays.asList(words));
    return java(log, all);
  }

  private void photos() throws IOException {
    Pictures.write(folder, PHOTOS);
    for (int i = 0; i < BROKEN; i++) {
      Files.write(folder.resolve("images/test/broken" + i + ".png"), new byte[10 * i]);
    }
  }

  private String[] detect() {
    return new String[] {
      "detect",
      folder.resolve("images/test").toString(),
      "--output",
      folder.resolve("edges").toString(),
      "--set",
      "model.timesteps=2"
    };
  }

  /** Waits for the first results of tasks. */
  private void waitForResults(Process process, Path log) throws Exception {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(240);
    while (true) {
      assertTrue(process.isAlive() && System.nanoTime() < until, Files.readString(log));
      if (Files.isDirectory(folder.resolve("edges"))) {
        try (Stream<Path> files = Files.walk(folder.resolve("edges"))) {
          if (files.anyMatch(f -> f.toString().endsWith(".parquet"))) {
            return;
          }
        } catch (UncheckedIOException e) {
          // a file was moved meanwhile
        }
      }
      Thread.sleep(20);
    }
  }

  private void requireAllMaps(Process process, Path log) throws Exception {
    assertTrue(process.waitFor(300, TimeUnit.SECONDS), () -> "still running: " + log);
    assertEquals(0, process.exitValue(), Files.readString(log));
    assertTrue(Files.readString(log).contains("16 edge maps and 5 errors"), Files.readString(log));
    SparkNetwork network = SparkNetwork.BUNDLED.with(List.of("model.timesteps=2"));
    try (SparkSession spark =
            SparkSession.builder()
                .master("local[1]")
                .config("spark.ui.enabled", false)
                .getOrCreate();
        GammaNet net = network.open(Device.CPU)) {
      int maps = 0;
      for (Row row : spark.read().parquet(folder.resolve("edges").toString()).collectAsList()) {
        String path = row.getAs("path");
        String name = path.substring(path.lastIndexOf('/') + 1);
        assertEquals(name.startsWith("broken"), row.getAs("error") != null, name);
        if (row.getAs("error") == null) {
          maps++;
          byte[] file = Files.readAllBytes(folder.resolve("images/test").resolve(name));
          ByteBuffer png =
              Images.png8(new Detector(net, DetectorOptions.DEFAULTS).detect(file, name));
          byte[] expected = new byte[png.remaining()];
          png.get(expected);
          assertArrayEquals(expected, row.getAs("png"), name);
        }
      }
      assertEquals(PHOTOS, maps);
    }
  }

  @Test
  void twoWorkersAndAnExecutorThatIsKilled() throws Exception {
    photos();
    Path log = folder.resolve("log");
    Process process = submit("local-cluster[2,1,512]", log, detect());
    waitForResults(process, log);
    ProcessHandle executor =
        process.descendants().filter(ProcessHandle::isAlive).findFirst().orElseThrow();
    executor.destroyForcibly();
    requireAllMaps(process, log);
  }

  @Test
  void aWorkerOfAStandaloneClusterIsKilled() throws Exception {
    photos();
    int port;
    try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    String master = "spark://127.0.0.1:" + port;
    java(
        folder.resolve("master"),
        List.of(
            "org.apache.spark.deploy.master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            "" + port,
            "--webui-port",
            "0"));
    List<Process> workers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      workers.add(
          java(
              folder.resolve("worker" + i),
              List.of(
                  "org.apache.spark.deploy.worker.Worker",
                  "--host",
                  "127.0.0.1",
                  "--webui-port",
                  "0",
                  "--cores",
                  "1",
                  "--memory",
                  "1g",
                  "--work-dir",
                  folder.resolve("work" + i).toString(),
                  master)));
    }
    Path log = folder.resolve("log");
    Process process = submit(master, log, detect());
    waitForResults(process, log);
    workers.getFirst().descendants().forEach(ProcessHandle::destroyForcibly);
    workers.getFirst().destroyForcibly();
    requireAllMaps(process, log);
  }
}
