package org.gammanet.experiments.opto;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.SafeTensors;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * What was done so far, as a safetensors file whose metadata say with which settings: work under
 * other settings does not go on there.
 */
final class Kept {
  private static final String KEY = "settings";

  private final Map<String, StoredTensor> tensors;
  private final Map<String, String> texts;

  private Kept(Map<String, StoredTensor> tensors, Map<String, String> texts) {
    this.tensors = tensors;
    this.texts = texts;
  }

  /** Nothing yet. */
  static Kept empty() {
    return new Kept(new LinkedHashMap<>(), new LinkedHashMap<>());
  }

  /**
   * Reads a file.
   *
   * @param key of the settings, as {@link #key}
   * @return null when there is none
   * @throws CheckpointException when it cannot be read or was made with other settings
   */
  static @Nullable Kept read(Path file, String key) {
    if (!Files.exists(file)) {
      return null;
    }
    SafeTensors.Contents contents = SafeTensors.read(file);
    if (!key.equals(contents.metadata().get(KEY))) {
      throw new CheckpointException(
          file
              + " was made with other settings, weights or stimuli; choose another folder, or"
              + " remove that one");
    }
    return new Kept(contents.tensors(), contents.metadata());
  }

  /** Writes a file, making its folder. */
  void write(Path file, String key) {
    Path folder = file.toAbsolutePath().getParent();
    try {
      if (folder != null) {
        Files.createDirectories(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    texts.put(KEY, key);
    SafeTensors.write(file, tensors, texts);
  }

  Kept put(String name, StoredTensor tensor) {
    tensors.put(name, tensor);
    return this;
  }

  Kept put(String name, float[] values, long... shape) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return put(name, new StoredTensor(ElementType.F32, shape, data));
  }

  /** Doubles are kept as text, to the last bit. */
  Kept put(String name, double... values) {
    texts.put(
        name, Arrays.stream(values).mapToObj(Double::toString).collect(Collectors.joining(" ")));
    return this;
  }

  StoredTensor tensor(String name) {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new CheckpointException("a file of kept work lacks the tensor " + name);
    }
    return tensor;
  }

  float[] floats(String name) {
    ByteBuffer data = tensor(name).data();
    float[] out = new float[data.remaining() / 4];
    data.asFloatBuffer().get(out);
    return out;
  }

  double[] doubles(String name) {
    String text = texts.get(name);
    if (text == null) {
      throw new CheckpointException("a file of kept work lacks the values " + name);
    }
    try {
      return text.isEmpty()
          ? new double[0]
          : Arrays.stream(text.split(" ")).mapToDouble(Double::parseDouble).toArray();
    } catch (NumberFormatException e) {
      throw new CheckpointException("a file of kept work has damaged values " + name, e);
    }
  }

  /** A digest of all parts, in hexadecimal digits. */
  static String key(Object... parts) {
    MessageDigest digest = Sha256.digest();
    for (Object part : parts) {
      digest.update(
          (part instanceof ByteBuffer bytes
              ? bytes.duplicate()
              : ByteBuffer.wrap((part + "\n").getBytes(StandardCharsets.UTF_8))));
    }
    return Sha256.hex(digest);
  }
}
