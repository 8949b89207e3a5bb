package org.gammanet.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.cli.DetectOutput.Format;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.detection.Contours;
import org.gammanet.detection.DetectionMemory;
import org.gammanet.detection.Detector;
import org.gammanet.detection.DetectorOptions;
import org.gammanet.detection.EdgePictures;
import org.gammanet.detection.FrameReader;
import org.gammanet.detection.FrameWriter;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.OutputFolder;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
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
  /** The file in which a shard says what it has done. */
  static final String RECORD = "detect.json";

  /** Step of a shard's results. */
  private static final String PART = "part";

  /** Options that change no file. */
  private static final Set<String> INDIFFERENT =
      Set.of(
          "--output",
          "--recursive",
          "--force",
          "--skip-existing",
          "--json",
          "--shard",
          "--checkpoint",
          "--config",
          "--device",
          "--threads",
          "--verbose");

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
  private DetectorOptions options;
  private Detector detector;
  private DetectionMemory memory;
  private @Nullable ObjectMapper mapper;
  private int failed;
  private final List<String> failures = new ArrayList<>();
  private int written;
  private int total;
  private boolean toldOfSize;
  private volatile boolean stopped;

  /** An image that was read while LibTorch was being loaded; null where it could not be read. */
  private @Nullable Loaded ahead;

  private @Nullable Job readAhead;

  @SuppressWarnings("NullAway.Init")
  DetectCommand() {}

  /**
   * An image that has been read.
   *
   * @param image as it passes through the network
   * @param photo in its own size where the results show it
   * @param width of the result in pixels
   * @param height of the result in pixels
   * @param begun when reading began, by {@link System#nanoTime}
   */
  private record Loaded(
      Job job, RgbImage image, @Nullable RgbImage photo, int width, int height, long begun) {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
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
        new DetectInputs(recursive, console::note, this::fail).find(inputs);
    List<Job> jobs = target.jobs(found);
    List<String> names = jobs.stream().map(job -> job.file().toString()).toList();
    if (part != null) {
      DetectOutput.requireDistinct(jobs, target.formats().getLast());
      jobs = part.every(jobs);
    }
    total = failed + jobs.size();
    if (target.kind != DetectOutput.Kind.VIDEO) {
      if (target.kind != DetectOutput.Kind.STDOUT) {
        DetectOutput.requireDistinct(jobs, target.formats().getLast());
      }
      jobs = toDo(jobs);
    }
    options = options();
    try (var interrupt = Interrupt.handle(() -> stopped = true)) {
      if (!jobs.isEmpty() || part != null) {
        List<Job> toDo = jobs;
        Runnable meanwhile = () -> readFirst(toDo);
        try (GammaNet net = compute.applyTo(network.open(compute, console, meanwhile));
            OutputFolder folder = outputFolder()) {
          open(net);
          if (part == null) {
            run(net, jobs);
          } else {
            run(net, jobs, part, names);
          }
        } catch (CancellationException e) {
          // Between two tiles: of the image nothing is written.
        } finally {
          Terminal.clear();
        }
      }
      if (stopped) {
        throw interrupt.exception(
            "interrupted; %s of %s done, --skip-existing leaves them out"
                .formatted(written, total));
      }
    }
    if (failed > 0 && total > 1) {
      console.error("%s of %s done".formatted(written, total));
    }
    return failed == 0 ? 0 : Failures.FAILED;
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
            .withMaxSide(resizing.size != null ? 0 : workingSide())
            .withTileSide(
                video.carryStates || tileSize != null && tileSize == 0
                    ? DetectorOptions.WHOLE
                    : tileSize == null ? 0 : tileSize);
    return allTimesteps ? chosen.withEveryTimestep() : chosen;
  }

  /** Reads the first image, as LibTorch is waited for anyway. */
  private void readFirst(List<Job> jobs) {
    if (!jobs.isEmpty() && target.kind != DetectOutput.Kind.VIDEO) {
      Job first = jobs.getFirst();
      if (!first.file().equals(DetectInputs.STDIN) && !isVideo(first)) {
        ahead = load(first);
        readAhead = first;
      }
    }
  }

  private void open(GammaNet net) {
    detector = new Detector(net, options);
    detector.onProgress(done -> goOn());
    memory = new DetectionMemory(net.network());
  }

  /** Ends the image at hand after a signal. */
  private void goOn() {
    if (stopped) {
      throw new CancellationException();
    }
  }

  private int workingSide() {
    return resizing.maxSide == null ? DetectorOptions.DEFAULT_MAX_SIDE : resizing.maxSide;
  }

  /** Without what is done already and may be skipped, and what would replace others' files. */
  private List<Job> toDo(List<Job> jobs) {
    List<Job> left = new ArrayList<>();
    for (Job job : jobs) {
      boolean moving = isVideo(job);
      Path result = moving ? movingResult(job) : job.result(target.formats().getLast());
      if (result == null || !Files.exists(result)) {
        left.add(job);
        continue;
      }
      boolean ours = moving || DetectOutput.isOurs(result);
      // Frames are added to those of their folder, and a video is only replaced if that is wanted.
      boolean replaced = ours && (!moving || Files.isDirectory(result));
      if (skipExisting && ours) {
        written++;
      } else if (!force && !replaced) {
        fail(
            ours
                ? result + " exists: --force replaces it"
                : result + " exists, and this command has not written it: --force replaces it");
      } else {
        left.add(job);
      }
    }
    return left;
  }

  private static boolean isVideo(Job job) {
    return FrameReader.hasVideoName(job.file())
        || FrameReader.isGif(job.file()) && Images.isAnimated(job.file());
  }

  private void run(GammaNet net, List<Job> jobs) throws IOException {
    if (target.kind == DetectOutput.Kind.VIDEO) {
      oneVideo(jobs);
      return;
    }
    if (!video.carryStates) {
      detect(net, jobs);
      return;
    }
    try (Detector.Sequence sequence = detector.sequence()) {
      for (Job job : jobs) {
        if (stopped) {
          return;
        }
        if (isVideo(job)) {
          moving(job);
          continue;
        }
        console.progress("", written + failed, total, job.name());
        Loaded loaded = load(job);
        if (loaded == null) {
          continue;
        }
        int height = loaded.image.height();
        int width = loaded.image.width();
        if (memory.fitting(height, width) == 0) {
          fail(job, refusal(height, width));
          continue;
        }
        finish(loaded, () -> sequence.nextTimesteps(loaded.image));
        memory.passed(1, height, width);
      }
    }
  }

  /** Does a shard's part of all images, and notes that it is done. */
  private void run(GammaNet net, List<Job> jobs, Shard part, List<String> names)
      throws IOException {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("network", net.config().model().name());
    settings.put("timesteps", Integer.toString(net.config().model().timesteps()));
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      if (!INDIFFERENT.contains(option.longestName())) {
        settings.put(
            option.longestName().substring(2).replace('-', '_'),
            String.join(" ", option.originalStringValues()));
      }
    }
    Study study;
    try {
      study =
          Study.open(
              target.path(),
              RECORD,
              new Study.Identity("detect", settings, net.network().digest()),
              Map.of(),
              Study.Existing.CONTINUE,
              Progress.NONE);
      Shards.mark(study, part, names);
    } catch (IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    study.complete(false);
    run(net, jobs);
    if (!stopped) {
      study.put(PART, new Part(failures));
      study.complete(true);
    }
  }

  /** What a shard leaves for the merge besides its files: a sentence for each that failed. */
  private record Part(List<String> failures) {}

  /**
   * Joins the shards of a run.
   *
   * @param force whether to replace files that are there already and are not known as results of
   *     this command: videos have no mark
   * @throws IllegalStateException where they may not
   */
  static int merge(Shards shards, Path output, boolean force, Console console) throws IOException {
    shards.link(output, to -> force || DetectOutput.isOurs(to));
    Set<String> failures = new LinkedHashSet<>(); // each shard names those that are not there
    for (ObjectNode root : shards.results()) {
      failures.addAll(Json.read(root.path(PART), Part.class).failures);
    }
    failures.forEach(console::error);
    console.print(output);
    return failures.isEmpty() ? 0 : Failures.FAILED;
  }

  private void detect(GammaNet net, List<Job> jobs) throws IOException {
    SequencedMap<List<Integer>, List<Loaded>> waiting = new LinkedHashMap<>();
    int loaded = 0;
    for (Job job : jobs) {
      if (stopped) {
        return;
      }
      if (isVideo(job)) {
        moving(job);
        continue;
      }
      console.progress("", written + failed, total, job.name());
      Loaded image = load(job);
      if (image == null) {
        continue;
      }
      int height = image.image.height();
      int width = image.image.width();
      if (detector.isCut(height, width)) {
        detector.onProgress(
            done -> {
              goOn();
              console.progress(
                  "tiles", Math.round(1000 * done), 1000, String.valueOf(job.file().getFileName()));
            });
        finish(image, () -> detector.atWorkingSize(image.image));
        continue;
      }
      int most = (int) Math.min(batchSize, memory.fitting(height, width));
      if (most == 0) {
        fail(job, refusal(height, width));
        continue;
      }
      List<Integer> key = List.of(width, height);
      List<Loaded> group = waiting.computeIfAbsent(key, k -> new ArrayList<>());
      group.add(image);
      loaded++;
      if (group.size() == most) {
        waiting.remove(key);
        loaded -= group.size();
        pass(net, group);
        memory.passed(most, height, width);
      } else if (loaded == 4 * batchSize) { // many sizes: do not hold ever more images
        List<Loaded> oldest = waiting.pollFirstEntry().getValue();
        loaded -= oldest.size();
        pass(net, oldest);
      }
    }
    for (List<Loaded> group : waiting.values()) {
      if (!stopped) {
        pass(net, group);
      }
    }
  }

  private String refusal(int height, int width) {
    return "has %s×%s pixels, for which this network needs %s, but %s are available: a smaller --max-side shrinks it"
        .formatted(
            width,
            height,
            Terminal.bytes(memory.bytes(height, width)),
            Terminal.bytes(memory.available()));
  }

  /** Reads an image at its working size; null if that fails, which is reported. */
  private @Nullable Loaded load(Job job) {
    if (job.equals(readAhead)) {
      Loaded read = ahead;
      ahead = null;
      readAhead = null;
      return read;
    }
    long begun = System.nanoTime();
    try {
      byte[] bytes = bytes(job);
      Integer size = resizing.size;
      boolean whole = size != null || style.needsPhoto();
      Images.Shrunk read = Images.decode(bytes, job.name(), whole ? 0 : options.maxSide());
      if (size != null) {
        RgbImage image = read.image().resize(size, size);
        return new Loaded(job, image, image, size, size, begun);
      }
      RgbImage image = read.image().shrink(options.maxSide());
      tellOfSize(job, read, image);
      return new Loaded(
          job, image, whole ? read.image() : null, read.width(), read.height(), begun);
    } catch (IOException e) {
      failWith(job, sentence(e));
      return null;
    } catch (IllegalArgumentException e) { // such an image has no such size
      fail(job, sentence(e));
      return null;
    }
  }

  private void tellOfSize(Job job, Images.Shrunk read, RgbImage image) {
    if (resizing.maxSide == null && image.width() < read.width() && !toldOfSize) {
      toldOfSize = true;
      console.note(
          "%s has %s×%s pixels and passes as %s×%s (--max-side %s); --max-side none finds finer detail"
              .formatted(
                  job.name(),
                  read.width(),
                  read.height(),
                  image.width(),
                  image.height(),
                  options.maxSide()));
    }
  }

  private static byte[] bytes(Job job) throws IOException {
    return job.file().equals(DetectInputs.STDIN) ? standardInput() : Images.bytes(job.file());
  }

  private static byte[] standardInput() throws ImageException {
    byte[] bytes;
    try {
      bytes = System.in.readAllBytes();
    } catch (IOException e) {
      throw new ImageException("standard input cannot be read: " + e.getMessage(), e);
    }
    if (bytes.length == 0) {
      throw new ImageException("standard input is empty");
    }
    return bytes;
  }

  /** Passes images of one size through the network; one that fails takes no other with it. */
  private void pass(GammaNet net, List<Loaded> group) throws IOException {
    ForwardOptions forward =
        allTimesteps ? ForwardOptions.DEFAULTS.withEveryTimestep() : ForwardOptions.DEFAULTS;
    if (group.size() == 1) {
      finish(group.getFirst(), () -> net.detect(group.getFirst().image, forward));
      return;
    }
    List<List<EdgeMap>> maps;
    try {
      maps = net.detect(group.stream().map(Loaded::image).toList(), forward);
    } catch (DivergenceException | TorchException e) {
      for (Loaded single : group) {
        pass(net, List.of(single));
      }
      return;
    }
    for (int i = 0; i < group.size(); i++) {
      List<EdgeMap> own = maps.get(i);
      finish(group.get(i), () -> own);
    }
  }

  private interface Maps {
    List<EdgeMap> find();
  }

  /** Finds the edges of an image and writes them; what fails is reported. */
  private void finish(Loaded loaded, Maps finder) throws IOException {
    List<EdgeMap> maps;
    try {
      maps = Detector.enlarged(finder.find(), loaded.width, loaded.height);
    } catch (DivergenceException | TorchException | IllegalArgumentException e) {
      fail(loaded.job, sentence(e));
      return;
    }
    EdgeMap map = maps.getLast();
    List<Path> files = new ArrayList<>();
    if (allTimesteps) {
      for (int t = 0; t < maps.size(); t++) {
        Path file = loaded.job.result("-t" + (t + 1) + ".png");
        if (file != null) {
          write(file, Images.png8(style.gray(style.apply(maps.get(t)))));
          files.add(file);
        }
      }
    }
    EdgeMap styled = style.apply(map);
    // The last format comes last: with it, an image counts as done.
    for (Format format : target.formats()) {
      Path file = loaded.job.result(format);
      ByteBuffer bytes = encode(format, map, styled, loaded.photo);
      if (file == null) {
        writeOut(bytes);
      } else {
        write(file, bytes);
        files.add(file);
      }
    }
    written++;
    report(loaded, map, files);
  }

  private ByteBuffer encode(Format format, EdgeMap map, EdgeMap styled, @Nullable RgbImage photo)
      throws IOException {
    return switch (format) {
      case png -> picture(styled, photo);
      case png16 -> Images.png16(style.gray(styled));
      case npy -> Npy.result(styled.values(), styled.height(), styled.width());
      case svg -> utf8(contours(map).svg(style.lineColor()));
      case geojson -> utf8(contours(map).geoJson());
    };
  }

  private Contours contours(EdgeMap map) {
    return Contours.of(map, style.contourThreshold(map));
  }

  private static ByteBuffer utf8(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private ByteBuffer picture(EdgeMap styled, @Nullable RgbImage photo) throws IOException {
    if (style.picture.transparent) {
      return Images.result(EdgePictures.transparent(styled, style.lineColor(), style.alpha));
    }
    return style.isPicture()
        ? Images.result(style.color(styled, photo).toBufferedImage())
        : Images.png8(style.gray(styled));
  }

  private static void write(Path file, ByteBuffer bytes) throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    Images.write(file, bytes);
  }

  private static void writeOut(ByteBuffer bytes) {
    try {
      WritableByteChannel out = Channels.newChannel(System.out);
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      System.out.flush();
    } catch (IOException e) {
      throw new CommandException(Failures.OUTPUT_LOST, e);
    }
    if (System.out.checkError()) {
      throw new CommandException(Failures.OUTPUT_LOST);
    }
  }

  private void report(Loaded loaded, EdgeMap map, List<Path> files) throws IOException {
    if (!json) {
      if (!files.isEmpty()) {
        console.print(files.getLast());
      }
      return;
    }
    double sum = 0;
    for (float value : map.values()) {
      sum += value;
    }
    ObjectNode line = line(loaded.job);
    line.put("width", map.width());
    line.put("height", map.height());
    line.put("working_width", loaded.image.width());
    line.put("working_height", loaded.image.height());
    line.put("seconds", seconds(loaded.begun));
    line.put("mean", sum / map.values().length);
    OptionalDouble threshold = style.thresholdOf(map);
    if (threshold.isPresent()) {
      line.put("threshold", threshold.getAsDouble());
    }
    print(line, files);
  }

  private static String sentence(Exception e) {
    String known = Failures.sentence(e);
    return known == null ? String.valueOf(e.getMessage()) : known;
  }

  private ObjectNode line(Job job) {
    ObjectMapper known = mapper == null ? new ObjectMapper() : mapper;
    mapper = known;
    ObjectNode line = known.createObjectNode();
    line.put("image", job.file().toString());
    return line;
  }

  private void print(ObjectNode line, List<Path> files) {
    ArrayNode names = line.putArray("files");
    files.forEach(file -> names.add(file.toString()));
    console.print(line);
  }

  private static double seconds(long begun) {
    return Math.round((System.nanoTime() - begun) / 1e6) / 1e3;
  }

  private void fail(String sentence) {
    failed++;
    failures.add(sentence);
    console.error(sentence);
  }

  /** Reports what is wrong with an image. */
  private void fail(Job job, String predicate) {
    failWith(job, job.name() + (predicate.startsWith("has ") ? " " : ": ") + predicate);
  }

  private void failWith(Job job, String sentence) {
    fail(sentence);
    if (json) {
      console.print(line(job).put("error", sentence));
    }
  }

  // Videos

  /** Where the edges of a video go: a file, or a folder of frames. */
  private @Nullable Path movingResult(Job job) {
    if (video.frames) {
      return job.result("");
    }
    return job.result(FrameReader.isGif(job.file()) ? ".gif" : ".mp4");
  }

  /** The edges of a video: another video, or frames. */
  private void moving(Job job) throws IOException {
    if (target.kind == DetectOutput.Kind.FILE || target.kind == DetectOutput.Kind.STDOUT) {
      fail(job, "a video's edges go to a video or a folder: give --output such a name");
      return;
    }
    String obstacle = videoObstacle();
    if (obstacle != null) {
      fail(job, obstacle);
      return;
    }
    Path result = movingResult(job);
    if (result == null) {
      throw new AssertionError(job);
    }
    long begun = System.nanoTime();
    try {
      Path parent = result.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      int frames = video.frames ? toFrames(job, result) : toVideo(List.of(job), result);
      if (stopped) {
        return;
      }
      written++;
      reportVideo(job, frames, begun, result);
    } catch (ImageException | DivergenceException | TorchException | IllegalArgumentException e) {
      failWith(job, sentence(e));
    }
  }

  private void reportVideo(Job job, int frames, long begun, Path result) {
    if (json) {
      print(line(job).put("frames", frames).put("seconds", seconds(begun)), List.of(result));
    } else {
      console.print(result);
    }
  }

  /** One video of all images and videos. */
  private void oneVideo(List<Job> jobs) throws IOException {
    Path result = target.path();
    boolean there = Files.exists(result);
    if (there && skipExisting) {
      return;
    }
    if (there && !force) {
      throw new CommandException(result + " exists: --force replaces it");
    }
    long begun = System.nanoTime();
    int frames;
    try {
      frames = toVideo(jobs, result);
    } catch (IllegalArgumentException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    if (!stopped && frames > 0) {
      reportVideo(jobs.getFirst(), frames, begun, result);
    }
  }

  private interface FrameSink {
    void accept(RgbImage frame, EdgeMap map) throws IOException;
  }

  private int toVideo(List<Job> jobs, Path result) throws IOException {
    double rate = video.rate != null ? video.rate : rate(jobs.getFirst());
    try (FrameWriter writer = FrameWriter.open(result, rate)) {
      int frames =
          eachFrame(jobs, (frame, map) -> writer.add(style.color(style.apply(map), frame)));
      if (frames > 0 && !stopped) {
        writer.finish();
      }
      return frames;
    }
  }

  private static double rate(Job job) throws IOException {
    if (!isVideo(job)) {
      return 10;
    }
    try (FrameReader reader = FrameReader.open(job.file())) {
      return reader.rate();
    }
  }

  private int toFrames(Job job, Path folder) throws IOException {
    Files.createDirectories(folder);
    int[] number = {0};
    return eachFrame(
        List.of(job),
        (frame, map) -> {
          number[0]++;
          EdgeMap styled = style.apply(map);
          for (Format format : target.formats()) {
            String name = String.format(Locale.ROOT, "%06d%s", number[0], format.suffix);
            write(folder.resolve(name), encode(format, map, styled, frame));
          }
        });
  }

  /** Finds the edges of all frames of videos and images, one after the other; their number. */
  private int eachFrame(List<Job> jobs, FrameSink sink) throws IOException {
    int frames = 0;
    try (Detector.Sequence sequence = detector.sequence()) {
      for (Job job : jobs) {
        if (stopped) {
          break;
        }
        if (!isVideo(job)) {
          console.progress("frames", frames, jobs.size(), job.name());
          RgbImage image = Images.decode(bytes(job), job.name(), 0).image();
          frame(job, sequence, image, sink);
          frames++;
          if (target.kind == DetectOutput.Kind.VIDEO) {
            written++;
          }
          continue;
        }
        try (FrameReader reader = FrameReader.open(job.file())) {
          RgbImage frame = reader.next();
          for (int i = 0; frame != null && !stopped; i++) {
            console.progress(
                "frames",
                i,
                Math.max(i + 1, reader.count()),
                String.valueOf(job.file().getFileName()));
            frame(job, sequence, frame, sink);
            frames++;
            frame = reader.next();
          }
        }
        if (target.kind == DetectOutput.Kind.VIDEO) {
          written++;
        }
      }
    }
    return frames;
  }

  /**
   * Finds the edges of a frame and hands them on.
   *
   * @throws IllegalArgumentException naming the job, if the frame differs from those before in
   *     size, or needs more memory than there is
   */
  private void frame(Job job, Detector.Sequence sequence, RgbImage frame, FrameSink sink)
      throws IOException {
    Integer size = resizing.size;
    RgbImage image = size == null ? detector.shrunk(frame) : frame.resize(size, size);
    int height = image.height();
    int width = image.width();
    boolean whole = !detector.isCut(height, width);
    if (whole && memory.fitting(height, width) == 0) {
      throw new IllegalArgumentException(job.name() + " " + refusal(height, width));
    }
    try {
      List<EdgeMap> maps =
          video.carryStates ? sequence.nextTimesteps(image) : detector.atWorkingSize(image);
      sink.accept(frame, maps.getLast().resize(frame.width(), frame.height()));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(job.name() + ": " + e.getMessage(), e);
    }
    if (whole) {
      memory.passed(1, height, width);
    }
  }
}
