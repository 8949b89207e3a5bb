package org.gammanet.model;

import java.util.List;
import java.util.function.Function;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Weights as the native kernels read them, made of parameters on first use, and again when one of
 * these has changed. Passes on several threads may ask at once.
 */
final class Packed<T extends AutoCloseable> implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Packed.class.getName());

  private final String name;
  private final List<Parameter> parameters;
  private final Function<Precision, T> pack;
  private final Tensor[] values;
  private final long[] versions;
  private @Nullable T packed;
  private @Nullable Precision precision;
  private boolean unsupported;

  /**
   * For one user.
   *
   * @param parameters all that is packed; the first, when closed, closes this
   * @param pack makes the packed weights
   */
  Packed(String name, List<Parameter> parameters, Function<Precision, T> pack) {
    this.name = name;
    this.parameters = parameters;
    this.pack = pack;
    values = new Tensor[parameters.size()];
    versions = new long[parameters.size()];
    parameters.getFirst().owns(this);
  }

  /**
   * The packed weights; null when this build of the kernels cannot do it.
   *
   * @throws UnsupportedOperationException when this processor lacks the precision
   */
  synchronized @Nullable T get(Precision wanted) {
    if (unsupported) {
      return null;
    }
    if (packed != null && precision == wanted && unchanged()) {
      return packed;
    }
    close();
    try {
      for (int i = 0; i < values.length; i++) {
        values[i] = parameters.get(i).tensor();
        versions[i] = values[i].version();
      }
      packed = pack.apply(wanted);
      precision = wanted;
    } catch (UnsupportedOperationException e) {
      if (wanted != Precision.FLOAT32) {
        throw e;
      }
      LOG.log(
          System.Logger.Level.INFO, "{0} runs without native kernels: {1}", name, e.getMessage());
      unsupported = true;
    }
    return packed;
  }

  private boolean unchanged() {
    for (int i = 0; i < values.length; i++) {
      Tensor now = parameters.get(i).tensor();
      if (now != values[i] || now.version() != versions[i]) {
        return false;
      }
    }
    return true;
  }

  @Override
  public synchronized void close() {
    T old = packed;
    packed = null;
    if (old != null) {
      try {
        old.close();
      } catch (Exception e) {
        throw new IllegalStateException("closing the packed weights of " + name, e);
      }
    }
  }
}
