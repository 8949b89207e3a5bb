package org.gammanet.experiments.export;

import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import io.jhdf.api.WritableDataset;
import io.jhdf.api.WritableGroup;
import io.jhdf.api.WritableNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import org.gammanet.experiments.responses.Responses;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.types.Cell;
import us.hebi.matlab.mat.types.MatFile;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Struct;

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
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /** Sizes of a signal as it is written: stimuli, timesteps, channels and, if several, points. */
  private int[] shape(Responses.Key key) {
    int units = responses.units(key.layer(), key.state());
    int points = responses.points();
    int steps = responses.steps().size();
    return points == 1
        ? new int[] {responses.stimuli(), steps, units}
        : new int[] {responses.stimuli(), steps, units / points, points};
  }

  private static String name(Responses.Key key) {
    return key.layer() + "_" + key.state().word().replace(' ', '_');
  }

  // MATLAB

  private void writeMat(Path file) throws IOException {
    MatFile mat = Mat5.newMatFile();
    for (Responses.Key key : responses.keys()) {
      mat.addArray(name(key), matrix(responses.values(key.layer(), key.state()), shape(key)));
    }
    mat.addArray("stimuli", matrix(luminance, responses.stimuli(), height, width));
    mat.addArray("timesteps", vector(responses.steps().stream().mapToDouble(s -> s).toArray()));
    Struct columns = Mat5.newStruct();
    for (int c = 0; c < table.columns().size(); c++) {
      String name = table.columns().get(c).replaceAll("\\W", "_");
      if (table.isNumeric(c)) {
        columns.set(name, vector(table.numbers(c)));
      } else {
        String[] texts = table.texts(c);
        Cell cell = Mat5.newCell(texts.length, 1);
        for (int i = 0; i < texts.length; i++) {
          cell.set(i, Mat5.newString(texts[i]));
        }
        columns.set(name, cell);
      }
    }
    mat.addArray("stimulus_table", columns);
    Struct facts = Mat5.newStruct();
    about.forEach((name, text) -> facts.set(name.replaceAll("\\W", "_"), Mat5.newString(text)));
    mat.addArray("about", facts);
    var unused = Mat5.writeToFile(mat, file.toFile());
  }

  private static Matrix vector(double[] values) {
    Matrix out = Mat5.newMatrix(values.length, 1);
    for (int i = 0; i < values.length; i++) {
      out.setDouble(i, values[i]);
    }
    return out;
  }

  /** From the order in which the last index runs fastest to MATLAB's, in which the first does. */
  private static Matrix matrix(float[] values, int... shape) {
    Matrix out = Mat5.newMatrix(shape, MatlabType.Single);
    int[] index = new int[shape.length];
    for (float value : values) {
      int at = 0;
      for (int d = shape.length - 1; d >= 0; d--) {
        at = at * shape[d] + index[d];
      }
      out.setFloat(at, value);
      for (int d = shape.length - 1; d >= 0 && ++index[d] == shape[d]; d--) {
        index[d] = 0;
      }
    }
    return out;
  }

  // NWB

  private void writeNwb(Path path) {
    try (WritableHdfFile file = HdfFile.write(path)) {
      file.putAttribute("nwb_version", "2.8.0");
      type(file, "core", "NWBFile", "");
      String now = time.toString().replace("Z", "+00:00");
      file.putDataset("file_create_date", new String[] {now});
      file.putDataset("identifier", id(about + now));
      file.putDataset(
          "session_description",
          "Responses of units of an artificial neural network (GammaNet). One timestep stands for"
              + " one second.");
      file.putDataset("session_start_time", now);
      file.putDataset("timestamps_reference_time", now);
      WritableGroup general = file.putGroup("general");
      var notes = new StringBuilder();
      about.forEach((name, text) -> notes.append(name).append(": ").append(text).append('\n'));
      general.putDataset("notes", notes.isEmpty() ? "none" : notes.toString());
      file.putGroup("analysis").putAttribute("description", "empty");
      file.putGroup("processing").putAttribute("description", "empty");
      acquisition(file.putGroup("acquisition"));
      WritableGroup stimulus = file.putGroup("stimulus");
      stimulus.putGroup("templates").putAttribute("description", "empty");
      images(stimulus.putGroup("presentation").putGroup("stimuli"));
      trials(file.putGroup("intervals").putGroup("trials"));
    }
  }

  /** A row per stimulus and timestep, in the order of the stimuli. */
  private void acquisition(WritableGroup acquisition) {
    for (Responses.Key key : responses.keys()) {
      WritableGroup series = acquisition.putGroup(name(key));
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
                      : " (channel by channel, %d places each)".formatted(responses.points())));
      series.putAttribute("comments", "Every stimulus starts from states of zero.");
      int units = responses.units(key.layer(), key.state());
      float[] flat = responses.values(key.layer(), key.state());
      float[][] rows = new float[flat.length / units][units];
      for (int r = 0; r < rows.length; r++) {
        System.arraycopy(flat, r * units, rows[r], 0, units);
      }
      numbers(series.putDataset("data", rows), "a.u.");
      WritableDataset start = series.putDataset("starting_time", 0.0);
      start.putAttribute("rate", 1f);
      start.putAttribute("unit", "seconds");
    }
  }

  private void images(WritableGroup series) {
    type(series, "core", "ImageSeries", "Luminance of the stimuli, 0 to 1: stimulus, row, column.");
    series.putAttribute("comments", "The row of each in the table of trials is its number.");
    int n = responses.stimuli();
    float[][][] all = new float[n][height][width];
    double[] times = new double[n];
    for (int i = 0; i < n; i++) {
      times[i] = (double) i * responses.steps().size();
      for (int y = 0; y < height; y++) {
        System.arraycopy(luminance, (i * height + y) * width, all[i][y], 0, width);
      }
    }
    numbers(series.putDataset("data", all), "luminance");
    series.putDataset("format", "raw");
    WritableDataset timestamps = series.putDataset("timestamps", times);
    timestamps.putAttribute("interval", 1);
    timestamps.putAttribute("unit", "seconds");
  }

  private void trials(WritableGroup trials) {
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
    type(trials.putDataset("id", ids), "hdmf-common", "ElementIdentifiers", "");
    column(trials, "start_time", "First timestep.", start);
    column(trials, "stop_time", "After the last timestep.", stop);
    String[] names = new String[table.columns().size() + 2];
    names[0] = "start_time";
    names[1] = "stop_time";
    for (int c = 0; c < table.columns().size(); c++) {
      names[c + 2] = table.columns().get(c).replaceAll("\\W", "_");
      column(
          trials,
          names[c + 2],
          "Parameter of the stimulus.",
          table.isNumeric(c) ? table.numbers(c) : table.texts(c));
    }
    trials.putAttribute("colnames", names);
  }

  private static void column(WritableGroup table, String name, String about, Object values) {
    type(table.putDataset(name, values), "hdmf-common", "VectorData", about);
  }

  private static void numbers(WritableDataset data, String unit) {
    data.putAttribute("unit", unit);
    data.putAttribute("conversion", 1f);
    data.putAttribute("offset", 0f);
    data.putAttribute("resolution", -1f);
  }

  private static void type(WritableNode node, String namespace, String type, String description) {
    node.putAttribute("namespace", namespace);
    node.putAttribute("neurodata_type", type);
    node.putAttribute("object_id", id(type + description + node.getName()));
    if (!description.isEmpty()) {
      node.putAttribute("description", description);
    }
  }

  private static String id(String text) {
    return UUID.nameUUIDFromBytes(text.getBytes(StandardCharsets.UTF_8)).toString();
  }

  /** All formats, for help. */
  public static List<Format> formats() {
    return List.of(Format.values());
  }
}
