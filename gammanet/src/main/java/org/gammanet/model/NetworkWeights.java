package org.gammanet.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.ModelConfig;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.TensorScope;

/** Moves weights between checkpoints and networks. */
public final class NetworkWeights {
  /** VGG16's convolutions in torchvision's numbering, in a network or in torchvision's own file. */
  private static final Pattern VGG =
      Pattern.compile(
          "(?:block[1-5]_conv\\.layers|(?:backbone\\.)?features)\\.(\\d+)\\.(weight|bias)");

  private NetworkWeights() {}

  /** All weights and buffers of a network in its order, read when they are written or used. */
  public static SequencedMap<String, StoredTensor> of(Network network) {
    SequencedMap<String, StoredTensor> tensors = new LinkedHashMap<>();
    network.stateDict().forEach((name, value) -> tensors.put(name, StoredTensor.viewOf(value)));
    return tensors;
  }

  /**
   * A network with a checkpoint's weights. Names and shapes are compared before anything is
   * allocated.
   *
   * @throws CheckpointException when they do not fit; its details are all names
   */
  public static Network create(ModelConfig config, Checkpoint checkpoint) {
    Network network = Network.describe(config);
    check(network, network.entries(), checkpoint);
    network.entries().forEach(Parameter::allocate);
    try {
      copy(network.entries(), checkpoint.weights());
    } catch (RuntimeException | Error e) {
      network.close();
      throw e;
    }
    return network;
  }

  /**
   * Sets all weights of a network.
   *
   * @throws CheckpointException when they do not fit; the network is unchanged then
   */
  public static void load(Checkpoint checkpoint, Network network) {
    check(network, network.entries(), checkpoint);
    copy(network.entries(), checkpoint.weights());
  }

  private static void check(Network network, List<Parameter> entries, Checkpoint checkpoint) {
    if (checkpoint.isVgg16()) {
      throw new CheckpointException(
          checkpoint.source()
              + " holds torchvision's VGG16 and not a whole network: give it as model.pretrained to"
              + " start training from it");
    }
    require(checkpoint.source() + " does not fit", network, entries, checkpoint.weights());
  }

  /**
   * Sets the convolutions of VGG16 in a network from torchvision's {@code vgg16} file, or from
   * another checkpoint of this family. Its other weights, such as torchvision's classifier, are not
   * used.
   *
   * @return how many convolutions were set
   * @throws CheckpointException when they do not fit, or when the network has no VGG16 in it; the
   *     network is unchanged then
   */
  public static int loadVgg16(Checkpoint checkpoint, Network network) {
    Map<String, StoredTensor> byNumber = new LinkedHashMap<>();
    checkpoint
        .weights()
        .forEach(
            (name, tensor) -> {
              Matcher vgg = VGG.matcher(name);
              if (vgg.matches()) {
                byNumber.put(vgg.group(1) + "." + vgg.group(2), tensor);
              }
            });
    List<Parameter> convolutions = new ArrayList<>();
    Map<String, StoredTensor> renamed = new LinkedHashMap<>();
    for (Parameter parameter : network.entries()) {
      Matcher vgg = VGG.matcher(parameter.name());
      if (vgg.matches()) {
        convolutions.add(parameter);
        StoredTensor tensor = byNumber.get(vgg.group(1) + "." + vgg.group(2));
        if (tensor != null) {
          renamed.put(parameter.name(), tensor);
        }
      }
    }
    if (convolutions.isEmpty()) {
      throw new CheckpointException(network.config().name() + " has no VGG16 in it to be loaded");
    }
    require(checkpoint.source() + " does not hold the VGG16 of", network, convolutions, renamed);
    copy(convolutions, renamed);
    return convolutions.size() / 2;
  }

  private static void copy(List<Parameter> parameters, Map<String, StoredTensor> tensors) {
    for (Parameter parameter : parameters) {
      StoredTensor tensor = tensors.get(parameter.name());
      if (tensor == null) {
        throw new AssertionError(parameter.name());
      }
      try (var scope = TensorScope.open()) {
        parameter.set(tensor.toTensor());
      }
    }
  }

  private static boolean fits(Parameter parameter, StoredTensor tensor) {
    return Arrays.equals(tensor.shape(), parameter.shape())
        && tensor.type().isTensorType()
        && tensor.type().isFloatingPoint() != isCounter(parameter);
  }

  /** How many batches normalization has seen: the only integer of a network. */
  private static boolean isCounter(Parameter parameter) {
    return parameter.name().endsWith("num_batches_tracked");
  }

  private static void require(
      String beginning,
      Network network,
      List<Parameter> parameters,
      Map<String, StoredTensor> tensors) {
    Misfits misfits = Misfits.of(parameters, tensors, NetworkWeights::fits);
    if (!misfits.isEmpty()) {
      throw new CheckpointException(
          "%s %s as configured: %s"
              .formatted(
                  beginning, network.config().name(), misfits.text(CheckpointException::some)),
          misfits.lines());
    }
  }
}
