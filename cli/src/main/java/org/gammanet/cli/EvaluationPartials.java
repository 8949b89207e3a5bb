package org.gammanet.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Segmentations;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.experiments.study.Partial;
import org.gammanet.io.DataException;

/** What is kept of a scored image: its counts, and its map where a merge may have to show it. */
final class EvaluationPartials {
  private EvaluationPartials() {}

  static void keep(Partial kept, BoundaryCounts c) throws IOException {
    kept.put("thresholds", c.thresholds())
        .put("cntR", doubles(c.cntR()))
        .put("sumR", doubles(c.sumR()))
        .put("cntP", doubles(c.cntP()))
        .put("sumP", doubles(c.sumP()))
        .save();
  }

  private static double[] doubles(long[] counts) {
    return Arrays.stream(counts).mapToDouble(v -> v).toArray();
  }

  /**
   * The counts of an image.
   *
   * @throws CheckpointException where there are none
   * @throws DataException where they are not counts
   */
  static BoundaryCounts counts(Partial kept, String id) {
    try {
      return new BoundaryCounts(
          id,
          kept.doubles("thresholds"),
          longs(kept, "cntR"),
          longs(kept, "sumR"),
          longs(kept, "cntP"),
          longs(kept, "sumP"));
    } catch (IllegalArgumentException e) {
      throw new DataException("the counts that were kept are damaged: " + e.getMessage(), e);
    }
  }

  private static long[] longs(Partial kept, String name) {
    return Arrays.stream(kept.doubles(name)).mapToLong(v -> (long) v).toArray();
  }

  static void keep(Partial kept, Prediction map) throws IOException {
    switch (map) {
      case Strengths s -> kept.put("map", s.values(), s.height(), s.width());
      case Segmentations s -> {
        long[] shape = {s.masks().size(), s.height(), s.width()};
        ByteBuffer masks = ByteBuffer.allocate(s.masks().size() * s.height() * s.width());
        s.masks().forEach(masks::put);
        kept.put("masks", new StoredTensor(ElementType.U8, shape, masks.flip()));
      }
    }
    kept.save();
  }

  /**
   * The map of an image.
   *
   * @throws CheckpointException where there is none
   */
  static Prediction map(Partial kept) {
    if (!kept.hasTensor("masks")) {
      StoredTensor map = kept.tensor("map");
      double[] values = new double[map.data().remaining() / Double.BYTES];
      map.data().asDoubleBuffer().get(values);
      return new Strengths((int) map.shape()[0], (int) map.shape()[1], values);
    }
    StoredTensor stored = kept.tensor("masks");
    int height = (int) stored.shape()[1];
    int width = (int) stored.shape()[2];
    ByteBuffer data = stored.data().duplicate();
    List<byte[]> masks = new ArrayList<>();
    for (int k = 0; k < stored.shape()[0]; k++) {
      byte[] mask = new byte[height * width];
      data.get(mask);
      masks.add(mask);
    }
    return new Segmentations(height, width, masks);
  }
}
