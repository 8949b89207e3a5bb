/**
 * Arithmetic over long arrays with the Vector API where the running virtual machine has it, each
 * kernel with a scalar twin. {@link org.gammanet.simd.Simd} decides once; no class outside of this
 * package sees {@code jdk.incubator.vector}.
 */
@NullMarked
package org.gammanet.simd;

import org.jspecify.annotations.NullMarked;
