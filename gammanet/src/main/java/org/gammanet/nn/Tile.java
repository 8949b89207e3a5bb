package org.gammanet.nn;

/**
 * Where a part of an image lies that passes through a network alone. Positions and sizes are in
 * pixels of the whole image; corners are multiples of the network's coarsest pixel, so that pooling
 * divides the tile as it divides the whole.
 *
 * @param wholeHeight rows of the whole image
 * @param wholeWidth columns of the whole image
 * @param top first row of the tile
 * @param left first column of the tile
 * @param coreTop first row that the tile answers for; what surrounds its core is context
 * @param coreLeft first column that it answers for
 * @param coreBottom row after the last one that it answers for
 * @param coreRight column after the last one
 * @param statistics of feature maps over the whole image
 */
public record Tile(
    int wholeHeight,
    int wholeWidth,
    int top,
    int left,
    int coreTop,
    int coreLeft,
    int coreBottom,
    int coreRight,
    MapStatistics statistics) {

  /** A tile that is the whole image. */
  public static Tile whole(int height, int width, MapStatistics statistics) {
    return new Tile(height, width, 0, 0, 0, 0, height, width, statistics);
  }
}
