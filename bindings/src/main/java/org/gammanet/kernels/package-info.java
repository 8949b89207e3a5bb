/** The native kernels: fGRU cells and convolutions, each as one call. */
@NullMarked
package org.gammanet.kernels;

import org.jspecify.annotations.NullMarked;
