package org.gammanet.experiments.stimuli;

/**
 * A pixel of an image.
 *
 * @param y row, from the top
 * @param x column
 */
public record PixelPoint(int y, int x) {}
