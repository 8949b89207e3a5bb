/**
 * Loops over large populations with the Vector API where the running virtual machine has it, each
 * kernel with a scalar twin. No class outside this package sees {@code jdk.incubator.vector}.
 */
@NullMarked
package org.gammanet.experiments.analysis.simd;

import org.jspecify.annotations.NullMarked;
