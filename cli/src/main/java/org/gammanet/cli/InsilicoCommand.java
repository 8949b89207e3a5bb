package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.export.RecordingExport;
import org.gammanet.experiments.stimuli.ContactSheet;
import org.gammanet.experiments.study.Control;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.NetworkSample;
import org.gammanet.experiments.study.NetworkSource;
import org.gammanet.experiments.study.Protocol;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Stimulation;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Figure;
import org.gammanet.io.FolderLock;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Experiments of virtual physiology. */
@Command(
    name = "insilico",
    header = "Run virtual neurophysiology on a network's units.",
    description = {
      "Shows stimuli to the network, records the units of a layer at each timestep, and writes the"
          + " results to a folder: report.html, which is complete in itself;"
          + " insilico_results_TIME.json; tables as CSV; figures as SVG and PNG.",
      "",
      "Experiments that vary the units' preferred stimuli measure orientation first, and those with"
          + " surrounds also size. Results that the folder holds already are kept where settings"
          + " and network are the same; other runs need another --output, or --force."
    },
    footer = {
      "Examples:",
      "  gammanet insilico -e all",
      "  gammanet insilico -e orientation,size_tuning -c runs/first",
      "  gammanet insilico -e all --control random:3,lesion:top_down",
      "  gammanet insilico -e size_tuning -c runs/seed1 -c runs/seed2 -c runs/seed3",
      "  gammanet insilico --protocol config/protocols/size_tuning.yaml",
      "  gammanet insilico -e kapadia --preview",
      "  gammanet insilico --resume insilico_results"
    })
final class InsilicoCommand implements Callable<Integer> {
  private static final int OWN_SIZE = 128;
  private static final int PARITY_SIZE = 256;

  /** Names of all experiments, for help and completion. */
  static final class Names extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Names() {
      Experiments.all(Mode.OWN).forEach(e -> add(e.name()));
      add("all");
    }
  }

  /** What to run. */
  static final class Task {
    @Option(
        names = {"-e", "--experiment"},
        paramLabel = "NAME",
        split = ",",
        completionCandidates = Names.class,
        description = "What to run, with commas between several: ${COMPLETION-CANDIDATES}.")
    List<String> experiments = new ArrayList<>();

    @Option(
        names = "--protocol",
        paramLabel = "FILE",
        description =
            "Run by a protocol: experiment, settings, controls, primary number and test are fixed"
                + " in a file of YAML, whose digest and verdict the report has. Templates are in"
                + " config/protocols.")
    @Nullable Path protocol;

    @Option(
        names = "--resume",
        paramLabel = "PATH",
        description = "Continue an interrupted run: its folder or results file.")
    @Nullable Path resume;

    @Option(
        names = "--repeat",
        paramLabel = "FILE",
        description = "Repeat a run with the settings and the network of its results file.")
    @Nullable Path repeat;
  }

  @ArgGroup(exclusive = true)
  Task task = new Task();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = "insilico_results",
      description = "Folder for the results; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("insilico_results");

  @Option(
      names = {"-f", "--force"},
      description = "Replace the results of another run in the folder.")
  boolean force;

  @Mixin ShardOption sharding = new ShardOption();

  @Option(
      names = "--save-responses",
      description = "Also write all responses to DIR/responses as .npy.")
  boolean saveResponses;

  @Option(
      names = "--export",
      paramLabel = "NAME",
      split = ",",
      completionCandidates = RecordCommand.Formats.class,
      description = "With --save-responses: also for other programs, ${COMPLETION-CANDIDATES}.")
  List<RecordingExport.Format> exports = new ArrayList<>();

  @Option(
      names = "--preview",
      description = "Only draw the stimuli: DIR/NAME_stimuli.png and .svg.")
  boolean preview;

  @Option(
      names = "--curve",
      paramLabel = "NAME=FILE",
      description =
          "Compare an experiment's curve with measured points: a CSV file with a line x,y or x,y,se"
              + " (standard error) for each, in the units of the figure's axes. Repeatable.")
  Map<String, Path> curves = new LinkedHashMap<>();

  @Option(
      names = "--control",
      paramLabel = "KIND:N",
      split = ",",
      description =
          "Run the same experiments on control networks and compare: random:5 (untrained weights),"
              + " shuffled:5 (trained kernels, permuted), lesion:horizontal+top_down+inhibition"
              + " (each part lesioned); with commas between several. Each of several networks gets"
              + " random and shuffled ones of its own.")
  List<String> controls = new ArrayList<>();

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "32",
      converter = Converters.Count.class,
      description =
          "Stimuli that pass at once, at most; default: ${DEFAULT-VALUE}, fewer where memory is"
              + " short.")
  int batchSize = 32;

  /** The conditions of the experiments. */
  static final class Conditions {
    @Option(
        names = "--full",
        description = "All conditions of each experiment; takes hours on a processor.")
    boolean full;

    @Option(
        names = "--probes",
        paramLabel = "N",
        converter = Converters.Count.class,
        description =
            "Preferred gratings that later experiments vary; default: 4, with --full 16. More fit"
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
        description =
            "Diameter of the orientation experiment's gratings, pixels of the image; default: the"
                + " whole image.")
    @Nullable Double aperture;

    @Option(
        names = "--pixels-per-degree",
        paramLabel = "N",
        description = "Pixels per degree of visual angle; default: 30. Scales all stimuli.")
    @Nullable Double pixelsPerDegree;
  }

  @ArgGroup(exclusive = false, heading = StimulusOptions.HEADING)
  StimulusOptions stimuli = new StimulusOptions();

  @ArgGroup(exclusive = false, heading = "%nConditions:%n")
  Conditions conditions = new Conditions();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;
  private @Nullable Protocol protocol;
  private @Nullable Stimulation stimulation;

  /** Index of the network among those of --checkpoint. */
  private int index;

  @SuppressWarnings("NullAway.Init")
  InsilicoCommand() {}

  /** Activates and inactivates a population, for {@code gammanet opto --perturb}. */
  static int perturbation(
      CommandSpec spec,
      Path output,
      boolean force,
      Stimulation stimulation,
      List<String> controls,
      StimulusOptions stimuli,
      NetworkOptions model,
      ComputeOptions.Inference compute)
      throws IOException {
    var command = new InsilicoCommand();
    command.spec = spec;
    command.task.experiments.add("perturbation");
    command.output = output;
    command.force = force;
    command.stimulation = stimulation;
    command.controls.addAll(controls);
    command.stimuli = stimuli;
    command.model = model;
    command.compute = compute;
    return command.call();
  }

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    protocol = readProtocol();
    if (task.experiments.isEmpty() && task.resume == null && task.repeat == null) {
      throw new UsageException(
          "say what to run: --experiment NAME, such as --experiment all, or --protocol FILE");
    }
    if (!exports.isEmpty() && !saveResponses) {
      throw new UsageException("--export needs --save-responses");
    }
    if (stimuli.parity && conditions.pixelsPerDegree != null) {
      throw new UsageException(
          "the original's stimuli have 30 pixels per degree: leave out --pixels-per-degree, or"
              + " --parity");
    }
    controls(); // refuses wrong ones before the network is loaded
    Shard part = sharding.shard;
    if (part != null) {
      if (preview || task.resume != null || model.networks().size() > 1) {
        throw new UsageException(
            "--shard makes a part of one run, without --preview and --resume, on one network");
      }
      output = part.folder(output);
    }
    try {
      if (preview) {
        preview();
        return 0;
      }
      if (task.resume != null || task.repeat != null) {
        return again();
      }
      List<Path> networks = model.networks();
      return networks.size() > 1 ? several(networks) : fresh();
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
  }

  /** What --protocol fixes; null without one. */
  private @Nullable Protocol readProtocol() throws IOException {
    Path file = task.protocol;
    if (file == null) {
      return null;
    }
    Protocol fixed = Protocol.read(file);
    Conditions c = conditions;
    boolean more =
        c.full
            || c.probes != null
            || c.contrast != null
            || c.aperture != null
            || c.pixelsPerDegree != null
            || stimuli.layer != null
            || stimuli.size != null
            || stimuli.parity
            || !controls.isEmpty();
    if (more) {
      throw new UsageException(
          "the protocol fixes stimuli and controls: leave their options out, or change the file");
    }
    task.experiments.add(fixed.experiment());
    stimuli.layer = fixed.layer();
    stimuli.size = fixed.size();
    if (fixed.controls() != null) {
      controls.addAll(fixed.controls());
    }
    return fixed;
  }

  private List<Control> controls() {
    try {
      return Control.ofNetwork(Control.parse(controls), index);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private Settings settings(GammaNetConfig config) {
    Conditions c = conditions;
    try {
      Settings s = Settings.DEFAULTS.withMode(stimuli.parity ? Mode.PARITY : Mode.OWN);
      s = c.full ? s.withFull(true) : s;
      s = c.probes == null ? s : s.withProbes(c.probes);
      s = c.contrast == null ? s : s.withContrast(c.contrast);
      s = c.aperture == null ? s : s.withAperture(c.aperture);
      s = c.pixelsPerDegree == null ? s : s.withPixelsPerDegree(c.pixelsPerDegree);
      s = s.withSeed(compute.seed(config));
      Stimulation how = stimulation;
      s = how == null ? s : s.withStimulation(how);
      Protocol by = protocol;
      return by == null || by.settings() == null ? s : by.settings().apply(s);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private int size(Settings settings) {
    return stimuli.size(settings.mode() == Mode.PARITY ? PARITY_SIZE : OWN_SIZE);
  }

  private List<Experiment<?>> chosen(Settings settings) {
    try {
      return Experiments.named(task.experiments, settings.mode());
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private void preview() throws IOException {
    Settings settings = settings(model.describedConfig(console));
    RunContext context = RunContext.preview(size(settings), settings);
    for (Experiment<?> e : chosen(settings)) {
      Figure sheet = ContactSheet.of(e.preview(context), 48);
      for (Path file : sheet.write(output.resolve(e.name() + "_stimuli"))) {
        console.print(file);
      }
    }
  }

  private Study.Existing existing() {
    return force ? Study.Existing.REPLACE : Study.Existing.CONTINUE;
  }

  /** Runs the experiments on each network, and compares what was found over networks. */
  private int several(List<Path> networks) throws IOException {
    Path all = output;
    Map<String, Path> folders = new LinkedHashMap<>();
    for (Path network : networks) {
      Path last = network.getFileName();
      String name = String.valueOf(last).replaceFirst("\\.(safetensors|pt|pth)$", "");
      String unique = name;
      for (int i = 2; folders.containsKey(unique); i++) {
        unique = name + "-" + i;
      }
      folders.put(unique, all.resolve("networks").resolve(unique));
    }
    checkOptions();
    for (Path network : networks) { // before the first is measured, which may take hours
      choose(network);
      try (GammaNet net = compute.applyTo(model.open(compute, Console.silent(spec)))) {
        var unused = prepare(net, settings(net.config()));
      } catch (IllegalArgumentException e) { // such as a layer that this network lacks
        throw new CommandException("%s: %s".formatted(network, e.getMessage()), e);
      }
    }
    List<String> names = List.copyOf(folders.keySet());
    for (int i = 0; i < names.size(); i++) {
      choose(networks.get(i));
      output = Objects.requireNonNull(folders.get(names.get(i)));
      index = i;
      console.printf("%d/%d  %s%n", i + 1, names.size(), names.get(i));
      fresh();
    }
    Settings settings = settings(GammaNetConfig.defaults());
    console.print(
        NetworkSample.read(folders, Experiments.all(settings.mode()), settings.seed()).write(all));
    return 0;
  }

  private void choose(Path network) {
    model.weights.checkpoint = network;
    model.weights.checkpoints = List.of(network);
  }

  /** Refuses wrong names and curves before a network is loaded and anything is replaced. */
  private void checkOptions() throws IOException {
    chosen(settings(GammaNetConfig.defaults()));
    for (Path curve : curves.values()) {
      var unused = ReferenceCurve.read(curve);
    }
  }

  /** The layer that is recorded. */
  private NetworkPreparation prepare(GammaNet net, Settings settings) {
    return new NetworkPreparation(
        net.network(),
        stimuli.layer != null
            ? stimuli.layer
            : NetworkPreparation.usualLayer(net.network(), settings.mode()),
        size(settings),
        0,
        batchSize,
        model.trained());
  }

  private int fresh() throws IOException {
    checkOptions();
    try (FolderLock lock = FolderLock.take(output);
        GammaNet net = compute.applyTo(model.open(compute, console));
        var interrupt = Interrupt.handle(() -> {})) {
      Settings settings = settings(net.config());
      Path file = model.checkpoint();
      var source =
          new NetworkSource(
              file == null ? null : absolute(file),
              model.config == null ? null : absolute(model.config),
              model.overrides(),
              compute.seed,
              !model.trained());
      return run(
          InSilico.open(
              output,
              task.experiments,
              settings,
              prepare(net, settings),
              source,
              about(net),
              saveResponses,
              existing(),
              new StudyProgress(console, interrupt)),
          interrupt);
    }
  }

  private static String absolute(Path path) {
    return path.toAbsolutePath().normalize().toString();
  }

  /** Resumes or repeats a run. */
  private int again() throws IOException {
    Path resume = task.resume;
    Path path = resume != null ? resume : Objects.requireNonNull(task.repeat);
    if (!Files.exists(path)) {
      throw new CommandException("there is no file or folder " + path);
    }
    NetworkSource source = InSilico.source(path);
    if (!spec.commandLine().getParseResult().hasMatchedOption("--precision")) {
      compute.precision = InSilico.precision(path);
    }
    if (resume == null && !force && InSilico.holdsResults(output)) {
      throw new CommandException(
          output
              + " holds results already: choose another --output, or replace them with"
              + " --force");
    }
    if (source != null) {
      if (model.weights.checkpoint == null && source.checkpoint() != null) {
        model.weights.checkpoint = Path.of(source.checkpoint());
      }
      if (model.config == null && source.config() != null) {
        model.config = Path.of(source.config());
      }
      if (model.overrides.isEmpty()) {
        model.overrides.addAll(source.set());
      }
      if (compute.seed == null) {
        compute.seed = source.seed();
      }
      model.weights.random |= model.weights.checkpoint == null && source.random();
    }
    Path folder =
        resume == null ? output : Files.isDirectory(resume) ? resume : resume.resolveSibling("");
    try (FolderLock lock = FolderLock.take(folder.toAbsolutePath());
        GammaNet net = compute.applyTo(model.open(compute, console));
        var interrupt = Interrupt.handle(() -> {})) {
      var progress = new StudyProgress(console, interrupt);
      return run(
          resume != null
              ? InSilico.resume(path, net.network(), batchSize, progress)
              : InSilico.repeat(path, output, net.network(), batchSize, existing(), progress),
          interrupt);
    }
  }

  /** Facts about the network. */
  private Map<String, Object> about(GammaNet net) throws IOException {
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("model", net.config().model().name());
    about.put("parameters", net.network().parameterCount());
    Path file = model.checkpoint();
    about.put("checkpoint", file == null ? model.name() : absolute(file));
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
    run.export(exports);
    Path file = task.protocol;
    if (protocol != null && file != null) {
      run.protocol(protocol, String.valueOf(file.getFileName()), Protocol.digest(file));
    }
    if (!controls.isEmpty()) {
      run.controls(controls());
    }
    Shard shard = sharding.shard;
    if (shard != null) {
      run.shard(shard);
    }
    Map<String, Integer> plan = run.plan();
    console.print("network: " + model.name());
    if (!plan.isEmpty() && shard == null) {
      console.printf(
          "%d experiment%s, about %d stimuli%n",
          plan.size(), plan.size() == 1 ? "" : "s", plan.values().stream().mapToInt(n -> n).sum());
    }
    try {
      run.run();
    } catch (CancellationException e) {
      throw interrupt.exception(
          "interrupted; gammanet insilico --resume %s continues".formatted(run.file()));
    }
    console.print(run.file());
    if (shard == null) {
      console.print(run.report());
    } else {
      ShardOption.done(shard, console);
    }
    return 0;
  }
}
