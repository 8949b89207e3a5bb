/**
 * Publication figures: panels on a grid, drawn by the same primitives as SVG (text stays text) and
 * as PNG (300 dots per inch), without a display and without any font installed.
 */
@NullMarked
package org.gammanet.figures;

import org.jspecify.annotations.NullMarked;
