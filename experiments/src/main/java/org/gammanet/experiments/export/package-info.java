/** Recordings in the formats of other programs. */
@NullMarked
package org.gammanet.experiments.export;

import org.jspecify.annotations.NullMarked;
