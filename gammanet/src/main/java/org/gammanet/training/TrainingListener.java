package org.gammanet.training;

import java.util.Map;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.QuickMetrics;
import org.jspecify.annotations.Nullable;

/** Receives the progress of training; called on the training thread. */
public interface TrainingListener {
  /**
   * An update of the parameters, made or skipped.
   *
   * @param epoch from 0
   * @param update in this epoch, from 1
   * @param updates in an epoch
   * @param globalStep updates of the whole run so far
   * @param loss of the batch or batches
   * @param gradientNorm before clipping
   * @param rates learning rate of each group by its name
   * @param timesteps of its batches, on average
   * @param penalty part of the loss that is the stability penalty
   * @param skipped whether loss or gradient was not finite, so that nothing was changed
   * @param seconds it took
   */
  record Step(
      int epoch,
      int update,
      int updates,
      long globalStep,
      double loss,
      double gradientNorm,
      Map<String, Double> rates,
      double timesteps,
      double penalty,
      boolean skipped,
      double seconds) {}

  /**
   * A finished epoch.
   *
   * @param loss mean over its updates
   * @param validationLoss null if this epoch was not validated
   * @param metrics null if this epoch was not validated
   * @param benchmark scores of the boundary benchmark; null if it was not run
   * @param best whether it is the best so far by the configured metric
   * @param rates at its end
   * @param images seen, without those of a run that this one continues
   * @param seconds of training and validation, without those of a run that this one continues
   * @param secondsLeft estimate for the rest of the run; NaN where this run has made no update yet
   */
  record Epoch(
      int epoch,
      double loss,
      @Nullable Double validationLoss,
      QuickMetrics.@Nullable Summary metrics,
      @Nullable BoundaryScores benchmark,
      boolean best,
      Map<String, Double> rates,
      int images,
      double seconds,
      double secondsLeft) {}

  /** After each update. */
  default void step(Step step) {}

  /** During validation: images done. */
  default void validating(int done, int total) {}

  /** During the boundary benchmark: images done; calls come from any thread, one at a time. */
  default void benchmarking(int done, int total) {}

  /** After each epoch. */
  default void epoch(Epoch epoch) {}

  /** A message for the user. */
  default void note(String sentence) {}

  /** Ignores everything. */
  TrainingListener SILENT = new TrainingListener() {};
}
