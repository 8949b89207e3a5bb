/**
 * Native kernels in front of segments. {@link org.gammanet.fused.Kernels} alone decides whether a
 * kernel computes a segment, and says why not.
 */
@NullMarked
package org.gammanet.fused;

import org.jspecify.annotations.NullMarked;
