package org.gammanet.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Starts this command several times on this machine, as the ranks of a process group. */
final class Ranks {
  /** How long the others may take to end once one has failed. */
  private static final long GRACE_SECONDS = 30;

  private static final int TERM = 15;

  private Ranks() {}

  /**
   * Runs all ranks to their end; on a signal they end in an orderly way.
   *
   * @return the exit status
   * @throws CommandException where a rank has failed
   */
  static int start(int ranks) throws IOException, InterruptedException {
    List<String> command = command();
    int port;
    try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    List<Process> running = new ArrayList<>();
    try (var interrupt = Interrupt.handle(() -> {})) {
      for (int rank = 0; rank < ranks; rank++) {
        var builder = new ProcessBuilder(command).inheritIO();
        Map<String, String> environment = builder.environment();
        environment.put("RANK", "" + rank);
        environment.put("LOCAL_RANK", "" + rank);
        environment.put("WORLD_SIZE", "" + ranks);
        environment.put("LOCAL_WORLD_SIZE", "" + ranks);
        environment.put("MASTER_ADDR", "127.0.0.1");
        environment.put("MASTER_PORT", "" + port);
        running.add(builder.start());
      }
      return watch(running, interrupt);
    } finally {
      running.forEach(Process::destroyForcibly);
    }
  }

  private static int watch(List<Process> running, Interrupt interrupt) throws InterruptedException {
    boolean told = false;
    int failed = -1;
    long until = Long.MAX_VALUE;
    while (running.stream().anyMatch(Process::isAlive)) {
      if (interrupt.signal() == TERM && !told) { // a terminal sends the others to all itself
        told = true;
        running.forEach(Process::destroy);
      }
      for (int rank = 0; rank < running.size() && failed < 0; rank++) {
        if (!running.get(rank).isAlive() && running.get(rank).exitValue() != 0) {
          failed = rank;
          until = System.nanoTime() + TimeUnit.SECONDS.toNanos(GRACE_SECONDS);
        }
      }
      if (failed >= 0 && System.nanoTime() > until) {
        running.forEach(Process::destroyForcibly);
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
    if (interrupt.happened()) {
      return interrupt.status(); // rank 0 has said where it continues
    }
    for (int rank = 0; rank < running.size() && failed < 0; rank++) {
      failed = running.get(rank).exitValue() == 0 ? -1 : rank;
    }
    if (failed >= 0) {
      throw new CommandException(
          "the training has ended, since rank %s of %s ended with status %s"
              .formatted(failed, running.size(), running.get(failed).exitValue()));
    }
    return 0;
  }

  /** The arguments of this process. The JDK omits those of a command of 4096 bytes and more. */
  private static List<String> arguments(ProcessHandle.Info info) {
    try {
      byte[] all = Files.readAllBytes(Path.of("/proc/self/cmdline"));
      Charset charset = Charset.forName(System.getProperty("sun.jnu.encoding"));
      List<String> words = List.of(new String(all, charset).split("\0", -1));
      return words.subList(1, words.size() - 1); // a zero ends each, the program's name comes first
    } catch (IOException | IllegalArgumentException e) {
      return List.of(info.arguments().orElse(new String[0]));
    }
  }

  /** The command of this process, without the option. */
  private static List<String> command() {
    ProcessHandle.Info info = ProcessHandle.current().info();
    String program = info.command().orElse("");
    List<String> words = new ArrayList<>();
    words.add(program);
    List<String> arguments = arguments(info);
    if (program.isEmpty() || arguments.isEmpty()) {
      throw new CommandException(
          "this system does not tell how this program was started: start the processes with"
              + " torchrun, srun or mpirun");
    }
    boolean value = false;
    for (String word : arguments) {
      if (!value && !word.startsWith("--nproc=")) {
        words.add(word);
      }
      if (word.equals("--nproc")) {
        words.removeLast();
      }
      value = word.equals("--nproc");
    }
    return words;
  }
}
