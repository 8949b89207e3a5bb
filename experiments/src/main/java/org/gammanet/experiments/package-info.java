/**
 * What all experiments share: whether they follow the definitions of this library or the
 * original's.
 */
@NullMarked
package org.gammanet.experiments;

import org.jspecify.annotations.NullMarked;
