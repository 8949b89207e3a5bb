package org.gammanet.model;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.gammanet.config.ModelConfig;
import org.gammanet.io.Sha256;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
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
 * <p>Every forward pass starts from zero states unless it is given others; nothing is remembered
 * between passes. Passes on several threads at once are safe as long as no parameter changes.
 */
public abstract sealed class Network implements AutoCloseable
    permits VggNetwork, ScratchNetwork, BackboneNetwork {
  private final ModelConfig config;
  private final List<Parameter> entries;
  private Device device = Device.CPU;
  private DType dtype = DType.FLOAT32;
  private Precision precision = Precision.FLOAT32;

  Network(ModelConfig config, List<Parameter> entries) {
    this.config = config;
    this.entries = entries;
  }

  /**
   * Builds the network that a configuration describes, with initial weights.
   *
   * @param seed the same seed gives the same weights, whatever the machine
   */
  public static Network create(ModelConfig config, long seed) {
    Network network = build(config);
    for (Parameter parameter : network.entries) {
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
    for (Parameter parameter : network.entries) {
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

  /** The trainable weights, without buffers, in the order of a checkpoint. */
  public final List<Parameter> parameters() {
    return entries.stream().filter(p -> !p.isBuffer()).toList();
  }

  /** Running statistics: saved and loaded, but not trained. */
  public final List<Parameter> buffers() {
    return entries.stream().filter(Parameter::isBuffer).toList();
  }

  /** Parameters and buffers in the order of a checkpoint. */
  public final List<Parameter> entries() {
    return entries;
  }

  /**
   * The values of all parameters and buffers by name, in the order of a checkpoint. The tensors stay
   * the network's.
   */
  public final SequencedMap<String, Tensor> stateDict() {
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
  public final void loadStateDict(Map<String, Tensor> values) {
    List<String> missing = new ArrayList<>();
    List<String> misshaped = new ArrayList<>();
    Set<String> unexpected = new TreeSet<>(values.keySet());
    for (Parameter parameter : entries) {
      Tensor value = values.get(parameter.name());
      unexpected.remove(parameter.name());
      if (value == null) {
        missing.add(parameter.name());
      } else if (!Arrays.equals(value.shape(), parameter.shape())
          || (value.dtype() == DType.INT64) != (parameter.tensor().dtype() == DType.INT64)) {
        misshaped.add(parameter.name() + " (" + value + " instead of " + parameter.tensor() + ")");
      }
    }
    List<String> misfits = new ArrayList<>();
    addMisfits(misfits, "missing", missing);
    addMisfits(misfits, "unexpected", unexpected);
    addMisfits(misfits, "of another shape or type", misshaped);
    if (!misfits.isEmpty()) {
      throw new IllegalArgumentException(
          "the values do not fit " + config.name() + ": " + String.join("; ", misfits));
    }
    entries.forEach(p -> p.set(get(values, p.name())));
  }

  private static void addMisfits(List<String> misfits, String kind, Collection<String> names) {
    if (!names.isEmpty()) {
      misfits.add(names.size() + " " + kind + ": " + String.join(", ", names));
    }
  }

  /**
   * SHA-256 of the names, shapes and values of all parameters and buffers in the order of their
   * names: equal for equal networks, whatever file or device they come from. 64 hexadecimal digits.
   */
  public final String digest() {
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
  public final Parameter parameter(String name) {
    for (Parameter parameter : entries) {
      if (parameter.name().equals(name)) {
        return parameter;
      }
    }
    throw new IllegalArgumentException("the network has no parameter " + name);
  }

  /** Number of trainable values. */
  public final long parameterCount() {
    return parameters().stream().mapToLong(Parameter::numel).sum();
  }

  /** Where its parameters lie. */
  public final Device device() {
    return device;
  }

  /** Moves all parameters; images must then lie there too. Gradients are forgotten. */
  public final Network to(Device target) {
    return to(target, dtype);
  }

  /** Moves and converts all parameters. Double precision tells rounding from mistakes. */
  final Network to(Device target, DType precision) {
    for (Parameter parameter : entries) {
      parameter.move(target, precision);
    }
    device = target;
    dtype = precision;
    return this;
  }

  /** How native kernels multiply, float32 unless it was set. */
  public final Precision precision() {
    return precision;
  }

  /**
   * Sets how native kernels multiply.
   *
   * @throws UnsupportedOperationException when this network or this machine cannot do it, with the
   *     reason
   */
  public final void setPrecision(Precision wanted) {
    if (wanted != Precision.FLOAT32) {
      String reason = fallbackReason();
      if (reason == null && !NativeKernels.supports(wanted)) {
        reason = "this processor has no instructions for it";
      }
      if (reason != null) {
        throw new UnsupportedOperationException(
            wanted.name().toLowerCase(Locale.ROOT) + " is not possible here: " + reason);
      }
    }
    precision = wanted;
  }

  /**
   * Why this network is computed by LibTorch's operators alone, in a few words; null when native
   * kernels run it. Even then single steps are composed of operators where hooks want to see the
   * inside of a cell, or automatic differentiation records.
   */
  public final @Nullable String fallbackReason() {
    if (dtype != DType.FLOAT32) {
      return "native kernels work in float32 only";
    }
    for (CellSite site : sites()) {
      String reason = site.cell().fallbackReason();
      if (reason != null) {
        return reason;
      }
    }
    if (!NativeKernels.supports(Precision.FLOAT32)) {
      return NativeKernels.whyAbsent();
    }
    return NativeKernels.supports(device) ? null : "there are no native kernels for " + device;
  }

  /** Whether parameters collect gradients; false after construction. */
  public final void requiresGrad(boolean wanted) {
    parameters().forEach(p -> p.tensor().requiresGrad(wanted));
  }

  /**
   * Switches to training mode: batch normalization uses the statistics of the batch and updates the
   * running ones. Nothing else differs.
   */
  public final void train() {
    training(true);
  }

  /** Switches to evaluation mode, the mode of a new network. */
  public final void eval() {
    training(false);
  }

  void training(boolean training) {}

  /** Whether batches are normalised by their own statistics. */
  boolean isTraining() {
    return false;
  }

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
    return takesImagesApart(image, options)
        ? imagesApart(image, options)
        : run(image, options, Set.of()).result();
  }

  /**
   * Whether each image of a batch gets a pass of its own, so that its logits are bit-equal whatever
   * the batch. The native kernels see to that themselves; LibTorch chooses the algorithm of a
   * convolution on the CPU by the size of the batch.
   */
  private boolean takesImagesApart(Tensor image, ForwardOptions options) {
    return image.size(0) > 1
        && device.type() == Device.Type.CPU
        && !Autograd.isEnabled()
        && options.hooks() == null
        && options.executor() == Executor.DIRECT
        && !isTraining()
        && (options.composedOnly() || fallbackReason() != null);
  }

  private ForwardResult imagesApart(Tensor image, ForwardOptions options) {
    try (TensorScope scope = TensorScope.open()) {
      List<ForwardResult> results = new ArrayList<>();
      for (int i = 0; i < image.size(0); i++) {
        int n = i;
        Map<String, Tensor> states = new LinkedHashMap<>();
        checkStates(
            options.initialStates(), stateShapes(image.size(0), image.size(2), image.size(3)));
        options.initialStates().forEach((name, state) -> states.put(name, sample(state, n)));
        results.add(
            run(sample(image, n), options.withInitialStates(states), Set.of()).result());
      }
      List<Tensor> timesteps = new ArrayList<>();
      for (int t = 0; t < results.getFirst().logitsPerTimestep().size(); t++) {
        int step = t;
        timesteps.add(
            scope.keep(cat(results.stream().map(r -> r.logitsPerTimestep().get(step)).toList())));
      }
      Tensor logits =
          timesteps.isEmpty()
              ? scope.keep(cat(results.stream().map(ForwardResult::logits).toList()))
              : timesteps.getLast();
      Map<String, Tensor> states = new LinkedHashMap<>();
      for (String name : results.getFirst().states().keySet()) {
        states.put(
            name,
            scope.keep(cat(results.stream().map(r -> get(r.states(), name)).toList())));
      }
      return new ForwardResult(logits, timesteps, Collections.unmodifiableMap(states));
    }
  }

  private static Tensor cat(List<Tensor> samples) {
    return Ops.cat(samples, 0);
  }

  /** Image {@code n} of a batch, in memory of its own. */
  private static Tensor sample(Tensor batch, int n) {
    return Ops.narrow(batch, 0, n, 1).clone();
  }

  /**
   * Outputs of cells at the last timestep, before feedback of that timestep is added to their
   * states: the excitatory (or only) state, then the inhibitory state if there is one. What they do
   * not depend on is not computed. With gradients recorded, they can be differentiated with respect
   * to the image, initial states, parameters, and whatever the hooks put in.
   *
   * @param cells names as in {@link #sites()}
   * @param options of which {@code everyTimestep} and {@code finalStates} have no effect; hooks are
   *     not told the end of the last timestep, which need not come
   * @return by name, in the order of {@code cells}; the tensors belong to the scope that was open
   *     when it was called, or to the caller
   * @throws IllegalArgumentException as {@link #forward(Tensor, ForwardOptions)}, and for a cell
   *     that this network does not have or does not run at the last timestep
   */
  public final Map<String, Tensor[]> respond(
      Tensor image, Collection<String> cells, ForwardOptions options) {
    List<String> names = sites().stream().map(CellSite::name).toList();
    for (String cell : cells) {
      if (!names.contains(cell)) {
        throw new IllegalArgumentException(
            "no cell " + cell + " runs in this network; there are " + String.join(", ", names));
      }
    }
    if (cells.isEmpty()) {
      throw new IllegalArgumentException("no cell is named whose output is wanted");
    }
    Map<String, Tensor[]> outputs = run(image, options, Set.copyOf(cells)).outputs;
    Map<String, Tensor[]> ordered = new LinkedHashMap<>();
    cells.forEach(cell -> ordered.put(cell, get(outputs, cell)));
    return ordered;
  }

  /**
   * Runs a pass.
   *
   * @param wanted cells whose outputs at the last timestep are all that is wanted; empty for logits
   */
  private Pass run(Tensor image, ForwardOptions options, Set<String> wanted) {
    checkImage(image);
    int timesteps = options.timesteps() == 0 ? config.timesteps() : options.timesteps();
    checkStates(options.initialStates(), stateShapes(image.size(0), image.size(2), image.size(3)));
    try (TensorScope all = TensorScope.open();
        ForwardContext context =
            new ForwardContext(
                options.hooks(), options.composedOnly() || fallbackReason() != null, precision)) {
      Pass pass = new Pass(image, options, context, wanted);
      options.initialStates().forEach((name, state) -> pass.states.put(name, state.alias()));
      begin(pass);
      for (int t = 0; t < timesteps; t++) {
        timestep(pass, t, t == timesteps - 1);
      }
      pass.logits.forEach(all::keep);
      if (options.finalStates() && wanted.isEmpty()) {
        pass.states.values().forEach(all::keep);
      }
      for (Tensor[] outputs : pass.outputs.values()) {
        for (Tensor output : outputs) {
          all.keep(output);
        }
      }
      return pass;
    }
  }

  /** One timestep; what it leaves behind are states, and what is wanted of it. */
  private void timestep(Pass pass, int t, boolean last) {
    ForwardOptions options = pass.options;
    Map<String, Tensor> before = new LinkedHashMap<>(pass.states);
    try (TensorScope scope = TensorScope.open()) {
      pass.last = last;
      pass.context.timestep(t);
      options.executor().beginTimestep(t);
      step(pass);
      ForwardHooks hooks = options.hooks();
      boolean complete = pass.wanted.isEmpty() || !last;
      if (hooks != null && complete) {
        hooks.timestepFinished(t, Collections.unmodifiableMap(pass.states));
      }
      if (pass.wanted.isEmpty() && (last || options.everyTimestep())) {
        pass.logits.add(scope.keep(readOut(pass)));
      }
      if (!complete && !pass.done()) {
        Set<String> missing = new TreeSet<>(pass.wanted);
        missing.removeAll(pass.outputs.keySet());
        throw new IllegalArgumentException(
            missing + " does not run at timestep " + (t + 1) + " of this network");
      }
      pass.states.values().forEach(scope::keep);
      for (Tensor[] outputs : pass.outputs.values()) {
        for (Tensor output : outputs) {
          scope.keep(output);
        }
      }
    }
    before.forEach(
        (name, state) -> {
          if (pass.states.get(name) != state && !state.isClosed()) {
            state.close();
          }
        });
  }

  /** One forward pass: its input, what is computed once for it, its states and its results. */
  static final class Pass {
    final Tensor image;
    final ForwardOptions options;
    final ForwardContext context;
    final Map<String, Tensor> constants = new LinkedHashMap<>();

    /** By name; a state that is not there is zero. */
    final Map<String, Tensor> states = new LinkedHashMap<>();

    /** States that this pass has made and may overwrite. */
    private final Set<Tensor> own = Collections.newSetFromMap(new IdentityHashMap<>());

    final Set<String> wanted;
    final Map<String, Tensor[]> outputs = new LinkedHashMap<>();
    final List<Tensor> logits = new ArrayList<>();

    private boolean last;

    Pass(Tensor image, ForwardOptions options, ForwardContext context, Set<String> wanted) {
      this.image = image;
      this.options = options;
      this.context = context;
      this.wanted = wanted;
    }

    ForwardResult result() {
      return new ForwardResult(
          logits.getLast(),
          options.everyTimestep() ? List.copyOf(logits) : List.of(),
          options.finalStates() ? Collections.unmodifiableMap(states) : Map.of());
    }

    /** Whether all that is wanted is there, so that the rest of the last timestep may be left. */
    boolean done() {
      return !wanted.isEmpty() && outputs.size() == wanted.size();
    }

    /** Whether nobody sees the states after this timestep. */
    boolean statesEndHere() {
      return last && !options.finalStates() && context.hooks() == null;
    }

    /** A state that some segment has made or the caller has given. */
    Tensor state(String name) {
      return get(states, name);
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
          Segments.unary(
              block + " hook", List.of(), (c, x) -> hooks.blockOutput(block, c.timestep(), x)),
          drive);
    }

    /** Puts a state into memory that nothing else uses. */
    void putOwn(String name, Tensor state) {
      states.put(name, state);
      if (overwrites()) {
        own.add(state);
      }
    }

    /** Whether nobody but the pass holds on to states. */
    private boolean overwrites() {
      return options.executor() == Executor.DIRECT
          && context.hooks() == null
          && wanted.isEmpty()
          && !Autograd.isEnabled();
    }

    /**
     * A cell's step in place, where that is possible.
     *
     * @param sum name of a state that the new excitatory state is added to; null for none
     * @return whether it was done; else nothing has changed
     */
    boolean advance(FgruCell cell, Tensor drive, List<String> names, @Nullable String sum) {
      List<Tensor> current = new ArrayList<>();
      for (String name : names) {
        Tensor state = states.get(name);
        if (state == null || !own.contains(state)) {
          return false;
        }
        current.add(state);
      }
      Tensor total = sum == null ? null : states.get(sum);
      if (total != null && !own.contains(total)) {
        return false;
      }
      return overwrites() && cell.advance(context, drive, current, total);
    }

    /** A cell's step and the hooks after it: replaces the states of these names. */
    void update(FgruCell cell, Tensor drive, List<String> names) {
      List<Tensor> inputs = new ArrayList<>();
      inputs.add(drive);
      if (names.stream().anyMatch(states::containsKey)) {
        for (String name : names) {
          Tensor state = states.get(name);
          inputs.add(
              state != null ? state : Tensor.zeros(drive.dtype(), drive.device(), drive.shape()));
        }
      }
      Tensor[] updated = run(cell, inputs.toArray(Tensor[]::new));
      ForwardHooks hooks = context.hooks();
      if (hooks != null) {
        updated =
            run(
                Segments.of(
                    cell.name() + " hook",
                    List.of(),
                    (c, x) -> hooks.cellOutput(cell.name(), c.timestep(), x)),
                updated);
      }
      for (int i = 0; i < names.size(); i++) {
        putOwn(names.get(i), updated[i]);
      }
      if (last && wanted.contains(cell.name())) {
        outputs.put(cell.name(), updated);
      }
    }
  }

  /** Computes what does not change over timesteps, into {@code pass.constants}. */
  abstract void begin(Pass pass);

  /** One timestep: replaces the states; may stop when the pass is {@link Pass#done}. */
  abstract void step(Pass pass);

  /** Logits from the states at the end of a timestep. */
  abstract Tensor readOut(Pass pass);

  /** Shape of each state by name, for images of this size. */
  public abstract Map<String, long[]> stateShapes(long batch, long height, long width);

  /** Smallest height and width of an image. */
  public abstract int minimumSize();

  /** The recurrent cells where they run, in the order in which they do. */
  public abstract List<CellSite> sites();

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
   * The first timestep after which the logits of a pass are not finite, from 0; -1 when all are.
   * Runs the pass again. With a single state, excitation is quadratic and can run away.
   */
  public final int firstNonFinite(Tensor image, ForwardOptions options) {
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

  /** Releases the parameters. */
  @Override
  public final void close() {
    entries.forEach(Parameter::close);
  }
}
