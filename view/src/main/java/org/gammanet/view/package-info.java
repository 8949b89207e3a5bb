/**
 * A page on the local machine that shows what happens in a network, timestep by timestep.
 *
 * <p>The page asks for one computation after the other, each described completely: the server
 * remembers photos and networks, but nothing about pages. An answer is a stream of {@link
 * org.gammanet.view.Job frames}, which the page draws as they come.
 */
@NullMarked
package org.gammanet.view;

import org.jspecify.annotations.NullMarked;
