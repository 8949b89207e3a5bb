package org.gammanet.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import org.gammanet.io.DataException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.io.Sha256;
import org.gammanet.io.SplitMix;

/**
 * Images with their annotations, decoded when they are first used and kept in memory for all
 * threads. {@link DatasetIndex} says how the files lie.
 */
public final class EdgeDataset {
  private record Entry(String id, Path image, Path annotation) {}

  private final List<Entry> entries;
  private final AtomicReferenceArray<Example> cache;
  private final AtomicLong cached = new AtomicLong();

  private EdgeDataset(List<Entry> entries) {
    this.entries = entries;
    this.cache = new AtomicReferenceArray<>(entries.size());
  }

  /**
   * Lists the images of a split; nothing is decoded yet.
   *
   * @throws DataException if a folder is missing, has no images, or images have no annotation
   */
  public static EdgeDataset open(Path root, String split) {
    Map<String, Path> images = DatasetIndex.images(root, split);
    if (images.isEmpty()) {
      throw new DataException("There are no images of the split %s in %s".formatted(split, root));
    }
    Map<String, Path> annotations = DatasetIndex.annotations(root, split);
    List<String> missing =
        images.keySet().stream().filter(id -> !annotations.containsKey(id)).toList();
    if (!missing.isEmpty()) {
      throw new DataException(
          "%s of %s images have no annotation (ID.mat, .npy or .png) in %s: %s%s"
              .formatted(
                  missing.size(),
                  images.size(),
                  DatasetIndex.annotationFolder(root, split),
                  String.join(", ", missing.stream().limit(5).toList()),
                  missing.size() > 5 ? ", …" : ""));
    }
    return new EdgeDataset(
        images.entrySet().stream()
            .map(
                e ->
                    new Entry(
                        e.getKey(),
                        e.getValue(),
                        Objects.requireNonNull(annotations.get(e.getKey()))))
            .toList());
  }

  /** The images of all parts, one part after the other. */
  public static EdgeDataset concat(List<EdgeDataset> parts) {
    return new EdgeDataset(parts.stream().flatMap(p -> p.entries.stream()).toList());
  }

  /**
   * The first {@code round(fraction * size())} images of a random order, at least one, so that a
   * larger fraction of the same seed contains a smaller one; in the order of the whole set.
   *
   * @param fraction in (0, 1]
   */
  public EdgeDataset subset(double fraction, long seed) {
    if (!(fraction > 0 && fraction <= 1)) {
      throw new IllegalArgumentException("A fraction must lie in (0, 1], found " + fraction);
    }
    int[] order = new SplitMix(seed, 'f').permutation(size());
    int n = (int) Math.max(1, Math.round(fraction * size()));
    return new EdgeDataset(IntStream.of(order).limit(n).sorted().mapToObj(entries::get).toList());
  }

  /**
   * A fixed tenth by a hash of the names, or the other nine tenths: what to hold out for choosing a
   * model when all splits are trained on.
   */
  public EdgeDataset tenth(boolean heldOut) {
    return new EdgeDataset(
        entries.stream().filter(e -> DatasetIndex.isHeldOut(e.id) == heldOut).toList());
  }

  private static Example read(Entry entry) {
    RgbImage image;
    try {
      image = Images.read(entry.image);
    } catch (IOException e) {
      throw new DataException(String.valueOf(e.getMessage()), e);
    }
    GroundTruth.Annotated truth = GroundTruth.readAnnotation(entry.annotation);
    if (truth.height() != image.height() || truth.width() != image.width()) {
      throw new DataException(
          "%s is %sx%s and its annotation %s is %sx%s: they must have the same size"
              .formatted(
                  entry.image,
                  image.width(),
                  image.height(),
                  entry.annotation,
                  truth.width(),
                  truth.height()));
    }
    return new Example(
        entry.id, image.height(), image.width(), image.samples(), truth.annotation());
  }

  /**
   * What reading a data set has shown.
   *
   * @param errors one sentence for each image that cannot be used
   * @param warnings one sentence for each annotation that is probably wrong
   */
  public record Inspection(List<String> errors, List<String> warnings) {}

  /**
   * Reads the first images and annotations, to find errors before training does.
   *
   * @param most how many; {@link #size} for all
   */
  public Inspection inspect(int most) {
    List<String> errors = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    for (int i = 0; i < Math.min(most, size()); i++) {
      try {
        Example example = load(i);
        new GroundTruth.Annotated(example.height(), example.width(), example.annotation())
            .warning(entries.get(i).annotation)
            .ifPresent(warnings::add);
      } catch (DataException e) {
        errors.add(String.valueOf(e.getMessage()));
      }
    }
    return new Inspection(errors, warnings);
  }

  /** Number of images. */
  public int size() {
    return entries.size();
  }

  /** Name of an image without its extension. */
  public String id(int index) {
    return entries.get(index).id;
  }

  /** Number and hash of the names, to tell whether two runs saw the same images. */
  public String fingerprint() {
    MessageDigest sha = Sha256.digest();
    for (Entry entry : entries) {
      sha.update((entry.id + "\n").getBytes(StandardCharsets.UTF_8));
    }
    return size() + ":" + HexFormat.of().formatHex(sha.digest(), 0, 8);
  }

  /**
   * Decodes an image and its annotation, or takes them from memory. Safe for several threads.
   *
   * @throws DataException if either cannot be read or their sizes differ
   */
  public Example load(int index) {
    Example example = cache.get(index);
    if (example == null) {
      Entry entry = entries.get(index);
      example = read(entry);
      long bytes = example.rgb().length + 4L * example.height() * example.width();
      // Half the heap is for images; what does not fit is decoded again each time.
      if (cached.addAndGet(bytes) <= Runtime.getRuntime().maxMemory() / 2) {
        cache.set(index, example);
      } else {
        cached.addAndGet(-bytes);
      }
    }
    return example;
  }
}
