package org.gammanet.experiments.study;

import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/**
 * An experiment: the stimuli that it shows, and how it measures the responses to them. Experiments
 * are services, found by {@link Experiments}; {@code docs/extending.md} has an example.
 *
 * @param <C> the conditions, records
 */
public interface Experiment<C> {
  /** Its name, what it shows and measures, and what it builds on. */
  Description description();

  /** The name on the command line. */
  default String name() {
    return description().name();
  }

  /** The key of its findings in the results. */
  default String key() {
    return description().key();
  }

  /** Whose definitions it follows. */
  default Mode mode() {
    return Mode.OWN;
  }

  /**
   * The stimuli by their conditions.
   *
   * @throws IllegalArgumentException where a stimulus does not fit into the image
   */
  Design<C> design(RunContext context);

  /** Measures the responses to the design. */
  Findings analyze(RunContext context, Recording<C> recording);

  /** Stimuli for a picture of them. */
  default StimulusSet preview(RunContext context) {
    return design(context).stimuli();
  }

  /** About how many stimuli it shows. */
  default int stimuli(RunContext context) {
    return design(context).conditions().size() + 1;
  }

  /** The curve that recordings can be compared with; null where there is none. */
  default @Nullable ModelCurve<C> curve() {
    return null;
  }

  /**
   * A curve of the model at any values of its x axis.
   *
   * @param figure in which it is drawn
   * @param panel in which it is drawn
   * @param axes the quantities on both axes, with their units
   * @param <C> the conditions
   */
  record ModelCurve<C>(
      String figure, String panel, String axes, Stimuli<C> stimuli, Sample<C> sample) {
    /** The stimuli for values of x. */
    public interface Stimuli<C> {
      /**
       * Those for these values.
       *
       * @throws IllegalArgumentException for a value at which the model has no curve
       */
      Design<C> at(RunContext context, double[] x);
    }

    /** What is measured. */
    public interface Sample<C> {
      /** The sample, such as units, at each x; NaN where a unit has no value. */
      double[][] at(RunContext context, Recording<C> recording, double[] x);
    }
  }
}
