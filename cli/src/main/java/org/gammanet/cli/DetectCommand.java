package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.data.EdgeMap;
import org.gammanet.data.ImageException;
import org.gammanet.data.Images;
import org.gammanet.data.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Edge maps of images. */
@Command(
    name = "detect",
    header = "Find edges in images.",
    description = {
      "Writes NAME-edges.png for each image: white where an edge is likely. For a single image the"
          + " picture shows the image and its edges side by side. Files that cannot be read are"
          + " reported and left out."
    },
    footer = {"Example:", "  gammanet detect photo.jpg --output edges"})
final class DetectCommand implements Callable<Integer> {
  @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "Images (PNG, JPEG) or folders.")
  List<Path> inputs = new ArrayList<>();

  @Option(
      names = "--output",
      paramLabel = "DIR",
      defaultValue = ".",
      description = "Folder for the pictures; default: the current one.")
  Path output = Path.of(".");

  @Option(
      names = "--size",
      paramLabel = "N",
      description = "Resize each image to N x N first; default: its own size.")
  @Nullable Integer size;

  @Option(names = "--timesteps", paramLabel = "N", description = "Timesteps of the recurrence.")
  int timesteps;

  @Option(
      names = "--all-timesteps",
      description = "Also write a map after each timestep: NAME-edges-tN.png.")
  boolean allTimesteps;

  @Option(
      names = "--side-by-side",
      negatable = true,
      description = "Image and edges in one picture; default for a single image.")
  @Nullable Boolean sideBySide;

  @Option(
      names = "--probabilities",
      paramLabel = "png16",
      description = "Also write the probabilities as 16-bit PNG: NAME-edges-16.png.")
  @Nullable String probabilities;

  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  DetectCommand() {}

  @Override
  public Integer call() throws IOException {
    check();
    List<Path> files = files();
    Files.createDirectories(output);
    int failed = 0;
    try (GammaNet net = model.open()) {
      ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps);
      if (allTimesteps) {
        options = options.withEveryTimestep();
      }
      for (int i = 0; i < files.size(); i++) {
        progress(i, files.size(), files.get(i));
        try {
          write(files.get(i), net, options, files.size() == 1);
        } catch (ImageException e) {
          failed++;
          clearProgress();
          spec.commandLine().getErr().println("gammanet: " + e.getMessage());
        }
      }
      clearProgress();
    }
    return failed == 0 ? 0 : Failures.FAILED;
  }

  private void check() {
    if (size != null && size < 1) {
      throw new ParameterException(spec.commandLine(), "--size must be at least 1");
    }
    if (timesteps < 0) {
      throw new ParameterException(spec.commandLine(), "--timesteps must be at least 1");
    }
    if (probabilities != null && !probabilities.equals("png16")) {
      throw new ParameterException(spec.commandLine(), "--probabilities must be png16");
    }
  }

  private List<Path> files() throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path input : inputs) {
      if (Files.isDirectory(input)) {
        try (Stream<Path> inside = Files.list(input)) {
          List<Path> images = inside.filter(Images::hasImageName).sorted().toList();
          if (images.isEmpty()) {
            throw new CommandException("there is no image in the folder " + input);
          }
          files.addAll(images);
        }
      } else {
        files.add(input);
      }
    }
    return files;
  }

  private void write(Path file, GammaNet net, ForwardOptions options, boolean single)
      throws IOException {
    RgbImage image = Images.read(file);
    if (size != null) {
      image = image.resize(size, size);
    }
    List<EdgeMap> maps = net.detect(image, options);
    EdgeMap edges = maps.get(maps.size() - 1);
    String name = String.valueOf(file.getFileName()).replaceFirst("\\.[^.]*$", "") + "-edges";
    Path picture = output.resolve(name + ".png");
    if (sideBySide == null ? single : sideBySide) {
      Images.writePng(picture, Images.sideBySide(List.of(image, edges.toImage())));
    } else {
      Images.writePng8(picture, edges);
    }
    if (probabilities != null) {
      Images.writePng16(output.resolve(name + "-16.png"), edges);
    }
    if (allTimesteps) {
      for (int t = 0; t < maps.size(); t++) {
        Images.writePng8(output.resolve(name + "-t" + (t + 1) + ".png"), maps.get(t));
      }
    }
    clearProgress();
    spec.commandLine().getOut().println(picture);
  }

  private void progress(int done, int total, Path file) {
    if (Terminal.errIsTerminal()) {
      String text = "[" + (done + 1) + "/" + total + "] " + file.getFileName();
      int width = Math.max(1, Terminal.width() - 1);
      System.err.print("\r\033[K" + text.substring(0, Math.min(text.length(), width)));
      System.err.flush();
    }
  }

  private static void clearProgress() {
    if (Terminal.errIsTerminal()) {
      System.err.print("\r\033[K");
      System.err.flush();
    }
  }
}
