package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.cli.DetectOutput.Format;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.experiments.study.Shard;
import org.gammanet.io.OutputFolder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Edge maps of images and videos. */
@Command(
    name = "detect",
    header = "Find edges in images and videos.",
    description = {
      "Writes NAME-edges.png for each image: white where an edge is likely, of the image's size."
          + " Files that cannot be read are reported, and the others done; the exit status is 1"
          + " then. Edge maps that this command has written are no input when they lie in a"
          + " folder.",
      "",
      "For an animated GIF or a video, it writes a video of the edges (NAME-edges.gif or"
          + " NAME-edges.mp4), or with --frames the single frames to a folder NAME-edges. Videos"
          + " other than GIF need the program ffmpeg on the path."
    },
    footer = {
      "Examples:",
      "  gammanet detect photo.jpg --side-by-side",
      "  gammanet detect photos --recursive -o edges --skip-existing",
      "  gammanet detect photo.jpg -o lines.svg",
      "  gammanet detect 'photos/*.jpg' -o 'edges/{stem}.png' --thin --threshold auto",
      "  gammanet detect clip.mp4 --carry-states --overlay",
      "  gammanet detect - -o - < photo.jpg > edges.png"
    })
final class DetectCommand implements Callable<Integer> {
  /** Pixels of a side, or {@code none}, which is 0. */
  static final class Side implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return text.equalsIgnoreCase("none") ? Integer.valueOf(0) : PIXELS.convert(text);
    }

    private static final Converters.Pixels PIXELS = new Converters.Pixels();
  }

  /** How an image is resized before it is passed through the network. */
  static final class Resizing {
    @Option(
        names = "--size",
        paramLabel = "N",
        converter = Converters.Pixels.class,
        description = "Resize each image to N x N pixels; the map has that size.")
    @Nullable Integer size;

    @Option(
        names = "--max-side",
        paramLabel = "N|none",
        converter = Side.class,
        description = {
          "Working size: an image whose longer side has more than N pixels is shrunk before it"
              + " passes through the network, and its map enlarged. Contours look as in the"
              + " training images (481 pixels) up to about 1024, the default; none finds every"
              + " detail, by tiles where memory demands it."
        })
    @Nullable Integer maxSide;

    /** The longest side that passes through the network; 0 for any. */
    int workingSide() {
      return size != null ? 0 : maxSide == null ? DetectorOptions.DEFAULT_MAX_SIDE : maxSide;
    }
  }

  @Parameters(
      paramLabel = "IMAGE",
      arity = "0..*",
      description = {
        "Images (PNG, JPEG, TIFF, BMP, GIF, WebP), videos, folders, quoted patterns such as"
            + " 'in/**/*.jpg'; - for standard input."
      })
  List<String> inputs = new ArrayList<>();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "NAME",
      description = {
        "Where results go: a file of one image where the ending is .png, .npy, .svg or .geojson; a"
            + " video of all images where it is a video's or .gif; a name with {stem}, {name} or"
            + " {dir} in it; - for standard output; anything else is a folder. Default: the current"
            + " folder."
      })
  @Nullable String output;

  @Option(
      names = {"-r", "--recursive"},
      description = "Look into folders in folders; results lie in folders of the same names.")
  boolean recursive;

  @Option(
      names = {"-f", "--force"},
      description = "Replace files of these names that this command has not written.")
  boolean force;

  @Option(
      names = "--skip-existing",
      description = "Leave out images whose results are there already.")
  boolean skipExisting;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      split = ",",
      description = {
        "One or more of ${COMPLETION-CANDIDATES}, separated by commas; default: png, or the ending"
            + " of --output. png16 is NAME-edges-16.png, where 65535 is 1; npy is float32 of"
            + " (height, width), which numpy.load reads; svg and geojson are traced contours with"
            + " confidence."
      })
  List<Format> formats = new ArrayList<>();

  @Option(names = "--probabilities", hidden = true, description = "The former --format.")
  @Nullable Format probabilities;

  @Option(
      names = "--all-timesteps",
      description = "Also write a map after each timestep: NAME-edges-tN.png.")
  boolean allTimesteps;

  @Option(
      names = "--json",
      description = {
        "Print a line of JSON for each image in place of its file's name: image, width, height,"
            + " seconds, mean, files; for a video image, frames, seconds, files; or error."
      })
  boolean json;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.Count.class,
      description = "Images of equal size that pass at once; default: ${DEFAULT-VALUE}.")
  int batchSize = 1;

  @Mixin ShardOption sharding = new ShardOption();

  @ArgGroup(exclusive = true)
  Resizing resizing = new Resizing();

  @Option(
      names = "--tile-size",
      paramLabel = "N|none",
      converter = Side.class,
      description = {
        "Side of the tiles that images pass in, with their overlap, at least 288; none passes"
            + " them whole; default: by memory. Maps are the same but for about 0.001."
      })
  @Nullable Integer tileSize;

  @ArgGroup(exclusive = false, heading = DetectStyle.HEADING)
  DetectStyle style = new DetectStyle();

  /** Videos and sequences of images. */
  static final class Video {
    @Option(
        names = "--carry-states",
        description =
            "Let the states of the network carry over from frame to frame, or from image to image"
                + " in the order of their names; fewer --timesteps are then enough.")
    boolean carryStates;

    @Option(
        names = "--frames",
        description = "Write the frames of videos as single images, in a folder for each.")
    boolean frames;

    @Option(
        names = "--rate",
        paramLabel = "N",
        description = "Frames per second of a video that is written; default: the video's, or 10.")
    @Nullable Double rate;
  }

  @ArgGroup(exclusive = false, heading = "%nVideos:%n")
  Video video = new Video();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions network = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;
  private DetectOutput target;
  private DetectReport report;

  @SuppressWarnings("NullAway.Init")
  DetectCommand() {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    report = new DetectReport(console, json, style);
    if (inputs.isEmpty()) {
      throw new UsageException("name an image, or a folder with images");
    }
    style.check();
    List<Format> asked = new ArrayList<>(formats);
    if (probabilities != null) {
      asked.add(probabilities);
      asked.add(Format.png);
    }
    boolean stdin = inputs.contains("-");
    target = DetectOutput.of(output, asked.stream().distinct().toList(), stdin);
    Shard part = sharding.shard;
    if (part != null) {
      if (target.kind != DetectOutput.Kind.FOLDER || stdin || video.carryStates) {
        throw new UsageException(
            "--shard is for images that go to a folder, without --carry-states: name it with"
                + " --output");
      }
      target = DetectOutput.of(part.folder(target.path()).toString(), target.formats(), false);
    }
    checkOptions();
    List<DetectInputs.Found> found =
        new DetectInputs(recursive, console::note, report::fail).find(inputs);
    List<Job> jobs = target.jobs(found);
    List<String> names = jobs.stream().map(job -> job.file().toString()).toList();
    if (part != null) {
      DetectOutput.requireDistinct(jobs, target.formats().getLast());
      jobs = part.every(jobs);
    }
    report.expect(jobs.size());
    if (target.kind != DetectOutput.Kind.VIDEO) {
      if (target.kind != DetectOutput.Kind.STDOUT) {
        DetectOutput.requireDistinct(jobs, target.formats().getLast());
      }
      jobs = toDo(jobs);
    }
    try (var interrupt = Interrupt.handle(() -> {})) {
      if (!jobs.isEmpty() || part != null) {
        run(jobs, part, names, interrupt);
      }
      if (interrupt.happened()) {
        throw interrupt.exception(
            "interrupted; %s, --skip-existing leaves them out".formatted(report.summary()));
      }
    }
    return report.finish();
  }

  private void run(List<Job> jobs, @Nullable Shard part, List<String> names, Interrupt interrupt)
      throws IOException {
    DetectReader reader = new DetectReader(resizing, style.needsPhoto(), report);
    Runnable meanwhile =
        () -> {
          if (!jobs.isEmpty() && target.kind != DetectOutput.Kind.VIDEO) {
            reader.readAhead(jobs.getFirst());
          }
        };
    try (GammaNet net = compute.applyTo(network.open(compute, console, meanwhile));
        OutputFolder folder = outputFolder()) {
      var opened = new DetectNetwork(net, options(), interrupt);
      if (part == null) {
        detect(jobs, opened, reader);
        return;
      }
      DetectShard shard =
          DetectShard.open(
              target.path(),
              part,
              names,
              net,
              spec.commandLine().getParseResult().matchedOptions());
      detect(jobs, opened, reader);
      if (!opened.isStopped()) {
        shard.complete(report.failures());
      }
    } catch (CancellationException e) {
      // Between two tiles: of the image nothing is written.
    } finally {
      Terminal.clear();
    }
  }

  private void detect(List<Job> jobs, DetectNetwork opened, DetectReader reader)
      throws IOException {
    var writer = new DetectWriter(style, target.formats(), allTimesteps);
    var videos = new DetectVideos(opened, writer, report, video, resizing.size, videoObstacle());
    if (target.kind == DetectOutput.Kind.VIDEO) {
      joinVideo(jobs, videos);
      return;
    }
    var images = new DetectImages(opened, reader, writer, report, videos, batchSize);
    if (video.carryStates) {
      images.detectSequence(jobs);
    } else {
      images.detect(jobs);
    }
  }

  /** One video of all images and videos. */
  private void joinVideo(List<Job> jobs, DetectVideos videos) throws IOException {
    Path result = target.path();
    boolean there = Files.exists(result);
    if (there && skipExisting) {
      return;
    }
    if (there && !force) {
      throw new CommandException(result + " exists: --force replaces it");
    }
    videos.join(jobs, result);
  }

  private void checkOptions() {
    if (target.kind == DetectOutput.Kind.STDOUT) {
      if (json) {
        throw new UsageException("--json and edges cannot both go to standard output");
      }
      if (allTimesteps || target.formats().size() > 1) {
        throw new UsageException("standard output takes one file: name an --output");
      }
      if (Terminal.outIsTerminal() && !isText(target.formats().getFirst())) {
        throw new UsageException("the terminal cannot show a picture: name an --output");
      }
    }
    if (target.kind == DetectOutput.Kind.VIDEO) {
      String obstacle = video.frames ? "--frames writes images, not a video" : videoObstacle();
      if (obstacle != null) {
        throw new UsageException(obstacle);
      }
    }
    if (video.rate != null && !(video.rate > 0 && video.rate <= 1000)) {
      throw new UsageException("--rate must be more than 0 and at most 1000, not " + video.rate);
    }
    if (video.carryStates && (batchSize > 1 || tileSize != null && tileSize > 0)) {
      throw new UsageException(
          "states carry over from one whole image to the next: without --batch-size and"
              + " --tile-size");
    }
  }

  /** Why videos cannot be written as the options ask for, in a sentence; null if they can. */
  private @Nullable String videoObstacle() {
    if (target.kind == DetectOutput.Kind.FILE || target.kind == DetectOutput.Kind.STDOUT) {
      return "a video's edges go to a video or a folder: give --output such a name";
    }
    if (allTimesteps) {
      return "--all-timesteps is for images, not for videos";
    }
    if (video.frames) {
      return null;
    }
    boolean other = !formats.isEmpty() && !formats.contains(Format.png);
    return other || style.picture.transparent
        ? "a video has no %s: --frames writes its frames as images"
            .formatted(other ? "--format" : "--transparent")
        : null;
  }

  private static boolean isText(Format format) {
    return format == Format.svg || format == Format.geojson;
  }

  /** The folder of the results; null where they go elsewhere. */
  private @Nullable OutputFolder outputFolder() throws IOException {
    return target.kind == DetectOutput.Kind.FOLDER ? OutputFolder.open(target.path()) : null;
  }

  private DetectorOptions options() {
    DetectorOptions chosen =
        DetectorOptions.DEFAULTS
            .withMaxSide(resizing.workingSide())
            .withTileSide(
                video.carryStates || tileSize != null && tileSize == 0
                    ? DetectorOptions.WHOLE
                    : tileSize == null ? 0 : tileSize);
    return allTimesteps ? chosen.withEveryTimestep() : chosen;
  }

  /** Without what is done already and may be skipped, and what would replace others' files. */
  private List<Job> toDo(List<Job> jobs) {
    List<Job> left = new ArrayList<>();
    for (Job job : jobs) {
      boolean moving = job.isVideo();
      Path result = moving ? job.videoResult(video.frames) : job.result(target.formats().getLast());
      if (result == null || !Files.exists(result)) {
        left.add(job);
        continue;
      }
      boolean ours = moving || DetectOutput.isOurs(result);
      // Frames are added to those of their folder, and a video is only replaced if that is wanted.
      boolean replaced = ours && (!moving || Files.isDirectory(result));
      if (skipExisting && ours) {
        report.done();
      } else if (!force && !replaced) {
        report.fail(
            ours
                ? result + " exists: --force replaces it"
                : result + " exists, and this command has not written it: --force replaces it");
      } else {
        left.add(job);
      }
    }
    return left;
  }
}
