package org.gammanet.training;

import java.util.List;
import java.util.Map;

/**
 * Where the processes of a training meet.
 *
 * @param rank number of this process, from 0
 * @param size number of processes
 * @param localRank number of this process on its machine, from 0
 * @param localSize number of processes on this machine
 * @param address name or address of the machine of rank 0
 * @param port of the store, in which ranks find each other's addresses
 * @param hostsStore whether this process holds the store
 * @param name of the meeting; one that was started again has another
 */
public record Rendezvous(
    int rank,
    int size,
    int localRank,
    int localSize,
    String address,
    int port,
    boolean hostsStore,
    String name) {
  /** A process without others. */
  public static final Rendezvous ALONE = new Rendezvous(0, 1, 0, 1, "", 0, false, "");

  private static final int DEFAULT_PORT = 29500;

  public Rendezvous {
    if (size < 1 || rank < 0 || rank >= size || localRank < 0 || localSize < 1) {
      throw new TrainingException(
          "rank %s of %s, %s of %s on this machine, is none: ranks count from 0"
              .formatted(rank, size, localRank, localSize));
    }
  }

  /**
   * What the program that started the processes has told them: torchrun's names ({@code RANK},
   * {@code WORLD_SIZE}, {@code LOCAL_RANK}, {@code LOCAL_WORLD_SIZE}, {@code MASTER_ADDR}, {@code
   * MASTER_PORT}), else those of Slurm's {@code srun}, else those of Open MPI's {@code mpirun};
   * {@link #ALONE} where there are none.
   *
   * @throws TrainingException where one of them is missing or is no number
   */
  public static Rendezvous of(Map<String, String> environment) {
    var e = new Environment(environment);
    if (e.has("RANK") || e.has("WORLD_SIZE")) {
      boolean elsewhere = e.text("TORCHELASTIC_USE_AGENT_STORE", "").equalsIgnoreCase("true");
      int rank = e.number("RANK");
      return new Rendezvous(
          rank,
          e.number("WORLD_SIZE"),
          e.number("LOCAL_RANK", 0),
          e.number("LOCAL_WORLD_SIZE", 1),
          e.text("MASTER_ADDR", "127.0.0.1"),
          e.number("MASTER_PORT", DEFAULT_PORT),
          rank == 0 && !elsewhere,
          e.text("TORCHELASTIC_RUN_ID", "") + "/" + e.text("TORCHELASTIC_RESTART_COUNT", "0"));
    }
    if (e.has("SLURM_PROCID") && e.has("SLURM_STEP_NUM_TASKS")) {
      int job = e.number("SLURM_JOB_ID", 0);
      return e.started(
          "SLURM_PROCID",
          "SLURM_STEP_NUM_TASKS",
          "SLURM_LOCALID",
          e.number("SLURM_STEP_TASKS_PER_NODE", 1),
          firstHost(e.text("SLURM_STEP_NODELIST", "127.0.0.1")),
          20_000 + job % 20_000);
    }
    if (e.has("OMPI_COMM_WORLD_RANK")) {
      int local = e.number("OMPI_COMM_WORLD_LOCAL_SIZE", 1);
      if (local < e.number("OMPI_COMM_WORLD_SIZE") && !e.has("MASTER_ADDR")) {
        throw new TrainingException(
            "mpirun has started processes on several machines: set MASTER_ADDR to that of rank 0");
      }
      return e.started(
          "OMPI_COMM_WORLD_RANK",
          "OMPI_COMM_WORLD_SIZE",
          "OMPI_COMM_WORLD_LOCAL_RANK",
          local,
          "127.0.0.1",
          DEFAULT_PORT);
    }
    return ALONE;
  }

  /** The first of Slurm's list of machines, such as {@code node[03-05,9],other}. */
  static String firstHost(String list) {
    return list.replaceFirst("\\[(\\w+)[^\\]]*\\](\\w*).*", "$1$2").replaceFirst(",.*", "");
  }

  private record Environment(Map<String, String> values) {
    boolean has(String name) {
      return !text(name, "").isEmpty();
    }

    String text(String name, String otherwise) {
      return values.getOrDefault(name, otherwise);
    }

    int number(String name) {
      if (!has(name)) {
        throw new TrainingException(
            "the environment has no %s, as of torchrun: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT belong together"
                .formatted(name));
      }
      return number(name, 0);
    }

    int number(String name, int otherwise) {
      if (!has(name)) {
        return otherwise;
      }
      // Slurm writes 2(x3) for three machines with two tasks each.
      String value = List.of(text(name, "").strip().split("[(,]")).getFirst();
      if (!value.matches("[0-9]{1,9}")) {
        throw new TrainingException(
            "%s must be a number, not '%s'".formatted(name, text(name, "")));
      }
      return Integer.parseInt(value);
    }

    Rendezvous started(
        String rank, String size, String localRank, int localSize, String address, int port) {
      int own = number(rank);
      return new Rendezvous(
          own,
          number(size),
          number(localRank, 0),
          localSize,
          text("MASTER_ADDR", address),
          number("MASTER_PORT", port),
          own == 0,
          "0");
    }
  }
}
