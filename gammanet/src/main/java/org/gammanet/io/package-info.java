/** Reading images and arrays, writing files, and the few digests and generators they need. */
@NullMarked
package org.gammanet.io;

import org.jspecify.annotations.NullMarked;
