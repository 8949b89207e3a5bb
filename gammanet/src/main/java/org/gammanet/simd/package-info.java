/** Decides once whether and how wide vector kernels run. */
@NullMarked
package org.gammanet.simd;

import org.jspecify.annotations.NullMarked;
