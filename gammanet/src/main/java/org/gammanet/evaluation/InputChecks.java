package org.gammanet.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.data.Thinning;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;

/**
 * Notices maps that can be scored but are probably not what they should be: inverted, or with lines
 * as thick as a network's before suppression; and collects what was noticed about drawings. Threads
 * may share one.
 */
public final class InputChecks {
  /** Lines of maps that are wider than this were not thinned by the detector. */
  private static final double MOST_WIDTH = 2;

  private final List<Double> widths = new ArrayList<>();
  private int maps;
  private int bright;
  private final List<String> drawings = new ArrayList<>();

  /**
   * What was noticed so far.
   *
   * @param maps number of maps
   * @param bright number of those that are mostly bright
   * @param widths of the lines of the others, pixels
   * @param drawings sentences about drawings
   */
  public record Noticed(int maps, int bright, double[] widths, List<String> drawings) {}

  /** What was noticed so far, to be added to that of others. */
  public synchronized Noticed noticed() {
    return new Noticed(
        maps, bright, widths.stream().mapToDouble(w -> w).toArray(), List.copyOf(drawings));
  }

  /** Adds what was noticed elsewhere. */
  public synchronized void add(Noticed other) {
    maps += other.maps;
    bright += other.bright;
    Arrays.stream(other.widths).forEach(widths::add);
    other.drawings.forEach(this::truth);
  }

  /** Adds a map of strengths to the checks; segmentations are left out. */
  public void map(Prediction map) {
    if (!(map instanceof Strengths strengths)) {
      return;
    }
    long above = 0;
    for (double v : strengths.values()) {
      above += v >= 0.5 ? 1 : 0;
    }
    boolean mostlyBright = above > strengths.values().length / 2;
    double width = mostlyBright ? Double.NaN : lineWidth(strengths);
    synchronized (this) {
      maps++;
      bright += mostlyBright ? 1 : 0;
      if (!Double.isNaN(width)) {
        widths.add(width);
      }
    }
  }

  /** Takes a sentence about drawings, each once. */
  public synchronized void truth(String warning) {
    if (!drawings.contains(warning)) {
      drawings.add(warning);
    }
  }

  /**
   * Mean width in pixels of the lines of a map, cut at half its greatest value: its pixels against
   * those that thinning leaves. NaN where nothing is detected.
   */
  public static double lineWidth(Strengths map) {
    double greatest = 0;
    for (double v : map.values()) {
      greatest = Math.max(greatest, v);
    }
    byte[] mask = new byte[map.values().length];
    int before = 0;
    for (int i = 0; i < mask.length; i++) {
      mask[i] = (byte) (greatest > 0 && map.values()[i] >= greatest / 2 ? 1 : 0);
      before += mask[i];
    }
    Thinning.thin(mask, map.height(), map.width());
    int after = 0;
    for (byte b : mask) {
      after += b;
    }
    return after == 0 ? Double.NaN : (double) before / after;
  }

  /** What was noticed, a sentence each. */
  public synchronized List<String> remarks(Settings settings) {
    List<String> remarks = new ArrayList<>();
    if (bright > 0) {
      remarks.add(
          "most of the map is bright in %s of %s maps; edges must be white on black"
              .formatted(bright, maps));
    }
    double[] sorted = widths.stream().mapToDouble(w -> w).sorted().toArray();
    double median = sorted.length == 0 ? 0 : sorted[sorted.length / 2];
    if (settings.nms() == EdgeNms.NONE && median > MOST_WIDTH) {
      remarks.add(
          String.format(
              Locale.ROOT,
              "the lines of these maps are %.1f pixels wide: published results of learned detectors"
                  + " are measured after suppression, with --nms smooth",
              median));
    }
    drawings.stream().limit(3).forEach(remarks::add);
    if (drawings.size() > 3) {
      remarks.add("the same holds for %s more".formatted(drawings.size() - 3));
    }
    return remarks;
  }
}
