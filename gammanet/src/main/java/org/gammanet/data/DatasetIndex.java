package org.gammanet.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.gammanet.io.DataException;
import org.gammanet.io.SplitMix;

/**
 * The files of a data set by image: what is an image, what is its annotation, and which split they
 * belong to, in one place for training and evaluation.
 *
 * <p>A split lies in {@code images/<split>} and {@code groundTruth/<split>} (or {@code
 * edges/<split>}), or in {@code images} and {@code groundTruth} (or {@code edges}) themselves where
 * these have no subfolder called train, val or test. An image's name without its ending is its id.
 * Its annotation is the file of that name, with the first of the endings .mat, .npy, .png, .bmp,
 * .tif, .tiff, .gif that is there, or else a folder of that name with one drawing per annotator.
 * Endings count in any case; files that begin with a dot do not count.
 */
public final class DatasetIndex {
  /**
   * In place of a split: the tenth of the images of train and val that a training on both holds
   * out.
   */
  public static final String HELD_OUT = "held-out";

  private static final List<String> SPLITS = List.of("train", "val", "test");

  private static final List<String> IMAGES =
      List.of("jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp");

  /** Endings of drawings, the preferred one first. */
  static final List<String> DRAWINGS = List.of("npy", "png", "bmp", "tif", "tiff", "gif");

  private static final List<String> ANNOTATIONS =
      Stream.concat(Stream.of("mat"), DRAWINGS.stream()).toList();

  /** The order in which the benchmark lists images: 100007, 10081, 2018. */
  static final Comparator<String> BYTE_ORDER =
      Comparator.comparing(s -> s.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  private DatasetIndex() {}

  /**
   * Images of a split by id, in byte order.
   *
   * @param split name of a folder, or {@link #HELD_OUT}
   * @throws DataException if there is no such folder, or two images have the same id
   */
  public static SortedMap<String, Path> images(Path root, String split) {
    if (split.equals(HELD_OUT)) {
      return heldOut(s -> images(root, s));
    }
    return files(
        folder(root, split, "images"),
        IMAGES,
        false,
        (one, other) -> {
          throw new DataException(
              "%s and %s have the same name: remove or rename one of them"
                  .formatted(one, other.getFileName()));
        });
  }

  /**
   * Annotations of a split by id, in byte order: files, or folders with one drawing per annotator.
   *
   * @param split name of a folder, or {@link #HELD_OUT}
   * @throws DataException if there is no such folder, or nothing in it
   */
  public static SortedMap<String, Path> annotations(Path root, String split) {
    if (split.equals(HELD_OUT)) {
      return heldOut(s -> annotations(root, s));
    }
    Path folder = annotationFolder(root, split);
    SortedMap<String, Path> found = files(folder, ANNOTATIONS, true);
    if (found.isEmpty()) {
      throw new DataException("There is no annotation (.mat, .npy or .png) in " + folder);
    }
    return found;
  }

  /** Whether an image is among the fixed tenth, by a hash of its id, that is held out. */
  static boolean isHeldOut(String id) {
    long hash = 0;
    for (byte b : id.getBytes(StandardCharsets.UTF_8)) {
      hash = hash * 31 + b;
    }
    return Math.floorMod(new SplitMix(hash).nextLong(), 10) == 0;
  }

  private static SortedMap<String, Path> heldOut(Function<String, SortedMap<String, Path>> split) {
    SortedMap<String, Path> found = new TreeMap<>(BYTE_ORDER);
    found.putAll(split.apply("train"));
    found.putAll(split.apply("val"));
    found.keySet().removeIf(id -> !isHeldOut(id));
    if (found.isEmpty()) {
      throw new DataException("None of the few images of train and val is held out");
    }
    return found;
  }

  /** The folder with the annotations of a split. */
  static Path annotationFolder(Path root, String split) {
    return folder(root, split, "groundTruth", "edges");
  }

  private static Path folder(Path root, String split, String... names) {
    for (String name : names) {
      Path folder = root.resolve(name);
      if (Files.isDirectory(folder.resolve(split))) {
        return folder.resolve(split);
      }
      if (Files.isDirectory(folder)
          && SPLITS.stream().noneMatch(s -> Files.isDirectory(folder.resolve(s)))) {
        return folder;
      }
    }
    throw new DataException(
        "%s has no folder %s/%s%s: give the folder that contains images and groundTruth (or edges)"
            .formatted(root, names[0], split, names.length > 1 ? " or " + names[1] : ""));
  }

  /**
   * Files by their names without the ending, in byte order.
   *
   * @param endings which are listed, lower case; where an id has several, the first in this list
   * @param folders whether a folder counts as an entry of its name
   */
  static SortedMap<String, Path> files(Path folder, List<String> endings, boolean folders) {
    return files(folder, endings, folders, (one, other) -> {});
  }

  private static SortedMap<String, Path> files(
      Path folder, List<String> endings, boolean folders, BiConsumer<Path, Path> onSeveral) {
    SortedMap<String, Path> found = new TreeMap<>(BYTE_ORDER);
    Map<String, Integer> ranks = new HashMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        boolean whole = folders && Files.isDirectory(file);
        int dot = whole ? name.length() : name.lastIndexOf('.');
        if (name.startsWith(".") || dot <= 0) {
          continue;
        }
        String id = name.substring(0, dot);
        int rank =
            whole
                ? endings.size()
                : endings.indexOf(name.substring(dot + 1).toLowerCase(Locale.ROOT));
        Path other = rank >= 0 ? found.get(id) : null;
        if (other != null) {
          onSeveral.accept(other, file);
        }
        if (rank >= 0 && rank < ranks.getOrDefault(id, endings.size() + 1)) {
          ranks.put(id, rank);
          found.put(id, file);
        }
      }
    } catch (IOException e) {
      throw new DataException("Cannot list " + folder + ": " + e.getMessage(), e);
    }
    return found;
  }
}
