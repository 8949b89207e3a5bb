package org.gammanet.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A network of the family with its parameters.
 *
 * <p>Every forward pass starts from zero states unless it is given others; nothing is remembered
 * between passes. Passes on several threads at once are safe as long as no parameter changes.
 */
public abstract sealed class Network implements AutoCloseable
    permits VggNetwork, ScratchNetwork, BackboneNetwork {
  private final ModelConfig config;
  private final List<Parameter> parameters;
  private Device device = Device.CPU;

  Network(ModelConfig config, List<Parameter> parameters) {
    this.config = config;
    this.parameters = parameters;
  }

  /**
   * Builds the network that a configuration describes, with initial weights.
   *
   * @param seed the same seed gives the same weights, whatever the machine
   */
  public static Network create(ModelConfig config, long seed) {
    Network network = build(config);
    for (Parameter parameter : network.parameters) {
      parameter.initialize(seed);
    }
    return network;
  }

  /**
   * Builds the network that a configuration describes, with weights that are all zero until they
   * are set, as from a checkpoint.
   */
  public static Network create(ModelConfig config) {
    Network network = build(config);
    for (Parameter parameter : network.parameters) {
      parameter.allocate();
    }
    return network;
  }

  private static Network build(ModelConfig config) {
    return switch (config.architecture()) {
      case VGG16_GAMMANET_V2, VGG16_GAMMANET -> VggNetwork.build(config);
      case GAMMANET -> ScratchNetwork.build(config);
      case GAMMANET_BACKBONE -> BackboneNetwork.build(config);
    };
  }

  /** What it was built from. */
  public final ModelConfig config() {
    return config;
  }

  /** Weights and buffers in the order of a checkpoint. */
  public final List<Parameter> parameters() {
    return parameters;
  }

  /**
   * The parameter of this name.
   *
   * @throws IllegalArgumentException when there is none
   */
  public final Parameter parameter(String name) {
    for (Parameter parameter : parameters) {
      if (parameter.name().equals(name)) {
        return parameter;
      }
    }
    throw new IllegalArgumentException("the network has no parameter " + name);
  }

  /** Number of trainable values. */
  public final long parameterCount() {
    return parameters.stream().filter(p -> !p.isBuffer()).mapToLong(Parameter::numel).sum();
  }

  /** Where its parameters lie. */
  public final Device device() {
    return device;
  }

  /** Moves all parameters; images must then lie there too. */
  public final Network to(Device target) {
    for (Parameter parameter : parameters) {
      parameter.move(target);
    }
    device = target;
    return this;
  }

  /** Whether parameters collect gradients; false after construction. */
  public final void requiresGrad(boolean wanted) {
    for (Parameter parameter : parameters) {
      if (!parameter.isBuffer()) {
        parameter.tensor().requiresGrad(wanted);
      }
    }
  }

  /** Batch normalisation uses the batch's statistics while training; nothing else differs. */
  public void training(boolean training) {}

  /**
   * Logits of a batch of images.
   *
   * @param image (N, 3, H, W) float32, standardised colours, on this network's device
   * @return (N, output channels, H, W)
   * @throws IllegalArgumentException for another shape or type, or an image that is too small
   */
  public final Tensor forward(Tensor image) {
    return forward(image, ForwardOptions.DEFAULTS).logits();
  }

  /**
   * A forward pass with options.
   *
   * @throws IllegalArgumentException as {@link #forward(Tensor)}, and for unknown or wrongly shaped
   *     initial states
   */
  public final ForwardResult forward(Tensor image, ForwardOptions options) {
    checkImage(image);
    int timesteps = options.timesteps() == 0 ? config.timesteps() : options.timesteps();
    Map<String, long[]> shapes = stateShapes(image.size(0), image.size(2), image.size(3));
    checkStates(options.initialStates(), shapes);
    try (TensorScope all = TensorScope.open();
        ForwardContext context = new ForwardContext(options.hooks(), options.composedOnly())) {
      Pass pass = new Pass(image, options, context);
      begin(pass);
      Map<String, Tensor> states = new LinkedHashMap<>();
      shapes.forEach(
          (name, shape) -> {
            Tensor given = options.initialStates().get(name);
            states.put(
                name,
                given != null ? given.alias() : Tensor.zeros(image.dtype(), image.device(), shape));
          });
      List<Tensor> logits = new ArrayList<>();
      for (int t = 0; t < timesteps; t++) {
        boolean last = t == timesteps - 1;
        Map<String, Tensor> before = new LinkedHashMap<>(states);
        try (TensorScope step = TensorScope.open()) {
          context.timestep(t);
          options.executor().beginTimestep(t);
          step(pass, states, t, last && !options.finalStates() && options.hooks() == null);
          ForwardHooks hooks = options.hooks();
          if (hooks != null) {
            hooks.timestepFinished(t, states);
          }
          if (last || options.everyTimestep()) {
            logits.add(step.keep(readOut(pass, states)));
          }
          states.values().forEach(step::keep);
        }
        before.forEach(
            (name, state) -> {
              if (states.get(name) != state && !state.isClosed()) {
                state.close();
              }
            });
      }
      Tensor result = logits.get(logits.size() - 1);
      Map<String, Tensor> finalStates = options.finalStates() ? states : Map.of();
      finalStates.values().forEach(all::keep);
      logits.forEach(all::keep);
      return new ForwardResult(
          result, options.everyTimestep() ? List.copyOf(logits) : List.of(), finalStates);
    }
  }

  /** One forward pass: its input and what is computed once for it. */
  static final class Pass {
    final Tensor image;
    final ForwardOptions options;
    final ForwardContext context;
    final Map<String, Tensor> constants = new LinkedHashMap<>();

    Pass(Tensor image, ForwardOptions options, ForwardContext context) {
      this.image = image;
      this.options = options;
      this.context = context;
    }

    Tensor[] run(Segment segment, Tensor... inputs) {
      return options.executor().run(segment, context, inputs);
    }

    Tensor one(Segment segment, Tensor... inputs) {
      return run(segment, inputs)[0];
    }

    /** The drive after the hooks had their say. */
    Tensor hookBlock(String block, Tensor drive) {
      ForwardHooks hooks = context.hooks();
      if (hooks == null) {
        return drive;
      }
      return one(
          Segments.of(
              block + " hook",
              List.of(),
              (c, x) -> new Tensor[] {hooks.blockOutput(block, c.timestep(), x[0])}),
          drive);
    }

    /** A cell's step, then the hooks. */
    Tensor[] cell(FgruCell cell, Tensor... inputs) {
      Tensor[] states = run(cell, inputs);
      ForwardHooks hooks = context.hooks();
      if (hooks == null) {
        return states;
      }
      return run(
          Segments.of(
              cell.name() + " hook",
              List.of(),
              (c, x) -> hooks.cellOutput(cell.name(), c.timestep(), x)),
          states);
    }
  }

  /** Computes what does not change over timesteps, into {@code pass.constants}. */
  abstract void begin(Pass pass);

  /**
   * One timestep: replaces the states.
   *
   * @param logitsOnly whether states that the read-out does not depend on may be left as they are
   */
  abstract void step(Pass pass, Map<String, Tensor> states, int timestep, boolean logitsOnly);

  /** Logits from the states at the end of a timestep. */
  abstract Tensor readOut(Pass pass, Map<String, Tensor> states);

  /** Shape of each state by name, for images of this size. */
  public abstract Map<String, long[]> stateShapes(long batch, long height, long width);

  /** Smallest height and width of an image. */
  public abstract int minimumSize();

  /** The recurrent cells by name, in the order in which they run. */
  public abstract Map<String, FgruCell> cells();

  /**
   * Where a cell stands in the network.
   *
   * @param block the block whose output drives it, as {@link ForwardHooks#blockOutput} names it;
   *     null for cells that feedback drives
   * @param states names of its states in {@link #stateShapes}: excitatory (or only) one first
   */
  public record Wiring(@Nullable String block, List<String> states) {
    /** Keeps a copy of the names. */
    public Wiring {
      states = List.copyOf(states);
    }
  }

  /** The place of each of the {@link #cells}, in their order. */
  public abstract Map<String, Wiring> wiring();

  /** Each layer with its output shape, parameters and cost, for an image of this size. */
  public abstract List<LayerSummary> summary(long height, long width);

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
    if (image.dtype() != DType.FLOAT32 && image.dtype() != DType.FLOAT64) {
      throw new IllegalArgumentException("an image batch must be float32, not " + image);
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

  /** Releases the parameters. */
  @Override
  public final void close() {
    parameters.forEach(Parameter::close);
  }
}
