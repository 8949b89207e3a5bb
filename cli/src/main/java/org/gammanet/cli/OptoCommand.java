package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.opto.Aggregation;
import org.gammanet.experiments.opto.ContrastGrid;
import org.gammanet.experiments.opto.DecoderOptions;
import org.gammanet.experiments.opto.Injection;
import org.gammanet.experiments.opto.OptoListener;
import org.gammanet.experiments.opto.OptoSettings;
import org.gammanet.experiments.opto.OrientationOpto;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import sun.misc.Signal;

/** Simulated optogenetics. */
@Command(
    name = "opto",
    header = "Simulate optogenetics: states of the surround that restore what a place reads.",
    description = {
      "Searches the grating parameters at which orientation is read best from one place of a layer,"
          + " trains a linear decoder there, multiplies the drive of that place, and optimises the"
          + " initial excitatory and inhibitory states around it, for six orientations, until the"
          + " decoder reads what it did before.",
      "",
      "The network is the trained one that comes with the program, unless --checkpoint, --random,"
          + " --config or a --set of the model says otherwise; --seed is that of decoders and"
          + " random starts, and of random weights.",
      "",
      "Writes parameter_sweep.png, stimuli.png, recurrent_flow_analysis.png,"
          + " multi_orientation_optimization_results.png (each also as SVG), summary.txt,"
          + " results.json, maps.npz and report.html. An interrupted run goes on where it was when"
          + " it is started again with the same options; --starts may grow."
    },
    footer = {
      "Examples:",
      "  gammanet opto",
      "  gammanet opto --checkpoint model.safetensors --contrast-grid",
      "  gammanet opto --size 96 --steps 20 --starts 1"
    })
final class OptoCommand implements Callable<Integer> {
  private final OptoSettings settings = new OptoSettings();

  @Option(
      names = "--output-dir",
      paramLabel = "DIR",
      description = {
        "Folder for the results; default: results/orientation_opto, and for the grid"
            + " results/orientation_opto_contrast_grid_hybrid or, with --retrain-decoder,"
            + " results/orientation_opto_contrast_grid."
      })
  @Nullable Path output;

  @Option(
      names = "--contrast-grid",
      description = "Instead, optimise for each pair of contrasts in centre and surround.")
  boolean contrastGrid;

  @Option(
      names = "--retrain-decoder",
      description = "Of the grid: train a decoder for each centre contrast, not once.")
  boolean retrainDecoder;

  @Option(
      names = "--grid-contrasts",
      paramLabel = "C",
      split = ",",
      description = "Of the grid: contrasts of centre and surround; default: 0.25,0.5,0.75,1.")
  double @Nullable [] gridContrasts;

  @Option(
      names = "--layer",
      paramLabel = "NAME",
      defaultValue = "fgru_0",
      description = "Cell whose drive is changed; default: fgru_0.")
  String layer = "fgru_0";

  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "256",
      description = "Height and width of the images in pixels; default: 256.")
  int size;

  @Option(
      names = "--orientations",
      paramLabel = "DEG",
      split = ",",
      description = "Directions of modulation; default: 0,30,60,90,120,150.")
  double @Nullable [] orientations;

  @Option(
      names = "--factor",
      paramLabel = "X",
      defaultValue = "1.5",
      description = "Of the drive: 1.5 for half as much again (default), 0 for a lesion.")
  double factor;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "50",
      description = "Updates of the states; default: 50.")
  int steps;

  @Option(
      names = "--learning-rate",
      paramLabel = "X",
      defaultValue = "0.01",
      description = "Rate of these updates (Adam); default: 0.01.")
  double learningRate;

  @Option(
      names = "--starts",
      paramLabel = "N",
      defaultValue = "3",
      description = "Random starts, whose maps are compared; default: 3.")
  int starts;

  @Option(
      names = "--frequencies",
      paramLabel = "F",
      split = ",",
      description =
          "Of the sweep, in cycles per image; default: wavelengths from 25.6 to 5.12 pixels.")
  double @Nullable [] frequencies;

  @Option(
      names = "--contrasts",
      paramLabel = "C",
      split = ",",
      description = "Of the sweep; default: 0.1,0.25,0.5,0.75,1.")
  double @Nullable [] contrasts;

  @Option(
      names = "--phases",
      paramLabel = "N",
      defaultValue = "4",
      description = "Phases of the gratings that train decoders; default: 4.")
  int phases;

  @Option(
      names = "--decoder",
      paramLabel = "adam|ridge",
      defaultValue = "adam",
      description = "How decoders are trained; default: adam.")
  DecoderOptions.Method decoder = DecoderOptions.Method.ADAM;

  @Option(
      names = "--injection",
      paramLabel = "WHERE",
      description =
          "initial_state (default): the states before the first timestep; after_first_step: added"
              + " to the cell's first output.")
  @Nullable Injection injection;

  @Option(
      names = "--sparseness",
      paramLabel = "X",
      defaultValue = "0",
      description = "Weight of mean |A_E| + mean |A_I| in the loss; default: 0.")
  double sparseness;

  @Option(
      names = "--positivity",
      paramLabel = "X",
      defaultValue = "0",
      description = "Weight of the squared negative part of E in the loss; default: 0.")
  double positivity;

  @Option(
      names = "--aggregation",
      paramLabel = "mean|max",
      defaultValue = "mean",
      description = "How channels become one map; default: mean.")
  Aggregation aggregation = Aggregation.MEAN;

  @Option(names = "--symmetric", description = "Average maps with their half turn.")
  boolean symmetric;

  @Option(names = "--timesteps", paramLabel = "N", description = "Timesteps of the recurrence.")
  @Nullable Integer timesteps;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "2",
      description = "Orientations optimised at once; memory grows with it. Default: 2.")
  int batch;

  @Option(
      names = "--recompute",
      paramLabel = "WHAT",
      defaultValue = "cells",
      description =
          "What the backward pass computes again to save memory: none, cells (default) or"
              + " timesteps.")
  Recompute recompute = Recompute.CELLS;

  @Option(
      names = "--force",
      description = "Begin anew in a folder that holds a run of other settings.")
  boolean force;

  @Option(
      names = "--parity",
      description = "Follow the original's definitions, its defects included.")
  boolean parity;

  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  OptoCommand() {}

  @Override
  public Integer call() throws IOException {
    fill();
    check();
    AtomicInteger interrupted = new AtomicInteger();
    try (GammaNet net = model.openTrained(false)) {
      for (String name : List.of("INT", "TERM")) {
        Signal.handle(
            new Signal(name),
            signal -> {
              if (interrupted.getAndSet(signal.getNumber()) != 0) {
                Runtime.getRuntime().halt(128 + signal.getNumber()); // the second time, at once
              }
            });
      }
      settings.checkpoint = model.trained() ? model.network() : null;
      spec.commandLine().getOut().println("network: " + model.network());
      spec.commandLine().getOut().flush();
      Path folder = folder();
      Console console = new Console(interrupted);
      Set<Path> files = new LinkedHashSet<>();
      try {
        if (contrastGrid) {
          ContrastGrid.run(net, settings, folder, console, files::add);
        } else {
          OrientationOpto.run(net, settings, folder, console, files::add);
        }
      } catch (CancellationException e) {
        Terminal.clear();
        spec.commandLine()
            .getErr()
            .println(
                "gammanet: interrupted; what is done is kept in "
                    + folder
                    + ", and the same command goes on there");
        return 128 + interrupted.get();
      } catch (IllegalArgumentException | IllegalStateException e) {
        Terminal.clear();
        throw new CommandException(String.valueOf(e.getMessage()), e);
      }
      Terminal.clear();
      PrintWriter out = spec.commandLine().getOut();
      files.forEach(out::println);
      out.flush();
      return 0;
    }
  }

  private void check() {
    if (timesteps != null && timesteps < 1) {
      throw wrong("--timesteps must be at least 1, not " + timesteps);
    }
    if (!contrastGrid && (retrainDecoder || gridContrasts != null)) {
      throw wrong("--retrain-decoder and --grid-contrasts belong to --contrast-grid");
    }
    try {
      settings.check();
    } catch (IllegalArgumentException e) {
      throw wrong(String.valueOf(e.getMessage()));
    }
  }

  private ParameterException wrong(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }

  private void fill() {
    settings.layer = layer;
    settings.size = size;
    settings.factor = factor;
    settings.steps = steps;
    settings.learningRate = learningRate;
    settings.starts = starts;
    settings.phases = phases;
    settings.decoder = decoder;
    settings.injection = injection;
    settings.sparseness = sparseness;
    settings.positivity = positivity;
    settings.aggregation = aggregation;
    settings.symmetric = symmetric;
    settings.batch = batch;
    settings.recompute = recompute;
    settings.retrainDecoder = retrainDecoder;
    settings.replace = force;
    settings.mode = parity ? Mode.PARITY : Mode.OWN;
    settings.frequencies = frequencies;
    if (orientations != null) {
      settings.orientations = orientations;
    }
    if (contrasts != null) {
      settings.contrasts = contrasts;
    }
    if (gridContrasts != null) {
      settings.gridContrasts = gridContrasts;
    }
    if (timesteps != null) {
      settings.timesteps = timesteps;
    }
    if (model.seed != null) {
      settings.seed = model.seed;
    }
  }

  private Path folder() {
    if (output != null) {
      return output;
    }
    String name = "orientation_opto";
    if (contrastGrid) {
      name += retrainDecoder ? "_contrast_grid" : "_contrast_grid_hybrid";
    }
    return Path.of("results", name);
  }

  /** A bar for people, and a line per stage where output is redirected. */
  private final class Console implements OptoListener {
    private final AtomicInteger interrupted;
    private String stage = "";
    private long began;
    private long told;

    Console(AtomicInteger interrupted) {
      this.interrupted = interrupted;
    }

    @Override
    public void progress(String what, int done, int total, double loss) {
      long now = System.nanoTime();
      if (!what.equals(stage)) {
        stage = what;
        began = now;
        told = Terminal.errIsTerminal() ? 0 : now;
      }
      String tail = Double.isNaN(loss) ? "" : String.format(Locale.ROOT, "  loss %.4g", loss);
      if (Terminal.errIsTerminal()) {
        if (now - told < 100_000_000 && done < total) {
          return;
        }
        told = now;
        double left = done == 0 ? Double.NaN : (now - began) / 1e9 / done * (total - done);
        Terminal.draw(
            what
                + " "
                + Terminal.bar(total == 0 ? 1 : (double) done / total)
                + " "
                + done
                + "/"
                + total
                + tail
                + (Double.isNaN(left) ? "" : "  " + Terminal.clock(left) + " left"));
      } else if (done == total || now - told > 30_000_000_000L) {
        told = now;
        System.err.println(what + ": " + done + "/" + total + tail);
      }
    }

    @Override
    public boolean cancelled() {
      return interrupted.get() != 0;
    }
  }
}
