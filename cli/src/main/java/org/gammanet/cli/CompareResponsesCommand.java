package org.gammanet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.gammanet.GammaNet;
import org.gammanet.experiments.analysis.ResponseComparison;
import org.gammanet.experiments.export.CsvTable;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Drawn;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Json;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.Npy;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A network's units against recorded ones. */
@Command(
    name = "responses",
    header = "Compare a network's units with recorded ones that have seen the same stimuli.",
    description = {
      "X.npy holds responses of shape (stimuli, units), (repeats, stimuli, units), or, as 'gammanet"
          + " record' writes them, (stimuli, timesteps, units), of which the last timestep counts."
          + " The network is shown the same stimuli: the images that the table's column 'file'"
          + " names, beside the table, or else the array of luminance of the same name, such as"
          + " stimuli.npy for stimuli.csv.",
      "",
      "For each layer: Spearman's correlation of the dissimilarities of stimuli; unbiased centered"
          + " kernel alignment; correlation with responses to held-out stimuli that a ridge"
          + " regression predicts, and the same corrected for noise; and the similarity of the"
          + " distributions of lifetime sparseness (1 - D of Kolmogorov and Smirnov). Ceilings come"
          + " from the two halves of the repeats."
    },
    footer = {
      "Examples:",
      "  gammanet compare responses X.npy --stimuli stimuli.csv",
      "  gammanet compare responses X.npy --stimuli stimuli.csv -l fgru_0 -c runs/first"
    })
final class CompareResponsesCommand implements Callable<Integer> {
  @Parameters(paramLabel = "X.npy", description = "Recorded responses.")
  Path recorded = Path.of("");

  @Option(
      names = "--stimuli",
      required = true,
      paramLabel = "FILE",
      description = "Table of the stimuli, a row per stimulus.")
  Path stimuli = Path.of("");

  @Mixin RecordingOptions recording = new RecordingOptions();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      defaultValue = "comparison.json",
      description = "File for the numbers; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("comparison.json");

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions compute = new ComputeOptions();

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  CompareResponsesCommand() {}

  @Override
  public Integer call() throws IOException {
    Console console = new Console(spec);
    AtomicFile.requireWritable(output);
    CsvTable table = CsvTable.read(stimuli);
    float[][][] repeats = repeats(Npy.read(recorded), table.rows().size());
    StimulusSet set = RecordingOptions.set(shown(table));
    try (GammaNet net = model.open(compute, console)) {
      List<String> names =
          recording.layers.isEmpty()
              ? ResponseExtractor.forModel(net).build().layers().stream()
                  .map(l -> l.name())
                  .filter(n -> !n.equals(ResponseExtractor.OUTPUT))
                  .toList()
              : recording.layers;
      Responses responses = recording.record(net, set, RecordingPlan.layers(names), console);
      try {
        print(net, responses, repeats, console);
      } catch (IllegalArgumentException e) { // such as too few stimuli
        throw new CommandException(String.valueOf(e.getMessage()), e);
      }
    }
    return 0;
  }

  private void print(GammaNet net, Responses responses, float[][][] repeats, Console console)
      throws IOException {
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("recording", recorded.toString());
    json.put("stimuli", stimuli.toString());
    json.put("network", model.name());
    json.put("weights_sha256", net.network().digest());
    json.put("repeats", repeats.length);
    ArrayNode all = json.putArray("layers");
    console.printf(
        "%d stimuli, %d recorded units, %d repeats%n%n%-14s %5s  %-13s %-13s %-15s %-13s%n",
        responses.stimuli(),
        repeats[0][0].length,
        repeats.length,
        "layer",
        "units",
        "RDM",
        "CKA",
        "ridge",
        "sparseness");
    for (Responses.Key key : responses.keys()) {
      ResponseComparison c =
          ResponseComparison.of(
              responses.last(key.layer(), key.state()), repeats, compute.seed(net.config()));
      ObjectNode node = Json.object(c);
      node.put("layer", key.layer());
      node.put("state", key.state() == State.FEEDFORWARD ? "feedforward" : key.state().word());
      all.add(node);
      console.printf(
          "%-14s %5d  %-13s %-13s %-15s %-13s%n",
          key.layer(),
          c.modelUnits(),
          pair(c.rdm(), c.rdmCeiling()),
          pair(c.cka(), c.ckaCeiling()),
          pair(c.ridge(), c.ridgeCorrected()),
          pair(c.sparseness(), c.sparsenessCeiling()));
    }
    console.printf("%nSecond numbers are ceilings; of ridge, the value corrected for noise.%n");
    AtomicFile.write(
        output, Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    console.print(output);
  }

  private static String pair(double value, double ceiling) {
    return Format.number(value) + (Double.isFinite(ceiling) ? " / " + Format.number(ceiling) : "");
  }

  /** The recording as repeats x stimuli x units. */
  private float[][][] repeats(Npy array, int rows) {
    int[] shape = array.shape();
    float[] values = array.floats();
    if (values.length == 0) {
      throw new CommandException(
          "%s has the shape %s: it holds no responses".formatted(recorded, Arrays.toString(shape)));
    }
    if (shape.length == 2 && shape[0] == rows) {
      return new float[][][] {part(values, 0, rows, shape[1], shape[1])};
    }
    boolean steps = shape.length == 3 && shape[0] == rows;
    boolean repeats = shape.length == 3 && shape[1] == rows;
    if (steps && repeats) {
      throw new CommandException(
          "%s has as many repeats or timesteps as stimuli, %s: its axes are not clear"
              .formatted(recorded, rows));
    }
    if (steps) {
      int stride = shape[1] * shape[2];
      return new float[][][] {part(values, stride - shape[2], rows, stride, shape[2])};
    }
    if (repeats) {
      int each = rows * shape[2];
      return IntStream.range(0, shape[0])
          .mapToObj(r -> part(values, r * each, rows, shape[2], shape[2]))
          .toArray(float[][][]::new);
    }
    throw new CommandException(
        "%s has the shape %s, but %s has %s stimuli: (stimuli, units), (repeats, stimuli, units) or"
                .formatted(recorded, Arrays.toString(shape), stimuli, rows)
            + " (stimuli, timesteps, units) is needed");
  }

  private static float[][] part(float[] values, int from, int rows, int stride, int units) {
    return IntStream.range(0, rows)
        .mapToObj(r -> Arrays.copyOfRange(values, from + r * stride, from + r * stride + units))
        .toArray(float[][]::new);
  }

  /** The stimuli of the table: images, or the array beside it. */
  private List<? extends Stimulus> shown(CsvTable table) throws IOException {
    if (table.rows().isEmpty()) {
      throw new CommandException(stimuli + " has no stimuli");
    }
    Path array =
        stimuli.resolveSibling(
            String.valueOf(stimuli.getFileName()).replaceFirst("\\.[^.]*$", "") + ".npy");
    if (table.has("file")) {
      List<Path> files = table.column("file").stream().map(stimuli::resolveSibling).toList();
      if (files.stream().allMatch(Files::isRegularFile) || !Files.isRegularFile(array)) {
        return recording.photos(files);
      }
    }
    if (!Files.isRegularFile(array)) {
      throw new CommandException(
          "%s names no images in a column 'file', and there is no %s".formatted(stimuli, array));
    }
    Npy luminance = Npy.read(array);
    int[] shape = luminance.shape();
    if (shape.length != 3 || shape[0] != table.rows().size() || shape[1] < 1 || shape[2] < 1) {
      throw new CommandException(
          "%s has the shape %s, not (%s, height, width)"
              .formatted(array, Arrays.toString(shape), table.rows().size()));
    }
    return Drawn.all(luminance.floats(), shape[1], shape[2]);
  }
}
