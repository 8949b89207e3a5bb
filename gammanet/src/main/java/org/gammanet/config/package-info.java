/**
 * The configuration as immutable records: what a YAML file, a checkpoint's header or a program says
 * about network, data and training, checked once when it is read.
 *
 * <p>{@link org.gammanet.config.GammaNetConfig} is the whole of it. Every value that cannot work is
 * refused with one sentence that names the file, the key and what is accepted; code that receives a
 * record need not check again.
 */
@NullMarked
package org.gammanet.config;

import org.jspecify.annotations.NullMarked;
