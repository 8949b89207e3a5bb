package org.gammanet.experiments.export;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;

/**
 * A recording, to be written for MATLAB or as NWB.
 *
 * @param responses of units, stimulus by stimulus
 * @param table a row per stimulus
 * @param luminance of the stimuli: n x height x width
 * @param height of the stimuli, pixels
 * @param width of the stimuli, pixels
 * @param about facts as texts: {@code weights_sha256}, {@code checkpoint}, {@code
 *     pixels_per_degree}, …
 * @param time of the recording
 */
public record RecordingExport(
    Responses responses,
    StimulusTable table,
    float[] luminance,
    int height,
    int width,
    Map<String, String> about,
    Instant time) {

  /** Values in 2 GB, less room for the table of stimuli. */
  private static final long MAX_VALUES = (Integer.MAX_VALUE - (1 << 24)) / Float.BYTES;

  /** Formats for other programs. */
  public enum Format {
    /** MATLAB 5. */
    MAT,
    /** Neurodata Without Borders, in HDF5. */
    NWB;

    /** The ending of files. */
    public String ending() {
      return "." + name().toLowerCase(Locale.ROOT);
    }

    /**
     * Requires that a file of this format can hold a recording, before it is made.
     *
     * @param largest values of the largest signal, or of the stimuli
     * @param all values of all signals and of the stimuli
     * @throws DataException if it cannot
     */
    public void requireRoom(long largest, long all) {
      long values = this == MAT ? all : largest;
      if (values > MAX_VALUES) {
        throw new DataException(
            "%s can hold %s values, but the recording needs %s"
                .formatted(
                    this == MAT ? "a .mat file" : "an array of a .nwb file", MAX_VALUES, values));
      }
    }
  }

  /** Writes a part of a file under a temporary name. */
  private interface Work {
    void write(Path file) throws IOException;
  }

  /**
   * Writes a file; it is never there half-written.
   *
   * @throws IOException when it cannot be written
   */
  public void write(Path file, Format format) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    Work work = format == Format.MAT ? this::writeMat : this::writeNwb;
    Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
    try {
      work.write(temporary);
      Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw AtomicFile.named(file, e);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static String name(Responses.Key key) {
    return key.layer() + "_" + key.state().word().replace(' ', '_');
  }

  // MATLAB

  private void writeMat(Path file) throws IOException {
    var mat = new MatWriter();
    for (Responses.Key key : responses.keys()) {
      float[] values = responses.values(key.layer(), key.state());
      mat.put(name(key), MatWriter.array(values, responses.shape(key.layer(), key.state())));
    }
    mat.put("stimuli", MatWriter.array(luminance, responses.stimuli(), height, width));
    mat.put(
        "timesteps",
        MatWriter.column(responses.steps().stream().mapToDouble(Integer::doubleValue).toArray()));
    Map<String, MatWriter.Value> columns = new LinkedHashMap<>();
    for (int c = 0; c < table.columns().size(); c++) {
      columns.put(
          word(table.columns().get(c)),
          table.isNumeric(c)
              ? MatWriter.column(table.numbers(c))
              : MatWriter.texts(table.texts(c)));
    }
    mat.put("stimulus_table", MatWriter.struct(columns));
    Map<String, MatWriter.Value> facts = new LinkedHashMap<>();
    about.forEach((name, text) -> facts.put(word(name), MatWriter.text(text)));
    mat.put("about", MatWriter.struct(facts));
    Files.write(file, mat.bytes());
  }

  /** A name that other programs accept. */
  private static String word(String name) {
    return name.replaceAll("\\W", "_");
  }

  // NWB

  private void writeNwb(Path path) throws IOException {
    try (var file = new HdfWriter(path)) {
      HdfWriter.Node root = file.root().attribute("nwb_version", "2.8.0");
      type(root, "core", "NWBFile", "");
      String now = time.toString().replace("Z", "+00:00");
      root.dataset("file_create_date", new String[] {now});
      root.dataset("identifier", id(about + now));
      root.dataset(
          "session_description",
          "Responses of units of an artificial neural network (GammaNet). One timestep stands for"
              + " one second.");
      root.dataset("session_start_time", now);
      root.dataset("timestamps_reference_time", now);
      HdfWriter.Node general = root.group("general");
      var notes = new StringBuilder();
      about.forEach((name, text) -> notes.append(name).append(": ").append(text).append('\n'));
      general.dataset("notes", notes.isEmpty() ? "none" : notes.toString());
      root.group("processing");
      units(root.group("analysis").group("columns"));
      acquisition(root.group("acquisition"));
      HdfWriter.Node stimulus = root.group("stimulus");
      stimulus.group("templates");
      images(stimulus.group("presentation").group("stimuli"));
      trials(root.group("intervals").group("trials"));
    }
  }

  /** A row per stimulus and timestep, in the order of the stimuli. */
  private void acquisition(HdfWriter.Node acquisition) throws IOException {
    for (Responses.Key key : responses.keys()) {
      HdfWriter.Node series = acquisition.group(name(key));
      type(
          series,
          "core",
          "TimeSeries",
          "Responses of %s, %s: a row per stimulus and timestep, a column per unit%s."
              .formatted(
                  key.layer(),
                  key.state().word(),
                  responses.points() == 1
                      ? ""
                      : " (channel by channel, %s places each; analysis/columns lists them)"
                          .formatted(responses.points())));
      series.attribute("comments", "Every stimulus starts from states of zero.");
      int units = responses.units(key.layer(), key.state());
      float[] flat = responses.values(key.layer(), key.state());
      numbers(series.dataset("data", flat, flat.length / units, units), "a.u.");
      series.dataset("starting_time", 0.0).attribute("rate", 1f).attribute("unit", "seconds");
    }
  }

  /** Which channel and place each column of the series is. */
  private void units(HdfWriter.Node rows) throws IOException {
    type(rows, "hdmf-common", "DynamicTable", "The columns of the series in acquisition.");
    List<String> series = new ArrayList<>();
    List<Integer> channels = new ArrayList<>();
    List<Integer> places = new ArrayList<>();
    for (Responses.Key key : responses.keys()) {
      for (int u = 0; u < responses.units(key.layer(), key.state()); u++) {
        series.add(name(key));
        channels.add(u / responses.points());
        places.add(u % responses.points());
      }
    }
    int[] ids = IntStream.range(0, series.size()).toArray();
    type(rows.dataset("id", ids), "hdmf-common", "ElementIdentifiers", "");
    column(rows, "series", "Name of the series.", series.toArray(String[]::new));
    column(rows, "channel", "Channel of the layer.", integers(channels));
    column(rows, "place", "Number of the place in the image.", integers(places));
    rows.attribute("colnames", new String[] {"series", "channel", "place"});
  }

  private static int[] integers(List<Integer> values) {
    return values.stream().mapToInt(v -> v).toArray();
  }

  private void images(HdfWriter.Node series) throws IOException {
    type(series, "core", "ImageSeries", "Luminance of the stimuli, 0 to 1: stimulus, row, column.");
    series.attribute("comments", "The row of each in the table of trials is its number.");
    int n = responses.stimuli();
    int steps = responses.steps().size();
    double[] times = IntStream.range(0, n).mapToDouble(i -> (double) i * steps).toArray();
    numbers(series.dataset("data", luminance, n, height, width), "luminance");
    series.dataset("format", "raw");
    series.dataset("timestamps", times).attribute("interval", 1).attribute("unit", "seconds");
  }

  private void trials(HdfWriter.Node trials) throws IOException {
    type(trials, "core", "TimeIntervals", "The stimuli and their parameters.");
    int n = responses.stimuli();
    int steps = responses.steps().size();
    int[] ids = new int[n];
    double[] start = new double[n];
    double[] stop = new double[n];
    for (int i = 0; i < n; i++) {
      ids[i] = i;
      start[i] = (double) i * steps;
      stop[i] = start[i] + steps;
    }
    type(trials.dataset("id", ids), "hdmf-common", "ElementIdentifiers", "");
    column(trials, "start_time", "First timestep.", start);
    column(trials, "stop_time", "After the last timestep.", stop);
    String[] names = new String[table.columns().size() + 2];
    names[0] = "start_time";
    names[1] = "stop_time";
    for (int c = 0; c < table.columns().size(); c++) {
      names[c + 2] = word(table.columns().get(c));
      column(
          trials,
          names[c + 2],
          "Parameter of the stimulus.",
          table.isNumeric(c) ? table.numbers(c) : table.texts(c));
    }
    trials.attribute("colnames", names);
  }

  private void column(HdfWriter.Node table, String name, String description, Object values)
      throws IOException {
    type(table.dataset(name, values), "hdmf-common", "VectorData", description);
  }

  private static void numbers(HdfWriter.Node data, String unit) throws IOException {
    data.attribute("unit", unit)
        .attribute("conversion", 1f)
        .attribute("offset", 0f)
        .attribute("resolution", -1f);
  }

  private void type(HdfWriter.Node node, String namespace, String type, String description)
      throws IOException {
    node.attribute("namespace", namespace)
        .attribute("neurodata_type", type)
        .attribute("object_id", id(about.toString() + time + node.path()));
    if (!description.isEmpty()) {
      node.attribute("description", description);
    }
  }

  private static String id(String text) {
    return UUID.nameUUIDFromBytes(text.getBytes(StandardCharsets.UTF_8)).toString();
  }
}
