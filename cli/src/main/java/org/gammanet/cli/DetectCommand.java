package org.gammanet.cli;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.Device;
import org.gammanet.torch.TorchException;
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
          + " reported and left out; the exit status is 1 then."
    },
    footer = {
      "Examples:",
      "  gammanet detect photo.jpg",
      "  gammanet detect photos --checkpoint model.safetensors --output edges --batch 4",
      "  gammanet detect photo.jpg --max-side 512 --probabilities npy --timesteps 12"
    })
final class DetectCommand implements Callable<Integer> {
  /** File formats of probabilities. */
  enum Probabilities {
    npy,
    png16
  }

  @Parameters(
      paramLabel = "IMAGE",
      arity = "1..*",
      description = "Images (PNG, JPEG, TIFF, BMP, GIF) or folders with images.")
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

  @Option(
      names = "--max-side",
      paramLabel = "N",
      description = "Shrink images whose longer side has more than N pixels, in proportion.")
  @Nullable Integer maxSide;

  @Option(
      names = "--timesteps",
      paramLabel = "N",
      description = "Timesteps of the recurrence; default: the configuration's.")
  @Nullable Integer timesteps;

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
      paramLabel = "npy|png16",
      description =
          "Also write the probabilities: npy for NAME-edges.npy, float32 of (height, width), which"
              + " numpy.load reads; png16 for NAME-edges-16.png, where 65535 is 1.")
  @Nullable Probabilities probabilities;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "1",
      description = "Pass up to N images of equal size through the network at once; default: 1.")
  int batch = 1;

  @Mixin PrecisionOption precision;
  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  private int failed;
  private int written;
  private int total;
  private long started;

  @SuppressWarnings("NullAway.Init")
  DetectCommand() {}

  /** An image and the beginning of the names of its results. */
  private record Job(Path file, Path name) {}

  /** An image that waits for others of its size. */
  private record Loaded(Job job, RgbImage image) {}

  @Override
  public Integer call() throws IOException {
    check();
    List<Job> jobs = jobs();
    total = failed + jobs.size();
    if (!jobs.isEmpty()) {
      createOutput();
      try (GammaNet net = precision.applyTo(model.openTrained(true))) {
        detect(net, jobs);
      } finally {
        Terminal.clear();
      }
    }
    if (failed > 0 && total > 1) {
      spec.commandLine().getErr().printf("gammanet: %d of %d done%n", written, total);
    }
    return failed == 0 ? 0 : Failures.FAILED;
  }

  private void check() {
    precision.value();
    atLeastOne("--size", size);
    atLeastOne("--max-side", maxSide);
    atLeastOne("--timesteps", timesteps);
    atLeastOne("--batch", batch);
    if (size != null && maxSide != null) {
      throw new ParameterException(
          spec.commandLine(), "--size and --max-side exclude each other: choose one");
    }
  }

  private void atLeastOne(String option, @Nullable Integer value) {
    if (value != null && value < 1) {
      throw new ParameterException(
          spec.commandLine(), option + " must be at least 1, not " + value);
    }
  }

  private void createOutput() throws IOException {
    Files.createDirectories(output);
    if (!Files.isWritable(output)) {
      throw new AccessDeniedException(output.toString());
    }
  }

  /** What is to be done; inputs that are not there are reported at once. */
  private List<Job> jobs() throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path input : inputs) {
      if (!Files.exists(input)) {
        fail("there is no file or folder " + input);
      } else if (Files.isDirectory(input)) {
        try (Stream<Path> inside = Files.list(input)) {
          List<Path> images = inside.filter(Images::hasImageName).sorted().toList();
          if (images.isEmpty()) {
            fail("there is no image in the folder " + input);
          }
          files.addAll(images);
        } catch (AccessDeniedException e) {
          fail(input + ": permission denied");
        }
      } else {
        files.add(input);
      }
    }
    return named(files.stream().distinct().toList());
  }

  /** Gives each file the name of its results, with its extension where two would have the same. */
  private List<Job> named(List<Path> files) {
    Map<String, List<Path>> byName = new LinkedHashMap<>();
    for (Path file : files) {
      String full = String.valueOf(file.getFileName());
      byName
          .computeIfAbsent(full.replaceFirst("(?<=.)\\.[^.]*$", ""), n -> new ArrayList<>())
          .add(file);
    }
    List<Job> jobs = new ArrayList<>();
    Map<String, Path> taken = new HashMap<>();
    byName.forEach(
        (name, sharing) -> {
          for (Path file : sharing) {
            String own = sharing.size() == 1 ? name : String.valueOf(file.getFileName());
            Path other = taken.putIfAbsent(own, file);
            if (other != null) {
              throw new CommandException(
                  "%s and %s would both be written to %s: detect them one after the other, with an"
                          .formatted(other, file, output.resolve(own + "-edges.png"))
                      + " --output for each");
            }
            jobs.add(new Job(file, output.resolve(own + "-edges")));
          }
        });
    return jobs;
  }

  private void detect(GammaNet net, List<Job> jobs) throws IOException {
    ForwardOptions options =
        ForwardOptions.DEFAULTS.withTimesteps(timesteps == null ? 0 : timesteps);
    if (allTimesteps) {
      options = options.withEveryTimestep();
    }
    started = System.nanoTime();
    SequencedMap<List<Integer>, List<Loaded>> waiting = new LinkedHashMap<>();
    int loaded = 0;
    for (Job job : jobs) {
      progress(job.file());
      RgbImage image;
      try {
        image = resized(Images.read(job.file()));
      } catch (ImageException e) {
        fail(String.valueOf(e.getMessage()));
        continue;
      }
      int most = (int) Math.min(batch, fitting(net, image));
      if (most == 0) {
        fail(
            "%s has %d×%d pixels, for which this network needs %s or more, but this machine has %s:"
                    .formatted(
                        job.file(),
                        image.width(),
                        image.height(),
                        Terminal.bytes(workingBytes(net, image)),
                        Terminal.bytes(memory()))
                + " --max-side shrinks it");
        continue;
      }
      List<Integer> key = List.of(image.width(), image.height());
      List<Loaded> group = waiting.computeIfAbsent(key, k -> new ArrayList<>());
      group.add(new Loaded(job, image));
      loaded++;
      if (group.size() == most) {
        waiting.remove(key);
        loaded -= group.size();
        pass(net, options, group);
      } else if (loaded == 4 * batch) { // many sizes: do not hold ever more images
        List<Loaded> oldest = waiting.pollFirstEntry().getValue();
        loaded -= oldest.size();
        pass(net, options, oldest);
      }
    }
    for (List<Loaded> group : waiting.values()) {
      pass(net, options, group);
    }
  }

  /** How many images of this size the machine can hold at once; the system would end us later. */
  private static long fitting(GammaNet net, RgbImage image) {
    return net.network().device().type() == Device.Type.CPU
        ? memory() / workingBytes(net, image)
        : Long.MAX_VALUE; // a GPU's allocator says so itself
  }

  /** At least this much is in use at once: states, and twelve of the largest maps. */
  private static long workingBytes(GammaNet net, RgbImage image) {
    int smallest = net.network().minimumSize();
    return 12
        * net
            .network()
            .summary(Math.max(smallest, image.height()), Math.max(smallest, image.width()))
            .stream()
            .mapToLong(row -> (long) row.channels() * row.height() * row.width() * Float.BYTES)
            .max()
            .orElse(1);
  }

  private static long memory() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }

  private RgbImage resized(RgbImage image) {
    if (size != null) {
      return image.resize(size, size);
    }
    int longer = Math.max(image.width(), image.height());
    if (maxSide == null || longer <= maxSide) {
      return image;
    }
    double scale = (double) maxSide / longer;
    return image.resize(
        Math.max(1, (int) Math.round(image.width() * scale)),
        Math.max(1, (int) Math.round(image.height() * scale)));
  }

  /** Passes images of one size through the network; one that fails takes no other with it. */
  private void pass(GammaNet net, ForwardOptions options, List<Loaded> group) throws IOException {
    List<List<EdgeMap>> maps;
    try {
      maps = net.detect(group.stream().map(Loaded::image).toList(), options);
    } catch (DivergenceException | TorchException e) {
      if (group.size() > 1) {
        for (Loaded single : group) {
          pass(net, options, List.of(single));
        }
      } else {
        fail(group.getFirst().job().file() + ": " + Failures.sentence(e));
      }
      return;
    }
    for (int i = 0; i < group.size(); i++) {
      write(group.get(i).job().name(), group.get(i).image(), maps.get(i));
      written++;
    }
  }

  private void write(Path name, RgbImage image, List<EdgeMap> maps) throws IOException {
    EdgeMap edges = maps.getLast();
    Path picture = withSuffix(name, ".png");
    if (sideBySide == null ? total == 1 : sideBySide) {
      Images.writePng(picture, Images.sideBySide(List.of(image, edges.toImage())));
    } else {
      Images.writePng8(picture, edges);
    }
    if (probabilities == Probabilities.png16) {
      Images.writePng16(withSuffix(name, "-16.png"), edges);
    } else if (probabilities == Probabilities.npy) {
      Npy.write(withSuffix(name, ".npy"), edges.values(), edges.height(), edges.width());
    }
    if (allTimesteps) {
      for (int t = 0; t < maps.size(); t++) {
        Images.writePng8(withSuffix(name, "-t" + (t + 1) + ".png"), maps.get(t));
      }
    }
    Terminal.clear();
    spec.commandLine().getOut().println(picture);
  }

  private static Path withSuffix(Path name, String suffix) {
    return name.resolveSibling(name.getFileName() + suffix);
  }

  private void fail(String sentence) {
    failed++;
    Terminal.clear();
    spec.commandLine().getErr().println("gammanet: " + sentence);
  }

  private void progress(Path file) {
    if (!Terminal.errIsTerminal()) {
      return;
    }
    String text = file.getFileName() + " …";
    if (total > 1) {
      int done = written + failed;
      double seconds = (System.nanoTime() - started) / 1e9;
      text =
          "%s %d/%d  %s%s"
              .formatted(
                  Terminal.bar((double) done / total),
                  done,
                  total,
                  written == 0 ? "" : Terminal.clock(seconds / done * (total - done)) + " left  ",
                  file.getFileName());
    }
    Terminal.draw(text);
  }
}
