/**
 * LibTorch for Java: tensors with explicit lifetimes, the operators that the project needs, and
 * autograd.
 *
 * <p>Everything is called through LibTorch's stable C ABI, so one build works with any LibTorch
 * from 2.11 on. Tensors are {@code (N, C, H, W)} unless a method says otherwise.
 */
@NullMarked
package org.gammanet.torch;

import org.jspecify.annotations.NullMarked;
