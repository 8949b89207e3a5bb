package org.gammanet.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.gammanet.config.ModelConfig;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The layer table of a network. */
@Command(
    name = "architecture",
    header = "Show a network's layers with shapes, parameters and cost.",
    description =
        "Shows the bundled network, that of --checkpoint, or the one that a configuration"
            + " describes. The cost counts the multiply-accumulates of convolutions for one image;"
            + " each is two FLOPs.",
    footer = {
      "Examples:",
      "  gammanet architecture",
      "  gammanet architecture --random --timesteps 8"
    })
final class ArchitectureCommand implements Callable<Integer> {
  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "320",
      converter = Converters.Pixels.class,
      description = "Height and width of the image; default: ${DEFAULT-VALUE}.")
  int size;

  @Option(names = "--json", description = "Print JSON instead of a table.")
  boolean json;

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  ArchitectureCommand() {}

  @Override
  public Integer call() throws IOException {
    Console console = new Console(spec);
    ModelConfig config = model.describedConfig(console).model();
    try (Network network = Network.create(config)) {
      if (size < network.minimumSize()) {
        throw new UsageException("--size must be at least " + network.minimumSize());
      }
      List<LayerSummary> rows = network.summary(size, size);
      int steps = config.timesteps();
      long macs = LayerSummary.macs(rows, steps);
      if (json) {
        console.print(json(network, rows, macs));
        return 0;
      }
      console.printf(
          "%-28s %-42s %-14s %12s %10s  %s%n",
          "layer", "kind", "output", "parameters", "GMAC", "runs");
      for (LayerSummary row : rows) {
        console.printf(
            "%-28s %-42s %-14s %,12d %10.3f  %s%n",
            row.name(),
            row.kind(),
            row.channels() + "x" + row.height() + "x" + row.width(),
            row.parameters(),
            row.macs() / 1e9,
            row.everyTimestep() ? "each timestep" : "once");
      }
      console.printf(
          "%n%s: %,d parameters, %d timesteps, %.1f GMAC (%.3f TFLOP) for %dx%d pixels%n",
          config.name(), network.parameterCount(), steps, macs / 1e9, 2 * macs / 1e12, size, size);
      String reason = network.fallbackReason();
      console.print(
          reason == null
              ? "runs by native kernels"
              : "composed of LibTorch's operators: " + reason);
      return 0;
    }
  }

  private String json(Network network, List<LayerSummary> rows, long macs) throws IOException {
    ModelConfig config = network.config();
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("model", config.name());
    root.put("size", size);
    root.put("timesteps", config.timesteps());
    root.put("parameters", network.parameterCount());
    root.put("macs", macs);
    root.put("native_kernels", network.fallbackReason() == null);
    root.put("why_not", network.fallbackReason());
    ArrayNode layers = root.putArray("layers");
    for (LayerSummary row : rows) {
      ObjectNode layer = layers.addObject();
      layer.put("name", row.name());
      layer.put("kind", row.kind());
      layer.putArray("output").add(row.channels()).add(row.height()).add(row.width());
      layer.put("parameters", row.parameters());
      layer.put("macs", row.macs());
      layer.put("every_timestep", row.everyTimestep());
    }
    return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root);
  }
}
