/** The {@code gammanet} command: one class per subcommand, on top of the library's public API. */
@NullMarked
package org.gammanet.cli;

import org.jspecify.annotations.NullMarked;
