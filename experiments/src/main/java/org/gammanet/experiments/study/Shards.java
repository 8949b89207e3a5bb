package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gammanet.io.FolderLock;
import org.jspecify.annotations.Nullable;

/**
 * The shards of one run, all of them, and their merge: a study of the same identity that has the
 * files and the results of every shard, for the run's own finish.
 */
public final class Shards {
  /** Key of the metadata of a shard. */
  static final String KEY = "shard";

  /** How many missing shards a sentence names. */
  private static final int NAMED = 20;

  private static final Set<String> OF_A_RUN =
      Set.of("timestamp", "study", "settings", "weights_sha256", "run_sha256", "complete", "files");

  private final String file;
  private final List<Path> folders;
  private final List<ObjectNode> results;

  private Shards(String file, List<Path> folders, List<ObjectNode> results) {
    this.file = file;
    this.folders = folders;
    this.results = results;
  }

  /** Number, sum and names of a shard in its metadata. */
  private record Mark(int number, int of, int units, String unitsSha256) {
    Mark {
      new Shard(number, of);
    }

    Shard shard() {
      return new Shard(number, of);
    }
  }

  /**
   * Marks a study as that of a shard.
   *
   * @param units those of the whole run
   * @throws IllegalStateException where the folder holds a part of other units
   */
  public static void mark(Study study, Shard shard, List<String> units) {
    JsonNode names = Json.MAPPER.valueToTree(units);
    var mark = new Mark(shard.number(), shard.of(), units.size(), Json.digest(names));
    JsonNode before = study.metadata().path(KEY);
    if (!before.isMissingNode() && !Json.read(before, Mark.class).equals(mark)) {
      throw new IllegalStateException(
          "%s holds a part of another run, of %s units of work: choose another folder, or remove it"
              .formatted(study.folder(), Json.read(before, Mark.class).units));
    }
    study.metadata().set(KEY, Json.object(mark));
  }

  /**
   * Reads the shards of a run.
   *
   * @param given their folders, in any order
   * @param file name of their results files
   * @throws IllegalStateException where they are not all of the shards of one run, each once; it
   *     says why
   * @throws IOException where there is no results file, or it is damaged
   */
  public static Shards read(List<Path> given, String file) throws IOException {
    Map<Path, ObjectNode> roots = new LinkedHashMap<>();
    for (Path folder : given) {
      if (!Study.exists(folder, file)) {
        throw new IllegalStateException(
            folder + " is not the folder of a shard: it has no results file");
      }
      ObjectNode root = Study.read(folder, file);
      if (!root.path("metadata").path(KEY).isObject()) {
        throw new IllegalStateException(
            folder + " is not the folder of a shard: it holds the results of a whole run");
      }
      roots.put(folder, root);
    }
    List<Map.Entry<Path, ObjectNode>> parts =
        roots.entrySet().stream()
            .sorted(Comparator.comparingInt(part -> mark(part.getValue()).number))
            .toList();
    Map.Entry<Path, ObjectNode> first = parts.getFirst();
    Map<Integer, Path> numbers = new LinkedHashMap<>();
    for (Map.Entry<Path, ObjectNode> part : parts) {
      requireSameRun(first.getKey(), first.getValue(), part.getKey(), part.getValue());
      Mark mark = mark(part.getValue());
      Path twice = numbers.putIfAbsent(mark.number, part.getKey());
      if (twice != null) {
        throw new IllegalStateException(
            "%s and %s are the same shard, %s".formatted(twice, part.getKey(), mark.shard()));
      }
    }
    int of = mark(first.getValue()).of;
    int missing = of - numbers.size();
    if (missing > 0) {
      String named =
          IntStream.rangeClosed(1, of)
              .filter(k -> !numbers.containsKey(k))
              .limit(NAMED)
              .mapToObj(k -> k + "/" + of)
              .collect(Collectors.joining(", "));
      throw new IllegalStateException(
          "of %s shards %s missing: %s%s"
              .formatted(
                  of,
                  missing == 1 ? "one is" : missing + " are",
                  named,
                  missing > NAMED ? ", …" : ""));
    }
    for (Map.Entry<Path, ObjectNode> part : parts) {
      if (!part.getValue().path("metadata").path("complete").asBoolean()) {
        throw new IllegalStateException(
            "%s is not complete: run it again with --shard %s"
                .formatted(part.getKey(), mark(part.getValue()).shard()));
      }
    }
    return new Shards(
        file,
        parts.stream().map(Map.Entry::getKey).toList(),
        parts.stream().map(Map.Entry::getValue).toList());
  }

  private static Mark mark(ObjectNode root) {
    return Json.read(root.path("metadata").path(KEY), Mark.class);
  }

  private static void requireSameRun(Path a, ObjectNode one, Path b, ObjectNode other) {
    JsonNode was = one.path("metadata");
    JsonNode is = other.path("metadata");
    List<String> differences = new ArrayList<>();
    for (String key : List.of("study", "settings", "weights_sha256")) {
      Study.compare(was, Json.MAPPER.createObjectNode().set(key, is.path(key)), differences);
    }
    Mark first = mark(one);
    Mark second = mark(other);
    if (first.of != second.of) {
      differences.add("%s shards, not %s".formatted(first.of, second.of));
    } else if (!first.unitsSha256.equals(second.unitsSha256)) {
      differences.add(
          first.units == second.units
              ? "other units of work"
              : "%s units of work, not %s".formatted(first.units, second.units));
    }
    if (!differences.isEmpty()) {
      throw new IllegalStateException(
          "%s and %s are shards of different runs (%s)"
              .formatted(a, b, String.join(", ", differences)));
    }
  }

  /** The results of the shards by their numbers. */
  public List<ObjectNode> results() {
    return results;
  }

  /** Joins what {@link Shard#every} has taken apart: a list of each shard, by their numbers. */
  public static <T> List<T> join(List<? extends List<T>> parts) {
    List<T> out = new ArrayList<>();
    for (int i = 0; i < parts.stream().mapToInt(List::size).max().orElse(0); i++) {
      for (List<T> part : parts) {
        if (i < part.size()) {
          out.add(part.get(i));
        }
      }
    }
    return out;
  }

  /**
   * Opens the study of the whole run, with the results of the steps of all shards; the shards stay
   * as they are.
   *
   * @throws IllegalStateException where the folder holds another run
   */
  public Study open(Path output, Study.Existing existing, Progress progress) throws IOException {
    return joined(output, results, existing, progress);
  }

  /**
   * Joins the studies in a folder within those of the shards; null where no shard has one.
   *
   * @param below the folder, relative to the shard's
   */
  @Nullable Study open(Path output, String below, Progress progress) throws IOException {
    List<ObjectNode> found = new ArrayList<>();
    for (Path folder : folders) {
      if (Study.exists(folder.resolve(below), file)) {
        found.add(Study.read(folder.resolve(below), file));
      }
    }
    return found.isEmpty()
        ? null
        : joined(output.resolve(below), found, Study.Existing.CONTINUE, progress);
  }

  private Study joined(
      Path output, List<ObjectNode> found, Study.Existing existing, Progress progress)
      throws IOException {
    JsonNode first = found.getFirst().path("metadata");
    var identity =
        new Study.Identity(
            first.path("study").asText(),
            first.path("settings"),
            first.path("weights_sha256").asText());
    Map<String, JsonNode> about = new LinkedHashMap<>();
    for (ObjectNode root : found) {
      root.path("metadata")
          .fields()
          .forEachRemaining(
              f -> {
                if (!OF_A_RUN.contains(f.getKey()) && !f.getKey().equals(KEY)) {
                  about.putIfAbsent(f.getKey(), f.getValue());
                }
              });
    }
    Study study = Study.open(output, file, identity, about, existing, progress);
    study.metadata().put("complete", false);
    study.metadata().setAll(about);
    for (ObjectNode root : found) {
      root.fields()
          .forEachRemaining(
              f -> {
                if (!f.getKey().equals("metadata")) {
                  study.results().set(f.getKey(), f.getValue());
                }
              });
      root.path("metadata")
          .path("files")
          .forEach(name -> study.noted(output.resolve(name.asText())));
    }
    return study;
  }

  /**
   * Puts the files of all shards below a folder, as links where the file system has them; results
   * files are left out.
   *
   * @param replaceable whether a file that is there already, and is another one, may be replaced
   * @throws IllegalStateException where it may not
   */
  public void link(Path output, Predicate<Path> replaceable) throws IOException {
    Map<Path, Path> targets = new LinkedHashMap<>();
    for (Path folder : folders) {
      Set<Path> own = new LinkedHashSet<>();
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path from : all.filter(Files::isRegularFile).sorted().toList()) {
          if (!Study.isResults(from, file) && !FolderLock.isLock(from)) {
            own.add(from);
          }
        }
      }
      for (Path from : own) {
        Path to = output.resolve(folder.relativize(from).toString());
        targets.putIfAbsent(to, from);
      }
    }
    for (Map.Entry<Path, Path> target : targets.entrySet()) {
      Path to = target.getKey();
      if (Files.exists(to) && !replaceable.test(to) && !isSame(to, target.getValue())) {
        throw new IllegalStateException(
            to + " exists, and may be another program's: --force replaces it");
      }
    }
    for (Map.Entry<Path, Path> target : targets.entrySet()) {
      link(target.getValue(), target.getKey());
    }
  }

  private static boolean isSame(Path to, Path from) throws IOException {
    return Files.isRegularFile(to) && Files.mismatch(to, from) == -1;
  }

  private static void link(Path from, Path to) throws IOException {
    Files.createDirectories(to.toAbsolutePath().getParent());
    Path part = to.resolveSibling("." + to.getFileName() + ".part");
    Files.deleteIfExists(part);
    try {
      Files.createLink(part, from);
    } catch (UnsupportedOperationException | IOException e) {
      Files.copy(from, part, StandardCopyOption.COPY_ATTRIBUTES);
    }
    Files.move(part, to, StandardCopyOption.REPLACE_EXISTING);
    Files.deleteIfExists(part); // stays where both were the same file already
  }
}
