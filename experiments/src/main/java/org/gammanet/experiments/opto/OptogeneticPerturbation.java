package org.gammanet.experiments.opto;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.CellSite;
import org.gammanet.model.Network;
import org.gammanet.torch.Device;
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
  private final Simulation simulation;
  private final Recompute recompute;

  /** The decoder and the site that it decodes. */
  private StateOptimization.@Nullable Readout readout;

  private OptogeneticPerturbation(Builder builder) {
    model = builder.model;
    Network network = model.network();
    simulation =
        new Simulation(
            network,
            builder.patchSize,
            builder.seed,
            builder.timesteps == 0 ? network.config().timesteps() : builder.timesteps,
            builder.definitions,
            builder.batchSize,
            builder.study,
            builder.study == null ? builder.progress : builder.study.progress());
    recompute = builder.recompute == Recompute.AUTO ? Recompute.CELLS : builder.recompute;
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
    return simulation.timesteps();
  }

  /**
   * Requires a layer whose drive can be perturbed and whose cell has an inhibitory state.
   *
   * @throws IllegalArgumentException if there is no such layer, it has a single state, or is driven
   *     by top-down connections
   */
  public void requireRescuable(String layer) {
    simulation.requireRescuable(layer);
  }

  /**
   * Trains the decoder that later calls use, and returns it.
   *
   * @param gratings which should cover the classical field alone
   * @throws IllegalArgumentException for an unknown layer, a location outside its map, stimuli
   *     without orientation or responses that are not finite
   */
  public OrientationDecoder trainDecoder(StimulusSet gratings, DecoderOptions options) {
    PixelPoint at = simulation.locate(options.layer(), options.location(), gratings);
    OrientationDecoder decoder = new DecoderTraining(simulation).train(gratings, at, options);
    return useDecoder(decoder, options.layer(), at);
  }

  /** Uses a decoder that was trained before, at the center of a layer, for images of this size. */
  void useDecoder(OrientationDecoder decoder, DecoderOptions options, StimulusSet gratings) {
    var unused =
        useDecoder(
            decoder,
            options.layer(),
            simulation.locate(options.layer(), options.location(), gratings));
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
    return new DecoderTraining(simulation).sweep(gratings, options);
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
    CellSite site = simulation.site(options.layer());
    double[] orientations = DecoderTraining.orientations(gratings);
    int[] size = simulation.mapSize(options.layer(), gratings.height(), gratings.width());
    PixelPoint at =
        simulation.locate(
            options.layer(),
            options.location() == null && decoded.layer().equals(options.layer())
                ? new PixelPoint(decoded.y(), decoded.x())
                : options.location(),
            gratings);
    Injection injection =
        options.injection() != null ? options.injection() : simulation.definitions().injection();
    List<OrientationRescue> rescues = new ArrayList<>();
    try (var scope = TensorScope.open()) {
      var setup =
          new StateOptimization.Setup(
              simulation.network(),
              site,
              injection,
              timesteps(),
              simulation.gain(size, at, options.factor()),
              decoded,
              simulation.definitions().rescueLoss() == DecoderOptions.Loss.MIRROR,
              options.sparseness(),
              options.positivity(),
              recompute);
      var task = new RescueBatch.Task(simulation, gratings, orientations, options, setup, at, size);
      for (int from = 0; from < gratings.size(); from += options.batch()) {
        int to = Math.min(gratings.size(), from + options.batch());
        Partial partial =
            simulation.partial(
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
        rescues.addAll(new RescueBatch(task, from, to, partial).rescue());
      }
    }
    int perStep = 2 * (site.cell().kernelSize() / 2);
    int steps = injection == Injection.INITIAL_STATE ? timesteps() : timesteps() - 1;
    return new MultiOrientationResult(
        options.layer(),
        rescues,
        options.ecrfRadius(),
        simulation.patchSize(),
        options.factor(),
        injection,
        perStep * steps,
        simulation.definitions());
  }

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
    int[] size = simulation.mapSize(options.layer(), stimulus.height(), stimulus.width());
    PixelPoint at = simulation.locate(options.layer(), options.location(), stimulus);
    var flow = new RecurrentFlow(simulation, stimulus, options.layer(), at, size);
    simulation.tick("recurrent flow", 0, 2);
    FlowResult.Trace baseline = flow.trace(1);
    simulation.tick("recurrent flow", 1, 2);
    FlowResult.Trace perturbed = flow.trace(options.factor());
    simulation.tick("recurrent flow", 2, 2);
    return new FlowResult(
        options.layer(), options.factor(), at.y(), at.x(), size[0], size[1], baseline, perturbed);
  }

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
    return new Influence(simulation, stimulus, layer, factor).map(spacing);
  }

  private static void requireOne(StimulusSet stimulus, String measurement) {
    if (stimulus.size() != 1) {
      throw new IllegalArgumentException(
          "%s is measured for one stimulus, not for %s".formatted(measurement, stimulus.size()));
    }
  }
}
