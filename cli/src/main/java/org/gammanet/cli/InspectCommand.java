package org.gammanet.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.ConfigException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.experiments.responses.CellCircuit;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Json;
import org.gammanet.torch.Device;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What is in a checkpoint. */
@Command(
    name = "inspect",
    header = "Show what is in a checkpoint.",
    description = {
      "Prints format, network, epoch, metric, configuration, and name, type and shape of every"
          + " tensor. The file is only read: nothing in it is ever executed, and a damaged or"
          + " hostile one ends in a sentence that says where."
    },
    footer = {
      "Examples:",
      "  gammanet inspect model.safetensors",
      "  gammanet inspect checkpoint_best.pth --statistics",
      "  gammanet inspect runs/first --circuit --figures circuit",
      "  gammanet inspect model.pt --json | jq .metadata.config.model"
    })
final class InspectCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "FILE",
      description = "Checkpoint: .safetensors, .pt or .pth, or the folder of a training run.")
  Path file = Path.of("");

  @Option(names = "--json", description = "Print JSON instead of tables.")
  boolean json;

  @Option(
      names = "--statistics",
      description =
          "Also read the elements: minimum, maximum, mean, standard deviation, and how many are not"
              + " finite.")
  boolean statistics;

  @Option(
      names = "--circuit",
      description =
          "Also describe the horizontal connections of each cell: signs of their weights, and the"
              + " balance of the currents that gratings evoke.")
  boolean circuit;

  @Option(
      names = "--figures",
      paramLabel = "DIR",
      description = "With --circuit: folder for maps of the kernels, CELL.png and .svg.")
  @Nullable Path figures;

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  InspectCommand() {}

  /** Side of the gratings that evoke currents, pixels. */
  private static final int CIRCUIT_SIZE = 64;

  private static final ObjectMapper JSON = new ObjectMapper();

  /** What a checkpoint says about the network, as far as it can be made out. */
  private record Description(@Nullable ModelConfig model, List<String> notes) {}

  @Override
  public Integer call() throws IOException {
    if (figures != null && !circuit) {
      throw new UsageException("--figures needs --circuit");
    }
    file = NetworkOptions.checkpoint(file);
    Checkpoint checkpoint = Checkpoint.load(file);
    Description description = describe(checkpoint);
    PrintWriter out = spec.commandLine().getOut();
    List<CellCircuit> cells = circuit ? circuits(checkpoint, description) : List.of();
    if (json) {
      ObjectNode root = json(checkpoint, description);
      if (circuit) {
        root.set("circuit", Json.MAPPER.valueToTree(cells));
      }
      out.println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root));
    } else {
      print(out, checkpoint, description);
      if (circuit) {
        print(out, cells);
      }
    }
    new Console(spec).printf("");
    return 0;
  }

  private Description describe(Checkpoint checkpoint) {
    List<String> notes = new ArrayList<>(checkpoint.remarks());
    if (checkpoint.isVgg16()) {
      notes.add(
          "these are torchvision's VGG16 weights: training starts from them with"
              + " --set model.pretrained="
              + file);
      return new Description(null, notes);
    }
    if (checkpoint.weights().keySet().stream().noneMatch(n -> n.contains("W_exc"))) {
      notes.add("no weight has the name of a recurrent cell's: this is no network of the family");
      return new Description(null, notes);
    }
    try {
      GammaNetConfig config = checkpoint.config(notes::add);
      if (!checkpoint.metadata().containsKey("config")) {
        notes.add(
            "it carries no configuration: timesteps and normalization are those of --config, or"
                + " of the shipped default");
      }
      return new Description(config.model(), notes);
    } catch (ConfigException | CheckpointException e) {
      notes.add(String.valueOf(e.getMessage()));
      return new Description(null, notes);
    }
  }

  private List<CellCircuit> circuits(Checkpoint checkpoint, Description description)
      throws IOException {
    if (description.model() == null) {
      throw new CommandException(file + " holds no network of the family: it has no circuit");
    }
    GammaNetConfig config = checkpoint.config(n -> {});
    try (GammaNet net = GammaNet.of(checkpoint, config, Device.CPU)) {
      List<CellCircuit> cells =
          CellCircuit.of(net.network(), Math.max(CIRCUIT_SIZE, net.network().minimumSize()));
      Path folder = figures;
      if (folder != null) {
        for (CellCircuit cell : cells) {
          cell.figure().write(folder.resolve(cell.cell()));
        }
      }
      return cells;
    }
  }

  // Text

  private static void print(PrintWriter out, List<CellCircuit> cells) {
    out.printf("%ncircuit: horizontal kernels as they are applied%n");
    String row = "  %-10s %-4s %9s %12s %12s %10s%n";
    out.printf(row, "cell", "", "negative", "consistency", "by chance", "asymmetry");
    for (CellCircuit cell : cells) {
      out.print(kernel(row, cell.cell(), "exc", cell.excitatory()));
      out.print(kernel(row, "", "inh", cell.inhibitory()));
    }
    out.printf(
        "%n  (E - I) / (E + I) of the horizontal currents under gratings, center units,"
            + " last timestep%n");
    out.printf("  %-10s %9s %9s %9s%n", "cell", "quartile", "median", "quartile");
    for (CellCircuit cell : cells) {
      double[] all = Arrays.stream(cell.balance()).filter(Double::isFinite).sorted().toArray();
      out.printf(
          Locale.ROOT,
          "  %-10s %9s %9s %9s%n",
          cell.cell(),
          Format.number(org.gammanet.experiments.analysis.Statistics.quantile(all, 0.25)),
          Format.number(org.gammanet.experiments.analysis.Statistics.quantile(all, 0.5)),
          Format.number(org.gammanet.experiments.analysis.Statistics.quantile(all, 0.75)));
    }
    boolean dale = cells.stream().allMatch(CellCircuit::dale);
    out.printf(
        "%n  %s%n",
        dale
            ? "The signs are constrained: the network obeys Dale's principle (fgru.dale)."
            : "The signs are free: Dale's principle is not imposed. 'consistency' is the fraction"
                + " of a presynaptic channel's weights with its more frequent sign.");
  }

  private static String kernel(String row, String cell, String kind, CellCircuit.Kernel k) {
    return String.format(
        Locale.ROOT,
        row,
        cell,
        kind,
        Format.percent(k.negative()),
        Format.number(k.consistency()),
        Format.number(k.chance()),
        Format.number(k.asymmetry()));
  }

  private void print(PrintWriter out, Checkpoint checkpoint, Description description)
      throws IOException {
    line(out, "file", file + ", " + Terminal.bytes(Files.size(file)));
    line(out, "format", checkpoint.format().title());
    ModelConfig model = description.model();
    if (model != null) {
      line(
          out,
          "network",
          model.name()
              + (model.architecture().usesVgg() ? ", levels " + model.levels() : "")
              + ", timesteps "
              + model.timesteps());
    }
    line(out, "weights", summary(checkpoint.weights()));
    if (!checkpoint.optimizer().isEmpty()) {
      line(out, "optimizer", summary(checkpoint.optimizer()));
    }
    ObjectNode metadata = metadata(checkpoint);
    JsonNode config = metadata.remove("config");
    for (Map.Entry<String, JsonNode> entry : metadata.properties()) {
      JsonNode value = entry.getValue();
      String text = value.isTextual() ? value.textValue() : value.toString();
      line(out, entry.getKey(), shortened(text));
    }
    for (String note : description.notes()) {
      line(out, "note", note);
    }
    if (config != null) {
      out.printf("%nconfiguration%n");
      printTree(out, config, "  ");
    }
    print(out, "weights", checkpoint.weights());
    print(out, "optimizer", checkpoint.optimizer());
  }

  private static void line(PrintWriter out, String name, String value) {
    out.printf("%-11s %s%n", printable(name), printable(value));
  }

  /** Names and texts come from the file: control characters in them must not reach a terminal. */
  private static String printable(String text) {
    return text.codePoints().anyMatch(Character::isISOControl)
        ? text.codePoints()
            .mapToObj(
                c ->
                    Character.isISOControl(c)
                        ? String.format(Locale.ROOT, "\\u%04x", c)
                        : Character.toString(c))
            .collect(Collectors.joining())
        : text;
  }

  private static String shortened(String text) {
    return text.length() <= 200 ? text : text.substring(0, 200) + " … (all of it with --json)";
  }

  private static String summary(SequencedMap<String, StoredTensor> tensors) {
    long elements = tensors.values().stream().mapToLong(StoredTensor::numel).sum();
    String types =
        tensors.values().stream()
            .map(t -> t.type().name())
            .distinct()
            .sorted()
            .collect(Collectors.joining(", "));
    return String.format(
        Locale.ROOT, "%d tensors with %,d elements (%s)", tensors.size(), elements, types);
  }

  private static void printTree(PrintWriter out, JsonNode node, String indent) {
    if (!node.isObject()) {
      out.println(indent + printable(shortened(node.toString())));
      return;
    }
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      String name = indent + printable(entry.getKey()) + ":";
      JsonNode value = entry.getValue();
      if (value.isObject() && !value.isEmpty()) {
        out.println(name);
        printTree(out, value, indent + "  ");
      } else {
        String text = value.isTextual() ? value.textValue() : value.toString();
        out.println(name + " " + printable(shortened(text)));
      }
    }
  }

  private void print(PrintWriter out, String title, SequencedMap<String, StoredTensor> tensors) {
    if (tensors.isEmpty()) {
      return;
    }
    int width = tensors.keySet().stream().mapToInt(String::length).max().orElse(0);
    width = Math.clamp(width, 10, 60);
    out.printf("%n%-" + width + "s  %-5s %-18s", title, "type", "shape");
    if (statistics) {
      out.printf("%12s%12s%12s%12s", "min", "max", "mean", "std");
    }
    out.println();
    for (Map.Entry<String, StoredTensor> entry : tensors.entrySet()) {
      StoredTensor tensor = entry.getValue();
      out.printf(
          "%-" + width + "s  %-5s %-18s",
          printable(entry.getKey()),
          tensor.type(),
          Arrays.toString(tensor.shape()).replace(" ", ""));
      if (statistics) {
        Statistics s = Statistics.of(tensor);
        out.printf(
            Locale.ROOT, "%12.4g%12.4g%12.4g%12.4g", s.least(), s.greatest(), s.mean(), s.std());
        if (s.notFinite() > 0) {
          out.print("  " + s.notFinite() + " NOT FINITE");
        }
      }
      out.println();
    }
  }

  // JSON

  private static ObjectNode metadata(Checkpoint checkpoint) throws JsonProcessingException {
    return (ObjectNode) JSON.readTree(checkpoint.metadataJson());
  }

  private ObjectNode json(Checkpoint checkpoint, Description description) throws IOException {
    ObjectNode root = JSON.createObjectNode();
    root.put("file", file.toString());
    root.put("bytes", Files.size(file));
    root.put("format", checkpoint.format().name().toLowerCase(Locale.ROOT));
    ModelConfig model = description.model();
    root.put("network", model == null ? null : model.name());
    root.put(
        "parameters", checkpoint.weights().values().stream().mapToLong(StoredTensor::numel).sum());
    if (checkpoint.epoch().isPresent()) {
      root.put("epoch", checkpoint.epoch().getAsLong());
    }
    if (checkpoint.bestMetric().isPresent()) {
      root.put("best_metric", checkpoint.bestMetric().getAsDouble());
    }
    ArrayNode notes = root.putArray("notes");
    description.notes().forEach(notes::add);
    root.set("metadata", metadata(checkpoint));
    root.set("weights", json(checkpoint.weights()));
    root.set("optimizer", json(checkpoint.optimizer()));
    return root;
  }

  private ArrayNode json(SequencedMap<String, StoredTensor> tensors) {
    ArrayNode array = JSON.createArrayNode();
    tensors.forEach(
        (name, tensor) -> {
          ObjectNode node = array.addObject();
          node.put("name", name);
          node.put("dtype", tensor.type().name());
          ArrayNode shape = node.putArray("shape");
          for (long size : tensor.shape()) {
            shape.add(size);
          }
          if (statistics) {
            Statistics s = Statistics.of(tensor);
            number(node, "min", s.least());
            number(node, "max", s.greatest());
            number(node, "mean", s.mean());
            number(node, "std", s.std());
            node.put("not_finite", s.notFinite());
          }
        });
    return array;
  }

  /** JSON has no NaN, which an empty tensor's mean is. */
  private static void number(ObjectNode node, String key, double value) {
    if (Double.isFinite(value)) {
      node.put(key, value);
    } else {
      node.putNull(key);
    }
  }

  /** Statistics of the finite elements; NaN where there are none. */
  private record Statistics(
      double least, double greatest, double mean, double std, long notFinite) {

    static Statistics of(StoredTensor tensor) {
      double[] range = {Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
      double[] moments = new double[2]; // Welford's: mean, sum of squared deviations
      long[] counts = new long[2];
      tensor.forEach(
          value -> {
            if (!Double.isFinite(value)) {
              counts[1]++;
              return;
            }
            range[0] = Math.min(range[0], value);
            range[1] = Math.max(range[1], value);
            double delta = value - moments[0];
            moments[0] += delta / ++counts[0];
            moments[1] += delta * (value - moments[0]);
          });
      boolean none = counts[0] == 0;
      return new Statistics(
          none ? Double.NaN : range[0],
          none ? Double.NaN : range[1],
          none ? Double.NaN : moments[0],
          none ? Double.NaN : Math.sqrt(moments[1] / counts[0]),
          counts[1]);
    }
  }
}
