/**
 * Building blocks of networks, as PyTorch's {@code torch.nn} has them: parameters, layers,
 * recurrent cells, and the segments that networks are made of.
 *
 * <p>The mathematics is written once, as {@link org.gammanet.nn.Segment segments} composed of
 * operators. An {@link org.gammanet.nn.Executor} runs them directly or records them on a {@link
 * org.gammanet.nn.Tape} for training; {@code org.gammanet.fused} puts native kernels in front.
 */
@NullMarked
package org.gammanet.nn;

import org.jspecify.annotations.NullMarked;
