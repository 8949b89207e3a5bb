package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;

/**
 * Finds the pictures that words of the command line name: files, the images in folders, patterns.
 */
final class DetectInputs {
  /** The word for standard input. */
  static final Path STDIN = Path.of("-");

  /**
   * A picture.
   *
   * @param folder where it lies below the folder that was named; empty if it was named itself
   */
  record Found(Path file, Path folder) {
    /** Reads the file, or standard input. */
    byte[] bytes() throws ImageException {
      return file.equals(STDIN) ? standardInput() : Images.bytes(file);
    }
  }

  private final boolean recursive;
  private final Consumer<String> notes;
  private final Consumer<String> errors;
  private final SequencedSet<Found> found = new LinkedHashSet<>();

  /** The folders around the one that is looked into: a link to one of them is a ring. */
  private final Set<Path> around = new HashSet<>();

  /**
   * Prepares the search.
   *
   * @param recursive whether folders in folders are looked into
   */
  DetectInputs(boolean recursive, Consumer<String> notes, Consumer<String> errors) {
    this.recursive = recursive;
    this.notes = notes;
    this.errors = errors;
  }

  List<Found> find(List<String> words) throws IOException {
    for (String word : words) {
      Path path = Path.of(word);
      if (path.equals(STDIN)) {
        found.add(new Found(STDIN, Path.of("")));
      } else if (Files.isDirectory(path)) {
        folder(path, Path.of(""));
      } else if (Files.exists(path)) {
        found.add(new Found(path, Path.of("")));
      } else if (word.matches(".*[*?\\[{].*")) {
        pattern(word);
      } else {
        errors.accept("there is no file or folder " + word);
      }
    }
    return List.copyOf(found);
  }

  /** The images in a folder; what else it holds is told by kind. */
  private void folder(Path folder, Path below) throws IOException {
    List<Path> inside;
    try (Stream<Path> files = Files.list(folder)) {
      inside = files.sorted().toList();
    } catch (AccessDeniedException e) {
      errors.accept(folder + ": permission denied");
      return;
    }
    int before = found.size();
    SequencedMap<String, Integer> others = new TreeMap<>();
    Path real = folder.toRealPath();
    around.add(real);
    for (Path file : inside) {
      String name = String.valueOf(file.getFileName());
      if (name.startsWith(".")) {
        continue;
      }
      boolean isFolder = Files.isDirectory(file);
      if (recursive && isFolder && !around.contains(file.toRealPath())) {
        folder(file, below.resolve(name));
        continue;
      }
      boolean image = Images.hasImageName(file) && Files.isRegularFile(file);
      if (image && !Images.isResult(file)) {
        found.add(new Found(file, below));
      } else {
        others.merge(
            image ? "edge maps" : isFolder ? "folders" : kind(file, name), 1, Integer::sum);
      }
    }
    around.remove(real);
    String left =
        others.entrySet().stream()
            .map(e -> counted(e.getValue(), e.getKey()))
            .collect(Collectors.joining(", "));
    boolean top = below.toString().isEmpty();
    if (found.size() == before && top) {
      errors.accept(
          "there is no image in the folder " + folder + (left.isEmpty() ? "" : ", only " + left));
    } else if (!left.isEmpty()) {
      notes.accept(folder + ": left out " + left);
    }
  }

  private static String counted(int number, String kind) {
    boolean one = number == 1 && !kind.startsWith(".");
    return number + " " + (one ? kind.replaceAll("s\\b", "") : kind);
  }

  private static String kind(Path file, String name) {
    if (!Files.exists(file)) {
      return "broken links";
    }
    if (!Files.isRegularFile(file)) {
      return "pipes or devices";
    }
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "files without ending" : name.substring(dot).toLowerCase(Locale.ROOT);
  }

  /** Files whose paths match a pattern, as shells have them; ** crosses any number of folders. */
  private void pattern(String word) throws IOException {
    int slash = word.substring(0, firstWildcard(word)).lastIndexOf('/');
    Path base = Path.of(slash < 0 ? "." : slash == 0 ? "/" : word.substring(0, slash));
    String pattern = word.substring(slash + 1);
    List<PathMatcher> matchers;
    try {
      // Java's **/ crosses one folder at least.
      matchers =
          Stream.of(pattern, pattern.replace("**/", ""))
              .map(p -> FileSystems.getDefault().getPathMatcher("glob:" + p))
              .toList();
    } catch (IllegalArgumentException e) { // of patterns, and of paths
      errors.accept("there is no file or folder " + word);
      return;
    }
    List<Path> matches = new ArrayList<>();
    if (Files.isDirectory(base)) {
      int depth = word.contains("**") ? Integer.MAX_VALUE : depth(pattern);
      Files.walkFileTree(
          base,
          EnumSet.of(FileVisitOption.FOLLOW_LINKS),
          depth,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
              Path below = base.relativize(file);
              boolean hidden = String.valueOf(below.getFileName()).startsWith(".");
              if (!hidden
                  && attributes.isRegularFile()
                  && matchers.stream().anyMatch(matcher -> matcher.matches(below))) {
                matches.add(slash < 0 ? below : file);
              }
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) {
              return FileVisitResult.CONTINUE; // may not be read, or a ring of links
            }
          });
    }
    List<Path> images = matches.stream().filter(f -> !Images.isResult(f)).sorted().toList();
    if (images.isEmpty()) {
      errors.accept("no file matches " + word);
    }
    for (Path image : images) {
      Path parent = (slash < 0 ? image : base.relativize(image)).getParent();
      found.add(new Found(image, parent == null ? Path.of("") : parent));
    }
  }

  private static int firstWildcard(String word) {
    for (int i = 0; i < word.length(); i++) {
      if ("*?[{".indexOf(word.charAt(i)) >= 0) {
        return i;
      }
    }
    return word.length();
  }

  private static int depth(String pattern) {
    return 1 + (int) pattern.chars().filter(c -> c == '/').count();
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
}
