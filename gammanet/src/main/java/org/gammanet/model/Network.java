package org.gammanet.model;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import org.gammanet.config.Architecture;
import org.gammanet.config.Attention;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.ModelInit;
import org.gammanet.config.Normalization;
import org.gammanet.fused.Kernels;
import org.gammanet.io.Sha256;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.Executor;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Resources;
import org.gammanet.nn.Segment;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A network of the family with its parameters.
 *
 * <p>It is a list of {@link Stage stages}. Every forward pass starts from zero states unless it is
 * given others; nothing is remembered between passes. Passes on several threads at once are safe as
 * long as no parameter changes.
 */
public final class Network implements AutoCloseable {
  /** Name of the last signal. */
  static final String LOGITS = "logits";

  private final ModelConfig config;
  private final Layers layers;
  private final List<Parameter> entries;

  /** All stages, in the order in which they run. */
  private final List<Stage> stages;

  /** Those that run, composed of LibTorch's operators. */
  private final List<Stage> composed;

  /** The same with native kernels in front; null where there are none for such cells. */
  private final @Nullable List<Stage> fused;

  private final @Nullable String cellFallback;
  private final int minimumSize;
  private Device device = Device.CPU;
  private DType dtype = DType.FLOAT32;
  private Precision precision = Precision.FLOAT32;

  Network(ModelConfig config, Graph graph, int minimumSize) {
    this.config = config;
    this.minimumSize = minimumSize;
    layers = graph.layers;
    entries = layers.parameters();
    stages = List.copyOf(graph.stages);
    composed = stages.stream().filter(stage -> stage.idle() == null).toList();
    cellFallback =
        sites().stream()
            .map(site -> Kernels.fallbackReason(site.cell()))
            .filter(Objects::nonNull)
            .findFirst()
            .orElse(null);
    fused = cellFallback == null ? composed.stream().map(Network::lower).toList() : null;
  }

  private static Stage lower(Stage stage) {
    Segment lowered = Kernels.lower(stage.segment());
    List<Signal> inputs = stage.inputs();
    if (lowered != stage.segment() && stage.role() == Stage.Role.CELL) {
      // Its kernel reads the weights themselves.
      inputs = new ArrayList<>(List.of(inputs.getFirst()));
      inputs.addAll(stage.outputs());
    }
    return stage.with(lowered, inputs, stage.outputs());
  }

  /**
   * Builds the network that a configuration describes, with initial weights.
   *
   * @param seed the same seed gives the same weights, whatever the machine
   */
  public static Network create(ModelConfig config, long seed) {
    return create(
        config,
        config.init() == ModelInit.PASS_THROUGH
            ? parameter -> PassThrough.initialize(parameter, config.fgru(), seed)
            : parameter -> parameter.initialize(seed));
  }

  /**
   * Builds the network that a configuration describes, with weights that are all zero until they
   * are set, as from a checkpoint.
   */
  public static Network create(ModelConfig config) {
    return create(config, Parameter::allocate);
  }

  /** Closes the parameters allocated so far when one cannot be. */
  static Network create(ModelConfig config, Consumer<Parameter> fill) {
    Network network = build(config);
    try {
      network.entries.forEach(fill);
      return network;
    } catch (RuntimeException | Error e) {
      network.close();
      throw e;
    }
  }

  /** The network without values: names and shapes of its parameters, which are not allocated. */
  static Network describe(ModelConfig config) {
    return build(config);
  }

  private static Network build(ModelConfig config) {
    return switch (config.architecture()) {
      case VGG16_GAMMANET_V2, VGG16_GAMMANET -> VggNetwork.build(config);
      case GAMMANET -> ScratchNetwork.build(config);
      case GAMMANET_BACKBONE -> BackboneNetwork.build(config);
    };
  }

  /** The configuration that it was built from. */
  public ModelConfig config() {
    return config;
  }

  /** The trainable weights, without buffers, in the order of a checkpoint. */
  public List<Parameter> parameters() {
    return entries.stream().filter(p -> !p.isBuffer()).toList();
  }

  /** Running statistics: saved and loaded, but not trained. */
  public List<Parameter> buffers() {
    return entries.stream().filter(Parameter::isBuffer).toList();
  }

  /** Parameters and buffers in the order of a checkpoint. */
  public List<Parameter> entries() {
    return entries;
  }

  /**
   * The values of all parameters and buffers by name, in the order of a checkpoint. The tensors
   * stay the network's.
   */
  public SequencedMap<String, Tensor> stateDict() {
    SequencedMap<String, Tensor> values = new LinkedHashMap<>();
    entries.forEach(p -> values.put(p.name(), p.tensor()));
    return values;
  }

  /**
   * Copies values into all parameters and buffers.
   *
   * @param values by name, of any floating-point type and device (int64 for a counter)
   * @throws IllegalArgumentException listing every missing, unexpected and mis-shaped name; the
   *     network is unchanged then
   */
  public void loadStateDict(Map<String, Tensor> values) {
    Misfits misfits =
        Misfits.of(
            entries,
            values,
            (p, v) ->
                Arrays.equals(v.shape(), p.shape())
                    && (v.dtype() == DType.INT64) == (p.tensor().dtype() == DType.INT64));
    if (!misfits.isEmpty()) {
      throw new IllegalArgumentException(
          "the values do not fit %s: %s"
              .formatted(config.name(), misfits.text(names -> String.join(", ", names))));
    }
    entries.forEach(p -> p.set(get(values, p.name())));
  }

  /**
   * SHA-256 of the names, shapes and values of all parameters and buffers in the order of their
   * names: equal for equal networks, whatever file or device they come from. 64 hexadecimal digits.
   */
  public String digest() {
    MessageDigest digest = Sha256.digest();
    new TreeMap<>(stateDict())
        .forEach(
            (name, value) -> {
              String header = name + " " + Arrays.toString(value.shape()) + "\n";
              digest.update(header.getBytes(StandardCharsets.UTF_8));
              digest.update(value.toBuffer());
            });
    return Sha256.hex(digest);
  }

  /**
   * The parameter or buffer of this name.
   *
   * @throws IllegalArgumentException when there is none
   */
  public Parameter parameter(String name) {
    for (Parameter parameter : entries) {
      if (parameter.name().equals(name)) {
        return parameter;
      }
    }
    throw new IllegalArgumentException("the network has no parameter " + name);
  }

  /** Number of trainable values. */
  public long parameterCount() {
    return parameters().stream().mapToLong(Parameter::numel).sum();
  }

  /** The device of its parameters. */
  public Device device() {
    return device;
  }

  /** Moves all parameters, whose gradients are dropped; images must be on the same device. */
  public Network to(Device target) {
    return to(target, dtype);
  }

  /** Moves and converts all parameters. Tests use double precision to tell rounding from errors. */
  Network to(Device target, DType type) {
    for (Parameter parameter : entries) {
      parameter.move(target, type);
    }
    device = target;
    dtype = type;
    return this;
  }

  /** Precision of products in native kernels; float32 by default. */
  public Precision precision() {
    return precision;
  }

  /**
   * Sets the precision of products in native kernels. A pass uses the precision set when it began.
   * Where bfloat16 is no faster than float32 on this processor, float32 is used, with a warning.
   *
   * @throws UnsupportedOperationException when no native kernels run this network, with the reason
   */
  public void setPrecision(Precision wanted) {
    String reason = wanted == Precision.FLOAT32 ? null : fallbackReason();
    if (reason != null) {
      throw new UnsupportedOperationException(
          wanted.name().toLowerCase(Locale.ROOT) + " is not available: " + reason);
    }
    boolean supported = wanted == Precision.FLOAT32 || NativeKernels.supports(wanted);
    if (!supported) {
      System.getLogger(Network.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "bfloat16 is no faster than float32 on this processor: float32 is used");
    }
    precision = supported ? wanted : Precision.FLOAT32;
  }

  /**
   * Why this network is computed by LibTorch's operators alone, in a few words; null when native
   * kernels compute it. Even then single steps are composed of operators where hooks watch the
   * inside of a cell, or automatic differentiation records.
   */
  public @Nullable String fallbackReason() {
    String machine = Kernels.fallbackReason(device, dtype);
    return dtype == DType.FLOAT32 && cellFallback != null ? cellFallback : machine;
  }

  /** Whether parameters collect gradients; false after construction. */
  public void requiresGrad(boolean wanted) {
    parameters().forEach(p -> p.tensor().requiresGrad(wanted));
  }

  /**
   * Switches to training mode: batch normalization uses the statistics of the batch and updates the
   * running ones. Nothing else differs.
   */
  public void train() {
    layers.train(true);
  }

  /** Switches to evaluation mode, the mode of a new network. */
  public void eval() {
    layers.train(false);
  }

  /**
   * Logits of a batch of images.
   *
   * @param image {@code [N, 3, H, W]}, float32, standardized colors, on this network's device
   * @return {@code [N, output channels, H, W]}
   * @throws IllegalArgumentException for another shape or type, or an image that is too small
   */
  public Tensor forward(Tensor image) {
    return forward(image, ForwardOptions.DEFAULTS).logits();
  }

  /**
   * A forward pass with options.
   *
   * @throws IllegalArgumentException as {@link #forward(Tensor)}, and for unknown or wrongly shaped
   *     initial states
   */
  public ForwardResult forward(Tensor image, ForwardOptions options) {
    checkImage(image);
    return takesImagesApart(image, options) ? imagesApart(image, options) : result(image, options);
  }

  /**
   * Whether each image of a batch gets a pass of its own, so that its results are bit-equal
   * whatever the batch. The native kernels see to that themselves; LibTorch chooses the algorithm
   * of a convolution on the CPU by the size of the batch.
   */
  private boolean takesImagesApart(Tensor image, ForwardOptions options) {
    return image.size(0) > 1
        && device.type() == Device.Type.CPU
        && !Autograd.isEnabled()
        && options.hooks() == null
        && options.executor() == Executor.DIRECT
        && !layers.usesBatchStatistics()
        && (options.composedOnly() || fallbackReason() != null);
  }

  private ForwardResult result(Tensor image, ForwardOptions options) {
    Pass pass = run(image, options, Set.of());
    return new ForwardResult(
        pass.logits.getLast(),
        options.everyTimestep() ? List.copyOf(pass.logits) : List.of(),
        options.finalStates() ? pass.states() : Map.of());
  }

  private ForwardResult imagesApart(Tensor image, ForwardOptions options) {
    try (TensorScope scope = TensorScope.open()) {
      List<ForwardResult> results = eachImage(image, options, this::result);
      List<Tensor> timesteps = new ArrayList<>();
      for (int t = 0; t < results.getFirst().logitsPerTimestep().size(); t++) {
        int step = t;
        timesteps.add(cat(scope, results, r -> r.logitsPerTimestep().get(step)));
      }
      Tensor logits =
          timesteps.isEmpty() ? cat(scope, results, r -> r.logits()) : timesteps.getLast();
      Map<String, Tensor> states = new LinkedHashMap<>();
      for (String name : results.getFirst().states().keySet()) {
        states.put(name, cat(scope, results, r -> get(r.states(), name)));
      }
      return new ForwardResult(logits, timesteps, Collections.unmodifiableMap(states));
    }
  }

  /** Runs a pass for each image of a batch with its initial states. */
  private <T> List<T> eachImage(
      Tensor image, ForwardOptions options, BiFunction<Tensor, ForwardOptions, T> pass) {
    checkStates(options.initialStates(), stateShapes(image.size(0), image.size(2), image.size(3)));
    List<T> results = new ArrayList<>();
    for (int i = 0; i < image.size(0); i++) {
      int n = i;
      Map<String, Tensor> states = new LinkedHashMap<>();
      options.initialStates().forEach((name, state) -> states.put(name, sample(state, n)));
      results.add(pass.apply(sample(image, n), options.withInitialStates(states)));
    }
    return results;
  }

  private static <T> Tensor cat(TensorScope scope, List<T> results, Function<T, Tensor> part) {
    return scope.keep(Ops.cat(results.stream().map(part).toList(), 0));
  }

  /** Image {@code n} of a batch, in memory of its own. */
  private static Tensor sample(Tensor batch, int n) {
    return Ops.narrow(batch, 0, n, 1).clone();
  }

  /**
   * Outputs of cells at the last timestep, before feedback of that timestep is added to their
   * states: the excitatory (or only) state, then the inhibitory state if there is one. Stages that
   * they do not depend on are skipped. With gradients recorded, they can be differentiated with
   * respect to the image, initial states, parameters and replacements made by hooks.
   *
   * @param cells names as in {@link #sites()}
   * @param options {@code everyTimestep} and {@code finalStates} have no effect; {@link
   *     ForwardHooks#timestepFinished} is not called for the last timestep
   * @return by name, in the order of {@code cells}; the tensors belong to the caller's scope
   * @throws IllegalArgumentException as {@link #forward(Tensor, ForwardOptions)}, and for a cell
   *     that this network does not have or does not run at the last timestep
   */
  public Map<String, Tensor[]> respond(
      Tensor image, Collection<String> cells, ForwardOptions options) {
    List<String> names = sites().stream().map(CellSite::name).toList();
    for (String cell : cells) {
      if (!names.contains(cell)) {
        throw new IllegalArgumentException(
            "no cell " + cell + " runs in this network; there are " + String.join(", ", names));
      }
    }
    if (cells.isEmpty()) {
      throw new IllegalArgumentException("no cells requested");
    }
    checkImage(image);
    Set<String> wanted = Set.copyOf(cells);
    try (TensorScope scope = TensorScope.open()) {
      List<Map<String, Tensor[]>> results =
          takesImagesApart(image, options)
              ? eachImage(image, options, (x, o) -> run(x, o, wanted).outputs)
              : List.of(run(image, options, wanted).outputs);
      Map<String, Tensor[]> outputs = new LinkedHashMap<>();
      for (String cell : cells) {
        Tensor[] first = get(results.getFirst(), cell);
        Tensor[] all = new Tensor[first.length];
        for (int k = 0; k < all.length; k++) {
          int state = k;
          all[k] =
              results.size() == 1
                  ? scope.keep(first[k])
                  : cat(scope, results, r -> get(r, cell)[state]);
        }
        outputs.put(cell, all);
      }
      return outputs;
    }
  }

  /**
   * Runs a pass.
   *
   * @param cells whose outputs at the last timestep are asked for; empty for logits
   */
  private Pass run(Tensor image, ForwardOptions options, Set<String> cells) {
    checkImage(image);
    String obstacle = options.tile() == null ? null : tilingObstacle();
    if (obstacle != null) {
      throw new IllegalArgumentException(obstacle);
    }
    int timesteps = options.timesteps() == 0 ? config.timesteps() : options.timesteps();
    checkStates(options.initialStates(), stateShapes(image.size(0), image.size(2), image.size(3)));
    boolean composedOnly = options.composedOnly() || fallbackReason() != null;
    List<Stage> run = composedOnly || fused == null ? composed : fused;
    Pass pass = new Pass(run, options, timesteps, cells, layers.usesBatchStatistics());
    pass.run(
        image,
        ForwardContext.of(image.size(2), image.size(3), options.hooks(), precision, composedOnly)
            .in(options.tile()));
    return pass;
  }

  /** Shape of each state by name, for images of this size. */
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (Stage stage : composed) {
      for (Signal signal : stage.outputs()) {
        if (signal.state()) {
          shapes.putIfAbsent(signal.name(), signal.shape(batch, height, width));
        }
      }
    }
    return shapes;
  }

  /** Smallest height and width of an image. */
  public int minimumSize() {
    return minimumSize;
  }

  /**
   * Why an image cannot pass in tiles as it passes whole, in one sentence; null when it can. Tiles
   * begin at multiples of {@link #minimumSize}.
   */
  public @Nullable String tilingObstacle() {
    boolean plan =
        config.architecture() == Architecture.VGG16_GAMMANET_V2
            || config.architecture() == Architecture.VGG16_GAMMANET;
    if (!plan) {
      return "only networks of VGG16's plan can be applied in tiles";
    }
    for (CellSite site : sites()) {
      FgruConfig cell = site.cell().config();
      Normalization norm = cell.normalizationType();
      if (norm == Normalization.INSTANCE || norm == Normalization.GROUP) {
        return "cells with %s normalization look at the whole image, and cannot be applied in tiles"
            .formatted(norm.word());
      }
      if (cell.attention() != Attention.NONE) {
        return "cells with attention look at the whole image, and cannot be applied in tiles";
      }
    }
    return null;
  }

  /** All stages in the order in which they run, with those that an ablation leaves idle. */
  public List<Stage> stages() {
    return stages;
  }

  /** The recurrent cells where they run, in the order in which they do. */
  public List<CellSite> sites() {
    List<CellSite> sites = new ArrayList<>();
    for (Stage stage : composed) {
      if (stage.segment() instanceof FgruCell cell) {
        List<String> states = stage.outputs().stream().map(Signal::name).toList();
        int level = stage.outputs().getFirst().level();
        sites.add(new CellSite(cell, level, block(stage.inputs().getFirst()), states));
      }
    }
    return sites;
  }

  /** The site of the cell of this name, if there is one. */
  public Optional<CellSite> site(String cell) {
    return sites().stream().filter(s -> s.name().equals(cell)).findFirst();
  }

  /** The block behind a drive, directly or through a projection; null for feedback. */
  private @Nullable String block(Signal drive) {
    for (Stage stage : composed) {
      if (stage.outputs().contains(drive)) {
        if (stage.role() == Stage.Role.BLOCK_OUTPUT) {
          return stage.name();
        }
        Signal from = stage.inputs().getFirst();
        return from.state() ? null : block(from);
      }
    }
    return null;
  }

  /** Each layer with its output shape, parameters and cost, for an image of this size. */
  public List<LayerSummary> summary(long height, long width) {
    return LayerSummary.of(stages, height, width);
  }

  /** The value under a name that is known to be there. */
  static <T> T get(Map<String, T> map, String name) {
    T value = map.get(name);
    if (value == null) {
      throw new AssertionError("nothing is called " + name + " among " + map.keySet());
    }
    return value;
  }

  private void checkImage(Tensor image) {
    boolean shaped = image.dim() == 4 && image.size(1) == config.inputChannels();
    if (!shaped || image.size(0) < 1) {
      throw new IllegalArgumentException(
          "an image batch must be (N, " + config.inputChannels() + ", H, W), not " + image);
    }
    if (image.dtype() != dtype) {
      throw new IllegalArgumentException(
          "an image batch must be " + dtype + " as the network's parameters are, not " + image);
    }
    if (!image.device().equals(device)) {
      throw new IllegalArgumentException(
          "the image is on " + image.device() + ", but the network is on " + device);
    }
    int minimum = minimumSize();
    if (image.size(2) < minimum || image.size(3) < minimum) {
      throw new IllegalArgumentException(
          "the image is "
              + image.size(3)
              + "x"
              + image.size(2)
              + ", but this network needs at least "
              + minimum
              + "x"
              + minimum);
    }
  }

  private static void checkStates(Map<String, Tensor> given, Map<String, long[]> shapes) {
    given.forEach(
        (name, state) -> {
          long[] expected = shapes.get(name);
          if (expected == null) {
            throw new IllegalArgumentException(
                "there is no state "
                    + name
                    + "; this network has "
                    + new TreeSet<>(shapes.keySet()));
          }
          if (!Arrays.equals(expected, state.shape())) {
            throw new IllegalArgumentException(
                "the state "
                    + name
                    + " must be "
                    + Arrays.toString(expected)
                    + " for this image, not "
                    + state);
          }
        });
  }

  /**
   * The first timestep with non-finite logits, from 0; -1 when all are finite. Runs the pass again.
   * Cells with a single state have quadratic excitation and can diverge.
   */
  public int firstNonFinite(Tensor image, ForwardOptions options) {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      return firstNonFinite(forward(image, options.withEveryTimestep()).logitsPerTimestep());
    }
  }

  /**
   * The first timestep whose logits are not finite, from 0; -1 when all are.
   *
   * @param logits after each timestep
   */
  public static int firstNonFinite(List<Tensor> logits) {
    for (int t = 0; t < logits.size(); t++) {
      try (var scope = TensorScope.open()) {
        if (Ops.all(Ops.isfinite(logits.get(t))).item() == 0) {
          return t;
        }
      }
    }
    return -1;
  }

  /** Frees the memory of the parameters; no pass is possible afterwards. */
  @Override
  public void close() {
    Resources.closeAll(entries);
  }
}
