package org.gammanet.view;

import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.io.ImageException;
import org.gammanet.model.DivergenceException;
import org.gammanet.torch.TorchException;

/**
 * Computes one job after the other, on one thread: networks and their memory are used by it alone.
 */
final class Worker implements AutoCloseable {
  /** A computation. */
  interface Task {
    /** Computes and sends frames; leaves no tensor behind, however it ends. */
    void run(Job job) throws Exception;
  }

  private static final System.Logger LOG = System.getLogger(Worker.class.getName());

  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("gammanet-view").factory());
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Appends a job; unless it is canceled before, it ends with a frame that says how. */
  Job submit(Task task) {
    Job job = new Job();
    thread.execute(
        () -> {
          try {
            if (closed.get()) {
              job.cancel();
            }
            job.check();
            task.run(job);
            job.end(Job.header("end"));
          } catch (CancellationException e) {
            job.end(Job.header("error").put("message", "canceled"));
          } catch (Exception | OutOfMemoryError | StackOverflowError e) {
            job.end(Job.header("error").put("message", sentence(e)));
          }
        });
    return job;
  }

  /** What a user is told. */
  static String sentence(Throwable e) {
    String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    return switch (e) {
      case ViewException v -> message;
      case ImageException i -> message;
      case DivergenceException d -> message;
      case CheckpointException c -> message;
      case IllegalArgumentException i -> message;
      case TorchException t -> message;
      case OutOfMemoryError o ->
          "Java's memory of %s MB is used up: choose a smaller image, or start gammanet with GAMMANET_JAVA_OPTS=-Xmx4g"
              .formatted(Runtime.getRuntime().maxMemory() >> 20);
      default -> {
        LOG.log(System.Logger.Level.ERROR, "a computation failed", e);
        yield "this is a fault in gammanet: " + e;
      }
    };
  }

  /** Waits for the job that runs; those that wait are dropped. */
  @Override
  public void close() {
    closed.set(true);
    thread.shutdown();
    try {
      if (!thread.awaitTermination(60, TimeUnit.SECONDS)) {
        LOG.log(System.Logger.Level.WARNING, "a computation does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
