package org.gammanet.experiments.insilico;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.Npy;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * A run of experiments in a folder: {@code insilico_results_<time>.json} with everything that was
 * found, tables as CSV, figures as SVG and PNG, and one report, {@code report.html}.
 *
 * <p>The JSON is written after each experiment, and recordings of the one that is being made are
 * kept beside it, so that a run which was interrupted goes on where it was. All numbers follow from
 * the JSON's settings and the network's weights.
 */
public final class InSilico {
  private static final String PARTIAL = ".partial";

  /** Stimuli that are recorded before they are kept on disk. */
  private static final int CHUNK = 32;

  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd_HHmmss");

  /** What happens in a run. */
  public interface Listener {
    /** An experiment begins. */
    default void begins(String experiment, int number, int of) {}

    /** So many of its stimuli are recorded; the total grows where it records several sets. */
    default void recorded(int done, int total) {}

    /** An experiment is over; files of its own were written. */
    default void finished(String experiment, List<Path> files) {}

    /** Something the user should know. */
    default void note(String sentence) {}
  }

  private final Path folder;
  private final Path file;
  private final ObjectNode root;
  private final Settings settings;
  private final Preparation preparation;
  private final List<String> wanted;
  private final boolean saveResponses;
  private final Listener listener;

  private InSilico(
      Path folder,
      Path file,
      ObjectNode root,
      Settings settings,
      Preparation preparation,
      List<String> wanted,
      boolean saveResponses,
      Listener listener) {
    this.folder = folder;
    this.file = file;
    this.root = root;
    this.settings = settings;
    this.preparation = preparation;
    this.wanted = wanted;
    this.saveResponses = saveResponses;
    this.listener = listener;
  }

  /**
   * A new run.
   *
   * @param experiments names; {@code all} for every one
   * @param about what is to be noted of the network: {@code checkpoint}, which the report names
   *     first, hashes, versions
   * @throws IllegalArgumentException for an unknown experiment, or one that has no parity form
   */
  public static InSilico start(
      Path folder,
      List<String> experiments,
      Settings settings,
      Preparation preparation,
      Map<String, ?> about,
      boolean saveResponses,
      Listener listener) {
    List<String> wanted = names(experiments, settings.mode());
    String time = LocalDateTime.now(java.time.ZoneId.systemDefault()).format(TIME);
    ObjectNode root = Result.JSON.createObjectNode();
    ObjectNode metadata = root.putObject("metadata");
    metadata.put("timestamp", time);
    metadata.put("target_layer", preparation.layer());
    metadata.set("network", Result.JSON.valueToTree(about));
    metadata.set("settings", settings.toJson());
    ArrayNode list = metadata.putArray("experiments");
    wanted.forEach(list::add);
    metadata.put("image_size", preparation.size());
    metadata.put("timesteps", preparation.timesteps());
    metadata.put("save_responses", saveResponses);
    metadata.put("trained", preparation.trained());
    metadata.put("field_diameter_px", preparation.fieldDiameter());
    metadata.put("orientation_convention", CONVENTION);
    metadata.put("java", System.getProperty("java.version", ""));
    metadata.put("complete", false);
    return new InSilico(
        folder,
        folder.resolve("insilico_results_" + time + ".json"),
        root,
        settings,
        preparation,
        wanted,
        saveResponses,
        listener);
  }

  private static final String CONVENTION =
      "Gratings: direction of modulation (0 degrees: vertical stripes). Bars: direction of the long"
          + " axis (0 degrees: horizontal). Both turn clockwise on the screen; a grating's stripes"
          + " run along modulation + 90 degrees.";

  /**
   * The experiments of these names in the order in which they are made.
   *
   * @throws IllegalArgumentException for an unknown one, and for one that has no parity form
   */
  public static List<String> names(List<String> experiments, Mode mode) {
    List<String> known =
        (mode == Mode.OWN ? Experiment.all() : Experiment.parity())
            .stream().map(Experiment::name).toList();
    Set<String> asked = new LinkedHashSet<>();
    for (String name : experiments) {
      String n = name.equals("contrast") ? "contrast_response" : name;
      if (n.equals("all")) {
        asked.addAll(known);
      } else if (known.contains(n)) {
        asked.add(n);
      } else if (Experiment.all().stream().anyMatch(e -> e.name().equals(n))) {
        throw new IllegalArgumentException(
            "%s is not among the original's experiments; parity has %s"
                .formatted(n, String.join(", ", known)));
      } else {
        throw new IllegalArgumentException(
            "there is no experiment %s; there are %s and all"
                .formatted(n, String.join(", ", known)));
      }
    }
    if (asked.isEmpty()) {
      throw new IllegalArgumentException("no experiment is given");
    }
    return known.stream().filter(asked::contains).toList();
  }

  /**
   * The results file of a run.
   *
   * @param path the file, or the folder of a run, whose newest is taken
   * @throws IOException when there is none, or it is not a results file
   */
  public static JsonNode read(Path path) throws IOException {
    Path file = path;
    if (Files.isDirectory(path)) {
      List<Path> runs = runs(path);
      if (runs.isEmpty()) {
        throw new IOException("there is no insilico_results_….json in the folder " + path);
      }
      file = runs.getLast();
    }
    try {
      JsonNode node = Result.JSON.readTree(file.toFile());
      if (!node.path("metadata").path("settings").isObject()) {
        throw new IOException(file + " is not the results file of a run: it has no settings");
      }
      return node;
    } catch (JsonProcessingException e) {
      throw new IOException(file + " is not the results file of a run: it is damaged", e);
    }
  }

  /** The results files in a folder, from the oldest to the newest. */
  private static List<Path> runs(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> inside = Files.list(folder)) {
      return inside
          .filter(f -> f.getFileName().toString().matches("insilico_results_\\w+\\.json"))
          .sorted()
          .toList();
    }
  }

  /** Whether the folder holds results already. */
  public static boolean holdsResults(Path folder) throws IOException {
    return !runs(folder).isEmpty();
  }

  /**
   * This run, or, where its folder holds one of the same settings, units and weights, that one with
   * this one's experiments added.
   *
   * @throws IllegalStateException where the folder holds a run that differs; it says in what
   * @throws IOException as {@link #read}
   */
  public InSilico joined() throws IOException {
    List<Path> runs = runs(folder);
    if (runs.isEmpty()) {
      return this;
    }
    ObjectNode earlier = (ObjectNode) read(runs.getLast());
    ObjectNode was = (ObjectNode) earlier.path("metadata");
    JsonNode is = root.path("metadata");
    List<String> differences = new ArrayList<>();
    for (String name : List.of("target_layer", "image_size", "timesteps", "save_responses")) {
      compare(name, was.path(name), is.path(name), differences);
    }
    is.path("settings")
        .fieldNames()
        .forEachRemaining(
            name ->
                compare(
                    name,
                    was.path("settings").path(name),
                    is.path("settings").path(name),
                    differences));
    String hash = "weights_sha256";
    if (!was.path("network").path(hash).equals(is.path("network").path(hash))) {
      differences.add("other weights");
    }
    if (!differences.isEmpty()) {
      throw new IllegalStateException(
          "%s holds the results of another run (%s): choose another folder, or replace what is there"
              .formatted(folder, String.join(", ", differences)));
    }
    Set<String> all = new LinkedHashSet<>(wanted);
    was.path("experiments").forEach(e -> all.add(e.asText()));
    List<String> both = names(List.copyOf(all), settings.mode());
    ArrayNode list = was.putArray("experiments");
    both.forEach(list::add);
    was.put("complete", false);
    return new InSilico(
        folder, runs.getLast(), earlier, settings, preparation, both, saveResponses, listener);
  }

  private static void compare(String name, JsonNode was, JsonNode is, List<String> differences) {
    if (!was.asText().equals(is.asText())) {
      differences.add(
          "%s %s, not %s".formatted(name.replace('_', ' '), was.asText("?"), is.asText()));
    }
  }

  /**
   * Removes what earlier runs have written to a folder.
   *
   * @throws IOException when a file cannot be removed
   */
  public static void discard(Path folder) throws IOException {
    for (Path run : runs(folder)) {
      try {
        for (JsonNode name : Result.JSON.readTree(run.toFile()).path("metadata").path("files")) {
          Path own = folder.toAbsolutePath().normalize();
          Path file = own.resolve(name.asText()).normalize();
          if (file.startsWith(own) && Files.isRegularFile(file)) {
            Files.delete(file);
          }
        }
      } catch (JsonProcessingException e) {
        // Damaged: it does not say what it wrote.
      }
      Files.delete(run);
    }
    Path partial = folder.resolve(PARTIAL);
    if (Files.isDirectory(partial)) {
      try (Stream<Path> kept = Files.list(partial)) {
        for (Path file : kept.filter(f -> f.toString().endsWith(".npy")).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  /**
   * Goes on with a run.
   *
   * @param path its results file or folder
   * @throws IOException as {@link #read}
   * @throws IllegalArgumentException where the preparation is not the run's
   */
  public static InSilico resume(Path path, Preparation preparation, Listener listener)
      throws IOException {
    ObjectNode root = (ObjectNode) read(path);
    JsonNode metadata = root.path("metadata");
    if (!metadata.path("target_layer").asText().equals(preparation.layer())
        || metadata.path("image_size").asInt() != preparation.size()
        || metadata.path("timesteps").asInt() != preparation.timesteps()) {
      throw new IllegalArgumentException(
          "the run in %s records other units than the network that is given".formatted(path));
    }
    Path folder = Files.isDirectory(path) ? path : path.toAbsolutePath().resolveSibling("");
    String name = "insilico_results_" + metadata.path("timestamp").asText() + ".json";
    List<String> wanted = new ArrayList<>();
    metadata.path("experiments").forEach(e -> wanted.add(e.asText()));
    return new InSilico(
        folder,
        folder.resolve(name),
        root,
        Settings.fromJson(metadata.path("settings")),
        preparation,
        wanted,
        metadata.path("save_responses").asBoolean(),
        listener);
  }

  /**
   * Compares an experiment's curve with a recording, which its figure then shows in place of the
   * curve that illustrates.
   *
   * @param experiment one of this run's
   * @param curve in the units of the figure's axes
   * @throws IllegalArgumentException for an experiment that is not made here or has no such curve
   */
  public InSilico compare(String experiment, ReferenceCurve curve) {
    List<String> able =
        experiments().stream().filter(e -> e.comparable() != null).map(Experiment::name).toList();
    String name = experiment.equals("contrast") ? "contrast_response" : experiment;
    if (!able.contains(name)) {
      throw new IllegalArgumentException(
          able.isEmpty()
              ? "no experiment of this run has a curve to compare recordings with"
              : "there is no curve of %s to compare recordings with; this run has those of %s"
                  .formatted(experiment, String.join(", ", able)));
    }
    double[] errors = curve.standardErrors();
    if (errors != null && !Arrays.stream(errors).allMatch(se -> se > 0)) {
      throw new IllegalArgumentException(
          "a standard error of %s is not positive; leave them out where they are unknown"
              .formatted(curve.name()));
    }
    ObjectNode node = ((ObjectNode) root.path("metadata")).withObject("/curves").putObject(name);
    node.put("name", curve.name());
    node.set("x", Result.array(curve.x()));
    node.set("y", Result.array(curve.y()));
    if (errors != null) {
      node.set("standard_errors", Result.array(errors));
    }
    return this;
  }

  private void compare() throws IOException {
    for (Experiment e : experiments()) {
      JsonNode node = root.path("metadata").path("curves").path(e.name());
      Result result = made(e.key());
      Experiment.Comparable where = e.comparable();
      if (node.isObject() && result != null && where != null) {
        var curve =
            new ReferenceCurve(
                node.path("name").asText(),
                false,
                Result.numbers(node.path("x")),
                Result.numbers(node.path("y")),
                node.has("standard_errors") ? Result.numbers(node.path("standard_errors")) : null);
        int common = Page.measured(result, where, curve, settings.seed());
        write(e, result).forEach(this::noteFile);
        if (common < curve.x().length) {
          listener.note(
              "%d of %d points of %s lie beside the curve of %s, whose axes are %s"
                  .formatted(
                      curve.x().length - common,
                      curve.x().length,
                      curve.name(),
                      e.name(),
                      where.units()));
        }
      }
    }
  }

  /** The results file. */
  public Path file() {
    return file;
  }

  /** The report. */
  public Path report() {
    return folder.resolve("report.html");
  }

  /** Everything that was found so far, as in the file. */
  public JsonNode results() {
    return root;
  }

  private List<Experiment> experiments() {
    List<Experiment> all = settings.mode() == Mode.OWN ? Experiment.all() : Experiment.parity();
    Set<String> needed = new LinkedHashSet<>(wanted);
    for (Experiment e : all) {
      if (wanted.contains(e.name())) {
        if (e.needsPreferences()) {
          needed.add("orientation");
        }
        if (e.needsSize()) {
          needed.add("size_tuning");
        }
      }
    }
    return all.stream().filter(e -> needed.contains(e.name())).toList();
  }

  /** About how many stimuli each experiment that is not yet made will show. */
  public Map<String, Integer> plan() {
    Map<String, Integer> plan = new LinkedHashMap<>();
    for (Experiment e : experiments()) {
      if (!root.path(e.key()).isObject()) {
        plan.put(e.name(), e.stimuli(preparation.size(), settings));
      }
    }
    return plan;
  }

  /**
   * Makes the experiments that are not yet made, and writes figures, tables and the report.
   *
   * @throws IOException when a file cannot be written
   * @throws IllegalArgumentException where a stimulus does not fit into the image
   * @throws IllegalStateException where a response is not finite
   */
  public void run() throws IOException {
    Files.createDirectories(folder);
    save(); // says at once whether the folder can be written to
    List<Experiment> all = experiments();
    for (int i = 0; i < all.size(); i++) {
      Experiment e = all.get(i);
      if (root.path(e.key()).isObject()) {
        continue;
      }
      listener.begins(e.name(), i + 1, all.size());
      long start = System.nanoTime();
      var recorder = new Keeper(e);
      Result result =
          e.run(
              new Lab(
                  settings,
                  preparation,
                  recorder,
                  made("orientation_tuning"),
                  made("size_tuning"),
                  listener::note));
      result
          .put("layer", preparation.layer())
          .put("state", preparation.states().get(0).word())
          .put("timesteps", preparation.timesteps())
          .put("image_size", preparation.size())
          .put("pixels_per_degree", settings.pixelsPerDegree())
          .put("stimuli", recorder.stimuli)
          .put("seconds", Math.round((System.nanoTime() - start) / 1e8) / 10.0);
      root.set(e.key(), result.json());
      List<Path> files = write(e, result);
      files.forEach(this::noteFile);
      save();
      recorder.clear();
      listener.finished(e.name(), files);
    }
    ((ObjectNode) root.path("metadata")).put("complete", true);
    compare();
    writeReport(all);
    save();
  }

  /** Keeps in the results what was written, by its name in the folder. */
  private void noteFile(Path path) {
    ArrayNode files = ((ObjectNode) root.path("metadata")).withArray("files");
    String name = folder.relativize(path).toString();
    for (JsonNode known : files) {
      if (known.asText().equals(name)) {
        return;
      }
    }
    files.add(name);
  }

  private @Nullable Result made(String key) {
    return root.path(key) instanceof ObjectNode node ? new Result(node) : null;
  }

  private void save() throws IOException {
    write(file, Result.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer buffer = ByteBuffer.wrap(bytes);
          while (buffer.hasRemaining()) {
            channel.write(buffer);
          }
        });
  }

  /** The tables of an experiment. */
  private List<Path> write(Experiment e, Result result) throws IOException {
    List<Path> files = new ArrayList<>();
    for (String[] table :
        new String[][] {{"units", result.unitsCsv()}, {"figures", result.figuresCsv()}}) {
      if (table[1] != null) {
        Path csv = folder.resolve(e.name() + "_" + table[0] + ".csv");
        write(csv, table[1].getBytes(StandardCharsets.UTF_8));
        files.add(csv);
      }
    }
    return files;
  }

  private void writeReport(List<Experiment> all) throws IOException {
    JsonNode metadata = root.path("metadata");
    boolean trained = preparation.trained();
    String network = metadata.path("network").path("checkpoint").asText();
    var report = new HtmlReport("In silico physiology of " + preparation.layer());
    report.lead(
        "%s of %d experiments on %s, %d channels, %d timesteps, images of %d × %d px.%s"
            .formatted(
                settings.mode() == Mode.OWN ? "Results" : "Results, as the original computes them,",
                all.size(),
                preparation.layer(),
                preparation.channels(),
                preparation.timesteps(),
                preparation.size(),
                preparation.size(),
                network.isEmpty() ? "" : " Network: " + network + "."));
    if (!trained) {
      report.warning(
          "The network is untrained: its weights are random, so that the numbers and figures below"
              + " show how the experiments work and say nothing about physiology.");
    }
    String footer = trained ? "" : "untrained network: random weights";
    summary(report, footer);
    for (Experiment e : all) {
      Result result = made(e.key());
      if (result == null) {
        continue;
      }
      report.section(e.title());
      report.text(e.about());
      var page = new Page(report, footer);
      e.show(result, page);
      for (Map.Entry<String, Figure> figure : page.figures().entrySet()) {
        figure.getValue().write(folder.resolve(figure.getKey())).forEach(this::noteFile);
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
    values.put("layer", preparation.layer());
    values.put(
        "recorded states", preparation.states().stream().map(State::word).toList().toString());
    values.put("timesteps", "" + preparation.timesteps());
    values.put(
        "image",
        "%d × %d px, %s × %s deg at %s px/deg"
            .formatted(
                preparation.size(),
                preparation.size(),
                Result.shown(preparation.size() / settings.pixelsPerDegree()),
                Result.shown(preparation.size() / settings.pixelsPerDegree()),
                Result.shown(settings.pixelsPerDegree())));
    if (preparation.fieldDiameter() > 0) {
      values.put("feed-forward field", preparation.fieldDiameter() + " px");
    }
    settings
        .toJson()
        .fields()
        .forEachRemaining(f -> values.put(f.getKey().replace('_', ' '), f.getValue().asText()));
    values.put("java", metadata.path("java").asText());
    values.put("begun", metadata.path("timestamp").asText());
    report.values(values);
    report.text("Orientation: " + CONVENTION);
    report.text(
        "Units are the channels of the layer at the image's centre unless said otherwise. The"
            + " network is deterministic: intervals and tests are over units of one network, which"
            + " are not independent of each other. Responses are less those to a blank.");
    report.text(
        "All numbers, and the network's configuration, are in %s; the tables *_units.csv have a row for each unit, population and timestep, the tables *_figures.csv the numbers of each figure."
            .formatted(file.getFileName()));
    report.footer(
        "GammaNet %s, Java %s"
            .formatted(
                metadata.path("network").path("version").asText("(version unknown)"),
                metadata.path("java").asText()));
    report.write(report());
    noteFile(report());
  }

  private void summary(HtmlReport report, String footer) throws IOException {
    if (settings.mode() != Mode.OWN || root.size() < 5) {
      return;
    }
    Figure figure = new Figure(16, 12).letters();
    if (!footer.isEmpty()) {
      figure.footer(footer);
    }
    Result orientation = madeOrEmpty("orientation_tuning");
    Result contrast = madeOrEmpty("contrast_response");
    Result surround = madeOrEmpty("kinoshita");
    Result bars = madeOrEmpty("kapadia");
    Plot a =
        figure
            .panel(0, 0)
            .title(
                "Orientation, aligned (n = %d)"
                    .formatted(orientation.json().path("n_responsive").asInt()))
            .x(Axis.linear("Orientation − preferred (deg)").ticks(-90, -45, 0, 45, 90))
            .y(Axis.linear("Response (share of largest)"));
    bands(a, orientation, "orientation_tuning", "population");
    Plot b =
        figure
            .panel(0, 1)
            .title(Page.title("Contrast", contrast))
            .x(Axis.log("Contrast (%)").range(0.9, 112))
            .y(Axis.linear("Response (share of largest)"));
    bands(b, contrast, "contrast_response", "mean");
    Plot c =
        figure
            .panel(0, 2)
            .title(Page.title("Oriented surround", surround))
            .x(Axis.linear("Surround − centre (deg)").ticks(-90, -60, -30, 0, 30, 60, 90))
            .y(Axis.linear("Response / centre alone"));
    bands(c, surround, "kinoshita_surround", "response");
    Plot d =
        figure
            .panel(1, 0)
            .title(Page.title("Flankers", bars))
            .x(Axis.linear("Distance (px)"))
            .y(Axis.linear("Facilitation (%)"))
            .horizontal(0, Style.GUIDE);
    bands(d, bars, "kapadia_facilitation", "facilitation");
    Plot e =
        figure
            .panel(1, 1)
            .title(Page.title("Size", madeOrEmpty("size_tuning")))
            .x(Axis.linear("Diameter (px)"))
            .y(Axis.linear("Response (share of largest)"));
    bands(e, madeOrEmpty("size_tuning"), "size_tuning", "discs");
    Plot f =
        figure
            .panel(1, 2)
            .title(Page.title("Tilt illusion", madeOrEmpty("tilt_illusion")))
            .x(Axis.linear("|Surround − centre| (deg)").range(0, 95).ticks(0, 30, 60, 90))
            .y(Axis.linear("Bias (deg), > 0 repulsion"))
            .horizontal(0, Style.GUIDE);
    bands(f, madeOrEmpty("tilt_illusion"), "tilt_illusion", "folded");
    Plot g =
        figure
            .panel(2, 0, 1, 2)
            .title("Over time")
            .x(Page.steps(orientation))
            .y(Axis.linear("Index"))
            .horizontal(0, Style.GUIDE)
            .legend(Plot.Legend.OUTSIDE);
    int i = 0;
    for (String[] line :
        new String[][] {
          {"orientation_tuning", "orientation_population", "global selectivity"},
          {"size_tuning", "size_tuning", "size suppression"},
          {"kinoshita", "kinoshita_surround", "surround suppression"},
          {"texture_boundary", "texture_boundary", "boundary modulation"}
        }) {
      List<Result.Series> series = madeOrEmpty(line[0]).series(line[1], "dynamics");
      if (!series.isEmpty()) {
        Page.band(g, series.get(0), Style.series(i).label(line[2]));
      }
      i++;
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of(
            "responsive units",
            Result.shown(100 * orientation.number("fraction_responsive")) + " %"));
    rows.add(List.of("half width, median", quartile(orientation, "half_width_deg") + "°"));
    rows.add(List.of("circular variance", quartile(orientation, "circular_variance")));
    rows.add(List.of("c_{50}, median", Result.shown(contrast.number("c50_median"))));
    rows.add(
        List.of(
            "size suppression",
            Result.shown(madeOrEmpty("size_tuning").child("suppression_index").number("value"))));
    rows.add(
        List.of(
            "iso/cross index", Result.shown(surround.child("iso_cross_index").number("value"))));
    rows.add(
        List.of(
            "units facilitated", Result.shown(100 * bars.number("fraction_facilitated")) + " %"));
    rows.add(
        List.of(
            "boundary modulation",
            Result.shown(
                madeOrEmpty("texture_boundary").child("modulation_at_90").number("value"))));
    rows.add(
        List.of(
            "tilt repulsion",
            Result.shown(madeOrEmpty("tilt_illusion").number("peak_repulsion_deg")) + "°"));
    figure.panel(2, 2).title("Summary").table(rows);
    figure.write(folder.resolve("insilico_summary")).forEach(this::noteFile);
    report.section("Summary");
    report.figure(
        figure,
        "All experiments. Means over units, or over stimuli for the tilt illusion, with bootstrap"
            + " intervals of 95 %; details below.");
  }

  private static String quartile(Result r, String name) {
    double[] q = r.numbers(name + "_quartiles");
    return q.length == 3 ? Result.shown(q[1]) : "n/a";
  }

  private Result madeOrEmpty(String key) {
    Result made = made(key);
    return made == null ? Result.empty() : made;
  }

  private static void bands(Plot plot, Result r, String figure, String panel) {
    int i = 0;
    for (Result.Series s : r.series(figure, panel)) {
      boolean state = s.name().equals("excitatory") || s.name().equals("inhibitory");
      if (s.name().startsWith("illustrative")) {
        plot.line(
            s.x(), s.y(), Style.GUIDE.dash(Style.Dash.DOTTED).width(1.4).label("illustrative"));
      } else if (s.name().equals("fit")) {
        plot.line(s.x(), s.y(), Style.BLACK.label("fit"));
      } else {
        boolean single = s.name().equals("intact");
        Style style = state ? Page.style(s.name()) : single ? Style.EXCITATORY : Style.series(i);
        Page.band(plot, s, style.label(single ? "" : s.name()));
      }
      i++;
    }
  }

  /** Records in chunks and keeps them on disk until the experiment is over. */
  private final class Keeper implements Lab.Recorder {
    private final Experiment experiment;
    private int records;
    int stimuli;

    Keeper(Experiment experiment) {
      this.experiment = experiment;
    }

    @Override
    public Responses record(
        Preparation from,
        StimulusSet set,
        Pooling pooling,
        InputScaling scaling,
        boolean withOutput) {
      int before = stimuli;
      stimuli += set.size();
      int total = stimuli;
      records++;
      Responses all = null;
      try {
        for (int at = 0; at < set.size(); at += CHUNK) {
          int to = Math.min(set.size(), at + CHUNK);
          StimulusSet part = StimulusSet.of(set.stimuli().subList(at, to));
          Path kept = partial().resolve(key(part, at, pooling, scaling, withOutput) + ".npy");
          int offset = before + at;
          Responses chunk = null;
          if (Files.exists(kept)) {
            chunk = load(kept, part, from, pooling, withOutput);
          }
          if (chunk == null) {
            chunk =
                from.record(
                    part,
                    pooling,
                    scaling,
                    withOutput,
                    done -> listener.recorded(offset + done, total));
            if (set.size() > CHUNK) {
              keep(kept, chunk);
            }
          }
          listener.recorded(before + to, total);
          all = all == null ? Responses.like(chunk, set.size()) : all;
          all.put(chunk, at);
        }
        if (all == null) {
          throw new AssertionError("a set of stimuli is never empty");
        }
        if (saveResponses) {
          String name = experiment.name() + (records == 1 ? "" : "_" + records);
          all.writeNpy(folder.resolve("responses").resolve(name)).forEach(InSilico.this::noteFile);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return all;
    }

    @Override
    public @Nullable ReceptiveField gradient(State state, int after, int draws) {
      int before = stimuli;
      stimuli += draws;
      return preparation.gradient(
          state,
          after,
          draws,
          settings.seed(),
          done -> listener.recorded(before + done, before + draws));
    }

    private Path partial() {
      return folder.resolve(PARTIAL);
    }

    private String key(
        StimulusSet set, int at, Pooling pooling, InputScaling scaling, boolean withOutput) {
      MessageDigest digest = Sha256.digest();
      for (String text :
          List.of(
              root.path("metadata").path("network").toString(),
              preparation.layer(),
              "%d %d %d %d %s %s %s"
                  .formatted(
                      preparation.size(),
                      preparation.timesteps(),
                      records,
                      at,
                      pooling,
                      scaling,
                      withOutput))) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
      }
      for (Stimulus s : set.stimuli()) {
        digest.update(s.toString().getBytes(StandardCharsets.UTF_8));
      }
      return experiment.name() + "-" + HexFormat.of().formatHex(digest.digest(), 0, 12);
    }

    private void keep(Path kept, Responses chunk) throws IOException {
      Files.createDirectories(partial());
      float[] flat = chunk.flat();
      Npy.write(kept, flat, flat.length);
    }

    /** A chunk that was kept; null where the file is not what it should be. */
    private @Nullable Responses load(
        Path kept, StimulusSet part, Preparation from, Pooling pooling, boolean withOutput) {
      try {
        int points = pooling instanceof Pooling.Units units ? units.at().size() : 1;
        Responses chunk =
            new Responses(
                part.size(),
                java.util.stream.IntStream.range(0, from.timesteps()).boxed().toList(),
                points);
        for (State state : from.states()) {
          chunk.add(from.layer(), state, from.channels() * points);
        }
        if (withOutput) {
          chunk.add("output", State.FEEDFORWARD, points);
        }
        float[] flat = Npy.read(kept).floats();
        return chunk.setFlat(flat) ? chunk : null;
      } catch (org.gammanet.io.DataException e) {
        listener.note(e.getMessage() + "; it is recorded again");
        return null;
      }
    }

    /** The experiment is over: its recordings are no longer needed. */
    void clear() throws IOException {
      if (!Files.isDirectory(partial())) {
        return;
      }
      try (Stream<Path> kept = Files.list(partial())) {
        for (Path path : kept.toList()) {
          if (path.getFileName().toString().startsWith(experiment.name() + "-")) {
            Files.delete(path);
          }
        }
      }
      try (Stream<Path> rest = Files.list(partial())) {
        if (rest.findAny().isEmpty()) {
          Files.delete(partial());
        }
      }
    }
  }
}
