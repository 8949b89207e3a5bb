package org.gammanet.experiments.opto;

/**
 * How well orientation is decoded from gratings of several frequencies and contrasts.
 *
 * @param optimalFrequency of the first cell with the largest R², cycles per image height
 * @param optimalContrast likewise
 * @param bestR2 its R²
 * @param frequencies of the rows
 * @param contrasts of the columns
 * @param r2 [frequencies][contrasts]: of left-out orientations; of the training data with fewer
 *     than three orientations and where {@link Definitions#scoresTrainingData}
 */
public record SweepResult(
    double optimalFrequency,
    double optimalContrast,
    double bestR2,
    double[] frequencies,
    double[] contrasts,
    double[][] r2) {

  static SweepResult of(double[] frequencies, double[] contrasts, double[][] r2) {
    int row = 0;
    int column = 0;
    for (int f = 0; f < frequencies.length; f++) {
      for (int c = 0; c < contrasts.length; c++) {
        if (r2[f][c] > r2[row][column]) {
          row = f;
          column = c;
        }
      }
    }
    return new SweepResult(
        frequencies[row], contrasts[column], r2[row][column], frequencies, contrasts, r2);
  }
}
