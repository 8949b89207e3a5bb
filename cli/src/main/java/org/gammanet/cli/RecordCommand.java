package org.gammanet.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.experiments.export.CsvTable;
import org.gammanet.experiments.export.RecordingExport;
import org.gammanet.experiments.export.StimulusTable;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Photo;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Csv;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Responses to images of one's own. */
@Command(
    name = "record",
    header = "Record a network's units while it sees images of your own.",
    description = {
      "Shows every image of a folder (photos, or arrays of luminance in [0, 1] as .npy), from"
          + " states of zero, and writes the responses after each timestep: LAYER_STATE.npy of"
          + " shape (images, timesteps, channels), with a fourth dimension for several positions;"
          + " stimuli.csv, a row per image; stimuli.npy, their luminance; and manifest.json.",
      "",
      "A file stimuli.csv in the folder of images, with a column 'file', may hold parameters of the"
          + " images; the new stimuli.csv has its columns, and images that it does not name are"
          + " skipped."
    },
    footer = {
      "Examples:",
      "  gammanet record --images photos --size 128 -l fgru_0,fgru_1",
      "  gammanet record --images gratings --states excitatory,inhibitory --at grid:3",
      "  gammanet record --images gratings --format mat,nwb --pixels-per-degree 30"
    })
final class RecordCommand implements Callable<Integer> {
  static final class States extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    States() {
      super(Converters.words(State.values()));
    }
  }

  static final class Formats extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Formats() {
      super(Converters.words(RecordingExport.Format.values()));
    }
  }

  @Option(
      names = "--images",
      required = true,
      paramLabel = "DIR",
      description = "Folder with the images.")
  Path images = Path.of("");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = "recording",
      description = "Folder for the recording; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("recording");

  @Mixin RecordingOptions recording = new RecordingOptions();

  @Option(
      names = "--states",
      paramLabel = "NAME",
      split = ",",
      completionCandidates = States.class,
      description = "Signals of each: ${COMPLETION-CANDIDATES}; default: excitatory.")
  List<State> states = new ArrayList<>();

  @Option(
      names = "--at",
      paramLabel = "WHERE",
      defaultValue = "center",
      description =
          "Units that are recorded: center, grid:N (N x N positions), mean or max (over the map);"
              + " default: ${DEFAULT-VALUE}.")
  String where = "center";

  @Option(
      names = "--pixels-per-degree",
      paramLabel = "N",
      description = "Pixels per degree of visual angle, for the manifest; default: not stated.")
  @Nullable Double pixelsPerDegree;

  @Option(
      names = "--format",
      paramLabel = "NAME",
      split = ",",
      completionCandidates = Formats.class,
      description = "Also write for other programs: ${COMPLETION-CANDIDATES}.")
  List<RecordingExport.Format> formats = new ArrayList<>();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions compute = new ComputeOptions();

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  RecordCommand() {}

  @Override
  public Integer call() throws IOException {
    Console console = new Console(spec);
    if (pixelsPerDegree != null && !(pixelsPerDegree > 0)) {
      throw new UsageException("pixels per degree must be positive, not " + pixelsPerDegree);
    }
    Pooling pooling = null;
    if (!where.startsWith("grid:")) {
      pooling = pooling(1, 1);
    }
    if (Files.exists(output.resolve("manifest.json"))) {
      throw new CommandException(output + " holds a recording already: choose another --output");
    }
    CsvTable table = table(images);
    List<Photo> photos = recording.photos(files(images, table));
    StimulusSet set = RecordingOptions.set(photos);
    float[] luminance;
    try {
      luminance = StimulusTable.luminance(photos);
    } catch (IllegalArgumentException e) { // such as an array of another size
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    if (pooling == null) {
      pooling = pooling(set.height(), set.width());
    }
    if (states.isEmpty()) {
      states.add(State.EXCITATORY);
    }
    try (GammaNet net = model.open(compute, console)) {
      RecordingPlan plan =
          RecordingPlan.layers(recording.layers.isEmpty() ? List.of("fgru_0") : recording.layers)
              .states(states.getFirst(), states.toArray(State[]::new))
              .pooling(pooling);
      requireRoom(net, set, plan, luminance.length);
      write(net, recording.record(net, set, plan, console), photos, luminance, table, console);
    }
    return 0;
  }

  private Pooling pooling(int height, int width) {
    switch (where) {
      case "center" -> {
        return Pooling.unit();
      }
      case "mean" -> {
        return Pooling.mean();
      }
      case "max" -> {
        return Pooling.max();
      }
      default -> {
        if (!where.matches("grid:[1-9][0-9]?")) {
          throw new UsageException(
              "units are recorded at center, grid:N, mean or max, not " + where);
        }
        int n = Integer.parseInt(where.substring(5));
        List<PixelPoint> points = new ArrayList<>();
        for (int i = 0; i < n * n; i++) {
          points.add(
              new PixelPoint(
                  (2 * (i / n) + 1) * height / (2 * n), (2 * (i % n) + 1) * width / (2 * n)));
        }
        return Pooling.units(points);
      }
    }
  }

  /** The table of parameters in a folder of images; null where there is none. */
  private static @Nullable CsvTable table(Path folder) throws IOException {
    Path file = folder.resolve("stimuli.csv");
    return Files.isRegularFile(file) ? CsvTable.read(file) : null;
  }

  /** The images of a folder: those that its table names, or all of them in the order of names. */
  private static List<Path> files(Path folder, @Nullable CsvTable table) throws IOException {
    if (table != null && table.has("file")) {
      return table.column("file").stream().map(folder::resolve).toList();
    }
    try (Stream<Path> inside = Files.list(folder)) {
      List<Path> found =
          inside
              .filter(
                  f -> Files.isRegularFile(f) && !String.valueOf(f.getFileName()).startsWith("."))
              .filter(f -> Photo.isArray(f) || Images.hasImageName(f) && !Images.isResult(f))
              .sorted()
              .toList();
      if (found.isEmpty()) {
        throw new CommandException("there is no image in the folder " + folder);
      }
      return found;
    }
  }

  /** Refuses a recording that another program's format cannot hold, before it is made. */
  private void requireRoom(GammaNet net, StimulusSet set, RecordingPlan plan, long luminance) {
    if (formats.isEmpty()) {
      return;
    }
    var extractor = ResponseExtractor.forModel(net).build();
    long all = luminance;
    long largest = luminance;
    try {
      all += extractor.estimate(set, plan).valueCount();
      for (String layer : plan.layers()) {
        RecordingPlan signal =
            RecordingPlan.layer(layer).states(states.getFirst()).pooling(plan.pooling());
        largest = Math.max(largest, extractor.estimate(set, signal).valueCount());
      }
    } catch (IllegalArgumentException e) { // such as an unknown layer
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    for (RecordingExport.Format format : formats) {
      format.requireRoom(largest, all);
    }
  }

  private void write(
      GammaNet net,
      Responses responses,
      List<Photo> photos,
      float[] luminance,
      @Nullable CsvTable given,
      Console console)
      throws IOException {
    int height = photos.getFirst().frame().height();
    int width = photos.getFirst().frame().width();
    StimulusTable table = table(photos, given, height, width);
    ObjectNode manifest = manifest(net, responses, height, width);
    ArrayNode files = manifest.putArray("files");
    Files.createDirectories(output);
    for (Responses.Key key : responses.keys()) {
      Path file = output.resolve(key.layer() + "_" + key.state().word() + ".npy");
      responses.writeNpy(file, key.layer(), key.state());
      ObjectNode entry = files.addObject();
      entry.put("file", String.valueOf(file.getFileName()));
      entry.put("layer", key.layer());
      entry.put("state", key.state().word());
      Arrays.stream(responses.shape(key.layer(), key.state()))
          .forEach(entry.putArray("shape")::add);
    }
    var csv = new Csv().row(table.columns());
    table.rows().forEach(csv::row);
    AtomicFile.write(output.resolve("stimuli.csv"), csv.toString());
    Npy.write(output.resolve("stimuli.npy"), luminance, photos.size(), height, width);
    Map<String, String> about = new LinkedHashMap<>();
    manifest
        .fields()
        .forEachRemaining(
            f -> {
              if (f.getValue().isValueNode()) {
                about.put(f.getKey(), f.getValue().asText());
              }
            });
    var export =
        new RecordingExport(responses, table, luminance, height, width, about, Instant.now());
    for (RecordingExport.Format format : new LinkedHashSet<>(formats)) {
      Path file = output.resolve("recording" + format.ending());
      export.write(file, format);
      console.print(file);
    }
    AtomicFile.write(
        output.resolve("manifest.json"),
        new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(manifest) + "\n");
    console.print(output.resolve("manifest.json"));
  }

  private static StimulusTable table(
      List<Photo> photos, @Nullable CsvTable given, int height, int width) {
    List<String> columns =
        new ArrayList<>(List.of("row", "file", "sha256", "height_px", "width_px"));
    Set<String> more = new LinkedHashSet<>();
    if (given != null && given.has("file")) {
      more.addAll(given.columns());
      more.removeAll(columns);
    }
    columns.addAll(more);
    List<List<@Nullable Object>> rows = new ArrayList<>();
    for (int i = 0; i < photos.size(); i++) {
      List<@Nullable Object> row = new ArrayList<>();
      row.add(i);
      row.add(String.valueOf(photos.get(i).file().getFileName()));
      row.addAll(List.of(photos.get(i).sha256(), height, width));
      for (String column : more) {
        String cell = given == null ? "" : given.column(column).get(i);
        row.add(cell.isEmpty() ? null : number(cell));
      }
      rows.add(row);
    }
    return new StimulusTable(columns, rows);
  }

  private static Object number(String cell) {
    try {
      return Double.valueOf(cell);
    } catch (NumberFormatException e) {
      return cell;
    }
  }

  private ObjectNode manifest(GammaNet net, Responses responses, int height, int width) {
    ObjectNode out = new ObjectMapper().createObjectNode();
    out.put("program", "gammanet " + GammanetCommand.Version.program());
    out.put("network", model.name());
    out.put("weights_sha256", net.network().digest());
    out.put("trained", model.trained());
    out.put("timesteps", responses.steps().size());
    out.put("images", responses.stimuli());
    out.put("height_px", height);
    out.put("width_px", width);
    if (pixelsPerDegree != null) {
      out.put("pixels_per_degree", pixelsPerDegree);
      out.put("height_deg", height / pixelsPerDegree);
      out.put("width_deg", width / pixelsPerDegree);
    }
    out.put("units", where);
    out.put("axes", "images, timesteps, channels" + (responses.points() > 1 ? ", places" : ""));
    out.put(
        "input",
        "RGB in [0, 1], then (v - mean) / std per channel, mean 0.485, 0.456, 0.406, std 0.229,"
            + " 0.224, 0.225; every image starts from states of zero");
    out.put("states", states.stream().map(State::word).collect(Collectors.joining(", ")));
    return out;
  }
}
