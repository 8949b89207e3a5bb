package org.gammanet.spark;

import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkFiles;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.experiments.study.NetworkSource;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Device;
import org.jspecify.annotations.Nullable;

/**
 * A network as tasks open it. Files have the same path on all machines, or were handed to Spark
 * with {@code --files} and are named without a folder.
 *
 * @param source of weights and configuration
 * @param precision of products
 */
public record SparkNetwork(NetworkSource source, Precision precision) implements Serializable {
  /** The bundled network in float32. */
  public static final SparkNetwork BUNDLED =
      new SparkNetwork(NetworkSource.BUNDLED, Precision.FLOAT32);

  /** The weights of a file, of {@code bundled} or of {@code full}, in float32. */
  public static SparkNetwork of(String checkpoint) {
    return BUNDLED.withCheckpoint(checkpoint);
  }

  /** Other weights, as for {@link #of}. */
  public SparkNetwork withCheckpoint(String checkpoint) {
    return new SparkNetwork(
        new NetworkSource(
            checkpoint.equals(PretrainedModel.BUNDLED) ? null : checkpoint,
            source.config(),
            source.set(),
            source.seed(),
            false),
        precision);
  }

  /** With keys of the configuration overridden, such as {@code model.timesteps=8}. */
  public SparkNetwork with(List<String> set) {
    return new SparkNetwork(
        new NetworkSource(
            source.checkpoint(), source.config(), List.copyOf(set), source.seed(), source.random()),
        precision);
  }

  /** Computed in another precision. */
  public SparkNetwork withPrecision(Precision value) {
    return new SparkNetwork(source, value);
  }

  /** Opens the network in a task; it becomes the caller's. */
  GammaNet open(Device device) {
    NetworkSource here =
        new NetworkSource(
            local(source.checkpoint()),
            local(source.config()),
            source.set(),
            source.seed(),
            source.random());
    GammaNet net = here.open(device, note -> {});
    try {
      net.network().setPrecision(precision);
      return net;
    } catch (RuntimeException e) {
      net.close();
      throw e;
    }
  }

  private static @Nullable String local(@Nullable String file) {
    if (file == null || file.equals(PretrainedModel.FULL) || Files.exists(Path.of(file))) {
      return file;
    }
    String sent = SparkFiles.get(file);
    return Files.exists(Path.of(sent)) ? sent : file;
  }
}
