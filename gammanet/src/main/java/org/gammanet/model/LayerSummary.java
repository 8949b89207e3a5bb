package org.gammanet.model;

/**
 * A line of a network's layer table.
 *
 * @param name as in a checkpoint
 * @param kind what it is, in a few words
 * @param channels of its output
 * @param height of its output
 * @param width of its output
 * @param parameters trainable values
 * @param macs multiply-accumulates of its convolutions each time it runs, for one image
 * @param everyTimestep whether it runs at each timestep, or once per image
 */
public record LayerSummary(
    String name,
    String kind,
    int channels,
    long height,
    long width,
    long parameters,
    long macs,
    boolean everyTimestep) {}
