/**
 * Files with weights: safetensors, and PyTorch's {@code .pt}/{@code .pth}, which are read without
 * executing anything that they contain.
 */
@NullMarked
package org.gammanet.checkpoint;

import org.jspecify.annotations.NullMarked;
