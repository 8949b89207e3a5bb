package org.gammanet.training;

import java.util.Arrays;
import org.gammanet.data.Batch;
import org.gammanet.evaluation.QuickMetrics;
import org.jspecify.annotations.Nullable;

/** The mean loss of an epoch's updates, and quick metrics of some of its training samples. */
final class EpochScores {
  private static final int SCORED_SAMPLES = 32;

  private final int batches;
  private final QuickMetrics metrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);
  private double lossSum;
  private int lossCount;

  /** At the beginning of an epoch of so many batches. */
  EpochScores(int batches) {
    this(batches, 0, 0);
  }

  /** Amid an epoch, with the losses of its updates so far. */
  EpochScores(int batches, double lossSum, int lossCount) {
    this.batches = batches;
    this.lossSum = lossSum;
    this.lossCount = lossCount;
  }

  /** Adds an update. */
  void add(double loss) {
    lossSum += loss;
    lossCount++;
  }

  /** Adds a batch to the metrics if it is one of a few evenly spaced ones. */
  void add(Batch batch, float[] logits) {
    int scored = Math.max(1, SCORED_SAMPLES / batch.size());
    if (batch.index() % Math.ceilDiv(batches, scored) != 0) {
      return;
    }
    int n = batch.height() * batch.width();
    for (int b = 0; b < batch.size(); b++) {
      int from = b * n;
      metrics.add(
          Validation.probabilities(Arrays.copyOfRange(logits, from, from + n)),
          Arrays.copyOfRange(batch.targets(), from, from + n),
          Arrays.copyOfRange(batch.valid(), from, from + n),
          batch.height(),
          batch.width());
    }
  }

  double lossSum() {
    return lossSum;
  }

  /** Updates in the sum. */
  int lossCount() {
    return lossCount;
  }

  /** NaN where all updates were skipped. */
  double meanLoss() {
    return lossCount == 0 ? Double.NaN : lossSum / lossCount;
  }

  /** Null where no batch was scored. */
  @Nullable Double ods() {
    return metrics.images() == 0 ? null : (Double) metrics.summary().ods();
  }
}
