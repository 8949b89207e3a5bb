/**
 * Recording units of a network while it looks at stimuli: any layer and population, at each
 * timestep, in batches of bounded memory.
 */
@NullMarked
package org.gammanet.experiments.responses;

import org.jspecify.annotations.NullMarked;
