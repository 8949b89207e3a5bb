package org.gammanet.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.torch.Tensor;

/**
 * What a forward pass gives. The tensors belong to the scope that was open when it was called, or
 * to the caller, who closes this.
 *
 * @param logits after the last timestep, (N, output channels, H, W); probability is their sigmoid
 * @param logitsPerTimestep after each timestep if that was asked for, else empty; the last is
 *     {@code logits}
 * @param states after the last timestep by name if asked for, else empty
 */
public record ForwardResult(
    Tensor logits, List<Tensor> logitsPerTimestep, Map<String, Tensor> states)
    implements AutoCloseable {

  /** Closes all tensors that are still open. */
  @Override
  public void close() {
    Map<Tensor, Boolean> all = new LinkedHashMap<>();
    all.put(logits, true);
    logitsPerTimestep.forEach(t -> all.put(t, true));
    states.values().forEach(t -> all.put(t, true));
    for (Tensor tensor : all.keySet()) {
      if (!tensor.isClosed()) {
        tensor.close();
      }
    }
  }
}
