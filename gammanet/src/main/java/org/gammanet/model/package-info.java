/**
 * The networks: γ-net on VGG16 in two versions, γ-net from scratch with its ablations, and γ-net on
 * a fixed backbone.
 *
 * <p>Drew Linsley, Junkyung Kim, Alekh Ashok and Thomas Serre, "Recurrent neural circuits for
 * contour detection", ICLR 2020, describe the circuit. Parameters carry the names of the PyTorch
 * implementation, so that its checkpoints load by name.
 *
 * <p>A network is a list of {@link org.gammanet.model.Stage stages} over the building blocks of
 * {@code org.gammanet.nn}.
 */
@NullMarked
package org.gammanet.model;

import org.jspecify.annotations.NullMarked;
