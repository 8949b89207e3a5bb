/** Images, annotations and training samples, in pure Java. */
@NullMarked
package org.gammanet.data;

import org.jspecify.annotations.NullMarked;
