package org.gammanet;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.ServiceLoader;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;

/**
 * A trained network inside a jar, found by {@link ServiceLoader}. The weights that come with the
 * project are in a jar of their own, which programs with weights of their own leave out.
 */
public interface PretrainedModel {
  /** Name for messages, such as {@code gammanet-bsds}. */
  String name();

  /** The bytes of a safetensors file that carries its configuration. */
  InputStream open() throws IOException;

  /** The first one that is there. */
  static Optional<PretrainedModel> find() {
    return ServiceLoader.load(PretrainedModel.class, PretrainedModel.class.getClassLoader())
        .findFirst();
  }

  /**
   * Reads it.
   *
   * @throws CheckpointException when it is damaged
   */
  default Checkpoint load() {
    try (InputStream stream = open()) {
      return Checkpoint.load(name(), stream.readAllBytes());
    } catch (IOException e) {
      throw new CheckpointException("cannot read " + name() + ": " + e.getMessage(), e);
    }
  }
}
