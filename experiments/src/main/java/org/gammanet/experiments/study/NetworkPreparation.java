package org.gammanet.experiments.study;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.responses.LayerInfo;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.ReceptiveFieldMapper;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.kernels.Precision;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** A layer of a network, which remains the caller's. */
public final class NetworkPreparation implements Preparation {
  /** Larger batches are no faster where a stimulus' signals alone keep all processors busy. */
  private static final long MEMORY = 1L << 29;

  /** Fields of the blocks of VGG16, pixels: 3x3 convolutions and 2x2 pooling. */
  private static final int[] FIELDS = {5, 14, 40, 92, 196};

  private final Network network;
  private final LayerInfo layer;
  private final int size;
  private final int timesteps;
  private final int batchSize;
  private final boolean trained;
  private final Set<State> states;
  private final @Nullable Lesion lesion;
  private final @Nullable ForwardHooks hooks;
  private final boolean owned;

  /**
   * Prepares a layer.
   *
   * @param size height and width of the images, pixels
   * @param timesteps 0 for the network's own
   * @param trained whether the weights come from training
   * @throws IllegalArgumentException for an unknown layer, and for images that are too small
   */
  public NetworkPreparation(
      Network network, String layer, int size, int timesteps, int batchSize, boolean trained) {
    this(
        network,
        ResponseExtractor.forNetwork(network).build().layer(layer),
        size,
        timesteps > 0 ? timesteps : network.config().timesteps(),
        batchSize,
        trained,
        null,
        null,
        false);
  }

  private NetworkPreparation(
      Network network,
      LayerInfo layer,
      int size,
      int timesteps,
      int batchSize,
      boolean trained,
      @Nullable Lesion lesion,
      @Nullable ForwardHooks hooks,
      boolean owned) {
    if (size < network.minimumSize() || size >> layer.level() < 1) {
      throw new IllegalArgumentException(
          "an image of %s x %s pixels is too small for this network: at least %s x %s are needed"
              .formatted(size, size, network.minimumSize(), network.minimumSize()));
    }
    this.network = network;
    this.layer = layer;
    this.size = size;
    this.timesteps = timesteps;
    this.batchSize = batchSize;
    this.trained = trained;
    this.lesion = lesion;
    this.hooks = hooks;
    this.owned = owned;
    Set<State> wanted = new LinkedHashSet<>();
    for (State state : List.of(State.EXCITATORY, State.INHIBITORY)) {
      if (layer.states().contains(state)) {
        wanted.add(state);
      }
    }
    states = wanted.isEmpty() ? Set.of(State.FEEDFORWARD) : wanted;
  }

  /**
   * The layer that is recorded where none is named: the cell of the first level, with parity of the
   * second; cells that feedback drives only where there are no others.
   */
  public static String usualLayer(Network network, Mode mode) {
    List<String> cells = cells(network, true);
    if (cells.isEmpty()) {
      cells = cells(network, false);
    }
    if (cells.isEmpty()) {
      return ResponseExtractor.OUTPUT;
    }
    int level = mode == Mode.PARITY ? 1 : 0;
    return cells.get(Math.min(level, cells.size() - 1));
  }

  /** Names of cells, from the lowest level up. */
  private static List<String> cells(Network network, boolean bottomUp) {
    return network.sites().stream()
        .filter(p -> (p.block() != null) == bottomUp)
        .sorted(Comparator.comparingInt(CellSite::level))
        .map(CellSite::name)
        .toList();
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public String layer() {
    return layer.name();
  }

  @Override
  public List<State> states() {
    return List.copyOf(states);
  }

  @Override
  public int channels() {
    return layer.channels();
  }

  @Override
  public int timesteps() {
    return timesteps;
  }

  @Override
  public int fieldDiameter() {
    boolean bottomUp = layer.name().matches("fgru_\\d|block\\d_conv");
    return bottomUp && layer.level() < FIELDS.length ? FIELDS[layer.level()] : 0;
  }

  @Override
  public int stride() {
    return 1 << layer.level();
  }

  @Override
  public boolean trained() {
    return trained;
  }

  @Override
  public String digest() {
    return network.digest() + (lesion == null ? "" : "-" + Json.name(lesion));
  }

  @Override
  public Precision precision() {
    return network.precision();
  }

  private RecordingPlan plan(Pooling pooling, boolean withOutput) {
    List<String> layers = new ArrayList<>(List.of(layer.name()));
    if (withOutput && !layer.name().equals(ResponseExtractor.OUTPUT)) {
      layers.add(ResponseExtractor.OUTPUT);
    }
    State[] all = states.toArray(State[]::new);
    RecordingPlan plan = RecordingPlan.layers(layers).timesteps(timesteps).pooling(pooling);
    return all.length == 1 ? plan.states(all[0]) : plan.states(all[0], all[1]);
  }

  private ResponseExtractor.Builder extractor(
      Network from, InputScaling scaling, IntConsumer progress) {
    return ResponseExtractor.forNetwork(from)
        .scaling(scaling)
        .batchSize(batchSize)
        .memoryLimit(MEMORY)
        .progress(progress);
  }

  /** The memory and the batch size for recording the center units. */
  public ResponseExtractor.Estimate estimate(StimulusSet set) {
    return extractor(network, InputScaling.IMAGENET, done -> {})
        .build()
        .estimate(set, plan(Pooling.unit(), false));
  }

  @Override
  public Responses record(
      StimulusSet set,
      Pooling pooling,
      InputScaling scaling,
      boolean withOutput,
      IntConsumer progress) {
    return onNetwork(
            (from, options) ->
                extractor(from, scaling, progress)
                    .options(options)
                    .build()
                    .extract(set, plan(pooling, withOutput)))
        .orElseThrow();
  }

  @Override
  public <T> Optional<T> onNetwork(BiFunction<Network, ForwardOptions, T> work) {
    try (var lesioned =
        new LesionedNetwork(network, lesion == null ? Set.of() : EnumSet.of(lesion))) {
      ForwardHooks silent = lesioned.hooks();
      ForwardHooks watching = hooks;
      ForwardHooks both =
          watching == null ? silent : silent == null ? watching : new Both(watching, silent);
      return Optional.of(work.apply(lesioned.network(), ForwardOptions.DEFAULTS.withHooks(both)));
    }
  }

  @Override
  public Preparation changed(ForwardHooks more) {
    if (hooks != null) {
      throw new IllegalStateException("signals of these units are changed already");
    }
    return new NetworkPreparation(
        network, layer, size, timesteps, batchSize, trained, lesion, more, false);
  }

  @Override
  public @Nullable ReceptiveField gradient(
      State state, int after, int draws, long seed, IntConsumer progress) {
    if (network.site(layer.name()).isEmpty() || lesion != null) {
      return null;
    }
    return ReceptiveFieldMapper.forNetwork(network)
        .state(state)
        .timesteps(after)
        .draws(draws)
        .seed(seed)
        .progress(progress)
        .gradient(layer.name(), size);
  }

  /** Feedback that adds nothing, after other changes. */
  private record Both(ForwardHooks first, ForwardHooks then) implements ForwardHooks {
    @Override
    public Tensor blockOutput(String block, int timestep, Tensor drive) {
      return first.blockOutput(block, timestep, drive);
    }

    @Override
    public Tensor[] cellOutput(String cell, int timestep, Tensor[] outputs) {
      return then.cellOutput(cell, timestep, first.cellOutput(cell, timestep, outputs));
    }
  }

  @Override
  public @Nullable Preparation lesioned(Lesion how) {
    return LesionedNetwork.possible(network, how)
        ? new NetworkPreparation(
            network, layer, size, timesteps, batchSize, trained, how, hooks, false)
        : null;
  }

  @Override
  public @Nullable Preparation control(Control control) {
    if (control.lesion() != null) {
      return lesioned(control.lesion());
    }
    Network other = Network.create(network.config(), control.number());
    try {
      if (control.kind() == Control.Kind.SHUFFLED) {
        other.loadStateDict(network.stateDict());
        var random = new SplittableRandom(control.number());
        other.parameters().forEach(p -> shuffle(p, random));
      }
      other.to(network.device());
      other.setPrecision(network.precision());
      return new NetworkPreparation(
          other, layer, size, timesteps, batchSize, false, null, null, true);
    } catch (RuntimeException e) {
      other.close();
      throw e;
    }
  }

  /** Permutes the values of a kernel; biases and the circuit's parameters stay. */
  private static void shuffle(Parameter p, SplittableRandom random) {
    if (p.shape().length != 4) {
      return;
    }
    try (var scope = TensorScope.open()) {
      float[] values = p.tensor().toFloatArray();
      for (int i = values.length - 1; i > 0; i--) {
        int j = random.nextInt(i + 1);
        float v = values[i];
        values[i] = values[j];
        values[j] = v;
      }
      p.set(Tensor.of(values, p.shape()).to(p.tensor().device()));
    }
  }

  @Override
  public void close() {
    if (owned) {
      network.close();
    }
  }
}
