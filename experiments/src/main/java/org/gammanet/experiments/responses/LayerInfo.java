package org.gammanet.experiments.responses;

import java.util.Set;

/**
 * A layer that can be recorded.
 *
 * @param name as in a checkpoint: {@code fgru_0}, {@code td_fgru_0}, {@code block1_conv}; or {@code
 *     output}
 * @param channels C
 * @param level a unit stands for 2^level pixels of the image
 * @param states what can be recorded of it
 */
public record LayerInfo(String name, int channels, int level, Set<State> states) {}
