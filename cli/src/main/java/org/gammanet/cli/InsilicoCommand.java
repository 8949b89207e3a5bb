package org.gammanet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gammanet.GammaNet;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.insilico.Experiment;
import org.gammanet.experiments.insilico.InSilico;
import org.gammanet.experiments.insilico.NetworkPreparation;
import org.gammanet.experiments.insilico.Settings;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.stimuli.ContactSheet;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Figure;
import org.gammanet.io.Sha256;
import org.gammanet.model.CellSite;
import org.gammanet.model.Network;
import org.gammanet.model.Parameter;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import sun.misc.Signal;

/** Experiments of virtual physiology. */
@Command(
    name = "insilico",
    header = "Run virtual neurophysiology on a network's units.",
    description = {
      "Shows stimuli to the network, records the units of a layer at each timestep, and writes what"
          + " was found to a folder: report.html, which holds everything and needs nothing else;"
          + " insilico_results_TIME.json; tables as CSV; figures as SVG and PNG.",
      "Experiments: orientation, contrast_response (or contrast), size_tuning, kapadia, kinoshita,"
          + " texture_boundary, tilt_illusion, trott_born, all. Those that vary the units'"
          + " preferred stimuli measure orientation first, and those with surrounds also size.",
      "Results that are in the folder already are kept, and those of other experiments added, where"
          + " settings and network are the same; other runs need another --output-dir, or --force.",
      "The network is the trained one that comes with the program, unless --checkpoint, --random,"
          + " --config or a --set of the model says otherwise; --seed is that of phases, splits and"
          + " resamples, and of random weights."
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
      description = "What to run; several with commas, or all.")
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

  private List<Experiment> chosen(Settings settings) {
    List<Experiment> all = settings.mode() == Mode.OWN ? Experiment.all() : Experiment.parity();
    try {
      List<String> names = InSilico.names(experiments, settings.mode());
      return all.stream().filter(e -> names.contains(e.name())).toList();
    } catch (IllegalArgumentException e) {
      throw wrong(String.valueOf(e.getMessage()));
    }
  }

  private void preview() throws IOException {
    Settings settings = settings();
    for (Experiment e : chosen(settings)) {
      StimulusSet set = e.preview(size(settings), settings);
      Figure sheet = ContactSheet.of(set, 48);
      for (Path file : sheet.write(output.resolve(e.name() + "_stimuli"))) {
        spec.commandLine().getOut().println(file);
      }
    }
  }

  private int fresh() throws IOException {
    Settings settings = settings();
    chosen(settings); // refuses unknown names before the network is loaded
    ObjectNode command = new ObjectMapper().createObjectNode();
    command.put("checkpoint", model.checkpoint == null ? null : absolute(model.checkpoint));
    command.put("config", model.config == null ? null : absolute(model.config));
    model.overrides.forEach(command.putArray("set")::add);
    command.put("seed", model.seed);
    try (GammaNet net = model.openTrained(false)) {
      command.put("random", !model.trained());
      var preparation =
          new NetworkPreparation(
              net.network(),
              layer(net.network(), settings),
              size(settings),
              timesteps,
              batchSize,
              model.trained());
      InSilico run =
          InSilico.start(
              output,
              experiments,
              settings,
              preparation,
              about(net, command),
              saveResponses,
              new Console());
      if (!force) {
        return run(run.joined(), preparation);
      }
      compare(run); // before anything is removed
      InSilico.discard(output);
      return run(run, preparation);
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

  /** Goes on with a run, or makes it again. */
  private int again() throws IOException {
    Path path = resume != null ? resume : java.util.Objects.requireNonNull(repeat);
    if (!Files.exists(path)) {
      throw new CommandException("there is no file or folder " + path);
    }
    JsonNode metadata = InSilico.read(path).path("metadata");
    if (resume == null && !force && InSilico.holdsResults(output)) {
      throw new CommandException(
          output
              + " holds results already: choose another --output-dir, or replace them with"
              + " --force");
    }
    JsonNode command = metadata.path("network").path("command");
    if (model.checkpoint == null && command.hasNonNull("checkpoint")) {
      model.checkpoint = Path.of(command.path("checkpoint").asText());
    }
    if (model.config == null && command.hasNonNull("config")) {
      model.config = Path.of(command.path("config").asText());
    }
    if (model.overrides.isEmpty()) {
      command.path("set").forEach(s -> model.overrides.add(s.asText()));
    }
    if (model.seed == null && command.hasNonNull("seed")) {
      model.seed = command.path("seed").asLong();
    }
    model.random |= model.checkpoint == null && command.path("random").asBoolean(true);
    try (GammaNet net = model.openTrained(false)) {
      String expected = metadata.path("network").path("weights_sha256").asText();
      if (!expected.equals(weightsHash(net.network()))) {
        throw new CommandException(
            "the weights are not those of the run in %s, which were %s; name its network with --checkpoint"
                .formatted(path, metadata.path("network").path("checkpoint").asText("others")));
      }
      var preparation =
          new NetworkPreparation(
              net.network(),
              metadata.path("target_layer").asText(),
              metadata.path("image_size").asInt(),
              metadata.path("timesteps").asInt(),
              batchSize,
              metadata.path("trained").asBoolean());
      InSilico run;
      if (resume != null) {
        run = InSilico.resume(path, preparation, new Console());
      } else {
        List<String> names = new ArrayList<>();
        metadata.path("experiments").forEach(e -> names.add(e.asText()));
        run =
            InSilico.start(
                output,
                names,
                Settings.fromJson(metadata.path("settings")),
                preparation,
                about(net, (ObjectNode) command),
                metadata.path("save_responses").asBoolean(),
                new Console());
        compare(run);
        if (force) {
          InSilico.discard(output);
        }
      }
      return run(run, preparation);
    }
  }

  /** What is noted of the network. */
  private Map<String, Object> about(GammaNet net, ObjectNode command) throws IOException {
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("model", net.config().model().name());
    about.put("parameters", net.network().parameterCount());
    Path file = model.checkpoint;
    about.put("checkpoint", file == null ? model.network() : absolute(file));
    about.put("checkpoint_sha256", model.fileHash());
    about.put("weights_sha256", weightsHash(net.network()));
    about.put("device", net.network().device().toString());
    about.put("version", GammanetCommand.Version.program());
    about.put("libtorch", LibTorch.version());
    about.put("model_config", net.config().model().toJson());
    about.put("command", command);
    return about;
  }

  /** SHA-256 over the names and values of all parameters, whatever file they came from. */
  private static String weightsHash(Network network) {
    MessageDigest digest = Sha256.digest();
    for (Parameter p : network.parameters()) {
      digest.update(p.name().getBytes(StandardCharsets.UTF_8));
      digest.update(p.tensor().toBuffer());
    }
    return Sha256.hex(digest);
  }

  private void compare(InSilico run) throws IOException {
    for (Map.Entry<String, Path> curve : curves.entrySet()) {
      run.compare(curve.getKey(), ReferenceCurve.read(curve.getValue()));
    }
  }

  private int run(InSilico run, NetworkPreparation preparation) throws IOException {
    compare(run);
    PrintWriter out = spec.commandLine().getOut();
    Map<String, Integer> plan = run.plan();
    int stimuli = plan.values().stream().mapToInt(n -> n).sum();
    out.println("network: " + model.network());
    if (stimuli > 0) {
      StimulusSet some = Experiment.all().get(0).preview(preparation.size(), Settings.DEFAULTS);
      ResponseExtractor.Estimate estimate = preparation.estimate(some);
      out.printf(
          Locale.ROOT,
          "%d experiments, about %d stimuli of %d x %d px, %d timesteps; %d at a time, about %.1f"
              + " GB for signals%n",
          plan.size(),
          stimuli,
          preparation.size(),
          preparation.size(),
          preparation.timesteps(),
          estimate.batch(),
          estimate.passBytes() / 1e9);
      out.flush();
    }
    for (String name : List.of("INT", "TERM")) {
      Signal.handle(
          new Signal(name),
          signal -> {
            Console.clear();
            System.err.println(
                "gammanet: interrupted; gammanet insilico --resume %s goes on"
                    .formatted(run.file()));
            System.err.flush();
            Runtime.getRuntime().halt(128 + signal.getNumber());
          });
    }
    run.run();
    out.println(run.file());
    out.println(run.report());
    return 0;
  }

  /** A bar for people, and a line per experiment. */
  private final class Console implements InSilico.Listener {
    private String experiment = "";
    private String place = "";
    private long begun;

    @Override
    public void begins(String name, int number, int of) {
      experiment = name;
      place = number + "/" + of;
      begun = System.nanoTime();
      if (!Terminal.errIsTerminal()) {
        spec.commandLine().getOut().println(place + "  " + name);
        spec.commandLine().getOut().flush();
      }
    }

    @Override
    public void recorded(int done, int total) {
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
    public void finished(String name, List<Path> files) {
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
