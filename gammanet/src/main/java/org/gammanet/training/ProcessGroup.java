package org.gammanet.training;

import java.util.ServiceLoader;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * The processes that train one network together, the ranks, each with a part of every batch. All of
 * them call the same methods in the same order.
 */
public interface ProcessGroup extends AutoCloseable {
  /** A single process. */
  ProcessGroup ALONE =
      new ProcessGroup() {
        @Override
        public int rank() {
          return 0;
        }

        @Override
        public int size() {
          return 1;
        }

        @Override
        public void allReduce(Tensor values) {}

        @Override
        public void close() {}
      };

  /** Number of this process, from 0. */
  int rank();

  /** Number of processes. */
  int size();

  /**
   * Replaces values by their sums over all ranks, which every rank gets bit for bit alike.
   *
   * @param values contiguous, on the CPU, of the same type and size in each rank
   * @throws LostRankException where a rank has ended, or does not answer in time
   */
  void allReduce(Tensor values);

  /** Leaves the group. */
  @Override
  void close();

  /** The sums of numbers over all ranks. */
  default double[] sum(double... values) {
    if (size() == 1) {
      return values;
    }
    try (var scope = TensorScope.open()) {
      Tensor tensor = Tensor.of(values, values.length);
      allReduce(tensor);
      return tensor.toDoubleArray();
    }
  }

  /** The numbers of rank 0. */
  default double[] ofFirst(double... values) {
    return sum(rank() == 0 ? values : new double[values.length]);
  }

  /**
   * Meets the other ranks; a group of one needs no meeting.
   *
   * @throws TrainingException where they do not come
   */
  static ProcessGroup join(Rendezvous rendezvous) {
    if (rendezvous.size() == 1) {
      return ALONE;
    }
    return ServiceLoader.load(ProcessGroupProvider.class, ProcessGroup.class.getClassLoader())
        .findFirst()
        .orElseThrow(
            () ->
                new TrainingException(
                    "training with several processes needs the artifact"
                        + " org.gammanet:gammanet-distributed on the class path"))
        .join(rendezvous);
  }
}
