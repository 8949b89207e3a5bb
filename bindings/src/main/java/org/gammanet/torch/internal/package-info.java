/** Loading of the native libraries and the plumbing of native calls; not part of the API. */
@NullMarked
package org.gammanet.torch.internal;

import org.jspecify.annotations.NullMarked;
