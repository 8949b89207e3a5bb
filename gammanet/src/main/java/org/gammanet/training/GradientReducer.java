package org.gammanet.training;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
 *
 * <p>Sums of float32 depend on how a batch is divided. Exact sums add up single images' gradients
 * in float64, whose rounding errors are 2^-29 of those of float32: rounded to float32, hardly any
 * sum depends on the order in which it was taken.
 */
final class GradientReducer implements AutoCloseable {
  /** Values of a bucket at most, unless a single parameter has more: 32 MiB. */
  private static final long BUCKET = 8 << 20;

  private final ProcessGroup group;
  private final List<Optimizer.Group> parameters;
  private final boolean exact;

  /** The exact sums of this rank, in the order of the parameters. */
  private final Map<String, Tensor> sums = new LinkedHashMap<>();

  private long bytes;
  private double seconds;

  GradientReducer(ProcessGroup group, List<Optimizer.Group> parameters, boolean exact) {
    this.group = group;
    this.parameters = parameters;
    this.exact = exact;
  }

  private interface Each {
    void accept(String name, Tensor gradient);
  }

  private void gradients(Each each) {
    for (Optimizer.Group g : parameters) {
      g.parameters()
          .forEach(
              (name, parameter) -> {
                Tensor gradient = parameter.grad();
                if (gradient != null) {
                  each.accept(name, gradient);
                }
              });
    }
  }

  /** Adds the gradients of an image to the exact sums, and leaves zeros. */
  void collect() {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      gradients(
          (name, gradient) -> {
            Tensor wide = gradient.to(DType.FLOAT64);
            Tensor sum = sums.get(name);
            if (sum == null) {
              sums.put(name, TensorScope.detach(wide));
            } else {
              sum.copy_(Ops.add(sum, wide));
            }
            gradient.zero_();
          });
    }
  }

  /**
   * Sums over all ranks.
   *
   * @throws TrainingException where ranks have gradients of different size
   * @throws LostRankException where a rank is lost
   */
  void reduce() {
    if (group.size() == 1 && !exact) {
      return;
    }
    long start = System.nanoTime();
    bytes = 0;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      List<Tensor> gradients = new ArrayList<>();
      List<Tensor> terms = new ArrayList<>();
      gradients(
          (name, gradient) -> {
            gradients.add(gradient);
            terms.add(exact ? Objects.requireNonNull(sums.get(name)) : gradient);
          });
      long own = gradients.stream().mapToLong(Tensor::numel).sum();
      double[] sizes = group.sum(own, (double) own * own);
      if (sizes[0] * sizes[0] != group.size() * sizes[1]) {
        throw new TrainingException("ranks have gradients of different parameters");
      }
      int first = 0;
      long size = 0;
      for (int i = 0; i < gradients.size(); i++) {
        long more = gradients.get(i).numel();
        if (i > first && size + more > BUCKET) {
          reduce(terms.subList(first, i), gradients.subList(first, i));
          first = i;
          size = 0;
        }
        size += more;
      }
      if (first < gradients.size()) {
        int end = gradients.size();
        reduce(terms.subList(first, end), gradients.subList(first, end));
      }
    }
    seconds = (System.nanoTime() - start) / 1e9;
  }

  private void reduce(List<Tensor> terms, List<Tensor> gradients) {
    try (var scope = TensorScope.open()) {
      Tensor flat =
          Ops.cat(terms.stream().map(g -> Ops.reshape(g, -1)).toList(), 0)
              .to(Device.CPU)
              .to(exact ? DType.FLOAT64 : DType.FLOAT32);
      group.allReduce(flat);
      if (group.size() > 1) {
        bytes += (exact ? Double.BYTES : Float.BYTES) * flat.numel();
      }
      long at = 0;
      for (Tensor gradient : gradients) {
        gradient.copy_(Ops.reshape(Ops.narrow(flat, 0, at, gradient.numel()), gradient.shape()));
        at += gradient.numel();
      }
    }
  }

  /** Forgets the exact sums, before an update. */
  void clear() {
    sums.values().forEach(Tensor::close);
    sums.clear();
  }

  /** Bytes of gradients of the last update. */
  long bytes() {
    return bytes;
  }

  /** How long the last update waited for sums. */
  double seconds() {
    return seconds;
  }

  @Override
  public void close() {
    clear();
  }
}
