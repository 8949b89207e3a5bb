package org.gammanet.experiments.study;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.export.RecordingExport;
import org.gammanet.experiments.responses.SteadyState;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.figures.Axis;
import org.gammanet.io.DataException;
import org.gammanet.kernels.Precision;
import org.gammanet.model.Network;
import org.jspecify.annotations.Nullable;

/**
 * A run of experiments in a folder: {@code insilico_results_<time>.json} with all numbers, tables
 * as CSV, figures as SVG and PNG, and a report, {@code report.html}.
 */
public final class InSilico {
  /** Name of the results file. */
  private static final String FILE = "insilico_results_{time}.json";

  /** Key of the metadata. */
  static final String STEADY_STATE = "steady_state";

  static final String CONVENTION =
      "The orientation of a grating is the direction of its modulation (0 degrees: vertical"
          + " stripes), that of a bar the direction of its long axis (0 degrees: horizontal). Both"
          + " increase clockwise on the screen; a grating's stripes run along modulation + 90"
          + " degrees.";

  /** How a run was begun; enough to resume or to repeat it. */
  private record Metadata(
      String targetLayer,
      int imageSize,
      int timesteps,
      @Nullable Precision precision,
      boolean saveResponses,
      boolean trained,
      Settings settings,
      List<String> experiments,
      String weightsSha256,
      @Nullable List<String> controls,
      @Nullable NetworkSource source,
      ObjectNode network) {}

  private final Study study;
  private final Settings settings;
  private final Preparation preparation;
  private final List<Experiment<?>> experiments;
  private final boolean saveResponses;
  private final Map<String, ReferenceCurve> curves = new LinkedHashMap<>();
  private final Set<Control> controls = new LinkedHashSet<>();
  private final Set<RecordingExport.Format> formats = EnumSet.noneOf(RecordingExport.Format.class);
  private @Nullable Shard shard;

  private InSilico(
      Study study,
      Settings settings,
      Preparation preparation,
      List<Experiment<?>> experiments,
      boolean saveResponses) {
    this.study = study;
    this.settings = settings;
    this.preparation = preparation;
    this.experiments = experiments;
    this.saveResponses = saveResponses;
  }

  /**
   * Opens a folder for a run. Where the folder holds results of the same settings, units and
   * weights, these experiments are added to them.
   *
   * @param names of experiments; {@code all} for every one
   * @param source where the network comes from; null where the run need not be repeatable
   * @param network facts to note about it: {@code checkpoint}, which the report names first, hashes
   * @param saveResponses whether all responses are written as {@code .npy}
   * @throws IllegalArgumentException for an unknown experiment
   * @throws IllegalStateException where the folder holds another run; it says how that differs
   */
  public static InSilico open(
      Path folder,
      List<String> names,
      Settings settings,
      Preparation preparation,
      @Nullable NetworkSource source,
      Map<String, ?> network,
      boolean saveResponses,
      Study.Existing existing,
      Progress progress)
      throws IOException {
    List<Experiment<?>> wanted = Experiments.named(names, settings.mode());
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("target_layer", preparation.layer());
    about.put("image_size", preparation.size());
    about.put("timesteps", preparation.timesteps());
    about.put("precision", preparation.precision());
    about.put("save_responses", saveResponses);
    ObjectNode identity = Json.object(settings);
    identity.setAll(Json.object(about));
    about.put("controls", List.of()); // the strict reader of results needs every component
    about.put("trained", preparation.trained());
    about.put("field_diameter_px", preparation.fieldDiameter());
    about.put("orientation_convention", CONVENTION);
    about.put("source", source);
    about.put("network", network);
    Study study =
        Study.open(
            folder,
            FILE,
            new Study.Identity("insilico", identity, preparation.digest()),
            about,
            existing,
            progress);
    var all = new TreeSet<String>(wanted.stream().map(Experiment::name).toList());
    study.metadata().path("experiments").forEach(e -> all.add(e.asText()));
    List<Experiment<?>> both = Experiments.named(List.copyOf(all), settings.mode());
    ArrayNode list = study.metadata().putArray("experiments");
    both.forEach(e -> list.add(e.name()));
    study.metadata().put("complete", false);
    return new InSilico(
        study,
        settings,
        preparation,
        Experiments.withRequired(both, settings.mode()),
        saveResponses);
  }

  private static Metadata metadata(Path path) throws IOException {
    try {
      return Json.read(read(path).path("metadata"), Metadata.class);
    } catch (DataException e) {
      throw new IOException(
          "%s is not the results file of a run: %s".formatted(path, e.getMessage()), e);
    }
  }

  private static Preparation preparation(
      Path path, Metadata metadata, Network network, int batchSize) {
    var preparation =
        new NetworkPreparation(
            network,
            metadata.targetLayer,
            metadata.imageSize,
            metadata.timesteps,
            batchSize,
            metadata.trained);
    if (!preparation.digest().equals(metadata.weightsSha256)) {
      throw new IllegalStateException(
          "the weights are not those of the run in %s, which were %s"
              .formatted(path, metadata.network.path("checkpoint").asText("others")));
    }
    return preparation;
  }

  /**
   * Where the network of a run comes from; null where the run did not say.
   *
   * @param path the results file or the folder of a run
   */
  public static @Nullable NetworkSource source(Path path) throws IOException {
    return metadata(path).source;
  }

  /**
   * The precision that a run's network computed in.
   *
   * @param path the results file or the folder of a run
   */
  public static Precision precision(Path path) throws IOException {
    Precision noted = metadata(path).precision;
    return noted == null ? Precision.FLOAT32 : noted;
  }

  /**
   * Opens a run that was interrupted, to continue it.
   *
   * @param path its results file or folder
   * @param network the network of the run, see {@link #source} and {@link #precision}; it stays the
   *     caller's
   * @throws IOException when there is no run
   * @throws IllegalStateException where the network's weights are not the run's
   */
  public static InSilico resume(Path path, Network network, int batchSize, Progress progress)
      throws IOException {
    Path folder = Files.isDirectory(path) ? path : path.toAbsolutePath().resolveSibling("");
    return repeat(path, folder, network, batchSize, Study.Existing.CONTINUE, progress);
  }

  /**
   * Opens a folder to repeat a run.
   *
   * @param path the results file or the folder of the run
   * @param folder where it is repeated
   * @param network the network of the run, see {@link #source} and {@link #precision}; it stays the
   *     caller's
   * @throws IOException when there is no run
   * @throws IllegalStateException where the network's weights are not the run's
   */
  public static InSilico repeat(
      Path path,
      Path folder,
      Network network,
      int batchSize,
      Study.Existing existing,
      Progress progress)
      throws IOException {
    Metadata metadata = metadata(path);
    InSilico run =
        open(
            folder,
            metadata.experiments,
            metadata.settings,
            preparation(path, metadata, network, batchSize),
            metadata.source,
            Json.MAPPER.convertValue(
                metadata.network, new TypeReference<LinkedHashMap<String, Object>>() {}),
            metadata.saveResponses,
            existing,
            progress);
    List<String> controls = metadata.controls;
    return controls == null ? run : run.controls(Control.parse(controls));
  }

  /**
   * The results of a run.
   *
   * @param path its results file or folder
   * @throws IOException when there is none, or it is not a results file
   */
  public static ObjectNode read(Path path) throws IOException {
    return Study.read(path, FILE);
  }

  /** Whether a folder holds results. */
  public static boolean holdsResults(Path folder) throws IOException {
    return Study.exists(folder, FILE);
  }

  /**
   * Compares an experiment's curve with a recording: after the run the model is shown the
   * recording's own conditions, and its figure shows both.
   *
   * @param experiment one of this run's
   * @param curve in the units of the figure's axes
   * @throws IllegalArgumentException for an experiment that has no such curve, and for values of x
   *     at which there is none
   */
  public InSilico compare(String experiment, ReferenceCurve curve) {
    List<Experiment<?>> able = experiments.stream().filter(e -> e.curve() != null).toList();
    Experiment<?> compared =
        able.stream()
            .filter(e -> Experiments.isNamed(e, experiment))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException(noCurve(experiment, able)));
    curves.put(compared.name(), curve);
    return this;
  }

  private static String noCurve(String experiment, List<Experiment<?>> able) {
    return able.isEmpty()
        ? "no experiment of this run has a curve to compare recordings with"
        : "there is no curve of %s to compare recordings with; this run has those of %s"
            .formatted(experiment, String.join(", ", able.stream().map(Experiment::name).toList()));
  }

  /**
   * Runs the same experiments on control networks as well, in folders {@code controls/NAME}, and
   * compares.
   */
  public InSilico controls(List<Control> more) {
    controls.addAll(more);
    ArrayNode texts = study.metadata().putArray("controls");
    controls.forEach(c -> texts.add(c.name()));
    return this;
  }

  /** Writes responses that are saved in other formats as well. */
  public InSilico export(Collection<RecordingExport.Format> more) {
    formats.addAll(more);
    return this;
  }

  /** The results file. */
  public Path file() {
    return study.file();
  }

  /** The report. */
  public Path report() {
    return study.folder().resolve("report.html");
  }

  /** Everything that was found so far, as in the file. */
  public ObjectNode results() {
    return study.results();
  }

  /** About how many stimuli each experiment that has not run yet will show. */
  public Map<String, Integer> plan() {
    Map<String, Integer> plan = new LinkedHashMap<>();
    for (Experiment<?> e : experiments) {
      if (!study.has(e.key())) {
        plan.put(e.name(), e.stimuli(RunContext.preview(preparation.size(), settings)));
      }
    }
    return plan;
  }

  /**
   * Runs the experiments that have not run yet, and writes figures, tables and the report.
   *
   * @throws IOException when a file cannot be written
   * @throws IllegalArgumentException where a stimulus does not fit into the image
   * @throws IllegalStateException where a response is not finite
   * @throws CancellationException where {@link Progress#canceled} says so; what is done is kept in
   *     the folder
   */
  public void run() throws IOException {
    Shard part = shard;
    if (part != null) {
      runShard(part);
      return;
    }
    runExperiments("", experiments);
    noteSteadyState();
    Map<Control, ObjectNode> results = new LinkedHashMap<>();
    for (Control c : controls) {
      ObjectNode result = runControl(c, experiments);
      if (result != null) {
        results.put(c, result);
      }
    }
    finish(results);
  }

  /** Compares with the controls, and writes the report. */
  private void finish(Map<Control, ObjectNode> results) throws IOException {
    if (!controls.isEmpty()) {
      compare(results);
    }
    TestsOverUnits.adjust(byKey(study, experiments));
    judge();
    new InSilicoReport(study, settings, preparation, experiments, !controls.isEmpty()).write();
    study.complete(true);
  }

  /**
   * Runs by a protocol, which the report names with its digest and judges.
   *
   * @param name of its file
   * @param sha256 of its file
   * @throws IllegalStateException where the folder holds a run by another protocol
   */
  public InSilico protocol(Protocol protocol, String name, String sha256) {
    String before = study.metadata().path(Protocol.KEY).path("sha256").asText();
    if (!before.isEmpty() && !before.equals(sha256)) {
      throw new IllegalStateException(
          study.folder() + " holds a run by another protocol: choose another folder");
    }
    ObjectNode noted = protocol.json();
    noted.put("file", name);
    noted.put("sha256", sha256);
    study.metadata().set(Protocol.KEY, noted);
    return this;
  }

  private void judge() {
    if (study.metadata().path(Protocol.KEY) instanceof ObjectNode noted) {
      Protocol protocol = Protocol.of(noted);
      experiments.stream()
          .filter(e -> Experiments.isNamed(e, protocol.experiment()))
          .findFirst()
          .ifPresent(
              e ->
                  noted.set(
                      "verdict",
                      Json.object(protocol.judge((ObjectNode) study.results().path(e.key())))));
    }
  }

  /** Whether the network rests under a grating, ten times as long as it usually runs. */
  private void noteSteadyState() {
    if (!study.metadata().has(STEADY_STATE)) {
      Frame frame = Frame.of(preparation.size(), preparation.size());
      var grating =
          new Grating(
              frame,
              new Sine(45, frame.height() / settings.pixels(12.8), 0, settings.contrast()),
              null);
      preparation
          .onNetwork(
              (network, options) ->
                  SteadyState.of(network, options, grating, 10 * preparation.timesteps()))
          .ifPresent(found -> study.metadata().set(STEADY_STATE, Json.object(found)));
    }
  }

  /** The results of a control; null where there is none of its kind. */
  private @Nullable ObjectNode runControl(Control c, List<Experiment<?>> some) throws IOException {
    try (Preparation control = preparation.control(c)) {
      if (control == null) {
        study.progress().note("this network has no control " + c.name());
        return null;
      }
      InSilico run =
          open(
              study.folder().resolve(folder(c)),
              some.stream().map(Experiment::name).toList(),
              settings,
              control,
              null,
              Map.of("checkpoint", c.group()),
              false,
              Study.Existing.REPLACE_OTHERS, // which --force leaves of a run that it replaces
              study.progress());
      run.curves.putAll(curves);
      try {
        run.runExperiments(c.name() + ": ", some);
      } catch (CancellationException e) { // a kind of IllegalStateException
        throw e;
      } catch (IllegalStateException e) { // as from a network that diverges
        study.progress().note("%s is skipped: %s".formatted(c.name(), e.getMessage()));
        return null;
      }
      run.study.complete(true);
      return run.results();
    }
  }

  private static String folder(Control c) {
    return "controls/" + c.name();
  }

  private void compare(Map<Control, ObjectNode> results) throws IOException {
    var comparison = new ControlComparison(results);
    Map<String, ObjectNode> network = byKey(study, experiments);
    network.forEach(comparison::addTo);
    ControlComparison.adjust(network, primary(experiments));
    for (Experiment<?> e : experiments) {
      ObjectNode result = network.getOrDefault(e.key(), Json.MAPPER.createObjectNode());
      writeTables(e, result);
      study.put(e.key(), result);
    }
    study.write("controls.csv", comparison.csv(network));
  }

  // Shards

  /** Key of the metadata of a shard: what its report would say of the units. */
  private static final String UNITS = "units";

  /** An experiment on the network, or on a control. */
  private record Unit(@Nullable Control control, Experiment<?> experiment) {
    String name() {
      return (control == null ? "" : control.name() + ": ") + experiment.name();
    }
  }

  /**
   * Runs a part of the experiments on the network and its controls, for {@link #merge}. What these
   * require is run as well.
   *
   * @throws IllegalStateException where the folder holds a part of other experiments
   */
  public InSilico shard(Shard part) {
    shard = part;
    Shards.mark(study, part, units().stream().map(Unit::name).toList());
    return this;
  }

  private List<Unit> units() {
    List<Unit> units = new ArrayList<>();
    experiments.forEach(e -> units.add(new Unit(null, e)));
    controls.forEach(c -> experiments.forEach(e -> units.add(new Unit(c, e))));
    return units;
  }

  private void runShard(Shard part) throws IOException {
    study.metadata().set(UNITS, Json.object(RecordedUnits.of(preparation)));
    study.save();
    Map<String, List<Experiment<?>>> own = new LinkedHashMap<>();
    Map<String, Control> named = new LinkedHashMap<>();
    for (Unit unit : part.block(units())) {
      Control c = unit.control;
      String of = c == null ? "" : c.name();
      if (c != null) {
        named.put(of, c);
      }
      own.computeIfAbsent(of, n -> new ArrayList<>()).add(unit.experiment);
    }
    for (Map.Entry<String, List<Experiment<?>>> of : own.entrySet()) {
      List<Experiment<?>> some = Experiments.withRequired(of.getValue(), settings.mode());
      Control c = named.get(of.getKey());
      if (c == null) {
        runExperiments("", some);
        noteSteadyState();
      } else {
        runControl(c, some);
      }
    }
    study.complete(true);
  }

  /**
   * Joins the shards of a run, and finishes it as the run itself would have; no network is needed.
   *
   * @param folders of all shards
   * @throws IllegalStateException where they are not the shards of one run, or the folder holds
   *     another one
   */
  public static InSilico merge(
      List<Path> folders, Path output, Study.Existing existing, Progress progress)
      throws IOException {
    Shards shards = Shards.read(folders, FILE);
    Study study = shards.open(output, existing, progress);
    shards.link(output, to -> true);
    Metadata metadata = Json.read(study.metadata(), Metadata.class);
    RecordedUnits units = Json.read(study.metadata().path(UNITS), RecordedUnits.class);
    study.metadata().remove(UNITS);
    List<Experiment<?>> experiments =
        Experiments.withRequired(
            Experiments.named(metadata.experiments, metadata.settings.mode()),
            metadata.settings.mode());
    var run = new InSilico(study, metadata.settings, units, experiments, metadata.saveResponses);
    List<String> texts = metadata.controls;
    run.controls.addAll(Control.parse(texts == null ? List.of() : texts));
    Map<Control, ObjectNode> results = new LinkedHashMap<>();
    for (Control c : run.controls) {
      Study control = shards.open(output, folder(c), progress);
      if (control != null) {
        ArrayNode names = control.metadata().putArray("experiments");
        experiments.stream().filter(e -> control.has(e.key())).forEach(e -> names.add(e.name()));
        control.complete(true);
        results.put(c, control.results());
      }
    }
    run.finish(results);
    return run;
  }

  /** The primary numbers of experiments by the keys of their results. */
  static Map<String, String> primary(List<Experiment<?>> experiments) {
    Map<String, String> out = new LinkedHashMap<>();
    experiments.forEach(e -> out.put(e.key(), e.description().primary()));
    return out;
  }

  /** The results of experiments by their keys. */
  static Map<String, ObjectNode> byKey(Study study, List<Experiment<?>> experiments) {
    Map<String, ObjectNode> out = new LinkedHashMap<>();
    experiments.forEach(e -> out.put(e.key(), (ObjectNode) study.results().path(e.key())));
    return out;
  }

  private void runExperiments(String prefix, List<Experiment<?>> some) throws IOException {
    study.save(); // fails at once where the folder cannot be written to
    for (int i = 0; i < some.size(); i++) {
      Experiment<?> e = some.get(i);
      if (!study.has(e.key())) {
        study.progress().begin(prefix + e.name(), i + 1, some.size());
        study.progress().finish(prefix + e.name(), run(e));
      }
      ReferenceCurve curve = curves.get(e.name());
      if (curve != null) {
        compare(e, curve);
      }
    }
  }

  private <C> List<Path> run(Experiment<C> e) throws IOException {
    long start = System.nanoTime();
    ChunkRecorder recorder = recorder(e.key(), saveResponses ? e.name() : null);
    RunContext context = context(recorder);
    Findings findings = e.analyze(context, context.record(e.design(context)));
    ObjectNode result = findings.json();
    result.put("primary", e.description().primary());
    result.put("layer", preparation.layer());
    result.put("state", preparation.states().getFirst().word());
    result.put("timesteps", preparation.timesteps());
    result.put("image_size", preparation.size());
    result.put("pixels_per_degree", settings.pixelsPerDegree());
    result.put("stimuli", recorder.stimuli());
    result.put("seconds", Math.round((System.nanoTime() - start) / 1e8) / 10.0);
    List<Path> files = writeTables(e, result);
    study.put(e.key(), result);
    return files;
  }

  private ChunkRecorder recorder(String step, @Nullable String responses) {
    return new ChunkRecorder(study, preparation, settings, step, responses, formats);
  }

  private RunContext context(ChunkRecorder recorder) {
    Map<String, ObjectNode> findings = new LinkedHashMap<>();
    for (Experiment<?> e : experiments) {
      if (study.has(e.key())) {
        findings.put(e.key(), (ObjectNode) study.results().path(e.key()));
      }
    }
    return new RunContext(settings, preparation.size(), preparation, recorder, findings);
  }

  private List<Path> writeTables(Experiment<?> e, ObjectNode result) throws IOException {
    List<Path> files = new ArrayList<>();
    if (result.has("units")) {
      files.add(study.write(e.name() + "_units.csv", UnitTable.csv(result.path("units"))));
    }
    if (!result.path("figures").isEmpty()) {
      files.add(study.write(e.name() + "_figures.csv", Findings.csv(result)));
    }
    return files;
  }

  private <C> void compare(Experiment<C> e, ReferenceCurve recorded) throws IOException {
    Experiment.ModelCurve<C> curve = e.curve();
    if (curve == null) {
      throw new AssertionError(e.name());
    }
    ObjectNode result = (ObjectNode) study.results().path(e.key());
    RunContext context = context(recorder(e.key() + "-curve", null));
    Recording<C> recording = context.record(curve.stimuli().at(context, recorded.x()));
    double[][] sample = curve.sample().at(context, recording, recorded.x());
    CurveComparison.of(recorded, sample, settings.seed()).addTo(result, curve);
    writeTables(e, result);
    study.put(e.key(), result);
  }

  /** An axis of timesteps, from 0. */
  public static Axis steps(int timesteps) {
    int every = Math.max(1, (timesteps + 7) / 8);
    return Axis.linear("Timestep")
        .ticks(
            IntStream.rangeClosed(0, (timesteps - 1) / every)
                .mapToDouble(i -> i * every)
                .toArray());
  }
}
