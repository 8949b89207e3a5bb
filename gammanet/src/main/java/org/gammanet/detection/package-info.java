/** Edge detection in images of any size and in sequences, and what people make of edge maps. */
@NullMarked
package org.gammanet.detection;

import org.jspecify.annotations.NullMarked;
