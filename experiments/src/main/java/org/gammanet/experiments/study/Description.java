package org.gammanet.experiments.study;

import java.util.List;

/**
 * What an experiment is called, shows and measures.
 *
 * @param name on the command line, such as {@code size_tuning}
 * @param title a heading
 * @param about what is shown and measured, with sources; for reports
 * @param literature how it differs from the studies that it follows; empty where it follows none
 * @param key of its findings in the results; the name, unless it is given
 * @param primary the name of the number in the findings that the experiment is about, which is
 *     declared before anything is measured: p values of the other numbers are not corrected for
 *     multiple tests; empty where there is none
 * @param requires names of the experiments whose findings it needs, which run before it
 */
public record Description(
    String name,
    String title,
    String about,
    String literature,
    String key,
    String primary,
    List<String> requires) {
  public Description {
    requires = List.copyOf(requires);
  }

  /** An experiment that needs no other one. */
  public static Description of(String name, String title, String about) {
    return new Description(name, title, about, "", name, "", List.of());
  }

  /** With a sentence on how it differs from the studies that it follows, and why. */
  public Description literature(String value) {
    return new Description(name, title, about, value, key, primary, requires);
  }

  /** With another key of its findings. */
  public Description key(String value) {
    return new Description(name, title, about, literature, value, primary, requires);
  }

  /** With a primary number. */
  public Description primary(String value) {
    return new Description(name, title, about, literature, key, value, requires);
  }

  /** With experiments that run before it. */
  public Description requires(String... names) {
    return new Description(name, title, about, literature, key, primary, List.of(names));
  }
}
