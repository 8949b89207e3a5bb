package org.gammanet.config;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** An enum constant that a configuration file spells in lower case, such as {@code softplus}. */
public interface Word {
  /** The constant's Java name. */
  String name();

  /** The spelling in configuration files. */
  @JsonValue
  default String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
