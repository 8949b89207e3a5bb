/**
 * What recordings say about units: tuning, context, populations, dynamics, comparison with other
 * recordings, and tests. Everything here is arithmetic on arrays, in double precision, independent
 * of where responses come from.
 *
 * <p>Angles are in degrees. Orientations have a period of 180 degrees and are whatever convention
 * the stimuli used, see {@link org.gammanet.experiments.stimuli.Orientation}. A measure that is
 * undefined for a unit is NaN; arguments that are wrong (a NaN response, too few conditions) are
 * {@link java.lang.IllegalArgumentException}s.
 */
@NullMarked
package org.gammanet.experiments.analysis;

import org.jspecify.annotations.NullMarked;
