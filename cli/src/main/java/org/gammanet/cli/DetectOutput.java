package org.gammanet.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gammanet.detection.FrameReader;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/** Where results go: into a folder, to a file, by a pattern, to standard output. */
final class DetectOutput {
  /** File formats of results. */
  enum Format {
    png(".png"),
    png16("-16.png"),
    npy(".npy"),
    svg(".svg"),
    geojson(".geojson");

    final String suffix;

    Format(String suffix) {
      this.suffix = suffix;
    }
  }

  /** What --output means. */
  enum Kind {
    FOLDER,
    FILE,
    PATTERN,
    STDOUT,
    /** One video of all images. */
    VIDEO
  }

  /**
   * An image and where its results go.
   *
   * @param base of their names; null for standard output
   * @param only the file's own name where it is given with its ending
   */
  record Job(DetectInputs.Found input, @Nullable Path base, @Nullable Path only) {
    Path file() {
      return input.file();
    }

    /** The name for messages. */
    String name() {
      return file().equals(DetectInputs.STDIN) ? "standard input" : file().toString();
    }

    @Nullable Path result(String suffix) {
      Path folder = base;
      if (folder == null) {
        return null;
      }
      return folder.resolveSibling(folder.getFileName() + suffix);
    }

    @Nullable Path result(Format format) {
      return only != null ? only : result(format.suffix);
    }

    boolean isVideo() {
      return FrameReader.hasVideoName(file())
          || FrameReader.isGif(file()) && Images.isAnimated(file());
    }

    /**
     * Where the edges of a video go.
     *
     * @param frames whether to a folder of frames rather than to a video
     */
    @Nullable Path videoResult(boolean frames) {
      return result(frames ? "" : FrameReader.isGif(file()) ? ".gif" : ".mp4");
    }
  }

  private static final Pattern PLACE = Pattern.compile("\\{([^{}]*)\\}");
  private static final int LONGEST_NAME = 230;

  final Kind kind;
  private final String text;
  private final List<Format> formats;

  private DetectOutput(Kind kind, String text, List<Format> formats) {
    this.kind = kind;
    this.text = text;
    this.formats = formats;
  }

  /**
   * What was asked for.
   *
   * @param text value of --output; null for the default
   * @param asked formats that were asked for; empty for the default
   * @param stdin whether standard input is read
   * @throws NotDirectoryException if a file is in the way of a folder
   */
  static DetectOutput of(@Nullable String text, List<Format> asked, boolean stdin)
      throws NotDirectoryException {
    if (text == null) {
      return new DetectOutput(stdin ? Kind.STDOUT : Kind.FOLDER, stdin ? "-" : ".", chosen(asked));
    }
    if (text.equals("-")) {
      return new DetectOutput(Kind.STDOUT, text, chosen(asked));
    }
    Path path = Path.of(text.isEmpty() ? "." : text);
    String name = String.valueOf(path.getFileName()).toLowerCase(Locale.ROOT);
    boolean pattern = text.indexOf('{') >= 0;
    if (!pattern && Files.isDirectory(path)) {
      return new DetectOutput(Kind.FOLDER, text, chosen(asked));
    }
    if (!pattern && (FrameReader.hasVideoName(path) || FrameReader.isGif(path))) {
      if (!asked.isEmpty()) {
        throw new UsageException("'%s' is a video, which has no --format".formatted(text));
      }
      return new DetectOutput(Kind.VIDEO, text, List.of());
    }
    Format format = null;
    for (Format f : Format.values()) {
      format = f != Format.png16 && name.endsWith(f.suffix) ? f : format;
    }
    format = name.endsWith(".json") ? Format.geojson : format;
    if (format == null && name.matches(".*\\.(jpe?g|bmp|tiff?|webp|gif)")) {
      throw new UsageException(
          "'%s': results are written as PNG, NPY, SVG or GeoJSON".formatted(text));
    }
    if (format != null && asked.size() > 1) {
      throw new UsageException(
          "'%s' names one file, and --format asks for several: leave the ending out"
              .formatted(text));
    }
    if (format != null && !asked.isEmpty() && !fits(asked.getFirst(), format)) {
      throw new UsageException(
          "'%s' does not end as --format %s does".formatted(text, asked.getFirst()));
    }
    List<Format> formats =
        format == null ? chosen(asked) : asked.isEmpty() ? List.of(format) : asked;
    if (pattern) {
      Matcher places = PLACE.matcher(text);
      while (places.find()) {
        if (!List.of("stem", "name", "dir").contains(places.group(1))) {
          throw new UsageException(
              "'%s' is unknown in '%s': there are {stem}, {name} and {dir}"
                  .formatted(places.group(), text));
        }
      }
      return new DetectOutput(Kind.PATTERN, text, formats);
    }
    if (format == null && Files.exists(path)) {
      throw new NotDirectoryException(text);
    }
    return new DetectOutput(format == null ? Kind.FOLDER : Kind.FILE, text, formats);
  }

  private static List<Format> chosen(List<Format> asked) {
    return asked.isEmpty() ? List.of(Format.png) : asked;
  }

  private static boolean fits(Format asked, Format ending) {
    return asked == ending || asked == Format.png16 && ending == Format.png;
  }

  /** The formats that are written, the one that counts as the result last. */
  List<Format> formats() {
    return formats;
  }

  /** The file or folder that was named. */
  Path path() {
    return Path.of(text);
  }

  /** Where the results of each image go. */
  List<Job> jobs(List<DetectInputs.Found> files) {
    boolean single = kind == Kind.FILE || kind == Kind.STDOUT;
    if (single && files.size() > 1) {
      throw new UsageException(
          "--output %s takes the edges of one image, and there are %s: name a folder or a pattern such as 'edges/{stem}.png'"
              .formatted(text, files.size()));
    }
    return switch (kind) {
      case STDOUT, VIDEO -> files.stream().map(f -> new Job(f, null, null)).toList();
      case FILE -> {
        Path file = path().toAbsolutePath();
        yield files.stream().map(f -> new Job(f, withoutEnding(file), path())).toList();
      }
      case PATTERN -> files.stream().map(this::byPattern).toList();
      case FOLDER -> inFolder(files);
    };
  }

  private static Path withoutEnding(Path file) {
    return file.resolveSibling(stem(String.valueOf(file.getFileName())));
  }

  private static String stem(String name) {
    return name.replaceFirst("(?<=.)\\.[^.]*$", "");
  }

  private static String name(DetectInputs.Found input) {
    return input.file().equals(DetectInputs.STDIN)
        ? "stdin"
        : String.valueOf(input.file().getFileName());
  }

  private Job byPattern(DetectInputs.Found input) {
    String name = name(input);
    String folder = input.folder().toString();
    String filled =
        PLACE
            .matcher(text)
            .replaceAll(
                place ->
                    Matcher.quoteReplacement(
                        switch (place.group(1)) {
                          case "stem" -> stem(name);
                          case "name" -> name;
                          default -> folder.isEmpty() ? "." : folder;
                        }));
    Path file = Path.of(filled).normalize();
    boolean ending =
        formats.size() == 1
            && file.toString()
                .toLowerCase(Locale.ROOT)
                .matches(".*\\.[a-z]+json|.*\\.(png|npy|svg|json)");
    return ending ? new Job(input, withoutEnding(file), file) : new Job(input, file, null);
  }

  /** Gives each file the name of its results, with its extension where two would have the same. */
  private List<Job> inFolder(List<DetectInputs.Found> files) {
    Map<Path, List<DetectInputs.Found>> byName = new LinkedHashMap<>();
    for (DetectInputs.Found file : files) {
      Path key = file.folder().resolve(stem(name(file)));
      byName.computeIfAbsent(key, n -> new ArrayList<>()).add(file);
    }
    List<Job> jobs = new ArrayList<>();
    byName.forEach(
        (key, sharing) -> {
          for (DetectInputs.Found file : sharing) {
            String own = sharing.size() == 1 ? stem(name(file)) : name(file);
            Path base = path().resolve(file.folder()).resolve(shortened(own) + "-edges");
            jobs.add(new Job(file, text.equals(".") ? base.normalize() : base, null));
          }
        });
    return jobs;
  }

  /**
   * Requires that no two images have the same results.
   *
   * @throws CommandException naming two that do
   */
  static void requireDistinct(List<Job> jobs, Format format) {
    Map<Path, Path> taken = new HashMap<>();
    for (Job job : jobs) {
      Path result = job.result(format);
      Path other = result == null ? null : taken.putIfAbsent(result, job.file());
      if (other != null) {
        throw new CommandException(
            "%s and %s would both be written to %s: detect them one after the other, with an"
                    .formatted(other, job.file(), result)
                + " --output for each, or use {dir} in its pattern");
      }
    }
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

  /**
   * Whether a file is a result of this command, as far as its beginning shows: pictures and arrays
   * are marked, and contours begin as no other program's do.
   */
  static boolean isOurs(Path file) {
    if (Images.isResult(file) || Npy.isResult(file)) {
      return true;
    }
    try (InputStream in = Files.newInputStream(file)) {
      String start = new String(in.readNBytes(256), StandardCharsets.ISO_8859_1);
      return start.contains("<desc>GammaNet for Java: edges</desc>")
          || start.startsWith("{\"type\":\"FeatureCollection\",\"image\":{\"width\":");
    } catch (IOException e) {
      return false;
    }
  }
}
