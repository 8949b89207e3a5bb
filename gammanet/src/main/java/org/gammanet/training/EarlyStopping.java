package org.gammanet.training;

import org.gammanet.config.TrainingConfig;

/** Finds the best validation, and ends training when too many in a row are no better. */
final class EarlyStopping {
  private final TrainingConfig training;
  private double best = Double.NaN;
  private int patience;
  private int validations;

  EarlyStopping(TrainingConfig training) {
    this.training = training;
  }

  /** Continues from a checkpoint. */
  void restore(TrainerState state) {
    best = state.best();
    patience = state.patience();
    validations = state.validations();
  }

  /** Forgets the best, which another metric chose. */
  void forgetBest() {
    best = Double.NaN;
    patience = 0;
  }

  /** The configured metric of a validation; larger is better. */
  double metric(Validation.Result validation) {
    return switch (training.earlyStoppingMetric()) {
      case LOSS -> -validation.loss();
      case ODS -> validation.metrics().ods();
      case OIS -> validation.metrics().ois();
    };
  }

  /** Takes the metric of a validation, and says whether it is the best so far. */
  boolean improves(double metric) {
    validations++;
    boolean improved = Double.isNaN(best) || metric > best;
    if (improved) {
      best = metric;
    }
    patience = improved ? 0 : patience + 1;
    return improved;
  }

  /** Whether {@code training.early_stopping_patience} validations were no better than the best. */
  boolean isExhausted() {
    return patience >= training.earlyStoppingPatience();
  }

  /** The best metric; NaN before the first validation. */
  double best() {
    return best;
  }

  /** Validations since the best. */
  int patience() {
    return patience;
  }

  /** Validations of the whole run. */
  int validations() {
    return validations;
  }
}
