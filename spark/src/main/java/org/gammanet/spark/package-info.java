/**
 * Many images and many conditions on Apache Spark: edge maps, the boundary benchmark, experiments
 * and ablations as rows. {@link org.gammanet.spark.GammaNetSpark} is the API.
 */
@NullMarked
package org.gammanet.spark;

import org.jspecify.annotations.NullMarked;
