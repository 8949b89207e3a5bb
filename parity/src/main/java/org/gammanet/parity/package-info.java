/**
 * The original PyTorch project's own stimuli, measures and definitions, its defects included, so
 * that its numbers can be reproduced. Nothing here is used without {@code --parity}.
 */
@NullMarked
package org.gammanet.parity;

import org.jspecify.annotations.NullMarked;
