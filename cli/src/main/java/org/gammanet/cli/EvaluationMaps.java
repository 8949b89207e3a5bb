package org.gammanet.cli;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;

/**
 * The maps of a detector: all of the last images, and in 8 bits as many others as a little memory
 * holds, so that the report detects hardly anything again.
 */
final class EvaluationMaps {
  private static final long MOST_BYTES = 64 << 20;

  private record Key(String id, int output) {}

  private record Levels(int height, int width, byte[] values) {}

  private final Evaluation.Detector detector;
  private final Map<String, List<? extends Prediction>> recent = new LinkedHashMap<>();
  private final Map<Key, Levels> kept = new HashMap<>();
  private long bytes;

  EvaluationMaps(Evaluation.Detector detector) {
    this.detector = detector;
  }

  /** An image's map for an output, counted from 0. */
  Prediction detect(String id, int output) throws IOException {
    synchronized (recent) {
      List<? extends Prediction> maps = recent.get(id);
      if (maps == null) {
        maps = detector.maps(id);
        recent.put(id, maps);
        if (recent.size() > 2) { // the benchmark reads images in order
          recent.remove(recent.keySet().iterator().next());
        }
      }
      return maps.get(output);
    }
  }

  /** Keeps a map to be shown; segmentations, and what there is no memory for, are not kept. */
  void keep(String id, int output, Prediction map) {
    if (map instanceof BoundaryBenchmark.Strengths s && bytes + s.values().length <= MOST_BYTES) {
      byte[] levels = new byte[s.values().length];
      for (int i = 0; i < levels.length; i++) {
        levels[i] = (byte) Math.round(255 * s.values()[i]);
      }
      kept.put(new Key(id, output), new Levels(s.height(), s.width(), levels));
      bytes += levels.length;
    }
  }

  /** The map that was kept, or else detects it again. */
  Prediction shown(String id, int output) throws IOException {
    Levels levels = kept.get(new Key(id, output));
    if (levels == null) {
      return detect(id, output);
    }
    double[] values = new double[levels.values.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (levels.values[i] & 0xFF) / 255.0;
    }
    return new BoundaryBenchmark.Strengths(levels.height, levels.width, values);
  }
}
