package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.stimuli.ContactSheet;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.NetworkSource;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Figure;
import org.gammanet.model.CellSite;
import org.gammanet.model.Network;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Experiments of virtual physiology. */
@Command(
    name = "insilico",
    header = "Run virtual neurophysiology on a network's units.",
    description = {
      "Shows stimuli to the network, records the units of a layer after each timestep, and writes"
          + " to a folder: report.html, which is complete in itself; insilico_results_TIME.json;"
          + " tables as CSV; figures as SVG and PNG.",
      "Experiments that vary the units' preferred stimuli run orientation first; those with"
          + " surrounds also run size_tuning.",
      "Results in the folder are kept, and other experiments added to them, where settings and"
          + " weights are the same; another run needs another --output-dir, or --force.",
      "The network is the bundled one unless --checkpoint, --random, --config or a --set of the"
          + " model says otherwise. --seed seeds phases, splits, resamples and random weights."
    },
    footer = {
      "Examples:",
      "  gammanet insilico --experiment all",
      "  gammanet insilico --experiment orientation,size_tuning --checkpoint model.safetensors",
      "  gammanet insilico --experiment kinoshita --curve kinoshita=measured.csv",
      "  gammanet insilico --experiment kapadia --preview",
      "  gammanet insilico --resume insilico_results"
    })
final class InsilicoCommand implements Callable<Integer> {
  private static final int OWN_SIZE = 128;
  private static final int PARITY_SIZE = 256;

  @Option(
      names = "--experiment",
      paramLabel = "NAME",
      split = ",",
      completionCandidates = Names.class,
      description =
          "What to run: ${COMPLETION-CANDIDATES}, or all; several with commas. contrast is short"
              + " for contrast_response.")
  List<String> experiments = new ArrayList<>();

  @Option(
      names = "--output-dir",
      paramLabel = "DIR",
      defaultValue = "insilico_results",
      description = "Folder for results; default: insilico_results.")
  Path output = Path.of("insilico_results");

  @Option(
      names = "--layer",
      paramLabel = "NAME",
      description =
          "Layer whose units are recorded; default: the first level's cell, fgru_0, with parity the"
              + " second's, fgru_1.")
  @Nullable String layer;

  @Option(
      names = "--timesteps",
      paramLabel = "N",
      description = "Timesteps; default: the network's.")
  int timesteps;

  @Option(
      names = "--size",
      paramLabel = "N",
      description = "Height and width of the stimuli in pixels; default: 128, with parity 256.")
  @Nullable Integer size;

  @Option(
      names = "--mode",
      paramLabel = "MODE",
      description =
          "own: this library's definitions (default). parity: the original's four experiments with"
              + " their quirks, so that its numbers can be reproduced.")
  @Nullable Mode mode;

  @Option(names = "--parity", description = "The same as --mode parity.")
  boolean parity;

  @Option(
      names = "--full",
      description = "All conditions of each experiment; takes hours on a processor.")
  boolean full;

  @Option(
      names = "--probes",
      paramLabel = "N",
      description =
          "Preferred gratings that later experiments vary; default: 3, with --full 16. More fit"
              + " the units better and take longer.")
  @Nullable Integer probes;

  @Option(
      names = "--contrast",
      paramLabel = "C",
      description = "Michelson contrast of gratings, up to 1; default: 0.5.")
  @Nullable Double contrast;

  @Option(
      names = "--aperture",
      paramLabel = "PX",
      description = "Diameter of the orientation experiment's gratings; default: the whole image.")
  @Nullable Double aperture;

  @Option(
      names = "--pixels-per-degree",
      paramLabel = "N",
      description = "Pixels per degree of visual angle; default: 30.")
  @Nullable Double pixelsPerDegree;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "32",
      description = "Stimuli at a time, at most; default: 32, fewer where memory is short.")
  int batchSize = 32;

  @Option(
      names = "--save-responses",
      description = "Also write all responses to DIR/responses as .npy.")
  boolean saveResponses;

  @Option(
      names = "--preview",
      description = "Only draw the stimuli: DIR/NAME_stimuli.png and .svg.")
  boolean preview;

  @Option(
      names = "--resume",
      paramLabel = "PATH",
      description = "Go on with an interrupted run: its folder or results file.")
  @Nullable Path resume;

  @Option(
      names = "--curve",
      paramLabel = "NAME=FILE",
      description =
          "Compare an experiment's curve with measured points: a CSV file with a line x,y or x,y,se"
              + " (standard error) for each, in the units of the figure's axes. May be repeated.")
  Map<String, Path> curves = new LinkedHashMap<>();

  @Option(names = "--force", description = "Replace the results of another run in DIR.")
  boolean force;

  @Option(
      names = "--repeat",
      paramLabel = "FILE",
      description = "Make a run again, with the settings and network in its results file.")
  @Nullable Path repeat;

  /** The names of the experiments, for the help. */
  static final class Names implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Experiments.all(Mode.OWN).stream().map(Experiment::name).toList().iterator();
    }
  }

  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  InsilicoCommand() {}

  private ParameterException wrong(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }

  @Override
  public Integer call() throws IOException {
    check();
    try {
      if (preview) {
        preview();
        return 0;
      }
      return resume != null || repeat != null ? again() : fresh();
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
  }

  private void check() {
    boolean other = resume != null || repeat != null;
    if (experiments.isEmpty() != other || (resume != null && repeat != null)) {
      throw wrong(
          other
              ? "--resume and --repeat take everything from the run: give one of them alone"
              : "say what to run: --experiment NAME, such as --experiment all");
    }
    if (timesteps < 0 || batchSize < 1 || (size != null && size < 1)) {
      throw wrong("--timesteps, --batch-size and --size must be at least 1");
    }
    if (parity && mode == Mode.OWN) {
      throw wrong("--parity contradicts --mode own");
    }
  }

  private Settings settings() {
    try {
      Settings s =
          Settings.DEFAULTS.withMode(parity ? Mode.PARITY : mode == null ? Mode.OWN : mode);
      s = full ? s.withFull(true) : s;
      s = probes == null ? s : s.withProbes(probes);
      s = contrast == null ? s : s.withContrast(contrast);
      s = aperture == null ? s : s.withAperture(aperture);
      s = pixelsPerDegree == null ? s : s.withPixelsPerDegree(pixelsPerDegree);
      return model.seed == null ? s : s.withSeed(model.seed);
    } catch (IllegalArgumentException e) {
      throw wrong(String.valueOf(e.getMessage()));
    }
  }

  private int size(Settings settings) {
    return size != null ? size : settings.mode() == Mode.PARITY ? PARITY_SIZE : OWN_SIZE;
  }

  private List<Experiment<?>> chosen(Settings settings) {
    try {
      return Experiments.named(experiments, settings.mode());
    } catch (IllegalArgumentException e) {
      throw wrong(String.valueOf(e.getMessage()));
    }
  }

  private void preview() throws IOException {
    Settings settings = settings();
    RunContext context = RunContext.preview(size(settings), settings);
    for (Experiment<?> e : chosen(settings)) {
      Figure sheet = ContactSheet.of(e.preview(context), 48);
      for (Path file : sheet.write(output.resolve(e.name() + "_stimuli"))) {
        spec.commandLine().getOut().println(file);
      }
    }
  }

  private Study.Existing existing() {
    return force ? Study.Existing.REPLACE : Study.Existing.CONTINUE;
  }

  private int fresh() throws IOException {
    Settings settings = settings();
    chosen(settings); // refuses unknown names before the network is loaded
    for (Path curve : curves.values()) {
      var unused = ReferenceCurve.read(curve); // before anything is replaced
    }
    try (GammaNet net = model.openTrained(false);
        var interrupt = Interrupt.handle(() -> {})) {
      var preparation =
          new NetworkPreparation(
              net.network(),
              layer(net.network(), settings),
              size(settings),
              timesteps,
              batchSize,
              model.trained());
      var source =
          new NetworkSource(
              model.checkpoint == null ? null : absolute(model.checkpoint),
              model.config == null ? null : absolute(model.config),
              model.overrides,
              model.seed,
              !model.trained());
      return run(
          InSilico.open(
              output,
              experiments,
              settings,
              preparation,
              source,
              about(net),
              saveResponses,
              existing(),
              new Console(interrupt)),
          interrupt);
    }
  }

  /**
   * The layer that is recorded: the one that was named, else the cell of the first level, with
   * parity of the second; cells that feedback drives only where there are no others.
   */
  private String layer(Network network, Settings settings) {
    if (layer != null) {
      return layer;
    }
    List<String> cells = cells(network, true);
    if (cells.isEmpty()) {
      cells = cells(network, false);
    }
    if (cells.isEmpty()) {
      return ResponseExtractor.OUTPUT;
    }
    int level = settings.mode() == Mode.PARITY ? 1 : 0;
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

  private static String absolute(Path path) {
    return path.toAbsolutePath().normalize().toString();
  }

  /** Resumes or repeats a run. */
  private int again() throws IOException {
    Path path = resume != null ? resume : java.util.Objects.requireNonNull(repeat);
    if (!Files.exists(path)) {
      throw new CommandException("there is no file or folder " + path);
    }
    NetworkSource source = InSilico.source(path);
    if (resume == null && !force && InSilico.holdsResults(output)) {
      throw new CommandException(
          output
              + " holds results already: choose another --output-dir, or replace them with"
              + " --force");
    }
    if (source != null) {
      if (model.checkpoint == null && source.checkpoint() != null) {
        model.checkpoint = Path.of(source.checkpoint());
      }
      if (model.config == null && source.config() != null) {
        model.config = Path.of(source.config());
      }
      if (model.overrides.isEmpty()) {
        model.overrides.addAll(source.set());
      }
      if (model.seed == null) {
        model.seed = source.seed();
      }
      model.random |= model.checkpoint == null && source.random();
    }
    try (GammaNet net = model.openTrained(false);
        var interrupt = Interrupt.handle(() -> {})) {
      var console = new Console(interrupt);
      return run(
          resume != null
              ? InSilico.resume(path, net.network(), batchSize, console)
              : InSilico.repeat(path, output, net.network(), batchSize, existing(), console),
          interrupt);
    }
  }

  /** Facts about the network. */
  private Map<String, Object> about(GammaNet net) throws IOException {
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("model", net.config().model().name());
    about.put("parameters", net.network().parameterCount());
    Path file = model.checkpoint;
    about.put("checkpoint", file == null ? model.network() : absolute(file));
    about.put("checkpoint_sha256", model.fileHash());
    about.put("device", net.network().device().toString());
    about.put("version", GammanetCommand.Version.program());
    about.put("libtorch", LibTorch.version());
    about.put("model_config", net.config().model().toJson());
    return about;
  }

  private void compare(InSilico run) throws IOException {
    for (Map.Entry<String, Path> curve : curves.entrySet()) {
      run.compare(curve.getKey(), ReferenceCurve.read(curve.getValue()));
    }
  }

  private int run(InSilico run, Interrupt interrupt) throws IOException {
    compare(run);
    PrintWriter out = spec.commandLine().getOut();
    Map<String, Integer> plan = run.plan();
    out.println("network: " + model.network());
    if (!plan.isEmpty()) {
      out.printf(
          "%d experiments, about %d stimuli%n",
          plan.size(), plan.values().stream().mapToInt(n -> n).sum());
    }
    out.flush();
    try {
      run.run();
    } catch (CancellationException e) {
      Console.clear();
      throw new InterruptedByUser(
          interrupt.signal(),
          "interrupted; gammanet insilico --resume %s continues".formatted(run.file()));
    }
    out.println(run.file());
    out.println(run.report());
    return 0;
  }

  /** A bar for people, and a line per experiment. */
  private final class Console implements Progress {
    private final Interrupt interrupt;
    private String place = "";
    private long begun;

    Console(Interrupt interrupt) {
      this.interrupt = interrupt;
    }

    @Override
    public boolean cancelled() {
      return interrupt.happened();
    }

    @Override
    public void begin(String name, int number, int of) {
      place = number + "/" + of;
      begun = System.nanoTime();
      if (!Terminal.errIsTerminal()) {
        spec.commandLine().getOut().println(place + "  " + name);
        spec.commandLine().getOut().flush();
      }
    }

    @Override
    public void advance(String experiment, int done, int total, String detail) {
      if (Terminal.errIsTerminal() && done > 0) {
        double left = (System.nanoTime() - begun) / 1e9 / done * (total - done);
        int filled = 24 * done / total;
        String text =
            String.format(
                Locale.ROOT,
                "%s  %s [%s%s] %d/%d stimuli, %d:%02d left",
                place,
                experiment,
                "#".repeat(filled),
                ".".repeat(24 - filled),
                done,
                total,
                (int) left / 60,
                (int) left % 60);
        int width = Math.max(1, Terminal.width() - 1);
        System.err.print("\r\033[K" + text.substring(0, Math.min(text.length(), width)));
        System.err.flush();
      }
    }

    @Override
    public void finish(String name, List<Path> files) {
      clear();
      PrintWriter out = spec.commandLine().getOut();
      out.printf(Locale.ROOT, "%s  %s: %.0f s%n", place, name, (System.nanoTime() - begun) / 1e9);
      out.flush();
    }

    @Override
    public void note(String sentence) {
      clear();
      model.note(sentence);
    }

    static void clear() {
      if (Terminal.errIsTerminal()) {
        System.err.print("\r\033[K");
        System.err.flush();
      }
    }
  }
}
