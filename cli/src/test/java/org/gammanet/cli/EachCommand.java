package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine;

/**
 * Runs each command once, on a few small images: what one needs from other modules is then readable
 * to it. Without JUnit, since it runs on the module path.
 */
final class EachCommand {
  private static final List<String> COMMANDS =
      List.of(
          "train -d DIR -o DIR/run --random --max-steps 1 --set training.stages=[]"
              + " --set model.layers=[conv1_1,conv1_2] --set model.hidden_channels=3"
              + " --set model.timesteps=1 --set data.augmentation.random_crop=16"
              + " --set training.samples_per_epoch=1 --set training.batch_size=1"
              + " --set training.num_workers=1",
          "detect DIR/images/test -o DIR/edges -c DIR/run --format png,npy,svg,geojson --overlay",
          "detect DIR/images/test/p0.png -o DIR/edges.gif --timesteps 1",
          "evaluate -d DIR -c DIR/run -o DIR/scores --thresholds 3 --limit 1",
          "evaluate -d DIR --maps DIR/maps -o DIR/mapped --thresholds 3",
          "evaluate -d DIR --maps DIR/maps -o DIR/sharded --thresholds 3 --shard 1/2",
          "evaluate -d DIR --maps DIR/maps -o DIR/sharded --thresholds 3 --shard 2/2",
          "merge DIR/sharded",
          "compare maps DIR/mapped DIR/scores -o DIR/compared",
          "inspect DIR/run --statistics --json",
          "convert DIR/run/checkpoints/last.safetensors DIR/weights.pt",
          "convert DIR/weights.pt DIR/weights.safetensors",
          "ablate full -d DIR -o DIR/ablation --max-steps 1 --thresholds 3 --limit 1"
              + " --set model.timesteps=1 --set data.augmentation.random_crop=32"
              + " --set training.samples_per_epoch=1 --set training.batch_size=1",
          "opto -c DIR/run -o DIR/opto --size 48 --steps 1 --starts 1 --frequencies 5"
              + " --contrasts 1 --phases 1 --orientations 0,90 --no-gate",
          "insilico -e orientation -c DIR/run -o DIR/insilico --size 48 --probes 1"
              + " --save-responses --export mat,nwb",
          "record --images DIR/images/test -c DIR/run -o DIR/recording --format mat,nwb",
          "compare responses DIR/X.npy --stimuli DIR/stimuli.csv -c DIR/run -o DIR/responses.json",
          "architecture -c DIR/run",
          "info",
          "bench --size 32 --runs 1 -c DIR/run",
          "passes --runs 1 --size 32 -c DIR/run",
          "completion",
          "help detect");

  private EachCommand() {}

  /** Takes an empty folder. */
  public static void main(String[] arguments) throws Exception {
    Locale.setDefault(Locale.ROOT);
    Path folder = Path.of(arguments[0]);
    for (String split : List.of("train", "val", "test")) {
      Squares.write(folder, split);
    }
    Squares.writeRecording(folder);
    for (String command : COMMANDS) {
      long start = System.nanoTime();
      StringWriter said = new StringWriter();
      CommandLine line = line(said);
      int status = line.execute(command.replace("DIR", folder.toString()).split(" +"));
      check(command, status, said.toString());
      System.out.printf("%.1f s  %s%n", (System.nanoTime() - start) / 1e9, command);
    }
    view(folder.resolve("run").toString());
    System.exit(0);
  }

  private static CommandLine line(StringWriter said) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(said, true));
    line.setErr(new PrintWriter(said, true));
    return line;
  }

  private static void check(String command, int status, String said) {
    if (status != 0) {
      System.out.printf("status %d of %s: %s%n", status, command, said);
      System.exit(1);
    }
  }

  /** The page stays open until the process ends. */
  private static void view(String run) throws IOException, InterruptedException {
    StringWriter said = new StringWriter();
    Thread.ofPlatform()
        .daemon()
        .start(() -> line(said).execute("view", "--no-open", "--checkpoint", run));
    Matcher address = Pattern.compile("http://\\S+").matcher("");
    for (int i = 0; i < 600 && !address.reset(said.toString()).find(); i++) {
      Thread.sleep(100);
    }
    check("view", address.reset(said.toString()).find() ? 0 : 1, said.toString());
    try (var in = URI.create(address.group()).toURL().openStream()) {
      String page = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      check("view", page.contains("<html") ? 0 : 1, page);
    }
  }

  /** The commands that run, by name. */
  static List<String> names() {
    return Stream.concat(COMMANDS.stream(), Stream.of("view"))
        .map(c -> c.split(" ")[0])
        .distinct()
        .toList();
  }
}
