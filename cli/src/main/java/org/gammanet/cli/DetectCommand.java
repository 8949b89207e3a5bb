package org.gammanet.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.gammanet.io.Sha256;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Edge maps of images. */
@Command(
    name = "detect",
    header = "Find edges in images.",
    description = {
      "Writes NAME-edges.png for each image: white where an edge is likely. For a single image file"
          + " the picture shows the image and its edges side by side. Files that cannot be read are"
          + " reported, and the others done; the exit status is 1 then. Edge maps that this command"
          + " has written are no input when they lie in a folder."
    },
    footer = {
      "Examples:",
      "  gammanet detect photo.jpg",
      "  gammanet detect photos -o edges --batch-size 4",
      "  gammanet detect photo.jpg --probabilities npy"
    })
final class DetectCommand implements Callable<Integer> {
  /** File formats of probabilities. */
  enum Probabilities {
    npy,
    png16
  }

  /** How an image is resized before it is passed through the network. */
  static final class Resizing {
    @Option(
        names = "--size",
        paramLabel = "N",
        converter = Converters.Pixels.class,
        description = "Resize each image to N x N pixels; default: its own size.")
    @Nullable Integer size;

    @Option(
        names = "--max-side",
        paramLabel = "N",
        converter = Converters.Pixels.class,
        description = "Shrink images whose longer side has more than N pixels, in proportion.")
    @Nullable Integer maxSide;
  }

  @Parameters(
      paramLabel = "IMAGE",
      arity = "0..*",
      description = "Images (PNG, JPEG, TIFF, BMP, GIF, WebP) or folders with images.")
  List<Path> inputs = new ArrayList<>();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = ".",
      description = "Folder for the results; default: the current one.")
  Path output = Path.of(".");

  @Option(
      names = {"-f", "--force"},
      description = "Replace files of these names that this command has not written.")
  boolean force;

  @Option(
      names = "--skip-existing",
      description = "Leave out images whose edges are in the output folder already.")
  boolean skipExisting;

  @Option(
      names = "--all-timesteps",
      description = "Also write a map after each timestep: NAME-edges-tN.png.")
  boolean allTimesteps;

  @Option(
      names = "--side-by-side",
      negatable = true,
      description = "Image and edges in one picture; default for a single image file.")
  @Nullable Boolean sideBySide;

  @Option(
      names = "--probabilities",
      paramLabel = "npy|png16",
      description =
          "Also write the probabilities: npy for NAME-edges.npy, float32 of (height, width), which"
              + " numpy.load reads; png16 for NAME-edges-16.png, where 65535 is 1.")
  @Nullable Probabilities probabilities;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.Count.class,
      description = "Images of equal size that pass at once; default: ${DEFAULT-VALUE}.")
  int batchSize = 1;

  @ArgGroup(exclusive = true)
  Resizing resizing = new Resizing();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions network = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;
  private int failed;
  private int written;
  private int total;
  private volatile boolean stopped;

  @SuppressWarnings("NullAway.Init")
  DetectCommand() {}

  /** An image and the beginning of the names of its results. */
  private record Job(Path file, Path name) {
    Path result(String suffix) {
      return name.resolveSibling(name.getFileName() + suffix);
    }
  }

  /** An image that waits for others of its size. */
  private record Loaded(Job job, RgbImage image) {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    if (inputs.isEmpty()) {
      throw new UsageException("name an image, or a folder with images");
    }
    checkOutput();
    List<Job> jobs = jobs();
    total = failed + jobs.size();
    if (sideBySide == null) {
      sideBySide = inputs.size() == 1 && !Files.isDirectory(inputs.getFirst());
    }
    jobs = toDo(jobs);
    try (var interrupt = Interrupt.handle(() -> stopped = true)) {
      if (!jobs.isEmpty()) {
        Files.createDirectories(output);
        if (!Files.isWritable(output)) {
          throw new AccessDeniedException(output.toString());
        }
        try (GammaNet net = compute.applyTo(network.open(compute, console))) {
          detect(net, jobs);
        } finally {
          Terminal.clear();
        }
      }
      if (stopped) {
        throw interrupt.exception(
            "interrupted; %d of %d done, --skip-existing leaves them out"
                .formatted(written, total));
      }
    }
    if (failed > 0 && total > 1) {
      console.error("%d of %d done".formatted(written, total));
    }
    return failed == 0 ? 0 : Failures.FAILED;
  }

  private void checkOutput() throws IOException {
    if (Files.exists(output)) {
      if (!Files.isDirectory(output)) {
        throw new NotDirectoryException(output.toString());
      }
    } else if (output.toString().equals("-") || Images.hasImageName(output)) {
      throw new UsageException(
          "--output names a folder, and '" + output + "' looks like a file's name");
    }
  }

  /** What is to be done; inputs that are not there are reported at once. */
  private List<Job> jobs() throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path input : inputs) {
      if (!Files.exists(input)) {
        fail("there is no file or folder " + input);
      } else if (Files.isDirectory(input)) {
        try {
          files.addAll(imagesIn(input));
        } catch (AccessDeniedException e) {
          fail(input + ": permission denied");
        }
      } else {
        files.add(input);
      }
    }
    return named(files.stream().distinct().toList());
  }

  /** The images in a folder; what else it holds is told by kind. */
  private List<Path> imagesIn(Path folder) throws IOException {
    List<Path> images = new ArrayList<>();
    SequencedMap<String, Integer> others = new TreeMap<>();
    try (Stream<Path> inside = Files.list(folder)) {
      for (Path file : inside.sorted().toList()) {
        String name = String.valueOf(file.getFileName());
        if (name.startsWith(".")) {
          continue;
        }
        boolean image = Images.hasImageName(file) && Files.isRegularFile(file);
        if (image && !Images.isResult(file)) {
          images.add(file);
        } else {
          others.merge(image ? "edge maps" : kind(file, name), 1, Integer::sum);
        }
      }
    }
    String left =
        others.entrySet().stream()
            .map(e -> e.getValue() + " " + e.getKey())
            .collect(Collectors.joining(", "));
    if (images.isEmpty()) {
      fail("there is no image in the folder " + folder + (left.isEmpty() ? "" : ", only " + left));
    } else if (!left.isEmpty()) {
      console.note(folder + ": left out " + left);
    }
    return images;
  }

  private static String kind(Path file, String name) {
    if (Files.isDirectory(file)) {
      return "folders";
    }
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "files without ending" : name.substring(dot).toLowerCase(Locale.ROOT);
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
            String own = shortened(sharing.size() == 1 ? name : String.valueOf(file.getFileName()));
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

  /** A name that leaves room for the endings of results within the 255 bytes that systems allow. */
  private static String shortened(String name) {
    if (name.getBytes(StandardCharsets.UTF_8).length <= LONGEST_NAME) {
      return name;
    }
    MessageDigest sha = Sha256.digest();
    sha.update(name.getBytes(StandardCharsets.UTF_8));
    String digest = Sha256.hex(sha).substring(0, 8);
    int end = name.length();
    while (name.substring(0, end).getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME - 9) {
      end = name.offsetByCodePoints(end, -1);
    }
    return name.substring(0, end) + "-" + digest;
  }

  private static final int LONGEST_NAME = 230;

  /** Without what is done already and may be skipped, and what would replace others' files. */
  private List<Job> toDo(List<Job> jobs) {
    List<Job> left = new ArrayList<>();
    for (Job job : jobs) {
      Path picture = job.result(".png");
      if (skipExisting && Images.isResult(picture)) {
        written++;
      } else if (!force && Files.exists(picture) && !Images.isResult(picture)) {
        fail(picture + " exists, and this command has not written it: --force replaces it");
      } else {
        left.add(job);
      }
    }
    return left;
  }

  private void detect(GammaNet net, List<Job> jobs) throws IOException {
    ForwardOptions options =
        allTimesteps ? ForwardOptions.DEFAULTS.withEveryTimestep() : ForwardOptions.DEFAULTS;
    DetectMemory memory = new DetectMemory(net.network());
    SequencedMap<List<Integer>, List<Loaded>> waiting = new LinkedHashMap<>();
    int loaded = 0;
    for (Job job : jobs) {
      if (stopped) {
        return;
      }
      console.progress("", written + failed, total, String.valueOf(job.file().getFileName()));
      RgbImage image;
      try {
        image = resized(Images.read(job.file()));
      } catch (ImageException e) {
        fail(String.valueOf(e.getMessage()));
        continue;
      }
      int most = (int) Math.min(batchSize, memory.fitting(image.height(), image.width()));
      if (most == 0) {
        fail(job.file() + " " + memory.refusal(image.height(), image.width()));
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
        memory.passed(most, image.height(), image.width());
      } else if (loaded == 4 * batchSize) { // many sizes: do not hold ever more images
        List<Loaded> oldest = waiting.pollFirstEntry().getValue();
        loaded -= oldest.size();
        pass(net, options, oldest);
      }
    }
    for (List<Loaded> group : waiting.values()) {
      if (!stopped) {
        pass(net, options, group);
      }
    }
  }

  private RgbImage resized(RgbImage image) {
    if (resizing.size != null) {
      return image.resize(resizing.size, resizing.size);
    }
    Integer maxSide = resizing.maxSide;
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
      write(group.get(i).job(), group.get(i).image(), maps.get(i));
      written++;
    }
  }

  private void write(Job job, RgbImage image, List<EdgeMap> maps) throws IOException {
    EdgeMap edges = maps.getLast();
    if (probabilities == Probabilities.png16) {
      Images.writePng16(job.result("-16.png"), edges);
    } else if (probabilities == Probabilities.npy) {
      Npy.write(job.result(".npy"), edges.values(), edges.height(), edges.width());
    }
    if (allTimesteps) {
      for (int t = 0; t < maps.size(); t++) {
        Images.writePng8(job.result("-t" + (t + 1) + ".png"), maps.get(t));
      }
    }
    // The picture comes last: with it, an image counts as done.
    Path picture = job.result(".png");
    if (Boolean.TRUE.equals(sideBySide)) {
      Images.writeResult(picture, Images.sideBySide(List.of(image, edges.toImage())));
    } else {
      Images.writePng8(picture, edges);
    }
    console.print(picture);
  }

  private void fail(String sentence) {
    failed++;
    console.error(sentence);
  }
}
