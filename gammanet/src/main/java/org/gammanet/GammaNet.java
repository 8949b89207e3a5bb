package org.gammanet;

import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.Preprocessing;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.model.NetworkWeights;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * An edge detector: a network with its weights, its configuration and its preprocessing.
 *
 * <pre>{@code
 * try (var model = GammaNet.load(Path.of("model.safetensors"), Device.best())) {
 *   EdgeMap edges = model.detect(Images.read(file));
 * }
 * }</pre>
 */
public final class GammaNet implements AutoCloseable {
  private final GammaNetConfig config;
  private final Network network;

  private GammaNet(GammaNetConfig config, Network network) {
    this.config = config;
    this.network = network;
  }

  /**
   * Loads a safetensors or PyTorch file with its configuration, or with the shipped default if it
   * has none. Where the shapes of the weights contradict the configuration, the shapes decide.
   *
   * @throws CheckpointException when the file cannot be read or does not fit its configuration
   */
  public static GammaNet load(Path checkpoint, Device device) {
    Checkpoint loaded = Checkpoint.load(checkpoint);
    return of(loaded, loaded.config(note -> {}), device);
  }

  /**
   * As {@link #load(Path, Device)}, with another default configuration.
   *
   * @param notes receives a sentence for each key of the file's configuration without effect, and
   *     one for each that the weights contradict
   */
  public static GammaNet load(
      Path checkpoint, GammaNetConfig fallback, Device device, Consumer<String> notes) {
    Checkpoint loaded = Checkpoint.load(checkpoint);
    return of(loaded, loaded.config(fallback, notes), device);
  }

  /**
   * The bundled network, from the module {@code org.gammanet.pretrained}.
   *
   * @throws CheckpointException when that module is missing or damaged
   */
  public static GammaNet pretrained(Device device) {
    return of(PretrainedModel.get(PretrainedModel.BUNDLED), device);
  }

  /**
   * The network of the paper at full size, from the module {@code org.gammanet.pretrained.full}.
   *
   * @throws CheckpointException when that module is missing or damaged
   */
  public static GammaNet full(Device device) {
    return of(PretrainedModel.get(PretrainedModel.FULL), device);
  }

  /** A network from a jar, with the configuration that it carries. */
  public static GammaNet of(PretrainedModel model, Device device) {
    Checkpoint loaded = model.load();
    return of(loaded, loaded.config(note -> {}), device);
  }

  /**
   * The network of a configuration with a checkpoint's weights.
   *
   * @param config {@link Checkpoint#config} of it, or another one {@link Checkpoint#fitted} to it
   * @throws CheckpointException when names or shapes do not fit; its details are all of them
   */
  public static GammaNet of(Checkpoint checkpoint, GammaNetConfig config, Device device) {
    Network network = NetworkWeights.create(config.model(), checkpoint);
    try {
      network.to(device);
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
    return new GammaNet(config, network);
  }

  /**
   * An untrained network; equal seeds give equal weights. VGG16's weights come from the file {@code
   * model.pretrained} if the configuration names one.
   *
   * @throws CheckpointException when that file cannot be read or holds no VGG16
   */
  public static GammaNet random(GammaNetConfig config, long seed, Device device) {
    return random(config, seed, device, note -> {});
  }

  /**
   * As {@link #random(GammaNetConfig, long, Device)}.
   *
   * @param notes receives a sentence about VGG16's weights
   */
  public static GammaNet random(
      GammaNetConfig config, long seed, Device device, Consumer<String> notes) {
    Path pretrained = config.model().pretrained();
    Checkpoint vgg16 = pretrained == null ? null : Checkpoint.load(pretrained);
    Network network = Network.create(config.model(), seed);
    try {
      if (vgg16 != null) {
        int loaded = NetworkWeights.loadVgg16(vgg16, network);
        String what =
            vgg16.remarks().isEmpty() ? "" : " (" + String.join("; ", vgg16.remarks()) + ")";
        notes.accept("%s convolutions were taken from %s%s".formatted(loaded, pretrained, what));
      }
      network.to(device);
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
    return new GammaNet(config, network);
  }

  /** A network with zero weights, to be loaded. */
  public static GammaNet empty(GammaNetConfig config, Device device) {
    return new GammaNet(config, Network.create(config.model()).to(device));
  }

  /** The network, which stays this detector's. */
  public Network network() {
    return network;
  }

  /** The configuration of the network, its data and its training. */
  public GammaNetConfig config() {
    return config;
  }

  /**
   * Writes the weights with the configuration to a safetensors file.
   *
   * @throws CheckpointException when it cannot be written
   */
  public void save(Path file) {
    Map<String, String> metadata = Map.of("config", config.toJson());
    Checkpoint.of(NetworkWeights.of(network), Map.of(), metadata).save(file);
  }

  /** Edge probabilities of an image at its size. */
  public EdgeMap detect(BufferedImage image) {
    return detect(RgbImage.of(image));
  }

  /** Edge probabilities of an image at its size. */
  public EdgeMap detect(RgbImage image) {
    return detect(image, ForwardOptions.DEFAULTS).get(0);
  }

  /**
   * Edge probabilities of an image at its size: after the last timestep, or after each one with
   * {@link ForwardOptions#everyTimestep}.
   *
   * @throws DivergenceException for logits that are not finite
   */
  public List<EdgeMap> detect(RgbImage image, ForwardOptions options) {
    return detect(List.of(image), options).getFirst();
  }

  /**
   * Edge probabilities of several images: for each image one map, or one per timestep with {@link
   * ForwardOptions#everyTimestep}. The maps of an image have the same bits whatever the others are.
   *
   * @param images at least one, all of one size
   * @throws IllegalArgumentException when their sizes differ
   * @throws DivergenceException for logits that are not finite
   */
  public List<List<EdgeMap>> detect(List<RgbImage> images, ForwardOptions options) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      return maps(network.forward(input(images), options), images, options);
    }
  }

  /**
   * The maps of an image and the states behind them.
   *
   * @param maps as {@link #detect(RgbImage, ForwardOptions)} gives them
   * @param states after the last timestep by name, which the caller closes
   */
  public record Detection(List<EdgeMap> maps, Map<String, Tensor> states) {}

  /**
   * As {@link #detect(RgbImage, ForwardOptions)}, with the final states: a next pass that starts
   * from them ({@link ForwardOptions#withInitialStates}) continues this one.
   */
  public Detection detectFrom(RgbImage image, ForwardOptions options) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      ForwardResult result = network.forward(input(image), options.withFinalStates());
      List<EdgeMap> maps = maps(result, List.of(image), options).getFirst();
      result.states().values().forEach(scope::keep);
      return new Detection(maps, result.states());
    }
  }

  private List<List<EdgeMap>> maps(
      ForwardResult result, List<RgbImage> images, ForwardOptions options) {
    int width = images.getFirst().width();
    int height = images.getFirst().height();
    List<Tensor> logits =
        options.everyTimestep() ? result.logitsPerTimestep() : List.of(result.logits());
    if (Network.firstNonFinite(logits) >= 0) {
      throw divergence(images, options);
    }
    List<List<EdgeMap>> maps = new ArrayList<>();
    images.forEach(image -> maps.add(new ArrayList<>()));
    for (Tensor z : logits) {
      Tensor cropped = Preprocessing.crop(z, height, width);
      for (int i = 0; i < images.size(); i++) {
        // The first of several output channels counts. LibTorch rounds the last elements of a
        // tensor differently, so that each image is taken alone.
        Tensor first = Ops.narrow(Ops.narrow(cropped, 0, i, 1), 1, 0, 1).contiguous();
        maps.get(i).add(new EdgeMap(width, height, Ops.sigmoid(first).toFloatArray()));
      }
    }
    return maps;
  }

  private DivergenceException divergence(List<RgbImage> images, ForwardOptions options) {
    int finite = network.firstNonFinite(input(images), options);
    String hint =
        finite > 0
            ? " after timestep %s; it is finite with %s timesteps or fewer"
                .formatted(finite, finite)
            : "";
    return new DivergenceException(
        "the network diverges on this image: its output is not finite" + hint);
  }

  /**
   * The network's input for an image, {@code [1, 3, H, W]} on its device: standardized colors,
   * padded where the image is smaller than the network's minimum. The caller closes it.
   */
  public Tensor input(RgbImage image) {
    return input(List.of(image));
  }

  private Tensor input(List<RgbImage> images) {
    try (var scope = TensorScope.open()) {
      Preprocessing preprocessing = Preprocessing.of(config.data(), network.minimumSize());
      return scope.keep(preprocessing.apply(images).to(network.device()));
    }
  }

  /** Frees the memory of the network; no image can pass afterwards. */
  @Override
  public void close() {
    network.close();
  }
}
