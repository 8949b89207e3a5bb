/** Losses, optimizers, back-propagation through time with little memory, and the trainer. */
@NullMarked
package org.gammanet.training;

import org.jspecify.annotations.NullMarked;
