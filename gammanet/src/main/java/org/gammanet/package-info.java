/** Edge detection in three lines; see {@link org.gammanet.GammaNet}. */
@NullMarked
package org.gammanet;

import org.jspecify.annotations.NullMarked;
