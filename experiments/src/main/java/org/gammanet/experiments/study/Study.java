package org.gammanet.experiments.study;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;
import org.gammanet.io.Npy;

/**
 * A run in a folder: its settings, the results of its steps, and the files that it wrote.
 *
 * <p>Results are kept in one JSON file that is written after each step, partial work of the current
 * step in {@code .partial}. A run that was interrupted continues when it is opened again; a folder
 * that holds another run is refused, unless that run failed before it found anything.
 */
public final class Study {
  private static final String PARTIAL = ".partial";
  private static final String TIME = "{time}";
  private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd_HHmmss");

  /** What happens to results that a folder holds already. */
  public enum Existing {
    /** The run continues with them, if they are its own; otherwise it is refused. */
    CONTINUE,
    /** The run continues with them, if they are its own; otherwise they are deleted. */
    REPLACE_OTHERS,
    /** They are deleted. */
    REPLACE
  }

  /**
   * Everything that determines a run's numbers.
   *
   * @param study kind of the study, such as {@code insilico}
   * @param settings a record, or a JSON object
   * @param network digest of the network's weights; empty where there is none
   */
  public record Identity(String study, Object settings, String network) {
    ObjectNode json() {
      ObjectNode out = Json.MAPPER.createObjectNode();
      out.put("study", study);
      out.set("settings", Json.MAPPER.valueToTree(settings));
      out.put("weights_sha256", network);
      return out;
    }
  }

  private final Path folder;
  private final Path file;
  private final ObjectNode root;
  private final Progress progress;

  /** Names of the files of the run, which may be many. */
  private final Set<String> files = new HashSet<>();

  private Study(Path folder, Path file, ObjectNode root, Progress progress) {
    this.folder = folder;
    this.file = file;
    this.root = root;
    this.progress = progress;
    root.path("metadata").path("files").forEach(name -> files.add(name.asText()));
  }

  /**
   * Opens a folder for a run. Nothing is written before {@link #save}.
   *
   * @param file name of the results file; {@code {time}} stands for the time of the first run
   * @param about what else is to be noted in the metadata: versions, names of files
   * @throws IllegalStateException where the folder holds a run that differs; it says in what
   * @throws IOException where an earlier results file is damaged, or cannot be deleted
   */
  public static Study open(
      Path folder,
      String file,
      Identity identity,
      Map<String, ?> about,
      Existing existing,
      Progress progress)
      throws IOException {
    if (existing == Existing.REPLACE) {
      discard(folder, file);
    }
    ObjectNode is = identity.json();
    String digest = Json.digest(is);
    List<Path> runs = runs(folder, file);
    if (!runs.isEmpty()) {
      ObjectNode root = parse(runs.getLast());
      ObjectNode was = (ObjectNode) root.path("metadata");
      boolean own = was.path("run_sha256").asText().equals(digest);
      if (!own && (existing == Existing.REPLACE_OTHERS || isEmpty(folder, root))) {
        return open(folder, file, identity, about, Existing.REPLACE, progress);
      }
      if (!own) {
        List<String> differences = new ArrayList<>();
        compare(was, is, differences);
        throw new IllegalStateException(
            "%s holds the results of another run (%s): choose another folder, or replace its results"
                .formatted(folder, String.join(", ", differences)));
      }
      return new Study(folder, runs.getLast(), root, progress);
    }
    String time = LocalDateTime.now(ZoneId.systemDefault()).format(STAMP);
    ObjectNode root = Json.MAPPER.createObjectNode();
    ObjectNode metadata = root.putObject("metadata");
    metadata.put("timestamp", time);
    metadata.setAll(is);
    metadata.put("run_sha256", digest);
    metadata.setAll((ObjectNode) Json.MAPPER.valueToTree(about));
    metadata.put("java", System.getProperty("java.version", ""));
    metadata.put("complete", false);
    return new Study(folder, folder.resolve(file.replace(TIME, time)), root, progress);
  }

  /** Whether a run has failed before it found anything that would be lost. */
  private static boolean isEmpty(Path folder, ObjectNode root) throws IOException {
    boolean empty = root.size() == 1 && !root.path("metadata").path("complete").asBoolean();
    Path partial = folder.resolve(PARTIAL);
    if (empty && Files.isDirectory(partial)) {
      try (Stream<Path> kept = Files.list(partial)) {
        return kept.findAny().isEmpty();
      }
    }
    return empty;
  }

  static void compare(JsonNode was, JsonNode is, List<String> differences) {
    is.fields()
        .forEachRemaining(
            f -> {
              JsonNode before = was.path(f.getKey());
              if (f.getValue().isObject()) {
                compare(before, f.getValue(), differences);
              } else if (f.getKey().equals("weights_sha256")) {
                if (!before.equals(f.getValue())) {
                  differences.add("other weights");
                }
              } else if (!Json.text(before).equals(Json.text(f.getValue()))) {
                differences.add(
                    "%s %s, not %s"
                        .formatted(
                            f.getKey().replace('_', ' '),
                            before.isMissingNode() ? "unknown" : Json.text(before),
                            Json.text(f.getValue())));
              }
            });
  }

  /** The results files in a folder, oldest first. */
  private static List<Path> runs(Path folder, String file) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> inside = Files.list(folder)) {
      return inside.filter(f -> isResults(f, file)).sorted().toList();
    }
  }

  /** Whether a path has the name of results files. */
  static boolean isResults(Path path, String file) {
    int at = file.indexOf(TIME);
    String pattern =
        at < 0
            ? Pattern.quote(file)
            : Pattern.quote(file.substring(0, at))
                + "\\w+"
                + Pattern.quote(file.substring(at + TIME.length()));
    return path.getFileName().toString().matches(pattern);
  }

  /** Whether a folder holds results. */
  public static boolean exists(Path folder, String file) throws IOException {
    return !runs(folder, file).isEmpty();
  }

  /**
   * The results of a run.
   *
   * @param path the results file, or the folder of a run
   * @param file name of results files in a folder
   * @throws IOException when there is none, or it is not a results file
   */
  public static ObjectNode read(Path path, String file) throws IOException {
    if (!Files.isDirectory(path)) {
      return parse(path);
    }
    List<Path> runs = runs(path, file);
    if (runs.isEmpty()) {
      throw new IOException("there is no %s in the folder %s".formatted(file, path));
    }
    return parse(runs.getLast());
  }

  private static ObjectNode parse(Path file) throws IOException {
    try {
      JsonNode node = Json.MAPPER.readTree(file.toFile());
      if (node instanceof ObjectNode root && root.path("metadata").path("settings").isObject()) {
        return root;
      }
    } catch (JsonProcessingException | CharConversionException e) {
      throw new IOException(file + " is not the results file of a run: it is damaged", e);
    }
    throw new IOException(file + " is not the results file of a run: it has no settings");
  }

  /**
   * Deletes what runs have written to a folder, and only that.
   *
   * @throws IOException when a file cannot be deleted
   */
  public static void discard(Path folder, String file) throws IOException {
    Path own = folder.toAbsolutePath().normalize();
    for (Path run : runs(folder, file)) {
      try {
        JsonNode was = Json.MAPPER.readTree(run.toFile());
        for (JsonNode name : was.path("metadata").path("files")) {
          Path written = own.resolve(name.asText()).normalize();
          if (written.startsWith(own) && Files.isRegularFile(written)) {
            Files.delete(written);
          }
        }
      } catch (JsonProcessingException | CharConversionException e) {
        // Damaged: it does not say what it wrote.
      }
      Files.delete(run);
    }
    deletePartial(own.resolve(PARTIAL), "");
  }

  private static void deletePartial(Path partial, String prefix) throws IOException {
    if (!Files.isDirectory(partial)) {
      return;
    }
    boolean empty = true;
    try (Stream<Path> kept = Files.list(partial)) {
      for (Path path : kept.toList()) {
        String name = path.getFileName().toString();
        if (name.startsWith(prefix) && name.endsWith(".safetensors")) {
          Files.delete(path);
        } else {
          empty = false;
        }
      }
    }
    if (empty) {
      Files.delete(partial);
    }
  }

  /** The folder. */
  public Path folder() {
    return folder;
  }

  /** The results file. */
  public Path file() {
    return file;
  }

  /** Everything in the results file; changes are written by {@link #save}. */
  public ObjectNode results() {
    return root;
  }

  /** Settings, versions and files of the run. */
  public ObjectNode metadata() {
    return (ObjectNode) root.path("metadata");
  }

  /** Where progress is reported. */
  public Progress progress() {
    return progress;
  }

  /** Whether a step has a result. */
  public boolean has(String step) {
    return root.path(step).isObject();
  }

  /**
   * The result of a step.
   *
   * @throws IllegalStateException where there is none
   * @throws DataException where it is no such record
   */
  public <T> T result(String step, Class<T> type) {
    if (!has(step)) {
      throw new IllegalStateException("%s has no result yet".formatted(step));
    }
    return Json.read(root.path(step), type);
  }

  /**
   * Stores the result of a step, a record, and writes the results file; partial work of the step is
   * deleted.
   *
   * @throws IOException when a file cannot be written
   */
  public void put(String step, Object result) throws IOException {
    root.set(step, Json.MAPPER.valueToTree(result));
    save();
    deletePartial(folder.resolve(PARTIAL), step + "-");
  }

  /**
   * Writes the results file.
   *
   * @throws IOException when it cannot be written
   */
  public void save() throws IOException {
    Files.createDirectories(folder);
    String json = Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
    write(file, json.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Notes that all steps are done, and writes the results file.
   *
   * @throws IOException when it cannot be written
   */
  public void complete(boolean value) throws IOException {
    metadata().put("complete", value);
    save();
  }

  /**
   * Partial work of a step.
   *
   * @param key everything else that determines it
   */
  public Partial partial(String step, Object... key) {
    ArrayNode parts = Json.MAPPER.createArrayNode().add(metadata().path("run_sha256").asText());
    Arrays.stream(key).map(String::valueOf).forEach(parts::add);
    String digest = Json.digest(parts);
    Path kept =
        folder.resolve(PARTIAL).resolve(step + "-" + digest.substring(0, 24) + ".safetensors");
    try {
      return Partial.open(kept);
    } catch (CheckpointException e) {
      progress.note(e.getMessage() + "; that part is computed again");
      try {
        Files.delete(kept);
      } catch (IOException cannot) {
        e.addSuppressed(cannot);
        throw e;
      }
      return Partial.open(kept);
    }
  }

  /**
   * Partial work by the name of its file.
   *
   * @throws DataException for a name that is not one of partial work
   */
  public Partial partialNamed(String name) {
    if (!name.matches("[\\w.-]+\\.safetensors")) {
      throw new DataException(file + " is damaged: it names the partial work '" + name + "'");
    }
    return Partial.open(folder.resolve(PARTIAL).resolve(name));
  }

  /**
   * Ends the run if that is wanted; to be called between parts of the work.
   *
   * @throws CancellationException where {@link Progress#canceled} says so
   */
  public void checkCanceled() {
    if (progress.canceled()) {
      throw new CancellationException("interrupted; finished work is kept in " + folder);
    }
  }

  // Files

  /** Writes a text file of the run. */
  public Path write(String name, String text) throws IOException {
    return write(name, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Writes a file of the run. */
  public Path write(String name, byte[] content) throws IOException {
    Path path = folder.resolve(name);
    write(path, content);
    return noted(path);
  }

  /** Writes arrays as {@code .npz}. */
  public Path writeArrays(String name, Map<String, Npy> arrays) throws IOException {
    Path path = folder.resolve(name);
    Npy.writeAll(path, arrays);
    return noted(path);
  }

  /** Writes a figure as SVG and PNG. */
  public List<Path> write(String name, Figure figure) throws IOException {
    Path base = folder.resolve(name);
    Files.createDirectories(base.toAbsolutePath().getParent());
    List<Path> files = figure.write(base);
    files.forEach(this::noted);
    return files;
  }

  /** Writes {@code report.html}. */
  public Path write(HtmlReport report) throws IOException {
    Path path = folder.resolve("report.html");
    report.write(path);
    return noted(path);
  }

  /** Notes a file as one of the run, which {@link #discard} deletes. */
  public Path noted(Path path) {
    String name = folder.relativize(path).toString().replace('\\', '/');
    if (files.add(name)) {
      metadata().withArray("files").add(name);
    }
    return path;
  }

  private static void write(Path path, byte[] content) throws IOException {
    Files.createDirectories(path.toAbsolutePath().getParent());
    AtomicFile.write(
        path,
        channel -> {
          ByteBuffer buffer = ByteBuffer.wrap(content);
          while (buffer.hasRemaining()) {
            channel.write(buffer);
          }
        });
  }
}
