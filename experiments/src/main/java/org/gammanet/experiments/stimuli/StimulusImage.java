package org.gammanet.experiments.stimuli;

/**
 * A drawn stimulus.
 *
 * @param values H x W, rows first: luminance in [0, 1], or a bare pattern about 0 where the
 *     original delivers that
 * @param height H
 * @param width W
 * @param meta what it is
 */
public record StimulusImage(float[] values, int height, int width, StimulusMeta meta) {}
