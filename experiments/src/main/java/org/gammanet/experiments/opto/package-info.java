/**
 * Simulated optogenetics: orientation is decoded from the excitatory activity at one site of a
 * network, the drive of that site is changed, and the initial excitatory and inhibitory states
 * around it are optimized until the decoded orientation is restored. Start at {@link
 * org.gammanet.experiments.opto.OptogeneticPerturbation}.
 */
@NullMarked
package org.gammanet.experiments.opto;

import org.jspecify.annotations.NullMarked;
