package org.gammanet.data;

/**
 * What the network sees of one image, and what it should answer.
 *
 * @param id of the {@link Example} it was made from
 * @param height rows
 * @param width columns
 * @param image normalized colors, {@code [3, height, width]}
 * @param target consensus in [0, 1], {@code [height, width]}
 * @param valid false where there is no data or the target says "ignore", {@code [height, width]}
 */
public record Sample(
    String id, int height, int width, float[] image, float[] target, boolean[] valid) {}
