package org.gammanet;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.ServiceLoader;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;

/**
 * A trained network inside a jar, found by {@link ServiceLoader}. Each network of this project is
 * in a jar of its own, which programs with weights of their own leave out.
 */
public interface PretrainedModel {
  /** Word of the small network, which is used where none is named. */
  String BUNDLED = "bundled";

  /** Word of the network of the paper at full size. */
  String FULL = "full";

  /** Name for messages, such as {@code gammanet-bsds}. */
  String name();

  /** The bytes of a safetensors file that carries its configuration. */
  InputStream open() throws IOException;

  /** The word that stands for it where a network is named: {@link #BUNDLED} or {@link #FULL}. */
  default String word() {
    return BUNDLED;
  }

  /** The bundled network, if it is there. */
  static Optional<PretrainedModel> find() {
    return find(BUNDLED);
  }

  /** The first one with a word. */
  static Optional<PretrainedModel> find(String word) {
    return ServiceLoader.load(PretrainedModel.class, PretrainedModel.class.getClassLoader())
        .stream()
        .map(ServiceLoader.Provider::get)
        .filter(model -> model.word().equals(word))
        .findFirst();
  }

  /**
   * The one with a word.
   *
   * @throws CheckpointException when it is not there; says how to get it
   */
  static PretrainedModel get(String word) {
    return find(word)
        .orElseThrow(
            () ->
                new CheckpointException(
                    word.equals(FULL)
                        ? "the full network is not installed, since it is in a module of its own:"
                            + " mvn -Pfull -DskipTests -pl cli -am package builds the command with"
                            + " it, and other programs add gammanet-pretrained-full to their class"
                            + " path or module path"
                        : "the %s network is not on the module path or class path: add"
                                .formatted(word)
                            + " gammanet-pretrained, or load a checkpoint"));
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
