package org.gammanet.experiments.opto;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Simulated optogenetics on a network.
 *
 * <ol>
 *   <li>{@link #trainDecoder}: gratings that cover only the classical field (CRF) train a linear
 *       decoder of orientation from the excitatory state of one place at the last timestep.
 *   <li>{@link #optimizeMultiOrientation}: under gratings that cover the extra-classical field, the
 *       drive of that place is multiplied by a factor, and the initial excitatory and inhibitory
 *       states around it, with all weights frozen, are optimised through all timesteps until the
 *       decoder reads what it read without the perturbation.
 *   <li>{@link #measureRecurrentFlow}: what reaches the place through horizontal connections.
 *   <li>{@link #influenceMap}: what exciting one place does to the others.
 * </ol>
 *
 * <pre>{@code
 * var opto = OptogeneticPerturbation.forModel(model).patchSize(5).seed(1).build();
 * opto.trainDecoder(crfGratings, DecoderOptions.layer("fgru_0"));
 * MultiOrientationResult result =
 *     opto.optimizeMultiOrientation(gratings, RescueOptions.layer("fgru_0").steps(50));
 * OptoFigures.multiOrientation(result).write(Path.of("optimization_results"));
 * }</pre>
 *
 * <p>Locations are (row, column) in the map of the layer. Every pass starts from zero states; equal
 * seeds give equal results. One thread at a time.
 */
public final class OptogeneticPerturbation {
  private final GammaNet model;
  private final Network network;
  private final double patchSize;
  private final long seed;
  private final int timesteps;
  private final Mode mode;
  private final int batchSize;
  private final Recompute recompute;
  private final OptoListener listener;
  private final String weights;

  /** The decoder, and where it reads. */
  private StateOptimization.@Nullable Reading reading;

  private OptogeneticPerturbation(Builder builder) {
    model = builder.model;
    network = model.network();
    patchSize = builder.patchSize;
    seed = builder.seed;
    timesteps = builder.timesteps == 0 ? network.config().timesteps() : builder.timesteps;
    mode = builder.mode;
    batchSize = builder.batchSize;
    recompute = builder.recompute == Recompute.AUTO ? Recompute.CELLS : builder.recompute;
    listener = builder.listener;
    if (builder.device != null) {
      network.to(builder.device);
    }
    network.requiresGrad(false);
    weights = digest(network);
  }

  private static String digest(Network network) {
    List<Object> parts = new ArrayList<>();
    parts.add(network.config());
    for (Parameter parameter : network.parameters()) {
      parts.add(Kept.key(StoredTensor.of(parameter.tensor()).data()));
    }
    return Kept.key(parts.toArray());
  }

  /**
   * Begins with a network, which stays the caller's. Its parameters are frozen: they collect no
   * gradients any more.
   */
  public static Builder forModel(GammaNet model) {
    return new Builder(model);
  }

  /** Describes the simulation. */
  public static final class Builder {
    private final GammaNet model;
    private @Nullable Device device;
    private double patchSize = 4;
    private long seed;
    private int timesteps;
    private Mode mode = Mode.OWN;
    private int batchSize = 4;
    private Recompute recompute = Recompute.CELLS;
    private OptoListener listener = OptoListener.NONE;

    private Builder(GammaNet model) {
      this.model = model;
    }

    /** Moves the network there; unless told it stays where it is. */
    public Builder device(Device value) {
      device = value;
      return this;
    }

    /**
     * Diameter of the perturbed disc in pixels of the layer's map, all pixels within half of it; 4
     * unless told.
     */
    public Builder patchSize(double pixels) {
      RescueOptions.requirePositive(pixels, "the patch size");
      patchSize = pixels;
      return this;
    }

    /** Seed of the decoder's initial weights and of the random starts; 0 unless told. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /** T of each pass; the network's unless told. */
    public Builder timesteps(int count) {
      RescueOptions.requireAtLeastOne(count, "timesteps");
      timesteps = count;
      return this;
    }

    /**
     * {@link Mode#PARITY} for the original's definitions: luminances as they are for input, losses
     * that cannot tell an orientation from its orthogonal, states put in after the first step, maps
     * turned the wrong way.
     */
    public Builder mode(Mode value) {
      mode = value;
      return this;
    }

    /** Stimuli in one pass where nothing is optimised; 4 unless told. */
    public Builder batchSize(int stimuli) {
      RescueOptions.requireAtLeastOne(stimuli, "stimuli in one pass");
      batchSize = stimuli;
      return this;
    }

    /** What the backward pass computes again instead of keeping it; cells unless told, or auto. */
    public Builder recompute(Recompute value) {
      recompute = value;
      return this;
    }

    /** Hears of progress, and may cancel. */
    public Builder listener(OptoListener value) {
      listener = value;
      return this;
    }

    /** The simulation. */
    public OptogeneticPerturbation build() {
      return new OptogeneticPerturbation(this);
    }
  }

  /** The network. */
  public GammaNet model() {
    return model;
  }

  /** T of each pass. */
  public int timesteps() {
    return timesteps;
  }

  /** Whose definitions are followed. */
  public Mode mode() {
    return mode;
  }

  /** Diameter of the perturbed disc. */
  public double patchSize() {
    return patchSize;
  }

  /** A digest of the network's configuration and weights. */
  String weights() {
    return weights;
  }

  /**
   * Requires a layer whose drive can be perturbed and whose cell has an inhibitory state.
   *
   * @throws IllegalArgumentException if there is no such layer, it has a single state, or is driven
   *     by feedback
   */
  public void requireRescuable(String layer) {
    List<String> able =
        network.sites().stream()
            .filter(p -> p.states().size() == 2 && p.block() != null)
            .map(CellSite::name)
            .toList();
    if (able.isEmpty()) {
      throw new IllegalArgumentException(
          "the network %s has a single state per cell, so there is no inhibitory state to optimise;"
                  .formatted(network.config().name())
              + " optogenetics needs VGG16GammaNetV2 with model.fgru.use_separate_ei_states: true");
    }
    if (!able.contains(place(layer).name())) {
      throw new IllegalArgumentException(
          "the drive of %s comes from feedback and cannot be perturbed; layers with a block that drives them: %s"
              .formatted(layer, String.join(", ", able)));
    }
  }

  private CellSite place(String layer) {
    return network.sites().stream()
        .filter(p -> p.name().equals(layer))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "there is no layer %s; this network has %s"
                        .formatted(
                            layer,
                            network.sites().stream()
                                .map(CellSite::name)
                                .collect(Collectors.joining(", ")))));
  }

  /** Height and width of a layer's map, for images of this size. */
  private int[] mapSize(String layer, int height, int width) {
    int smallest = network.minimumSize();
    if (height < smallest || width < smallest) {
      throw new IllegalArgumentException(
          "stimuli of %d x %d pixels are too small for this network, which needs %d x %d"
              .formatted(width, height, smallest, smallest));
    }
    long[] shape = network.stateShapes(1, height, width).get(place(layer).states().getFirst());
    if (shape == null) {
      throw new AssertionError(layer + " has no state");
    }
    return new int[] {(int) shape[2], (int) shape[3]};
  }

  private PixelPoint locate(String layer, @Nullable PixelPoint location, StimulusSet set) {
    int[] size = mapSize(layer, set.height(), set.width());
    if (location == null) {
      return new PixelPoint(size[0] / 2, size[1] / 2);
    }
    if (location.y() < 0
        || location.x() < 0
        || location.y() >= size[0]
        || location.x() >= size[1]) {
      throw new IllegalArgumentException(
          "the location (y %d, x %d) lies outside the map of %s, which has %d x %d pixels (height x width)"
              .formatted(location.y(), location.x(), layer, size[0], size[1]));
    }
    return location;
  }

  private Tensor input(StimulusSet set, int from, int to) {
    return input(network, mode, set, from, to);
  }

  /** Stimuli {@code from} to {@code to - 1} as the network wants them: (N, 3, H, W). */
  static Tensor input(Network network, Mode mode, StimulusSet set, int from, int to) {
    InputScaling scaling = mode == Mode.PARITY ? InputScaling.RAW : InputScaling.IMAGENET;
    return Tensor.of(set.toInput(scaling, from, to), to - from, 3, set.height(), set.width())
        .to(network.device());
  }

  private static double[] orientations(StimulusSet set) {
    double[] out = new double[set.size()];
    for (int i = 0; i < out.length; i++) {
      Orientation orientation = set.meta(i).orientation();
      if (orientation == null) {
        throw new IllegalArgumentException(
            "stimulus %d (%s) has no orientation".formatted(i, set.meta(i).type()));
      }
      out[i] = orientation.modulation();
    }
    return out;
  }

  private void tick(String what, int done, int total, double loss) {
    listener.progress(what, done, total, loss);
    if (listener.cancelled()) {
      throw new CancellationException("cancelled during " + what);
    }
  }

  /** Excitatory states of a layer at the last timestep. */
  private Tensor respond(Tensor images, String layer, ForwardOptions options) {
    return signal(network.respond(images, List.of(layer), options), layer)[0];
  }

  // ---- Decoder ----

  /** Excitatory states of the last timestep at one place: [stimuli][C]. */
  private double[][] responses(
      StimulusSet set, String layer, PixelPoint at, String what, int done, int total) {
    double[][] out = new double[set.size()][];
    for (int from = 0; from < set.size(); from += batchSize) {
      tick(what, done + from, total, Double.NaN);
      int to = Math.min(set.size(), from + batchSize);
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps);
        Tensor e = respond(input(set, from, to), layer, options);
        double[] values = Ops.narrow(Ops.narrow(e, 2, at.y(), 1), 3, at.x(), 1).toDoubleArray();
        int channels = values.length / (to - from);
        for (int i = from; i < to; i++) {
          out[i] = Arrays.copyOfRange(values, (i - from) * channels, (i - from + 1) * channels);
        }
      }
    }
    return out;
  }

  private DecoderOptions inMode(DecoderOptions options) {
    return options.loss() != null
        ? options
        : options.loss(
            mode == Mode.PARITY ? DecoderOptions.Loss.MIRROR : DecoderOptions.Loss.SQUARED_ERROR);
  }

  /**
   * Trains the decoder that later calls use, and returns it.
   *
   * @param gratings which should cover the classical field alone
   * @throws IllegalArgumentException for an unknown layer, a location outside its map, stimuli
   *     without orientation or responses that are not finite
   */
  public OrientationDecoder trainDecoder(StimulusSet gratings, DecoderOptions options) {
    return trainDecoder(gratings, options, null);
  }

  /**
   * As {@link #trainDecoder(StimulusSet, DecoderOptions)}.
   *
   * @param folder keeps the decoder, and gives it where it is known already; null for none
   */
  OrientationDecoder trainDecoder(
      StimulusSet gratings, DecoderOptions options, @Nullable Path folder) {
    PixelPoint at = locate(options.layer(), options.location(), gratings);
    double[] orientations = orientations(gratings);
    DecoderOptions chosen = inMode(options);
    String what = "decoder";
    String key = Kept.key(weights, timesteps, mode, seed, at, chosen, gratings.stimuli());
    Path file = folder == null ? null : folder.resolve("decoder.safetensors");
    Kept kept = file == null ? null : Kept.read(file, key);
    OrientationDecoder decoder;
    if (kept != null) {
      decoder = OrientationDecoder.of(kept);
    } else {
      double[][] features = responses(gratings, options.layer(), at, what, 0, gratings.size());
      decoder = OrientationDecoder.train(features, orientations, chosen, seed);
      if (file != null) {
        decoder.keep().write(file, key);
      }
    }
    tick(what, gratings.size(), gratings.size(), Double.NaN);
    return useDecoder(decoder, options.layer(), at);
  }

  /** Uses a decoder that was trained before. */
  OrientationDecoder useDecoder(OrientationDecoder decoder, String layer, PixelPoint at) {
    reading = new StateOptimization.Reading(decoder, layer, at.y(), at.x());
    return decoder;
  }

  private StateOptimization.Reading requireReading() {
    StateOptimization.Reading known = reading;
    if (known == null) {
      throw new IllegalStateException("no decoder is trained yet: call trainDecoder first");
    }
    return known;
  }

  /**
   * Searches the frequency and contrast at which orientation is read best. Each cell starts from
   * the same seed.
   *
   * @param gratings makes the gratings of a cell
   * @throws IllegalArgumentException as {@link #trainDecoder}
   */
  public SweepResult findOptimalParameters(SweepOptions.Gratings gratings, SweepOptions options) {
    double[] frequencies = options.frequencies();
    double[] contrasts = options.contrasts();
    double[][] r2 = new double[frequencies.length][contrasts.length];
    int total = frequencies.length * contrasts.length;
    Path folder = options.folder();
    Path file = folder == null ? null : folder.resolve("sweep.safetensors");
    DecoderOptions decoder = options.decoder();
    if (decoder.loss() == null) { // the original's sweep uses the squared error, too
      decoder = decoder.loss(DecoderOptions.Loss.SQUARED_ERROR);
    }
    StimulusSet first = gratings.of(frequencies[0], contrasts[0]);
    String key =
        Kept.key(
            weights,
            timesteps,
            mode,
            seed,
            decoder,
            Arrays.toString(frequencies),
            Arrays.toString(contrasts),
            first.stimuli());
    Kept kept = file == null ? null : Kept.read(file, key);
    double[] done = kept == null ? new double[0] : kept.doubles("r2");
    PixelPoint at = locate(decoder.layer(), decoder.location(), first);
    for (int i = 0; i < total; i++) {
      int f = i / contrasts.length;
      int c = i % contrasts.length;
      if (i < done.length) {
        r2[f][c] = done[i];
        continue;
      }
      StimulusSet set = gratings.of(frequencies[f], contrasts[c]);
      int each = set.size();
      double[][] features =
          responses(set, decoder.layer(), at, "parameter sweep", i * each, total * each);
      OrientationDecoder trained =
          OrientationDecoder.train(features, orientations(set), decoder, seed);
      boolean training = mode == Mode.PARITY || Double.isNaN(trained.leftOutR2());
      r2[f][c] = training ? trained.r2() : trained.leftOutR2();
      if (file != null) {
        double[] far = Arrays.stream(r2).flatMapToDouble(Arrays::stream).limit(i + 1).toArray();
        Kept.empty().put("r2", far).write(file, key);
      }
    }
    tick("parameter sweep", total * first.size(), total * first.size(), Double.NaN);
    return SweepResult.of(frequencies, contrasts, r2);
  }

  // ---- Rescue ----

  /** 1 where a pixel's distance to a point is at most {@code radius}. */
  static float[] disc(int height, int width, PixelPoint at, double radius) {
    float[] out = new float[height * width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        if (Math.hypot(y - at.y(), x - at.x()) <= radius) {
          out[y * width + x] = 1;
        }
      }
    }
    return out;
  }

  /** Multiplies the drive by {@code factor} inside the perturbed disc: (1, 1, h, w). */
  private Tensor gain(int height, int width, PixelPoint at, double factor) {
    float[] gain = disc(height, width, at, patchSize / 2);
    for (int i = 0; i < gain.length; i++) {
      gain[i] = gain[i] == 1 ? (float) factor : 1;
    }
    return Tensor.of(gain, 1, 1, height, width).to(network.device());
  }

  /**
   * Optimises initial states for each grating.
   *
   * @param gratings one per orientation, which should cover the extra-classical field
   * @throws IllegalStateException when no decoder is trained, or the network runs away
   * @throws IllegalArgumentException for an unknown layer or one without inhibitory state, a
   *     location outside its map, or stimuli without orientation
   * @throws CancellationException when the listener cancels; what is done lies in the folder
   */
  public MultiOrientationResult optimizeMultiOrientation(
      StimulusSet gratings, RescueOptions options) {
    StateOptimization.Reading read = requireReading();
    requireRescuable(options.layer);
    CellSite place = place(options.layer);
    double[] orientations = orientations(gratings);
    int[] size = mapSize(options.layer, gratings.height(), gratings.width());
    PixelPoint at =
        locate(
            options.layer,
            options.location == null && read.layer().equals(options.layer)
                ? new PixelPoint(read.y(), read.x())
                : options.location,
            gratings);
    Injection injection =
        options.injection != null
            ? options.injection
            : mode == Mode.PARITY ? Injection.AFTER_FIRST_STEP : Injection.INITIAL_STATE;
    String key =
        Kept.key(
            weights,
            timesteps,
            mode,
            seed,
            patchSize,
            options.at(at).injection(injection),
            Arrays.deepToString(read.decoder().weight()),
            Arrays.toString(read.decoder().bias()),
            read.layer(),
            read.y(),
            read.x(),
            gratings.stimuli());
    List<OrientationRescue> rescues = new ArrayList<>();
    try (var scope = TensorScope.open()) {
      var setup =
          new StateOptimization.Setup(
              network,
              place,
              injection,
              timesteps,
              gain(size[0], size[1], at, options.factor),
              read,
              mode == Mode.PARITY,
              options.sparseness,
              options.positivity,
              recompute);
      var task =
          new RescueBatch.Task(
              gratings, orientations, options, setup, at, size, patchSize, mode, seed, key);
      for (int from = 0; from < gratings.size(); from += options.batch) {
        int to = Math.min(gratings.size(), from + options.batch);
        rescues.addAll(new RescueBatch(task, from, to, listener).rescue());
      }
    }
    int perStep = 2 * (place.cell().kernelSize() / 2);
    int steps = injection == Injection.INITIAL_STATE ? timesteps : timesteps - 1;
    return new MultiOrientationResult(
        options.layer,
        rescues,
        options.ecrfRadius,
        patchSize,
        options.factor,
        injection,
        perStep * steps,
        mode);
  }

  // ---- Recurrent flow ----

  /**
   * What reaches the perturbed place through horizontal connections, with and without a
   * perturbation of its drive.
   *
   * @param stimulus a set of one stimulus, which should cover the extra-classical field
   * @param options of which layer, location and factor count
   * @throws IllegalArgumentException for an unknown layer, one that no block drives, a location
   *     outside its map, or another number of stimuli
   */
  public FlowResult measureRecurrentFlow(StimulusSet stimulus, RescueOptions options) {
    if (stimulus.size() != 1) {
      throw new IllegalArgumentException(
          "the recurrent flow is measured for one stimulus, not for " + stimulus.size());
    }
    requireRescuable(options.layer);
    int[] size = mapSize(options.layer, stimulus.height(), stimulus.width());
    PixelPoint at = locate(options.layer, options.location, stimulus);
    tick("recurrent flow", 0, 2, Double.NaN);
    FlowResult.Trace baseline = flow(stimulus, options.layer, at, size, 1);
    tick("recurrent flow", 1, 2, Double.NaN);
    FlowResult.Trace perturbed = flow(stimulus, options.layer, at, size, options.factor);
    tick("recurrent flow", 2, 2, Double.NaN);
    return new FlowResult(
        options.layer, options.factor, at.y(), at.x(), size[0], size[1], baseline, perturbed);
  }

  private FlowResult.Trace flow(
      StimulusSet stimulus, String layer, PixelPoint at, int[] size, double factor) {
    CellSite place = place(layer);
    double[][] excitatory = new double[timesteps][];
    double[][] inhibitory = new double[timesteps][];
    double[][] fromExcitatory = new double[mode == Mode.PARITY ? 0 : timesteps][];
    double[][] fromInhibitory = new double[mode == Mode.PARITY ? 0 : timesteps][];
    double[][] maps = new double[2][];
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor gain = gain(size[0], size[1], at, factor);
      Tensor wExc = place.cell().horizontalKernel(true);
      Tensor wInh = place.cell().horizontalKernel(false);
      int k = place.cell().kernelSize();
      ForwardHooks hooks =
          new ForwardHooks() {
            @Override
            public boolean wantsInside(String cell, int timestep) {
              return cell.equals(layer);
            }

            @Override
            public Tensor blockOutput(String block, int timestep, Tensor drive) {
              return block.equals(place.block()) ? Ops.mul(drive, gain) : drive;
            }

            @Override
            public void cellFinished(String cell, int t, Map<String, Tensor> signals) {
              Tensor e;
              Tensor i;
              if (mode == Mode.PARITY) {
                e = Ops.conv2d(signal(signals, "exc"), wExc, null, 1, k / 2);
                i = Ops.conv2d(signal(signals, "inh"), wInh, null, 1, k / 2);
              } else {
                e = signal(signals, "c2");
                i = signal(signals, "c1");
                fromExcitatory[t] = sources(signal(signals, "n2"), wExc, at, size);
                fromInhibitory[t] = sources(signal(signals, "n1"), wInh, at, size);
              }
              excitatory[t] = Ops.narrow(Ops.narrow(e, 2, at.y(), 1), 3, at.x(), 1).toDoubleArray();
              inhibitory[t] = Ops.narrow(Ops.narrow(i, 2, at.y(), 1), 3, at.x(), 1).toDoubleArray();
              if (t == timesteps - 1) {
                maps[0] = Ops.mean(e, 1).toDoubleArray();
                maps[1] = Ops.mean(i, 1).toDoubleArray();
              }
            }
          };
      respond(
          input(stimulus, 0, 1),
          layer,
          ForwardOptions.DEFAULTS.withTimesteps(timesteps).withHooks(hooks));
    }
    return new FlowResult.Trace(
        excitatory, inhibitory, maps[0], maps[1], fromExcitatory, fromInhibitory);
  }

  private static <T> T signal(Map<String, T> signals, String name) {
    T signal = signals.get(name);
    if (signal == null) {
      throw new AssertionError("a cell did not report " + name);
    }
    return signal;
  }

  /**
   * Contribution of each pixel under a kernel to its output at one place, mean over output
   * channels.
   */
  private static double[] sources(Tensor input, Tensor kernel, PixelPoint at, int[] size) {
    int k = (int) kernel.size(2);
    int r = k / 2;
    double[] weights = Ops.mean(kernel, 0).toDoubleArray(); // [C][k][k]
    double[] out = new double[k * k];
    for (int ky = 0; ky < k; ky++) {
      for (int kx = 0; kx < k; kx++) {
        int y = at.y() + ky - r;
        int x = at.x() + kx - r;
        if (y < 0 || x < 0 || y >= size[0] || x >= size[1]) {
          continue;
        }
        double[] state = Ops.narrow(Ops.narrow(input, 2, y, 1), 3, x, 1).toDoubleArray();
        for (int c = 0; c < state.length; c++) {
          out[ky * k + kx] += weights[(c * k + ky) * k + kx] * state[c];
        }
      }
    }
    return out;
  }

  // ---- Influence ----

  /**
   * What multiplying the excitatory state of one place at each timestep does to the others.
   *
   * @param stimulus a set of one stimulus
   * @param layer cell
   * @param spacing of the grid of places, pixels of the layer's map; its margin is the patch size
   * @param factor of the excitatory state
   * @throws IllegalArgumentException for an unknown layer or another number of stimuli
   */
  public InfluenceMap influenceMap(StimulusSet stimulus, String layer, int spacing, double factor) {
    if (stimulus.size() != 1) {
      throw new IllegalArgumentException(
          "an influence map is measured for one stimulus, not for " + stimulus.size());
    }
    RescueOptions.requireAtLeastOne(spacing, "the grid's spacing");
    int[] size = mapSize(layer, stimulus.height(), stimulus.width());
    int[] rows = grid(size[0], spacing);
    int[] columns = grid(size[1], spacing);
    int total = rows.length * columns.length;
    double[][][] sums = new double[3][rows.length][columns.length];
    double[] byDistance = new double[(int) Math.ceil(Math.hypot(size[0], size[1])) + 1];
    long[] pixels = new long[byDistance.length];
    double[] baseline;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      baseline = excited(input(stimulus, 0, 1), layer, null).toDoubleArray();
    }
    int plane = size[0] * size[1];
    int channels = baseline.length / plane;
    for (int from = 0; from < total; from += batchSize) {
      tick("influence map", from, total, Double.NaN);
      int to = Math.min(total, from + batchSize);
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        float[] gains = new float[(to - from) * plane];
        for (int s = from; s < to; s++) {
          var at = new PixelPoint(rows[s / columns.length], columns[s % columns.length]);
          float[] patch = disc(size[0], size[1], at, patchSize / 2);
          for (int p = 0; p < plane; p++) {
            gains[(s - from) * plane + p] = patch[p] == 1 ? (float) factor : 1;
          }
        }
        Tensor gain = Tensor.of(gains, to - from, 1, size[0], size[1]).to(network.device());
        Tensor images = Ops.expand(input(stimulus, 0, 1), to - from, -1, -1, -1).contiguous();
        float[] e = excited(images, layer, gain).toFloatArray();
        for (int s = from; s < to; s++) {
          int row = s / columns.length;
          int column = s % columns.length;
          for (int p = 0; p < plane; p++) {
            boolean inside = gains[(s - from) * plane + p] != 1;
            if (inside && mode == Mode.OWN) {
              continue;
            }
            double mean = 0;
            double absolute = 0;
            double up = 0;
            for (int c = 0; c < channels; c++) {
              double d = e[((s - from) * channels + c) * plane + p] - baseline[c * plane + p];
              mean += d / channels;
              absolute += Math.abs(d) / channels;
              up += Math.max(d, 0) / channels;
            }
            sums[0][row][column] += absolute;
            sums[1][row][column] += up;
            sums[2][row][column] += absolute - up;
            double distance = Math.hypot(p / size[1] - rows[row], p % size[1] - columns[column]);
            int ring = (int) Math.floor(distance + 0.5);
            byDistance[ring] += mean;
            pixels[ring]++;
          }
        }
      }
    }
    tick("influence map", total, total, Double.NaN);
    Arrays.setAll(byDistance, k -> pixels[k] == 0 ? Double.NaN : byDistance[k] / pixels[k]);
    return new InfluenceMap(layer, factor, rows, columns, sums[0], sums[1], sums[2], byDistance);
  }

  private int[] grid(int length, int spacing) {
    int margin = (int) Math.ceil(patchSize);
    int[] places = IntStream.iterate(margin, p -> p < length - margin, p -> p + spacing).toArray();
    if (places.length == 0) {
      throw new IllegalArgumentException(
          "a map of %d pixels has no place for a patch of %s and a margin of as much"
              .formatted(length, patchSize));
    }
    return places;
  }

  /**
   * Excitatory states of the last timestep; before it, they are multiplied by {@code gain} at each
   * timestep.
   */
  private Tensor excited(Tensor images, String layer, @Nullable Tensor gain) {
    ForwardHooks hooks =
        new ForwardHooks() {
          @Override
          public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
            if (gain == null || timestep == timesteps - 1 || !cell.equals(layer)) {
              return states;
            }
            Tensor[] changed = states.clone();
            changed[0] = Ops.mul(states[0], gain);
            return changed;
          }
        };
    ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps).withHooks(hooks);
    return respond(images, layer, options);
  }
}
