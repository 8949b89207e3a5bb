package org.gammanet.evaluation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * A benchmark run that keeps what it has: the counts of each image go to a folder as soon as they
 * are known, and the next run with the same folder takes them from there, if nothing has changed
 * that they depend on.
 *
 * <p>{@code counts.jsonl} has one line for each image: its counts, and the hash of all that they
 * depend on, which is settings, detector and the files of the image. What does not fit is counted
 * again, and a line that was cut off is ignored, so that no run takes the counts of another one for
 * its own. {@code ID_ev1.txt} holds the same counts for the original program; it is never read.
 */
public final class BoundaryEvaluation {
  /** Part of the hashes; grows when the counting changes. */
  private static final int COUNTING = 1;

  private static final String COUNTS = "counts.jsonl";
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * An image to score.
   *
   * @param image map and drawings; its name is unique among the items
   * @param folder for its counts
   * @param name of the image in the folder
   * @param detector whatever its map depends on apart from files, such as the digest of a network
   * @param inputs files that its counts depend on; folders stand for the files in them
   * @param anew whether it has to be scored even if its counts are known
   */
  public record Item(
      BoundaryBenchmark.Image image,
      Path folder,
      String name,
      String detector,
      List<Path> inputs,
      boolean anew) {
    public Item {
      inputs = List.copyOf(inputs);
    }
  }

  /** A line of {@code counts.jsonl}. */
  private record Line(
      String id,
      String inputs_sha256,
      double[] thresholds,
      long[] cntR,
      long[] sumR,
      long[] cntP,
      long[] sumP) {
    static Line of(Item item, String hash, BoundaryCounts c) {
      return new Line(item.name, hash, c.thresholds(), c.cntR(), c.sumR(), c.cntP(), c.sumP());
    }

    @Nullable BoundaryCounts counts(String id) {
      try {
        return new BoundaryCounts(id, thresholds, cntR, sumR, cntP, sumP);
      } catch (IllegalArgumentException | NullPointerException e) {
        return null; // damaged
      }
    }
  }

  private final BoundaryBenchmark.Settings settings;
  private final BoundaryBenchmark benchmark;
  private int reused;

  /**
   * Prepares a run.
   *
   * @param threads how many threads work, at least 1
   */
  public BoundaryEvaluation(BoundaryBenchmark.Settings settings, int threads) {
    this.settings = settings;
    this.benchmark = new BoundaryBenchmark(settings, threads);
  }

  /** Ends {@link #run} soon; what has been counted stays in the folders. For any thread. */
  public void cancel() {
    benchmark.cancel();
  }

  /** How many images had their counts from an earlier run. */
  public int reused() {
    return reused;
  }

  /**
   * Scores images, or takes their counts from an earlier run.
   *
   * @param listener called for the images that are scored now; its numbers include the others
   * @throws CancellationException after {@link #cancel}
   * @throws InterruptedException if this thread was interrupted
   * @throws IOException if a folder cannot be written
   */
  public BoundaryBenchmark.Result run(List<Item> items, BoundaryBenchmark.Listener listener)
      throws IOException, InterruptedException {
    Map<Path, Map<String, Line>> known = new HashMap<>();
    for (Item item : items) {
      if (!known.containsKey(item.folder)) {
        Files.createDirectories(item.folder);
        known.put(item.folder, readLines(item.folder));
      }
    }
    Map<String, Item> byId = new HashMap<>();
    Map<String, String> hashes = new HashMap<>();
    Map<String, BoundaryCounts> all = new HashMap<>();
    List<BoundaryBenchmark.Image> missing = new ArrayList<>();
    for (Item item : items) {
      String id = item.image.id();
      byId.put(id, item);
      String hash = hash(item);
      if (hash != null) {
        hashes.put(id, hash);
      }
      Line line = known.getOrDefault(item.folder, Map.of()).get(item.name);
      BoundaryCounts counts =
          item.anew || line == null || !line.inputs_sha256.equals(hash) ? null : line.counts(id);
      if (counts == null) {
        missing.add(item.image);
      } else {
        all.put(id, counts);
        export(item, counts);
      }
    }
    reused = all.size();
    BoundaryBenchmark.Result result =
        benchmark.run(missing, new Keeper(listener, byId, hashes, items.size()));
    result.counts().forEach(c -> all.put(c.id(), c));
    List<BoundaryCounts> counts = new ArrayList<>();
    Map<String, String> failures = new LinkedHashMap<>();
    for (Item item : items) {
      String id = item.image.id();
      BoundaryCounts c = all.get(id);
      if (c == null) {
        failures.put(id, String.valueOf(result.failures().get(id)));
      } else if (!counts.isEmpty()
          && counts.getFirst().thresholds().length != c.thresholds().length) {
        failures.put(id, BoundaryBenchmark.otherNumber(c, counts.getFirst()));
      } else {
        counts.add(c);
      }
    }
    return new BoundaryBenchmark.Result(List.copyOf(counts), failures);
  }

  /** Lines of an earlier run by image, the last one of each; the file is rewritten with these. */
  private static Map<String, Line> readLines(Path folder) throws IOException {
    Map<String, Line> lines = new LinkedHashMap<>();
    Path file = folder.resolve(COUNTS);
    if (!Files.isRegularFile(file)) {
      return lines;
    }
    String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    StringBuilder good = new StringBuilder();
    for (String line : text.split("\n", -1)) {
      try {
        Line read = JSON.readValue(line, Line.class);
        if (read != null && read.id != null && read.inputs_sha256 != null) {
          lines.put(read.id, read);
        }
      } catch (JsonProcessingException e) {
        continue; // empty, or cut off
      }
    }
    for (Line line : lines.values()) {
      good.append(JSON.writeValueAsString(line)).append('\n');
    }
    if (!good.toString().equals(text)) {
      BoundaryFiles.write(file, good.toString());
    }
    return lines;
  }

  private static void export(Item item, BoundaryCounts counts) throws IOException {
    Path file = item.folder.resolve(item.name + "_ev1.txt");
    String text = BoundaryFiles.counts(counts);
    if (!Files.isRegularFile(file) || !text.equals(Files.readString(file))) {
      BoundaryFiles.write(file, text);
    }
  }

  /** Hash of all that an image's counts depend on; null if one of its files cannot be read. */
  private @Nullable String hash(Item item) {
    MessageDigest sha = Sha256.digest();
    sha.update(
        (COUNTING + "\n" + settings + "\n" + item.detector + "\n")
            .getBytes(StandardCharsets.UTF_8));
    try {
      for (Path input : item.inputs) {
        Sha256.update(sha, input);
      }
      return Sha256.hex(sha);
    } catch (IOException e) {
      return null;
    }
  }

  /** Writes counts to the disk before they are reported. */
  private static final class Keeper implements BoundaryBenchmark.Listener {
    private final BoundaryBenchmark.Listener listener;
    private final Map<String, Item> items;
    private final Map<String, String> hashes;
    private final int total;

    Keeper(
        BoundaryBenchmark.Listener listener,
        Map<String, Item> items,
        Map<String, String> hashes,
        int total) {
      this.listener = listener;
      this.items = items;
      this.hashes = hashes;
      this.total = total;
    }

    @Override
    public void scored(BoundaryCounts counts, int finished, int ofMissing) {
      Item item = items.get(counts.id());
      String hash = hashes.get(counts.id());
      try {
        if (item != null && hash != null) {
          Files.writeString(
              item.folder.resolve(COUNTS),
              JSON.writeValueAsString(Line.of(item, hash, counts)) + "\n",
              StandardOpenOption.CREATE,
              StandardOpenOption.APPEND);
        }
        if (item != null) {
          export(item, counts);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      listener.scored(counts, total - ofMissing + finished, total);
    }

    @Override
    public void failed(String id, String reason, int finished, int ofMissing) {
      listener.failed(id, reason, total - ofMissing + finished, total);
    }
  }
}
