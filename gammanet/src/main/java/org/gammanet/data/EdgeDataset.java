package org.gammanet.data;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.gammanet.io.DataException;
import org.gammanet.io.Sha256;
import org.gammanet.io.SplitMix;

/**
 * Images with edge annotations in folders, decoded once and kept in memory for all threads.
 *
 * <p>Below the root lie {@code images/<split>/<id>.jpg} (or {@code .png}, …) and {@code
 * groundTruth/<split>/<id>.mat}, as the BSDS500 comes, or {@code <id>.npy} (a map of the mean over
 * annotators) or {@code <id>.png} (grey, white is edge). The level of the split may be absent, and
 * the folder of annotations may be called {@code edges}, for one's own images. Images are taken in
 * the byte order of their names.
 */
public final class EdgeDataset {
  private static final List<String> IMAGES = List.of("jpg", "jpeg", "png", "bmp", "gif", "tif");
  private static final List<String> ANNOTATIONS = List.of("mat", "npy", "png");

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
   * @throws DataException if a folder is missing, has no images, or an image has no annotation
   */
  public static EdgeDataset open(Path root, String split) {
    Path images = folder(root, split, "images");
    Path annotations = folder(root, split, "groundTruth", "edges");
    List<Entry> entries = new ArrayList<>();
    try (Stream<Path> files = Files.list(images)) {
      for (Path image : files.toList()) {
        String name = image.getFileName().toString();
        int dot = name.lastIndexOf('.');
        if (dot <= 0 || !IMAGES.contains(name.substring(dot + 1).toLowerCase(Locale.ROOT))) {
          continue;
        }
        String id = name.substring(0, dot);
        Path annotation =
            ANNOTATIONS.stream()
                .map(ext -> annotations.resolve(id + "." + ext))
                .filter(Files::exists)
                .findFirst()
                .orElseThrow(
                    () ->
                        new DataException(
                            "%s has no annotation: none of %s.mat, .npy, .png is in %s"
                                .formatted(image, id, annotations)));
        entries.add(new Entry(id, image, annotation));
      }
    } catch (IOException e) {
      throw new DataException("Cannot list " + images + ": " + e.getMessage(), e);
    }
    if (entries.isEmpty()) {
      throw new DataException("There are no images in " + images);
    }
    entries.sort(Comparator.comparing(Entry::id));
    return new EdgeDataset(List.copyOf(entries));
  }

  private static Path folder(Path root, String split, String... names) {
    for (String name : names) {
      Path with = root.resolve(name).resolve(split);
      if (Files.isDirectory(with)) {
        return with;
      }
    }
    for (String name : names) {
      Path without = root.resolve(name);
      if (Files.isDirectory(without) && !hasFolders(without)) {
        return without;
      }
    }
    throw new DataException(
        "%s has no folder %s/%s: give the folder that contains images and groundTruth"
            .formatted(root, names[0], split));
  }

  private static boolean hasFolders(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(Files::isDirectory);
    } catch (IOException e) {
      throw new DataException("Cannot list " + folder + ": " + e.getMessage(), e);
    }
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
        entries.stream()
            .filter(e -> (Math.floorMod(new SplitMix(hash(e.id)).nextLong(), 10) == 0) == heldOut)
            .toList());
  }

  private static long hash(String id) {
    long h = 0;
    for (byte b : id.getBytes(StandardCharsets.UTF_8)) {
      h = h * 31 + b;
    }
    return h;
  }

  private static Example read(Entry entry) {
    BufferedImage image = picture(entry.image);
    int height = image.getHeight();
    int width = image.getWidth();
    byte[] rgb = new byte[3 * height * width];
    int[] row = new int[width];
    for (int y = 0; y < height; y++) {
      image.getRGB(0, y, width, 1, row, 0, width);
      for (int x = 0; x < width; x++) {
        int p = 3 * (y * width + x);
        rgb[p] = (byte) (row[x] >> 16);
        rgb[p + 1] = (byte) (row[x] >> 8);
        rgb[p + 2] = (byte) row[x];
      }
    }
    String name = entry.annotation.toString();
    Example.Annotation annotation;
    int annotatedHeight;
    int annotatedWidth;
    if (name.endsWith(".mat")) {
      Bsds500.GroundTruth truth = Bsds500.read(entry.annotation);
      annotatedHeight = truth.height();
      annotatedWidth = truth.width();
      annotation = truth.layers();
    } else {
      BufferedImage map = picture(entry.annotation);
      annotatedHeight = map.getHeight();
      annotatedWidth = map.getWidth();
      annotation = grey(map).layered(annotatedHeight, annotatedWidth);
    }
    if (annotatedHeight != height || annotatedWidth != width) {
      throw new DataException(
          "%s is %dx%d and its annotation %s is %dx%d: they must have the same size"
              .formatted(
                  entry.image, width, height, entry.annotation, annotatedWidth, annotatedHeight));
    }
    return new Example(entry.id, height, width, rgb, annotation);
  }

  private static BufferedImage picture(Path file) {
    try {
      BufferedImage image = ImageIO.read(file.toFile());
      if (image == null) {
        throw new DataException(file + " is not a picture that can be read");
      }
      return image;
    } catch (IOException e) {
      throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  private static Example.Soft grey(BufferedImage map) {
    float[] values = new float[map.getHeight() * map.getWidth()];
    double full = (1 << map.getColorModel().getComponentSize(0)) - 1;
    for (int i = 0; i < values.length; i++) {
      int x = i % map.getWidth();
      int y = i / map.getWidth();
      boolean indexed = map.getColorModel() instanceof IndexColorModel;
      // The samples themselves: getRGB would apply the grey colour space's curve.
      values[i] =
          indexed
              ? (map.getRGB(x, y) >> 8 & 0xFF) / 255f
              : (float) (map.getRaster().getSample(x, y, 0) / full);
    }
    return new Example.Soft(values);
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
