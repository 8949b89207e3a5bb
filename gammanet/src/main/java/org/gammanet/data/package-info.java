/** Data sets: images with their annotations, augmentation and batches. */
@NullMarked
package org.gammanet.data;

import org.jspecify.annotations.NullMarked;
