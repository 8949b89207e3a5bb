package org.gammanet.model;

import java.util.List;
import org.gammanet.nn.FgruCell;
import org.jspecify.annotations.Nullable;

/**
 * A recording site: a recurrent cell where it runs in a network.
 *
 * @param cell which carries the name
 * @param level from 0; a pixel of its maps stands for 2^level pixels of the image
 * @param block the block whose output drives it, as {@link ForwardHooks#blockOutput} names it; null
 *     for a cell driven by feedback
 * @param states names of the states that it updates, as in {@link Network#stateShapes}: the
 *     excitatory (or only) one first
 */
public record CellSite(FgruCell cell, int level, @Nullable String block, List<String> states) {

  public String name() {
    return cell.name();
  }
}
