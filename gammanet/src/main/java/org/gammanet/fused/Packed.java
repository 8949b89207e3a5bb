package org.gammanet.fused;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Resources;
import org.gammanet.torch.Tensor;

/**
 * Weights as the native kernels read them, one form for each precision: packed on first use, and
 * again when a parameter has been written or moved since. Passes on several threads share them.
 */
final class Packed<T extends AutoCloseable> implements AutoCloseable {
  /**
   * Packed weights and what they were made from.
   *
   * @param values the parameters' tensors
   * @param versions their versions, which every write to them raises
   */
  private record Entry<T>(T packed, Tensor[] values, long[] versions) {
    boolean isOf(List<Parameter> parameters) {
      for (int i = 0; i < values.length; i++) {
        Tensor now = parameters.get(i).tensor();
        if (now != values[i] || now.version() != versions[i]) {
          return false;
        }
      }
      return true;
    }
  }

  private final List<Parameter> parameters;
  private final Function<Precision, T> pack;
  private final Map<Precision, Entry<T>> entries = new EnumMap<>(Precision.class);

  /**
   * Nothing yet.
   *
   * @param parameters all that is packed; the first, when closed, closes this
   * @param pack makes the packed weights
   */
  Packed(List<Parameter> parameters, Function<Precision, T> pack) {
    this.parameters = parameters;
    this.pack = pack;
    parameters.getFirst().closeWith(this);
  }

  /**
   * The packed weights, which stay this object's.
   *
   * @throws UnsupportedOperationException when this processor lacks the precision
   */
  synchronized T get(Precision precision) {
    Entry<T> entry = entries.get(precision);
    if (entry != null) {
      if (entry.isOf(parameters)) {
        return entry.packed;
      }
      close(); // the other precisions are stale, too
    }
    Tensor[] values = parameters.stream().map(Parameter::tensor).toArray(Tensor[]::new);
    long[] versions = new long[values.length];
    for (int i = 0; i < versions.length; i++) {
      versions[i] = values[i].version();
    }
    T packed = pack.apply(precision);
    entries.put(precision, new Entry<>(packed, values, versions));
    return packed;
  }

  /** Frees the packed weights; does nothing the second time. */
  @Override
  public synchronized void close() {
    List<T> all = entries.values().stream().map(Entry::packed).toList();
    entries.clear();
    Resources.closeAll(all);
  }
}
