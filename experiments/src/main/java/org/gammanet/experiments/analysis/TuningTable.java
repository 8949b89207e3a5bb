package org.gammanet.experiments.analysis;

import java.util.List;

/**
 * Orientation tuning of a recording, a row per unit.
 *
 * @param orientations degrees of modulation, evenly spaced over 180
 * @param frequencies cycles per image height
 * @param phases radians
 * @param rows in the order of the units
 */
public record TuningTable(
    double[] orientations, double[] frequencies, double[] phases, List<Row> rows) {

  /** Copies the list. */
  public TuningTable {
    rows = List.copyOf(rows);
  }

  /**
   * One unit.
   *
   * @param unit its index
   * @param blank its response to the blank; 0 where the set has none
   * @param bestFrequency the frequency of its largest response averaged over phases, cycles per
   *     image height
   * @param bestPhase the phase of its largest response at that frequency and the orientation of the
   *     maximum, radians
   * @param curve responses at that frequency averaged over phases, blank not subtracted; one per
   *     orientation
   * @param frequencyResponses the largest response averaged over phases, one per frequency
   * @param measures of the curve less the blank
   * @param phaseModulation F1/F0 at the best frequency and the orientation of the maximum, of the
   *     responses less the blank; NaN with fewer than three phases
   */
  public record Row(
      int unit,
      double blank,
      double bestFrequency,
      double bestPhase,
      double[] curve,
      double[] frequencyResponses,
      OrientationMeasures measures,
      double phaseModulation) {}

  /** A row. */
  public Row row(int unit) {
    return rows.get(unit);
  }
}
