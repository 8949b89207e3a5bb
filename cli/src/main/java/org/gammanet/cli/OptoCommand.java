package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.opto.Aggregation;
import org.gammanet.experiments.opto.ContrastGrid;
import org.gammanet.experiments.opto.DecoderOptions;
import org.gammanet.experiments.opto.Definitions;
import org.gammanet.experiments.opto.Injection;
import org.gammanet.experiments.opto.OptoSettings;
import org.gammanet.experiments.opto.OrientationOpto;
import org.gammanet.experiments.opto.RescueOptions;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Stimulation;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.FolderLock;
import org.gammanet.parity.OriginalOptogenetics;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Simulated optogenetics. */
@Command(
    name = "opto",
    header =
        "Simulate optogenetics: rescue a decoded orientation, activate or silence a population.",
    description = {
      "Finds the grating parameters at which orientation is decoded best from one site of a layer,"
          + " trains a linear decoder there, multiplies the drive of that site, and optimizes the"
          + " initial excitatory and inhibitory states around it, for six orientations, until the"
          + " decoded orientation is restored.",
      "",
      "Writes parameter_sweep.png, stimuli.png, recurrent_flow_analysis.png,"
          + " multi_orientation_optimization_results.png (each also as SVG), summary.txt,"
          + " results.json, maps.npz and report.html. An interrupted run continues when it is"
          + " started again with the same options; --starts may grow.",
      "",
      "With --perturb the excitatory or inhibitory population of the layer is activated and"
          + " inactivated instead, in a disc or ring around the recorded units, in several doses;"
          + " the same elsewhere is the sham, and the surround is silenced. This is the experiment"
          + " perturbation of gammanet insilico, with its report and control networks."
    },
    footer = {
      "Examples:",
      "  gammanet opto",
      "  gammanet opto -c runs/first --contrast-grid",
      "  gammanet opto --size 96 --steps 20 --starts 1",
      "  gammanet opto --perturb inhibitory --multiply 0.5,0 --control random:5"
    })
final class OptoCommand implements Callable<Integer> {
  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      description = {
        "Folder for the results; default: results/orientation_opto, with --contrast-grid"
            + " results/orientation_opto_contrast_grid_hybrid, with --retrain-decoder"
            + " results/orientation_opto_contrast_grid, with --perturb results/perturbation."
      })
  @Nullable Path output;

  @Option(
      names = {"-f", "--force"},
      description = "Replace the results of another run in the folder.")
  boolean force;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "2",
      converter = Converters.Count.class,
      description =
          "Orientations that are optimized at once; memory grows with it. Default:"
              + " ${DEFAULT-VALUE}.")
  int batchSize;

  @Option(
      names = "--recompute",
      paramLabel = "WHAT",
      defaultValue = "cells",
      completionCandidates = Recomputes.class,
      description =
          "What the backward pass recomputes to save memory: one of ${COMPLETION-CANDIDATES};"
              + " default: ${DEFAULT-VALUE}.")
  Recompute recompute = Recompute.CELLS;

  /** Words of --recompute. */
  static final class Recomputes extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Recomputes() {
      super(
          Converters.words(new Recompute[] {Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS}));
    }
  }

  /** Words of --decoder. */
  static final class Decoders extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Decoders() {
      super(Converters.words(DecoderOptions.Method.values()));
    }
  }

  /** Words of --injection. */
  static final class Injections extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Injections() {
      super(Converters.words(Injection.values()));
    }
  }

  /** Words of --aggregation. */
  static final class Aggregations extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Aggregations() {
      super(Converters.words(Aggregation.values()));
    }
  }

  /** How the decoder is chosen and trained. */
  static final class Decoding {
    @Option(
        names = "--decoder",
        paramLabel = "METHOD",
        defaultValue = "adam",
        completionCandidates = Decoders.class,
        description =
            "How decoders are trained: one of ${COMPLETION-CANDIDATES}; default:"
                + " ${DEFAULT-VALUE}.")
    DecoderOptions.Method decoder = DecoderOptions.Method.ADAM;

    @Option(
        names = "--frequencies",
        paramLabel = "F",
        split = ",",
        description =
            "Spatial frequencies of the parameter sweep, cycles per image; default: wavelengths"
                + " from 25.6 to 5.12 pixels.")
    double @Nullable [] frequencies;

    @Option(
        names = "--contrasts",
        paramLabel = "C",
        split = ",",
        description = "Contrasts of the parameter sweep; default: 0.1,0.25,0.5,0.75,1.")
    double @Nullable [] contrasts;

    @Option(
        names = "--phases",
        paramLabel = "N",
        defaultValue = "4",
        converter = Converters.Count.class,
        description =
            "Phases of the gratings that decoders are trained with; default: ${DEFAULT-VALUE}.")
    int phases;

    @Option(
        names = "--gate",
        negatable = true,
        defaultValue = "true",
        fallbackValue = "true",
        description =
            "Stop before the optimization where the decoder does not decode orientation: a mean"
                + " error above 15 deg or an R² below 0.5 on left-out orientations; default, but"
                + " for --parity.")
    boolean gate = true;
  }

  /** The perturbation, and the search for states that undo it. */
  static final class Rescue {
    @Option(
        names = "--orientations",
        paramLabel = "DEG",
        split = ",",
        description = "Orientations to restore; default: 0,30,60,90,120,150.")
    double @Nullable [] orientations;

    @Option(
        names = "--factor",
        paramLabel = "X",
        defaultValue = "1.5",
        description =
            "Gain applied to the feed-forward drive (1.5 = +50 %%, 0 = lesion); default:"
                + " ${DEFAULT-VALUE}.")
    double factor;

    @Option(
        names = "--steps",
        paramLabel = "N",
        defaultValue = "50",
        description = "Updates of the states; default: ${DEFAULT-VALUE}.")
    int steps;

    @Option(
        names = "--learning-rate",
        paramLabel = "X",
        defaultValue = "0.01",
        description = "Learning rate of these updates (Adam); default: ${DEFAULT-VALUE}.")
    double learningRate;

    @Option(
        names = "--starts",
        paramLabel = "N",
        defaultValue = "3",
        description = "Random starts, whose maps are compared; default: ${DEFAULT-VALUE}.")
    int starts;

    @Option(
        names = "--injection",
        paramLabel = "WHERE",
        completionCandidates = Injections.class,
        description =
            "One of ${COMPLETION-CANDIDATES}: the states before the first timestep (default), or"
                + " what is added to the cell's first output.")
    @Nullable Injection injection;

    @Option(
        names = "--sparseness",
        paramLabel = "X",
        defaultValue = "0",
        description = "Weight of mean |A_E| + mean |A_I| in the loss; default: ${DEFAULT-VALUE}.")
    double sparseness;

    @Option(
        names = "--positivity",
        paramLabel = "X",
        defaultValue = "0",
        description =
            "Weight of the squared negative part of E in the loss; default: ${DEFAULT-VALUE}.")
    double positivity;

    @Option(
        names = "--aggregation",
        paramLabel = "HOW",
        defaultValue = "mean",
        completionCandidates = Aggregations.class,
        description =
            "How channels become one map: one of ${COMPLETION-CANDIDATES}; default:"
                + " ${DEFAULT-VALUE}.")
    Aggregation aggregation = Aggregation.MEAN;

    @Option(names = "--symmetric", description = "Average maps with their rotation by 180 deg.")
    boolean symmetric;
  }

  /** Contrasts of center and surround, in pairs. */
  static final class Grid {
    @Option(
        names = "--contrast-grid",
        description = "Optimize for each pair of contrasts in center and surround instead.")
    boolean contrastGrid;

    @Option(
        names = "--grid-contrasts",
        paramLabel = "C",
        split = ",",
        description = "Contrasts of center and surround; default: 0.25,0.5,0.75,1.")
    double @Nullable [] gridContrasts;

    @Option(
        names = "--retrain-decoder",
        description = "Train a decoder for each center contrast, not one for all.")
    boolean retrainDecoder;

    ContrastGrid.Grid settings() {
      return new ContrastGrid.Grid(
          gridContrasts == null ? new double[] {0.25, 0.5, 0.75, 1} : gridContrasts,
          retrainDecoder);
    }
  }

  /** Activation and inactivation of a population. */
  static final class Perturb {
    /** What is changed. */
    enum Population {
      EXCITATORY,
      INHIBITORY,
      BOTH
    }

    static final class Populations extends ArrayList<String> {
      private static final long serialVersionUID = 1;

      Populations() {
        super(Converters.words(Population.values()));
      }
    }

    @Option(
        names = "--perturb",
        paramLabel = "WHICH",
        completionCandidates = Populations.class,
        description =
            "Change a population instead of the rescue: one of ${COMPLETION-CANDIDATES}, the last"
                + " each in turn.")
    @Nullable Population population;

    @Option(
        names = "--add",
        paramLabel = "X",
        split = ",",
        description =
            "Activation: multiples of the population's mean response that are added at each"
                + " timestep; default, without --multiply: 0.5,1,2.")
    @Nullable List<Double> add;

    @Option(
        names = "--multiply",
        paramLabel = "X",
        split = ",",
        description =
            "Inactivation: factors from 0, which silences, to below 1; default, without --add:"
                + " 0.5,0.")
    @Nullable List<Double> multiply;

    @Option(
        names = "--radius",
        paramLabel = "PX",
        description = "Radius of the disc or ring; default: an eighth of the image.")
    @Nullable Double radius;

    @Option(
        names = "--inner-radius",
        paramLabel = "PX",
        description = "Inner radius of a ring; default: 0, a disc.")
    @Nullable Double innerRadius;

    @Option(
        names = "--from",
        paramLabel = "STEP",
        description = "First timestep with the change, from 0; default: 0.")
    @Nullable Integer from;

    @Option(
        names = "--to",
        paramLabel = "STEP",
        description = "Last timestep with the change; default: the last one.")
    @Nullable Integer to;

    @Option(
        names = "--control",
        paramLabel = "KIND:N",
        split = ",",
        description = "Control networks, as for gammanet insilico, such as random:5,shuffled:5.")
    List<String> controls = new ArrayList<>();

    /** Whether anything but the population is given. */
    boolean detailed() {
      return add != null
          || multiply != null
          || radius != null
          || innerRadius != null
          || from != null
          || to != null
          || !controls.isEmpty();
    }

    Stimulation settings() {
      Stimulation usual = Stimulation.DEFAULTS;
      boolean neither = add == null && multiply == null;
      State state =
          population == Population.BOTH
              ? null
              : population == Population.EXCITATORY ? State.EXCITATORY : State.INHIBITORY;
      return new Stimulation(
          state,
          neither ? usual.added() : add == null ? List.of() : add,
          neither ? usual.factors() : multiply == null ? List.of() : multiply,
          radius,
          innerRadius == null ? 0 : innerRadius,
          from == null ? 0 : from,
          to);
    }
  }

  @ArgGroup(exclusive = false, heading = StimulusOptions.HEADING)
  StimulusOptions stimuli = new StimulusOptions();

  @ArgGroup(exclusive = false, heading = "%nDecoder:%n")
  Decoding decoding = new Decoding();

  @ArgGroup(exclusive = false, heading = "%nPerturbation and rescue:%n")
  Rescue rescue = new Rescue();

  @ArgGroup(exclusive = false, heading = "%nActivation and inactivation:%n")
  Perturb perturb = new Perturb();

  @ArgGroup(exclusive = false, heading = "%nContrast grid:%n")
  Grid grid = new Grid();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  OptoCommand() {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    check();
    if (perturb.population != null) {
      return InsilicoCommand.perturbation(
          spec,
          output == null ? Path.of("results", "perturbation") : output,
          force,
          perturb.settings(),
          perturb.controls,
          stimuli,
          model,
          compute);
    }
    Path folder = folder();
    try (FolderLock lock = FolderLock.take(folder);
        GammaNet net = compute.applyTo(model.open(compute, console));
        var interrupt = Interrupt.handle(() -> {})) {
      OptoSettings settings =
          settings(
              net.config().model().timesteps(),
              compute.seed(net.config()),
              model.trained() ? model.name() : null);
      console.print("network: " + model.name());
      var progress = new StudyProgress(console, interrupt);
      Study.Existing existing = force ? Study.Existing.REPLACE : Study.Existing.CONTINUE;
      Study study;
      List<String> warnings;
      boolean rescued;
      try {
        if (grid.contrastGrid) {
          study = ContrastGrid.open(folder, net, settings, grid.settings(), existing, progress);
          ContrastGrid result = ContrastGrid.run(net, settings, grid.settings(), study);
          warnings = result.warnings();
          rescued = result.rescued();
        } else {
          study = OrientationOpto.open(folder, net, settings, existing, progress);
          OrientationOpto result = OrientationOpto.run(net, settings, study);
          warnings = result.warnings();
          rescued = result.rescued();
        }
      } catch (CancellationException e) {
        throw interrupt.exception(
            "interrupted; finished work is kept in %s, and the same command continues there"
                .formatted(folder));
      } catch (IllegalArgumentException | IllegalStateException e) {
        throw new CommandException(String.valueOf(e.getMessage()), e);
      }
      study.metadata().path("files").forEach(name -> console.print(folder.resolve(name.asText())));
      console.print(study.file());
      warnings.forEach(rescued ? console::note : console::error);
      return rescued ? 0 : 1;
    }
  }

  private void check() {
    if (!grid.contrastGrid && (grid.retrainDecoder || grid.gridContrasts != null)) {
      throw new UsageException("--retrain-decoder and --grid-contrasts belong to --contrast-grid");
    }
    if (perturb.population == null && perturb.detailed()) {
      throw new UsageException(
          "--add, --multiply, --radius, --inner-radius, --from, --to and --control belong to"
              + " --perturb");
    }
    if (perturb.population != null && (stimuli.parity || grid.contrastGrid)) {
      throw new UsageException("--perturb goes with neither --parity nor --contrast-grid");
    }
    try {
      if (perturb.population != null) {
        var stimulation = perturb.settings();
      }
      var unused = settings(0, 0, null);
      var unusedToo = grid.settings();
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private OptoSettings settings(int timesteps, long seed, @Nullable String network) {
    int size = stimuli.size(256);
    boolean parity = stimuli.parity;
    return new OptoSettings(
        OptoSettings.Stimuli.of(size, rescue.orientations),
        OptoSettings.Decoding.of(
            decoding.decoder,
            parity ? 1 : decoding.phases,
            size,
            decoding.frequencies,
            decoding.contrasts),
        new RescueOptions(
            stimuli.layer == null ? "fgru_0" : stimuli.layer,
            null,
            rescue.factor,
            rescue.steps,
            rescue.learningRate,
            RescueOptions.ECRF_RADIUS,
            false,
            rescue.injection,
            rescue.sparseness,
            rescue.positivity,
            0,
            batchSize),
        new OptoSettings.Run(
            timesteps,
            seed,
            parity ? 1 : rescue.starts,
            recompute,
            decoding.gate && !parity,
            parity ? new OriginalOptogenetics() : Definitions.OWN),
        new OptoSettings.Display(rescue.aggregation, rescue.symmetric, network));
  }

  private Path folder() {
    if (output != null) {
      return output;
    }
    String name = "orientation_opto";
    if (grid.contrastGrid) {
      name += grid.retrainDecoder ? "_contrast_grid" : "_contrast_grid_hybrid";
    }
    return Path.of("results", name);
  }
}
