/**
 * LibTorch for Java: tensors with explicit lifetimes, operators under PyTorch's names, autograd.
 *
 * <p>Operators are called through LibTorch's stable C ABI, so one build works with any LibTorch
 * from 2.11 on; five C++ functions that it lacks are called through the shim. Tensors are {@code
 * (N, C, H, W)} unless a method says otherwise.
 */
@NullMarked
package org.gammanet.torch;

import org.jspecify.annotations.NullMarked;
