package org.gammanet.experiments.study;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.SafeTensors;
import org.gammanet.checkpoint.StoredTensor;

/**
 * Arrays of a step that is not finished yet, in a safetensors file, so that an interrupted run
 * continues where it was. The file's name contains the digest of everything that determines its
 * content.
 */
public final class Partial {
  private final Path file;
  private final Map<String, StoredTensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> texts = new LinkedHashMap<>();

  private Partial(Path file) {
    this.file = file;
  }

  /** Opens a file; empty where there is none. */
  static Partial open(Path file) {
    var out = new Partial(file);
    if (Files.exists(file)) {
      SafeTensors.Contents contents = SafeTensors.read(file);
      out.tensors.putAll(contents.tensors());
      out.texts.putAll(contents.metadata());
    }
    return out;
  }

  /** The name of the file among the partial work of its study. */
  public String name() {
    return String.valueOf(file.getFileName());
  }

  /** Whether nothing has been kept yet. */
  public boolean isEmpty() {
    return tensors.isEmpty() && texts.isEmpty();
  }

  /** Whether there are numbers of this name. */
  public boolean has(String name) {
    return texts.containsKey(name);
  }

  /** Whether there is a tensor of this name. */
  public boolean hasTensor(String name) {
    return tensors.containsKey(name);
  }

  /** Forgets everything; the file stays until {@link #save}. */
  public void clear() {
    tensors.clear();
    texts.clear();
  }

  /** Adds a tensor. */
  public Partial put(String name, StoredTensor tensor) {
    tensors.put(name, tensor);
    return this;
  }

  /** Adds an array of float32. */
  public Partial put(String name, float[] values, long... shape) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return put(name, new StoredTensor(ElementType.F32, shape, data));
  }

  /** Adds an array of float64. */
  public Partial put(String name, double[] values, long... shape) {
    ByteBuffer data = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asDoubleBuffer().put(values);
    return put(name, new StoredTensor(ElementType.F64, shape, data));
  }

  /** Adds numbers, which are kept to the last bit. */
  public Partial put(String name, double... values) {
    texts.put(
        name, Arrays.stream(values).mapToObj(Double::toString).collect(Collectors.joining(" ")));
    return this;
  }

  /**
   * A tensor.
   *
   * @throws CheckpointException where there is none of this name
   */
  public StoredTensor tensor(String name) {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new CheckpointException("%s lacks the tensor %s".formatted(file, name));
    }
    return tensor;
  }

  /** The values of a tensor of float32. */
  public float[] floats(String name) {
    ByteBuffer data = tensor(name).data();
    float[] out = new float[data.remaining() / 4];
    data.asFloatBuffer().get(out);
    return out;
  }

  /**
   * Numbers.
   *
   * @throws CheckpointException where there are none of this name
   */
  public double[] doubles(String name) {
    String text = texts.get(name);
    if (text == null) {
      throw new CheckpointException("%s lacks the values %s".formatted(file, name));
    }
    try {
      return text.isEmpty()
          ? new double[0]
          : Arrays.stream(text.split(" ")).mapToDouble(Double::parseDouble).toArray();
    } catch (NumberFormatException e) {
      throw new CheckpointException("%s: the values %s are damaged".formatted(file, name), e);
    }
  }

  /**
   * Writes everything to disk.
   *
   * @throws IOException when the file cannot be written
   */
  public void save() throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    SafeTensors.write(file, tensors, texts);
  }
}
