/**
 * The networks: γ-net on VGG16 in two versions, γ-net from scratch with its ablations, and γ-net on
 * a fixed backbone.
 *
 * <p>Drew Linsley, Junkyung Kim, Alekh Ashok and Thomas Serre, "Recurrent neural circuits for
 * contour detection", ICLR 2020, describe the circuit. Parameters carry the names of the PyTorch
 * implementation, so that its checkpoints load by name.
 *
 * <p>The mathematics is written once, as {@link org.gammanet.model.Segment segments} that a network
 * chains in its {@code forward}; an {@link org.gammanet.model.Executor} decides whether they run
 * directly, are recorded to be recomputed for training, or are replaced by fused kernels.
 */
@NullMarked
package org.gammanet.model;

import org.jspecify.annotations.NullMarked;
