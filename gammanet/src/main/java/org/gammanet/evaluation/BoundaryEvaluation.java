package org.gammanet.evaluation;

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
import org.gammanet.io.DataException;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * A benchmark run that keeps what it has: the counts of each image go to {@code <id>_ev1.txt} in a
 * folder as soon as they are known, and the next run with the same folder takes them from there, if
 * nothing has changed that they depend on.
 *
 * <p>What they depend on is hashed: settings, detector, and the files of each image ({@code
 * inputs.sha256} has one line for each counted image). So one folder can be used again and again
 * with other settings; what does not fit is counted anew.
 */
public final class BoundaryEvaluation {
  /** Part of the hashes; grows when the counting changes. */
  private static final int COUNTING = 1;

  private static final String INPUTS = "inputs.sha256";

  /**
   * An image to score.
   *
   * @param image map and drawings
   * @param inputs files that its counts depend on; folders stand for the files in them
   * @param anew whether it has to be scored even if its counts are known
   */
  public record Item(BoundaryBenchmark.Image image, List<Path> inputs, boolean anew) {
    public Item {
      inputs = List.copyOf(inputs);
    }
  }

  private final Path folder;
  private final BoundaryBenchmark.Settings settings;
  private final String detector;
  private final BoundaryBenchmark benchmark;
  private int reused;

  /**
   * Prepares a run.
   *
   * @param folder for the counts, made if it is missing
   * @param detector whatever the maps depend on apart from their files, such as a checkpoint's hash
   * @param threads how many threads work, at least 1
   */
  public BoundaryEvaluation(
      Path folder, BoundaryBenchmark.Settings settings, String detector, int threads) {
    this.folder = folder;
    this.settings = settings;
    this.detector = detector;
    this.benchmark = new BoundaryBenchmark(settings, threads);
  }

  /** Makes {@link #run} end soon; what has been counted stays in the folder. For any thread. */
  public void cancel() {
    benchmark.cancel();
  }

  /** How many images had their counts from an earlier run; known once the listener hears any. */
  public int reused() {
    return reused;
  }

  /**
   * Scores images, or takes their counts from an earlier run.
   *
   * @param listener hears of the images that are scored now; its numbers include those that were
   *     before
   * @throws CancellationException after {@link #cancel}
   * @throws InterruptedException if this thread was interrupted
   * @throws IOException if the folder cannot be written
   */
  public BoundaryBenchmark.Result run(List<Item> items, BoundaryBenchmark.Listener listener)
      throws IOException, InterruptedException {
    Files.createDirectories(folder);
    Map<String, String> known = knownHashes();
    Map<String, String> hashes = new HashMap<>();
    Map<String, BoundaryCounts> earlier = new HashMap<>();
    List<BoundaryBenchmark.Image> missing = new ArrayList<>();
    for (Item item : items) {
      String id = item.image.id();
      String hash = hash(item);
      if (hash != null) {
        hashes.put(id, hash);
      }
      BoundaryCounts counts =
          !item.anew && hash != null && hash.equals(known.get(id)) ? read(id) : null;
      if (counts == null) {
        missing.add(item.image);
      } else {
        earlier.put(id, counts);
      }
    }
    reused = earlier.size();
    BoundaryBenchmark.Result result =
        benchmark.run(missing, new Keeper(listener, hashes, reused, items.size()));
    Map<String, BoundaryCounts> all = new HashMap<>(earlier);
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

  private Path countsOf(String id) {
    return folder.resolve(id + "_ev1.txt");
  }

  /** Counts of an earlier run; null if they are damaged or of other thresholds. */
  private @Nullable BoundaryCounts read(String id) {
    if (!Files.isRegularFile(countsOf(id))) {
      return null;
    }
    try {
      BoundaryCounts c = BoundaryFiles.readCounts(countsOf(id), id);
      double[] exact = settings.values();
      if (c.thresholds().length == exact.length && Math.abs(c.thresholds()[0] - exact[0]) < 1e-5) {
        // The file has six digits.
        return new BoundaryCounts(id, exact, c.cntR(), c.sumR(), c.cntP(), c.sumP());
      }
      // Numbers 1, 2, … of segmentations are exact in the file.
      return c.thresholds()[0] == 1 ? c : null;
    } catch (DataException e) {
      return null;
    }
  }

  private Map<String, String> knownHashes() throws IOException {
    Map<String, String> known = new HashMap<>();
    Path file = folder.resolve(INPUTS);
    if (Files.isRegularFile(file)) {
      String text = Files.readString(file, StandardCharsets.ISO_8859_1);
      if (!text.isEmpty() && !text.endsWith("\n")) {
        Files.writeString(file, "\n", StandardOpenOption.APPEND); // a write was cut off
      }
      for (String line : text.split("\n", -1)) {
        int gap = line.indexOf("  ");
        if (gap == 64) {
          String id = line.substring(gap + 2);
          known.put(
              new String(id.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8),
              line.substring(0, gap));
        }
      }
    }
    return known;
  }

  /** Hash of all that an image's counts depend on; null if one of its files cannot be read. */
  private @Nullable String hash(Item item) {
    MessageDigest sha = Sha256.digest();
    sha.update(
        "%d\n%s\n%s\n".formatted(COUNTING, settings, detector).getBytes(StandardCharsets.UTF_8));
    try {
      for (Path input : item.inputs) {
        Sha256.update(sha, input);
      }
      return Sha256.hex(sha);
    } catch (IOException e) {
      return null;
    }
  }

  /** Writes counts down before anybody hears of them. */
  private final class Keeper implements BoundaryBenchmark.Listener {
    private final BoundaryBenchmark.Listener listener;
    private final Map<String, String> hashes;
    private final int before;
    private final int total;

    Keeper(BoundaryBenchmark.Listener listener, Map<String, String> hashes, int before, int total) {
      this.listener = listener;
      this.hashes = hashes;
      this.before = before;
      this.total = total;
    }

    @Override
    public void scored(BoundaryCounts counts, int finished, int ofMissing) {
      String id = counts.id();
      try {
        BoundaryFiles.write(countsOf(id), BoundaryFiles.counts(counts));
        String hash = hashes.get(id);
        if (hash != null) {
          Files.writeString(
              folder.resolve(INPUTS),
              hash + "  " + id + "\n",
              StandardOpenOption.CREATE,
              StandardOpenOption.APPEND);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      listener.scored(counts, before + finished, total);
    }

    @Override
    public void failed(String id, String reason, int finished, int ofMissing) {
      listener.failed(id, reason, before + finished, total);
    }
  }
}
