package org.gammanet.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Style;

/** The course of a run as a picture: losses and metrics over updates, from its metrics.jsonl. */
final class TrainingCurves {
  private static final ObjectMapper JSON = new ObjectMapper();

  private TrainingCurves() {}

  /**
   * Writes {@code curves.svg} and {@code curves.png} into the folder of a run.
   *
   * @throws IOException when its metrics cannot be read or a picture cannot be written
   */
  static void write(Path run) throws IOException {
    List<JsonNode> epochs = new ArrayList<>();
    byte[] log = Files.readAllBytes(run.resolve("metrics.jsonl"));
    for (String line : new String(log, StandardCharsets.UTF_8).lines().toList()) {
      try {
        epochs.add(JSON.readTree(line));
      } catch (JsonProcessingException e) {
        continue; // half a line, of a run that was killed
      }
    }
    if (epochs.isEmpty()) {
      return;
    }
    var figure = new Figure(8, 3.2);
    var losses = figure.panel(0, 0).title("loss").x(Axis.linear("updates")).y(Axis.log(""));
    series(epochs, "train_loss", (x, y) -> losses.line(x, y, style(0, "training, crops")));
    series(epochs, "val_loss", (x, y) -> losses.line(x, y, style(1, "validation, whole images")));
    var metrics = figure.panel(0, 1).title("validation").x(Axis.linear("updates"));
    series(epochs, "val_ods", (x, y) -> metrics.line(x, y, style(0, "ODS F, quick")));
    series(epochs, "val_ap", (x, y) -> metrics.line(x, y, style(2, "AP, quick")));
    series(epochs, "bench_ods", (x, y) -> metrics.line(x, y, style(1, "ODS F, benchmark")));
    figure.write(run.resolve("curves"));
  }

  private static Style style(int color, String label) {
    return Style.series(color).label(label).marker(Style.Marker.CIRCLE, 4);
  }

  private interface Line {
    void draw(double[] x, double[] y);
  }

  /** Draws the values of the epochs that have one. */
  private static void series(List<JsonNode> epochs, String key, Line line) {
    List<JsonNode> with = epochs.stream().filter(e -> e.path(key).isNumber()).toList();
    if (!with.isEmpty()) {
      line.draw(
          with.stream().mapToDouble(e -> e.path("global_step").asDouble()).toArray(),
          with.stream().mapToDouble(e -> e.path(key).asDouble()).toArray());
    }
  }
}
