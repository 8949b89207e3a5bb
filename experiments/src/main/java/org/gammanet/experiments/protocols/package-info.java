/** The experiments of this library: each declares its conditions and measures the responses. */
@NullMarked
package org.gammanet.experiments.protocols;

import org.jspecify.annotations.NullMarked;
