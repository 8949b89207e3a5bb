package org.gammanet.experiments.study;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.gammanet.model.Network;
import org.jspecify.annotations.Nullable;

/**
 * A run of experiments in a folder: {@code insilico_results_<time>.json} with all numbers, tables
 * as CSV, figures as SVG and PNG, and a report, {@code report.html}.
 */
public final class InSilico {
  /** Name of the results file. */
  private static final String FILE = "insilico_results_{time}.json";

  /** Stimuli that are recorded before they are kept on disk. */
  private static final int CHUNK = 32;

  private static final String CONVENTION =
      "The orientation of a grating is the direction of its modulation (0 degrees: vertical"
          + " stripes), that of a bar the direction of its long axis (0 degrees: horizontal). Both"
          + " increase clockwise on the screen; a grating's stripes run along modulation + 90"
          + " degrees.";

  /** How a run was begun; enough to resume or to repeat it. */
  private record Metadata(
      String targetLayer,
      int imageSize,
      int timesteps,
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
    ObjectNode identity = Json.object(settings);
    identity.put("target_layer", preparation.layer());
    identity.put("image_size", preparation.size());
    identity.put("timesteps", preparation.timesteps());
    identity.put("save_responses", saveResponses);
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("target_layer", preparation.layer());
    about.put("image_size", preparation.size());
    about.put("timesteps", preparation.timesteps());
    about.put("save_responses", saveResponses);
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
    } catch (IllegalArgumentException e) {
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
   * Opens a run that was interrupted, to continue it.
   *
   * @param path its results file or folder
   * @param network the network of the run, see {@link #source}; it stays the caller's
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
   * @param network the network of the run, see {@link #source}; it stays the caller's
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
    List<String> able =
        experiments.stream().filter(e -> e.curve() != null).map(Experiment::name).toList();
    String name = experiment.equals("contrast") ? "contrast_response" : experiment;
    if (!able.contains(name)) {
      throw new IllegalArgumentException(
          able.isEmpty()
              ? "no experiment of this run has a curve to compare recordings with"
              : "there is no curve of %s to compare recordings with; this run has those of %s"
                  .formatted(experiment, String.join(", ", able)));
    }
    curves.put(name, curve);
    return this;
  }

  /**
   * Runs the same experiments on control networks as well, in folders {@code controls/NAME}, and
   * compares.
   */
  public InSilico controls(List<Control> more) {
    controls.addAll(more);
    ArrayNode texts = study.metadata().putArray("controls");
    controls.forEach(
        c ->
            texts.add(
                Json.name(c.kind())
                    + ":"
                    + (c.lesion() == null ? "" + c.number() : Json.name(c.lesion()))));
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
   * @throws java.util.concurrent.CancellationException where {@link Progress#cancelled} says so;
   *     what is done is kept in the folder
   */
  public void run() throws IOException {
    runExperiments("");
    if (!controls.isEmpty()) {
      runControls();
    }
    writeReport();
    study.complete(true);
  }

  private void runControls() throws IOException {
    Map<Control, ObjectNode> results = new LinkedHashMap<>();
    for (Control c : controls) {
      try (Preparation control = preparation.control(c)) {
        if (control == null) {
          study.progress().note("this network has no control " + c.name());
          continue;
        }
        InSilico run =
            open(
                study.folder().resolve("controls").resolve(c.name()),
                experiments.stream().map(Experiment::name).toList(),
                settings,
                control,
                null,
                Map.of("checkpoint", c.group()),
                false,
                Study.Existing.CONTINUE,
                study.progress());
        run.curves.putAll(curves);
        run.runExperiments(c.name() + ": ");
        run.study.complete(true);
        results.put(c, run.results());
      } catch (IllegalStateException e) {
        study.progress().note("%s is left out: %s".formatted(c.name(), e.getMessage()));
      }
    }
    var comparison = new ControlComparison(results);
    for (Experiment<?> e : experiments) {
      ObjectNode result = (ObjectNode) study.results().path(e.key());
      comparison.addTo(e.key(), result);
      writeTables(e, result);
      study.put(e.key(), result);
    }
    study.write("controls.csv", comparison.csv(byKey()));
  }

  private Map<String, ObjectNode> byKey() {
    Map<String, ObjectNode> out = new LinkedHashMap<>();
    experiments.forEach(e -> out.put(e.key(), (ObjectNode) study.results().path(e.key())));
    return out;
  }

  private void runExperiments(String prefix) throws IOException {
    study.save(); // fails at once where the folder cannot be written to
    for (int i = 0; i < experiments.size(); i++) {
      Experiment<?> e = experiments.get(i);
      if (!study.has(e.key())) {
        study.progress().begin(prefix + e.name(), i + 1, experiments.size());
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
    var recorder = new Recorder(e.key(), saveResponses ? e.name() : null);
    RunContext context = context(recorder);
    Findings findings = e.analyze(context, context.record(e.design(context)));
    ObjectNode result = findings.json();
    result.put("layer", preparation.layer());
    result.put("state", preparation.states().getFirst().word());
    result.put("timesteps", preparation.timesteps());
    result.put("image_size", preparation.size());
    result.put("pixels_per_degree", settings.pixelsPerDegree());
    result.put("stimuli", recorder.stimuli);
    result.put("seconds", Math.round((System.nanoTime() - start) / 1e8) / 10.0);
    List<Path> files = writeTables(e, result);
    study.put(e.key(), result);
    return files;
  }

  private RunContext context(Recorder recorder) {
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
    RunContext context = context(new Recorder(e.key() + "-curve", null));
    Recording<C> recording = context.record(curve.design(context, recorded.x()));
    double[][] sample = curve.sample(context, recording, recorded.x());
    CurveComparison.of(recorded, sample, settings.seed()).addTo(result, curve);
    writeTables(e, result);
    study.put(e.key(), result);
  }

  private void writeReport() throws IOException {
    ObjectNode metadata = study.metadata();
    String network = metadata.path("network").path("checkpoint").asText();
    var report = new HtmlReport("In silico physiology of " + preparation.layer());
    report.lead(
        "%s of %d experiments on %s: %d channels, %d timesteps, images of %d × %d px.%s"
            .formatted(
                settings.mode() == Mode.OWN
                    ? "Results"
                    : "Results, computed as the original computes them,",
                experiments.size(),
                preparation.layer(),
                preparation.channels(),
                preparation.timesteps(),
                preparation.size(),
                preparation.size(),
                network.isEmpty() ? "" : " Network: " + network + "."));
    if (!preparation.trained()) {
      report.warning(
          "The network is untrained: its weights are random. The numbers and figures below show how"
              + " the experiments work and say nothing about physiology.");
    }
    String footer = preparation.trained() ? "" : "untrained network: random weights";
    overview(report, footer);
    if (!controls.isEmpty()) {
      ControlComparison.addTo(report, byKey());
    }
    for (Experiment<?> e : experiments) {
      ObjectNode result = (ObjectNode) study.results().path(e.key());
      report.section(e.title());
      report.text(e.about());
      Findings.addTo(report, result, footer);
      for (FigureSpec figure : Findings.figures(result)) {
        study.write(figure.name(), figure.draw(footer));
      }
    }
    report.section("Parameters");
    Map<String, String> values = new LinkedHashMap<>();
    metadata
        .path("network")
        .fields()
        .forEachRemaining(
            f -> {
              if (f.getValue().isValueNode() && f.getValue().asText().length() < 200) {
                values.put(f.getKey().replace('_', ' '), f.getValue().asText());
              }
            });
    values.put("digest of the weights", metadata.path("weights_sha256").asText());
    values.put(
        "recorded states", preparation.states().stream().map(State::word).toList().toString());
    String degrees = Format.number(preparation.size() / settings.pixelsPerDegree());
    values.put(
        "image",
        "%d × %d px, %s × %s deg at %s px/deg"
            .formatted(
                preparation.size(),
                preparation.size(),
                degrees,
                degrees,
                Format.number(settings.pixelsPerDegree())));
    if (preparation.fieldDiameter() > 0) {
      values.put("feed-forward receptive field", preparation.fieldDiameter() + " px");
    }
    metadata
        .path("settings")
        .fields()
        .forEachRemaining(f -> values.put(f.getKey().replace('_', ' '), f.getValue().asText()));
    values.put("java", metadata.path("java").asText());
    values.put("started", metadata.path("timestamp").asText());
    report.values(values);
    report.text(CONVENTION);
    report.text(
        "Units are the channels of the layer at the image's center unless stated otherwise. The"
            + " network is deterministic: intervals and tests are over units of one network, which"
            + " are not independent of each other. The response to a blank is subtracted from all"
            + " responses.");
    report.text(
        "All numbers, and the network's configuration, are in %s; the tables *_units.csv have a row per unit, population and timestep, the tables *_figures.csv the numbers of each figure."
            .formatted(file().getFileName()));
    report.footer(
        "GammaNet %s, Java %s"
            .formatted(
                metadata.path("network").path("version").asText("(version unknown)"),
                metadata.path("java").asText()));
    study.write(report);
  }

  /** One figure of all experiments: a panel of each that has one, and a table. */
  private void overview(HtmlReport report, String footer) throws IOException {
    List<Panel> panels = new ArrayList<>();
    List<Series> dynamics = new ArrayList<>();
    List<List<String>> rows = new ArrayList<>();
    for (Experiment<?> e : experiments) {
      ObjectNode result = (ObjectNode) study.results().path(e.key());
      Panel panel = Findings.overviewPanel(result);
      if (panel != null) {
        panels.add(panel.moved(panels.size() / 3, panels.size() % 3));
      }
      Series series = Findings.overviewDynamics(result);
      if (series != null) {
        dynamics.add(series.style(Style.series(dynamics.size()).label(series.name())));
      }
      Findings.highlights(result).forEach((label, text) -> rows.add(List.of(label, text)));
    }
    if (panels.size() < 2) {
      return;
    }
    int last = (panels.size() + 2) / 3;
    Figure figure = new Figure(16, 4 * (last + 1)).letters();
    if (!footer.isEmpty()) {
      figure.footer(footer);
    }
    panels.forEach(p -> p.drawIn(figure));
    if (!dynamics.isEmpty()) {
      Panel.at(last, 0, "dynamics")
          .span(2)
          .title("Indices over time")
          .axes(steps(preparation.timesteps()), Axis.linear("Index"))
          .horizontal(0)
          .legend(Plot.Legend.OUTSIDE)
          .add(dynamics)
          .drawIn(figure);
    }
    figure.panel(last, 2).title("Summary").table(rows);
    study.write("insilico_summary", figure);
    report.section("Summary");
    report.figure(
        figure,
        "All experiments. Means over units, or over stimuli for the tilt illusion, with bootstrap"
            + " intervals of 95 %; details below.");
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

  /** Records in chunks, which are kept on disk until the experiment is done. */
  private final class Recorder implements RunContext.Recorder {
    private final String step;
    private final @Nullable String responses;
    private int records;
    private int stimuli;

    /** Records for a step; {@code responses} names the files of responses, if they are kept. */
    Recorder(String step, @Nullable String responses) {
      this.step = step;
      this.responses = responses;
    }

    @Override
    public <C> Responses record(Preparation from, Design<C> design) {
      List<Stimulus> all = new ArrayList<>(design.stimuli().stimuli());
      if (design.blank()) {
        all.add(new Blank(Frame.of(from.size(), from.size()), 0.5));
      }
      int before = stimuli;
      stimuli += all.size();
      records++;
      Responses out = null;
      try {
        for (int at = 0; at < all.size(); at += CHUNK) {
          StimulusSet part = StimulusSet.of(all.subList(at, Math.min(all.size(), at + CHUNK)));
          Responses chunk = chunk(from, design, part, before + at, all.size() > CHUNK);
          advance(before + at + part.size());
          out = out == null ? Responses.like(chunk, all.size()) : out;
          out.put(chunk, at);
        }
        if (out == null) {
          throw new AssertionError("a design has stimuli");
        }
        if (responses != null) {
          String name = responses + (records == 1 ? "" : "_" + records);
          out.writeNpy(study.folder().resolve("responses").resolve(name)).forEach(study::noted);
        }
        return out;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private void advance(int done) {
      study.progress().advance(step, done, stimuli, "");
      study.checkCancelled();
    }

    private Responses chunk(
        Preparation from, Design<?> design, StimulusSet part, int offset, boolean keep)
        throws IOException {
      Partial kept =
          study.partial(
              step,
              records,
              offset,
              design.pooling(),
              design.scaling(),
              design.output(),
              part.stimuli());
      if (!kept.isEmpty()) {
        Responses chunk = like(from, design, part);
        if (chunk.setFlat(kept.floats("responses"))) {
          return chunk;
        }
      }
      Responses chunk =
          from.record(
              part,
              design.pooling(),
              design.scaling(),
              design.output(),
              done -> advance(offset + done));
      if (keep) {
        float[] flat = chunk.flat();
        kept.put("responses", flat, flat.length).save();
      }
      return chunk;
    }

    private static Responses like(Preparation from, Design<?> design, StimulusSet part) {
      int points = design.pooling() instanceof Pooling.Units units ? units.at().size() : 1;
      var out =
          new Responses(part.size(), IntStream.range(0, from.timesteps()).boxed().toList(), points);
      for (State state : from.states()) {
        out.add(from.layer(), state, from.channels() * points);
      }
      if (design.output()) {
        out.add("output", State.FEEDFORWARD, points);
      }
      return out;
    }

    @Override
    public @Nullable ReceptiveField gradient(State state, int after, int draws) {
      int before = stimuli;
      stimuli += draws;
      return preparation.gradient(
          state, after, draws, settings.seed(), done -> advance(before + done));
    }

    @Override
    public void note(String sentence) {
      study.progress().note(sentence);
    }
  }
}
