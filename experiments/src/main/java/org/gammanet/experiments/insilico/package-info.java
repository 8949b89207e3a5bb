/**
 * Experiments of virtual physiology: each draws its stimuli, records the units of a layer, measures
 * them, and says what it found in numbers, figures and words.
 */
@NullMarked
package org.gammanet.experiments.insilico;

import org.jspecify.annotations.NullMarked;
