/** The networks. */
@NullMarked
package org.gammanet.model;

import org.jspecify.annotations.NullMarked;
