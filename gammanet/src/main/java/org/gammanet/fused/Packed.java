package org.gammanet.fused;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Resources;
import org.gammanet.torch.Tensor;

/**
 * Weights as the native kernels read them, one form for each precision: packed on first use, and
 * again when a parameter has been written or moved since. Passes on several threads share them.
 */
final class Packed<T extends AutoCloseable> implements AutoCloseable {
  /** Packed weights and what they were made from. */
  private static final class Entry<T> {
    final T packed;

    /** The parameters' tensors. */
    private final Tensor[] values;

    /** The versions of these, which every write to them raises. */
    private final long[] versions;

    /** The pass in which they were found unchanged last. */
    private long pass;

    Entry(List<Parameter> parameters, long pass, Supplier<T> pack) {
      this.pass = pass;
      values = parameters.stream().map(Parameter::tensor).toArray(Tensor[]::new);
      versions = Arrays.stream(values).mapToLong(Tensor::version).toArray();
      packed = pack.get();
    }

    /** Whether they are what the parameters hold; asked of LibTorch once in a pass. */
    boolean isOf(List<Parameter> parameters, long now) {
      if (now == pass) {
        return true;
      }
      for (int i = 0; i < values.length; i++) {
        Tensor value = parameters.get(i).tensor();
        if (value != values[i] || value.version() != versions[i]) {
          return false;
        }
      }
      pass = now;
      return true;
    }
  }

  private final List<Parameter> parameters;
  private final Function<Precision, T> pack;
  private final Map<Precision, Entry<T>> entries = new EnumMap<>(Precision.class);

  /**
   * Packs nothing before the first use.
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
   * @param context of the pass that uses them
   * @throws UnsupportedOperationException when this processor lacks the precision
   */
  synchronized T get(Precision precision, ForwardContext context) {
    Entry<T> entry = entries.get(precision);
    if (entry != null) {
      if (entry.isOf(parameters, context.pass())) {
        return entry.packed;
      }
      close(); // the other precisions are stale, too
    }
    entry = new Entry<>(parameters, context.pass(), () -> pack.apply(precision));
    entries.put(precision, entry);
    return entry.packed;
  }

  /** Frees the packed weights; does nothing the second time. */
  @Override
  public synchronized void close() {
    List<T> all = entries.values().stream().map(e -> e.packed).toList();
    entries.clear();
    Resources.closeAll(all);
  }
}
