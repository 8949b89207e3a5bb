package org.gammanet.experiments.opto;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
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
 *   <li>{@link #trainDecoder}: gratings that cover only the classical receptive field train a
 *       linear decoder of orientation on the excitatory state of one pixel at the last timestep.
 *   <li>{@link #optimizeMultiOrientation}: under gratings that cover the extra-classical field, the
 *       drive of that site is multiplied by a gain, and the initial excitatory and inhibitory
 *       states around it are optimized through all timesteps, with all weights frozen, until the
 *       decoded orientation is what it was without the perturbation.
 *   <li>{@link #measureRecurrentFlow}: the site's input through horizontal connections.
 *   <li>{@link #influenceMap}: the effect of exciting one site on all others.
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
  private final Definitions definitions;
  private final int batchSize;
  private final Recompute recompute;
  private final @Nullable Study study;
  private final Progress progress;

  /** The decoder and the site that it decodes. */
  private StateOptimization.@Nullable Readout readout;

  private OptogeneticPerturbation(Builder builder) {
    model = builder.model;
    network = model.network();
    patchSize = builder.patchSize;
    seed = builder.seed;
    timesteps = builder.timesteps == 0 ? network.config().timesteps() : builder.timesteps;
    definitions = builder.definitions;
    batchSize = builder.batchSize;
    recompute = builder.recompute == Recompute.AUTO ? Recompute.CELLS : builder.recompute;
    study = builder.study;
    progress = study == null ? builder.progress : study.progress();
    if (builder.device != null) {
      network.to(builder.device);
    }
    network.requiresGrad(false);
  }

  /**
   * Begins with a network, which stays the caller's. Its parameters are frozen: they no longer
   * require gradients.
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
    private Definitions definitions = Definitions.OWN;
    private int batchSize = 4;
    private Recompute recompute = Recompute.CELLS;
    private @Nullable Study study;
    private Progress progress = Progress.NONE;

    private Builder(GammaNet model) {
      this.model = model;
    }

    /** Moves the network to a device; by default it stays where it is. */
    public Builder device(Device value) {
      device = value;
      return this;
    }

    /**
     * Diameter of the perturbed disc, pixels of the layer's map: all pixels within half of it;
     * default 4.
     */
    public Builder patchSize(double pixels) {
      RescueOptions.requirePositive(pixels, "the patch size");
      patchSize = pixels;
      return this;
    }

    /** Seed of the decoder's initial weights and of the random starts; default 0. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /** T of each forward pass; default the network's. */
    public Builder timesteps(int count) {
      RescueOptions.requireAtLeastOne(count, "timesteps");
      timesteps = count;
      return this;
    }

    /** Whose definitions are followed; default {@link Definitions#OWN}. */
    public Builder definitions(Definitions value) {
      definitions = value;
      return this;
    }

    /** Stimuli per forward pass where nothing is optimized; default 4. */
    public Builder batchSize(int stimuli) {
      RescueOptions.requireAtLeastOne(stimuli, "stimuli in one pass");
      batchSize = stimuli;
      return this;
    }

    /** What the backward pass computes again instead of keeping it; default cells. */
    public Builder recompute(Recompute value) {
      recompute = value;
      return this;
    }

    /** Follows the work, and may end it. */
    public Builder progress(Progress value) {
      progress = value;
      return this;
    }

    /** The run that keeps unfinished work and reports progress. */
    public Builder study(Study value) {
      study = value;
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

  /**
   * Requires a layer whose drive can be perturbed and whose cell has an inhibitory state.
   *
   * @throws IllegalArgumentException if there is no such layer, it has a single state, or is driven
   *     by top-down connections
   */
  public void requireRescuable(String layer) {
    List<String> able =
        network.sites().stream()
            .filter(p -> p.states().size() == 2 && p.block() != null)
            .map(CellSite::name)
            .toList();
    if (able.isEmpty()) {
      throw new IllegalArgumentException(
          "the network %s has a single state per cell, so there is no inhibitory state to optimize;"
                  .formatted(network.config().name())
              + " optogenetics needs VGG16GammaNetV2 with model.fgru.use_separate_ei_states: true");
    }
    if (!able.contains(site(layer).name())) {
      throw new IllegalArgumentException(
          "%s is driven by top-down connections and cannot be perturbed; layers with a feed-forward drive: %s"
              .formatted(layer, String.join(", ", able)));
    }
  }

  private CellSite site(String layer) {
    return network
        .site(layer)
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
          "stimuli of %s x %s pixels are too small for this network, which needs %s x %s"
              .formatted(width, height, smallest, smallest));
    }
    long[] shape = network.stateShapes(1, height, width).get(site(layer).states().getFirst());
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
          "the location (y %s, x %s) lies outside the map of %s, which has %s x %s pixels (height x width)"
              .formatted(location.y(), location.x(), layer, size[0], size[1]));
    }
    return location;
  }

  private Tensor input(StimulusSet set, int from, int to) {
    return input(network, definitions, set, from, to);
  }

  /** Stimuli {@code from} to {@code to - 1} as network input: (N, 3, H, W). */
  static Tensor input(Network network, Definitions definitions, StimulusSet set, int from, int to) {
    return Tensor.of(
            set.toInput(definitions.input(), from, to), to - from, 3, set.height(), set.width())
        .to(network.device());
  }

  private static double[] orientations(StimulusSet set) {
    double[] out = new double[set.size()];
    for (int i = 0; i < out.length; i++) {
      Orientation orientation = set.meta(i).orientation();
      if (orientation == null) {
        throw new IllegalArgumentException(
            "stimulus %s (%s) has no orientation".formatted(i, set.meta(i).type()));
      }
      out[i] = orientation.modulation();
    }
    return out;
  }

  private void tick(String what, int done, int total) {
    progress.advance(what, done, total, "");
    if (progress.canceled()) {
      throw new CancellationException("canceled during " + what);
    }
  }

  private @Nullable Partial partial(String step, Object... key) {
    if (study == null) {
      return null;
    }
    Stream<Object> same =
        Stream.of(network.digest(), timesteps, definitions.name(), seed, patchSize);
    return study.partial(step, Stream.concat(Arrays.stream(key), same).toArray());
  }

  /** Excitatory states of a layer at the last timestep. */
  private Tensor respond(Tensor images, String layer, ForwardOptions options) {
    return signal(network.respond(images, List.of(layer), options), layer)[0];
  }

  /** The values of all samples and channels at one pixel of a map. */
  private static double[] pixel(Tensor map, PixelPoint at) {
    return Ops.narrow(Ops.narrow(map, 2, at.y(), 1), 3, at.x(), 1).toDoubleArray();
  }

  private static void requireOne(StimulusSet stimulus, String measurement) {
    if (stimulus.size() != 1) {
      throw new IllegalArgumentException(
          "%s is measured for one stimulus, not for %s".formatted(measurement, stimulus.size()));
    }
  }

  static void save(Partial partial) {
    try {
      partial.save();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // ---- Decoder ----

  /** Excitatory states of the last timestep at one pixel: [stimuli][C]. */
  private double[][] responses(
      StimulusSet set, String layer, PixelPoint at, String what, int done, int total) {
    double[][] out = new double[set.size()][];
    for (int from = 0; from < set.size(); from += batchSize) {
      tick(what, done + from, total);
      int to = Math.min(set.size(), from + batchSize);
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps);
        Tensor e = respond(input(set, from, to), layer, options);
        double[] values = pixel(e, at);
        int channels = values.length / (to - from);
        for (int i = from; i < to; i++) {
          out[i] = Arrays.copyOfRange(values, (i - from) * channels, (i - from + 1) * channels);
        }
      }
    }
    return out;
  }

  /**
   * Trains the decoder that later calls use, and returns it.
   *
   * @param gratings which should cover the classical field alone
   * @throws IllegalArgumentException for an unknown layer, a location outside its map, stimuli
   *     without orientation or responses that are not finite
   */
  public OrientationDecoder trainDecoder(StimulusSet gratings, DecoderOptions options) {
    PixelPoint at = locate(options.layer(), options.location(), gratings);
    double[] orientations = orientations(gratings);
    DecoderOptions chosen =
        options.loss() == null ? options.loss(definitions.decoderLoss()) : options;
    double[][] features = responses(gratings, options.layer(), at, "decoder", 0, gratings.size());
    OrientationDecoder decoder = OrientationDecoder.train(features, orientations, chosen, seed);
    tick("decoder", gratings.size(), gratings.size());
    return useDecoder(decoder, options.layer(), at);
  }

  /** Uses a decoder that was trained before, at the center of a layer, for images of this size. */
  void useDecoder(OrientationDecoder decoder, DecoderOptions options, StimulusSet gratings) {
    var unused =
        useDecoder(decoder, options.layer(), locate(options.layer(), options.location(), gratings));
  }

  /** Uses a decoder that was trained before. */
  OrientationDecoder useDecoder(OrientationDecoder decoder, String layer, PixelPoint at) {
    readout = new StateOptimization.Readout(decoder, layer, at.y(), at.x());
    return decoder;
  }

  private StateOptimization.Readout requireReadout() {
    StateOptimization.Readout known = readout;
    if (known == null) {
      throw new IllegalStateException("no decoder is trained yet: call trainDecoder first");
    }
    return known;
  }

  /**
   * Searches the frequency and contrast at which orientation is decoded best. Each cell of the grid
   * starts from the same seed.
   *
   * @param gratings of a cell of the grid
   * @throws IllegalArgumentException as {@link #trainDecoder}
   */
  public SweepResult findOptimalParameters(SweepOptions.Gratings gratings, SweepOptions options) {
    double[] frequencies = options.frequencies();
    double[] contrasts = options.contrasts();
    double[][] r2 = new double[frequencies.length][contrasts.length];
    int total = frequencies.length * contrasts.length;
    DecoderOptions decoder = options.decoder();
    if (decoder.loss() == null) {
      decoder = decoder.loss(DecoderOptions.Loss.SQUARED_ERROR);
    }
    StimulusSet first = gratings.of(frequencies[0], contrasts[0]);
    Partial partial =
        partial(
            "parameter_sweep",
            decoder,
            Arrays.toString(frequencies),
            Arrays.toString(contrasts),
            first.stimuli());
    double[] done = partial == null || partial.isEmpty() ? new double[0] : partial.doubles("r2");
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
      boolean training = definitions.scoresTrainingData() || Double.isNaN(trained.leftOutR2());
      r2[f][c] = training ? trained.r2() : trained.leftOutR2();
      if (partial != null) {
        save(
            partial.put(
                "r2", Arrays.stream(r2).flatMapToDouble(Arrays::stream).limit(i + 1).toArray()));
      }
    }
    tick("parameter sweep", total * first.size(), total * first.size());
    return SweepResult.of(frequencies, contrasts, r2);
  }

  // ---- Rescue ----

  /** Gains of a map, {@code factor} inside the perturbed disc and 1 elsewhere. */
  private float[] gains(int[] size, PixelPoint at, double factor) {
    float[] gains = Light.disc(size[0], size[1], at, patchSize / 2);
    for (int i = 0; i < gains.length; i++) {
      gains[i] = gains[i] == 1 ? (float) factor : 1;
    }
    return gains;
  }

  private Tensor gain(int[] size, PixelPoint at, double factor) {
    return Tensor.of(gains(size, at, factor), 1, 1, size[0], size[1]).to(network.device());
  }

  /**
   * Optimizes initial states for each grating.
   *
   * @param gratings one per orientation, which should cover the extra-classical field
   * @throws IllegalStateException when no decoder is trained, or the network diverges
   * @throws IllegalArgumentException for an unknown layer or one without inhibitory state, a
   *     location outside its map, or stimuli without orientation
   * @throws CancellationException when the run is canceled; finished work is kept by the study
   */
  public MultiOrientationResult optimizeMultiOrientation(
      StimulusSet gratings, RescueOptions options) {
    StateOptimization.Readout decoded = requireReadout();
    requireRescuable(options.layer());
    CellSite site = site(options.layer());
    double[] orientations = orientations(gratings);
    int[] size = mapSize(options.layer(), gratings.height(), gratings.width());
    PixelPoint at =
        locate(
            options.layer(),
            options.location() == null && decoded.layer().equals(options.layer())
                ? new PixelPoint(decoded.y(), decoded.x())
                : options.location(),
            gratings);
    Injection injection =
        options.injection() != null ? options.injection() : definitions.injection();
    List<OrientationRescue> rescues = new ArrayList<>();
    try (var scope = TensorScope.open()) {
      var setup =
          new StateOptimization.Setup(
              network,
              site,
              injection,
              timesteps,
              gain(size, at, options.factor()),
              decoded,
              definitions.rescueLoss() == DecoderOptions.Loss.MIRROR,
              options.sparseness(),
              options.positivity(),
              recompute);
      var task =
          new RescueBatch.Task(
              gratings, orientations, options, setup, at, size, patchSize, definitions, seed);
      for (int from = 0; from < gratings.size(); from += options.batch()) {
        int to = Math.min(gratings.size(), from + options.batch());
        Partial partial =
            partial(
                "rescue",
                options.at(at),
                injection,
                Arrays.deepToString(decoded.decoder().weight()),
                Arrays.toString(decoded.decoder().bias()),
                decoded.layer(),
                decoded.y(),
                decoded.x(),
                gratings.stimuli(),
                from);
        rescues.addAll(new RescueBatch(task, from, to, partial, progress).rescue());
      }
    }
    int perStep = 2 * (site.cell().kernelSize() / 2);
    int steps = injection == Injection.INITIAL_STATE ? timesteps : timesteps - 1;
    return new MultiOrientationResult(
        options.layer(),
        rescues,
        options.ecrfRadius(),
        patchSize,
        options.factor(),
        injection,
        perStep * steps,
        definitions);
  }

  // ---- Recurrent flow ----

  /**
   * Input of the perturbed site through horizontal connections, with and without a perturbation of
   * its drive.
   *
   * @param stimulus a set of one stimulus, which should cover the extra-classical field
   * @param options layer, location and factor
   * @throws IllegalArgumentException for an unknown layer, one without a feed-forward drive, a
   *     location outside its map, or another number of stimuli
   */
  public FlowResult measureRecurrentFlow(StimulusSet stimulus, RescueOptions options) {
    requireOne(stimulus, "the recurrent flow");
    requireRescuable(options.layer());
    int[] size = mapSize(options.layer(), stimulus.height(), stimulus.width());
    PixelPoint at = locate(options.layer(), options.location(), stimulus);
    tick("recurrent flow", 0, 2);
    FlowResult.Trace baseline = flow(stimulus, options.layer(), at, size, 1);
    tick("recurrent flow", 1, 2);
    FlowResult.Trace perturbed = flow(stimulus, options.layer(), at, size, options.factor());
    tick("recurrent flow", 2, 2);
    return new FlowResult(
        options.layer(), options.factor(), at.y(), at.x(), size[0], size[1], baseline, perturbed);
  }

  private FlowResult.Trace flow(
      StimulusSet stimulus, String layer, PixelPoint at, int[] size, double factor) {
    CellSite site = site(layer);
    double[][] excitatory = new double[timesteps][];
    double[][] inhibitory = new double[timesteps][];
    double[][] fromExcitatory = new double[definitions.splitsSources() ? timesteps : 0][];
    double[][] fromInhibitory = new double[definitions.splitsSources() ? timesteps : 0][];
    double[][] maps = new double[2][];
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor gain = gain(size, at, factor);
      Tensor wExc = site.cell().horizontalKernel(true);
      Tensor wInh = site.cell().horizontalKernel(false);
      ForwardHooks hooks =
          new ForwardHooks() {
            @Override
            public boolean wantsInside(String cell, int timestep) {
              return cell.equals(layer);
            }

            @Override
            public Tensor blockOutput(String block, int timestep, Tensor drive) {
              return block.equals(site.block()) ? Ops.mul(drive, gain) : drive;
            }

            @Override
            public void cellFinished(String cell, int t, Map<String, Tensor> signals) {
              Tensor[] input = definitions.horizontalInput(site.cell(), signals);
              Tensor e = input[0];
              Tensor i = input[1];
              if (definitions.splitsSources()) {
                fromExcitatory[t] = sources(signal(signals, "n2"), wExc, at, size);
                fromInhibitory[t] = sources(signal(signals, "n1"), wInh, at, size);
              }
              excitatory[t] = pixel(e, at);
              inhibitory[t] = pixel(i, at);
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

  /** A signal of a cell that must be there. */
  static <T> T signal(Map<String, T> signals, String name) {
    T signal = signals.get(name);
    if (signal == null) {
      throw new AssertionError("a cell did not report " + name);
    }
    return signal;
  }

  /**
   * Contribution of each pixel under a kernel to its output at one pixel, mean over output
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
        double[] state = pixel(input, new PixelPoint(y, x));
        for (int c = 0; c < state.length; c++) {
          out[ky * k + kx] += weights[(c * k + ky) * k + kx] * state[c];
        }
      }
    }
    return out;
  }

  // ---- Influence ----

  /**
   * Effect of multiplying the excitatory state of one site at each timestep on all others.
   *
   * @param stimulus a set of one stimulus
   * @param layer cell
   * @param spacing of the grid of sites, pixels of the layer's map; its margin is the patch size
   * @param factor of the excitatory state
   * @throws IllegalArgumentException for an unknown layer or another number of stimuli
   */
  public InfluenceMap influenceMap(StimulusSet stimulus, String layer, int spacing, double factor) {
    requireOne(stimulus, "an influence map");
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
      tick("influence map", from, total);
      int to = Math.min(total, from + batchSize);
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        float[] gains = new float[(to - from) * plane];
        for (int s = from; s < to; s++) {
          var at = new PixelPoint(rows[s / columns.length], columns[s % columns.length]);
          System.arraycopy(gains(size, at, factor), 0, gains, (s - from) * plane, plane);
        }
        Tensor gain = Tensor.of(gains, to - from, 1, size[0], size[1]).to(network.device());
        Tensor images = Ops.expand(input(stimulus, 0, 1), to - from, -1, -1, -1).contiguous();
        float[] e = excited(images, layer, gain).toFloatArray();
        for (int s = from; s < to; s++) {
          int row = s / columns.length;
          int column = s % columns.length;
          for (int p = 0; p < plane; p++) {
            boolean inside = gains[(s - from) * plane + p] != 1;
            if (inside && !definitions.influenceIncludesSite()) {
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
    tick("influence map", total, total);
    Arrays.setAll(byDistance, k -> pixels[k] == 0 ? Double.NaN : byDistance[k] / pixels[k]);
    return new InfluenceMap(layer, factor, rows, columns, sums[0], sums[1], sums[2], byDistance);
  }

  private int[] grid(int length, int spacing) {
    int margin = (int) Math.ceil(patchSize);
    int[] sites = IntStream.iterate(margin, p -> p < length - margin, p -> p + spacing).toArray();
    if (sites.length == 0) {
      throw new IllegalArgumentException(
          "a map of %s pixels has no room for a patch of %s with a margin of the same size"
              .formatted(length, patchSize));
    }
    return sites;
  }

  /**
   * Excitatory states of the last timestep; before it, they are multiplied by {@code gain} at each
   * timestep.
   */
  private Tensor excited(Tensor images, String layer, @Nullable Tensor gain) {
    List<Light> lights =
        gain == null
            ? List.of()
            : List.of(new Light(layer, State.EXCITATORY, gain, null, 0, timesteps - 2));
    ForwardOptions options =
        ForwardOptions.DEFAULTS.withTimesteps(timesteps).withHooks(Light.hooks(lights));
    return respond(images, layer, options);
  }
}
