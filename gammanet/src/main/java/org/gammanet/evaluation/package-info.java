/** How good predicted edges are. */
@NullMarked
package org.gammanet.evaluation;

import org.jspecify.annotations.NullMarked;
