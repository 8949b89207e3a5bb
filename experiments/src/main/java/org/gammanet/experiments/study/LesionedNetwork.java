package org.gammanet.experiments.study;

import java.util.Set;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A network with lesions: a copy with changed horizontal kernels where those are cut, and hooks for
 * its passes where feedback is. The original stays the caller's and must outlive this.
 */
public final class LesionedNetwork implements AutoCloseable {
  private final Network network;
  private final boolean copied;
  private final @Nullable ForwardHooks hooks;

  /**
   * Lesions a network.
   *
   * @throws IllegalArgumentException where the network has no such part
   */
  public LesionedNetwork(Network original, Set<Lesion> lesions) {
    for (Lesion lesion : lesions) {
      if (!possible(original, lesion)) {
        throw new IllegalArgumentException(
            "%s: the network %s has none to cut"
                .formatted(lesion.words(), original.config().name()));
      }
    }
    hooks = lesions.contains(Lesion.TOP_DOWN) ? SILENT_FEEDBACK : null;
    copied = lesions.contains(Lesion.HORIZONTAL) || lesions.contains(Lesion.INHIBITION);
    network = copied ? copy(original, lesions) : original;
  }

  private static Network copy(Network original, Set<Lesion> lesions) {
    Network copy = Network.create(original.config());
    try {
      copy.loadStateDict(original.stateDict());
      copy.to(original.device());
      copy.setPrecision(original.precision());
      for (Parameter p : copy.parameters()) {
        for (Lesion lesion : lesions) {
          cut(p, lesion);
        }
      }
      return copy;
    } catch (RuntimeException e) {
      copy.close();
      throw e;
    }
  }

  /** Whether a network has the part that a lesion cuts. */
  public static boolean possible(Network network, Lesion lesion) {
    return switch (lesion) {
      case TOP_DOWN ->
          network.config().skipConnections()
              && network.sites().stream().anyMatch(p -> p.name().startsWith("td_"));
      case HORIZONTAL -> network.sites().stream().anyMatch(p -> p.cell().kernelSize() > 1);
      case INHIBITION -> !network.sites().isEmpty();
    };
  }

  /** The network to run, with its changed weights. */
  public Network network() {
    return network;
  }

  /** Hooks that its passes need; null for none. */
  public @Nullable ForwardHooks hooks() {
    return hooks;
  }

  /** Feedback that adds nothing. */
  private static final ForwardHooks SILENT_FEEDBACK =
      new ForwardHooks() {
        @Override
        public Tensor[] cellOutput(String cell, int timestep, Tensor[] outputs) {
          if (!cell.startsWith("td_")) {
            return outputs;
          }
          Tensor[] zeros = new Tensor[outputs.length];
          for (int i = 0; i < zeros.length; i++) {
            zeros[i] = Tensor.zeros(outputs[i].dtype(), outputs[i].device(), outputs[i].shape());
          }
          return zeros;
        }
      };

  /** Changes a horizontal kernel (C, C, k, k). */
  private static void cut(Parameter p, Lesion lesion) {
    boolean inhibitory = p.name().endsWith("W_inh");
    if (lesion == Lesion.TOP_DOWN || !inhibitory && !p.name().endsWith("W_exc")) {
      return;
    }
    long[] shape = p.shape();
    try (var scope = TensorScope.open()) {
      if (lesion == Lesion.INHIBITION) {
        if (inhibitory) {
          p.set(Tensor.zeros(p.tensor().dtype(), p.tensor().device(), shape));
        }
        return;
      }
      int taps = (int) (shape[2] * shape[3]);
      int center = (int) (shape[2] / 2 * shape[3] + shape[3] / 2);
      float[] values = p.tensor().toFloatArray();
      for (int i = 0; i < values.length; i++) {
        if (i % taps != center) {
          values[i] = 0;
        }
      }
      p.set(Tensor.of(values, shape).to(p.tensor().device()));
    }
  }

  /** Releases the copy, if there is one. */
  @Override
  public void close() {
    if (copied) {
      network.close();
    }
  }
}
