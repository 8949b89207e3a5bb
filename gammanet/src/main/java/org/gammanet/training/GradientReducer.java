package org.gammanet.training;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Adds up gradients over all ranks, in buckets. It does so after the backward pass: the weights of
 * a recurrent network have their gradient only when the pass has come back to the first timestep,
 * so there is next to nothing to overlap.
 */
final class GradientReducer {
  /** Values of a bucket at most, unless a single parameter has more: 32 MiB. */
  private static final long BUCKET = 8 << 20;

  private final ProcessGroup group;
  private final List<Optimizer.Group> parameters;
  private long bytes;
  private double seconds;

  GradientReducer(ProcessGroup group, List<Optimizer.Group> parameters) {
    this.group = group;
    this.parameters = parameters;
  }

  /**
   * Sums over all ranks.
   *
   * @throws TrainingException where ranks have gradients of different size
   * @throws LostRankException where a rank is lost
   */
  void reduce() {
    if (group.size() == 1) {
      return;
    }
    long start = System.nanoTime();
    bytes = 0;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      List<Tensor> gradients = new ArrayList<>();
      for (Optimizer.Group g : parameters) {
        for (Tensor parameter : g.parameters().values()) {
          Tensor gradient = parameter.grad();
          if (gradient != null) {
            gradients.add(gradient);
          }
        }
      }
      long own = gradients.stream().mapToLong(Tensor::numel).sum();
      double[] sizes = group.sum(own, (double) own * own);
      if (sizes[0] * sizes[0] != group.size() * sizes[1]) {
        throw new TrainingException("ranks have gradients of different parameters");
      }
      List<Tensor> bucket = new ArrayList<>();
      long size = 0;
      for (Tensor gradient : gradients) {
        if (!bucket.isEmpty() && size + gradient.numel() > BUCKET) {
          reduce(bucket);
          bucket.clear();
          size = 0;
        }
        bucket.add(gradient);
        size += gradient.numel();
      }
      if (!bucket.isEmpty()) {
        reduce(bucket);
      }
    }
    seconds = (System.nanoTime() - start) / 1e9;
  }

  private void reduce(List<Tensor> gradients) {
    try (var scope = TensorScope.open()) {
      Tensor flat =
          Ops.cat(gradients.stream().map(g -> Ops.reshape(g, -1)).toList(), 0)
              .to(Device.CPU)
              .to(DType.FLOAT32);
      group.allReduce(flat);
      bytes += Float.BYTES * flat.numel();
      long at = 0;
      for (Tensor gradient : gradients) {
        gradient.copy_(Ops.reshape(Ops.narrow(flat, 0, at, gradient.numel()), gradient.shape()));
        at += gradient.numel();
      }
    }
  }

  /** Bytes of gradients of the last update. */
  long bytes() {
    return bytes;
  }

  /** How long the last update waited for sums. */
  double seconds() {
    return seconds;
  }
}
