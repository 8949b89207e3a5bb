/**
 * Process groups of LibTorch's own c10d for training with several processes, by way of the Java
 * classes of {@code org.bytedeco:pytorch}.
 */
@NullMarked
package org.gammanet.distributed;

import org.jspecify.annotations.NullMarked;
