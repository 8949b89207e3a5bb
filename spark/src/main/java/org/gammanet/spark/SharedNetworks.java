package org.gammanet.spark;

import java.util.HashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.util.TaskCompletionListener;
import org.gammanet.GammaNet;
import org.gammanet.torch.Device;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;

/**
 * The networks of an executor: its tasks share one of each kind. Those that no task uses are closed
 * when another one is opened.
 */
final class SharedNetworks {
  private record Key(SparkNetwork network, Device device) {}

  private static final class Shared {
    final GammaNet net;
    int users;

    Shared(GammaNet net) {
      this.net = net;
    }
  }

  private static final Map<Key, Shared> OPEN = new HashMap<>();

  private SharedNetworks() {}

  /**
   * The network for this task, which has it until it ends. It computes with as many threads as the
   * task has CPUs.
   */
  static GammaNet take(SparkNetwork network) {
    TaskContext task = TaskContext.get();
    prepare(task);
    var key = new Key(network, device(task));
    Shared shared = take(key);
    TaskCompletionListener release = ended -> release(shared);
    task.addTaskCompletionListener(release);
    return shared.net;
  }

  /** Gives operators of this thread as many threads as the task has CPUs. */
  static void prepare(TaskContext task) {
    LibTorch.setThreads(Math.clamp(task.cpus(), 1, LibTorch.maxThreads()));
  }

  /** The GPU that Spark has assigned to a task, else the CPU. */
  static Device device(TaskContext task) {
    @Nullable ResourceInformation gpus = task.resourcesJMap().get("gpu");
    return gpus == null || gpus.addresses().length == 0
        ? Device.CPU
        : Device.parse("cuda:" + gpus.addresses()[0]);
  }

  private static synchronized Shared take(Key key) {
    Shared shared = OPEN.get(key);
    if (shared == null) {
      OPEN.values().removeIf(SharedNetworks::closeIdle);
      shared = new Shared(key.network.open(key.device));
      OPEN.put(key, shared);
    }
    shared.users++;
    return shared;
  }

  private static boolean closeIdle(Shared shared) {
    if (shared.users > 0) {
      return false;
    }
    shared.net.close();
    return true;
  }

  private static synchronized void release(Shared shared) {
    shared.users--;
  }
}
