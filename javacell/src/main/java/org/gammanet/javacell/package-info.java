/**
 * One step of the fGRU cell in Java, with the Vector API where the running virtual machine has it
 * and in scalar code: what Java reaches without native code, and an independent computation to
 * check the others against.
 */
@NullMarked
package org.gammanet.javacell;

import org.jspecify.annotations.NullMarked;
