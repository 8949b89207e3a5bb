/**
 * Simulated optogenetics: an orientation is read from a network's excitatory activity at one place,
 * the drive of that place is changed, and the initial excitatory and inhibitory states around it
 * are optimized until the reading is what it was. Start at {@link
 * org.gammanet.experiments.opto.OptogeneticPerturbation}.
 */
@NullMarked
package org.gammanet.experiments.opto;

import org.jspecify.annotations.NullMarked;
