package org.gammanet.experiments.study;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import org.gammanet.experiments.Mode;

/** The experiments that there are: those of this library, and others on the path. */
public final class Experiments {
  private Experiments() {}

  /** All experiments of a mode; each after those that it requires. */
  public static List<Experiment<?>> all(Mode mode) {
    List<Experiment<?>> found = new ArrayList<>();
    for (Experiment<?> e :
        ServiceLoader.load(Experiment.class, Experiments.class.getClassLoader())) {
      if (e.mode() == mode && found.stream().noneMatch(f -> f.name().equals(e.name()))) {
        found.add(e);
      }
    }
    List<Experiment<?>> out = new ArrayList<>();
    found.forEach(e -> addAfterRequired(e, found, out, Set.of()));
    return List.copyOf(out);
  }

  private static void addAfterRequired(
      Experiment<?> e, List<Experiment<?>> found, List<Experiment<?>> out, Set<String> waiting) {
    if (out.contains(e)) {
      return;
    }
    if (waiting.contains(e.name())) {
      throw new IllegalStateException("the experiments %s require each other".formatted(waiting));
    }
    var path = new LinkedHashSet<>(waiting);
    path.add(e.name());
    for (String name : e.description().requires()) {
      Experiment<?> required =
          found.stream()
              .filter(f -> f.name().equals(name))
              .findFirst()
              .orElseThrow(
                  () ->
                      new IllegalStateException(
                          "the experiment %s requires %s, which there is not"
                              .formatted(e.name(), name)));
      addAfterRequired(required, found, out, path);
    }
    out.add(e);
  }

  /**
   * The experiments of some names.
   *
   * @param names such as {@code kapadia}, or as results call them; {@code all} for every one,
   *     {@code contrast} for contrast_response
   * @throws IllegalArgumentException for a name that there is not, and for none
   */
  public static List<Experiment<?>> named(List<String> names, Mode mode) {
    List<Experiment<?>> all = all(mode);
    List<String> known = all.stream().map(Experiment::name).toList();
    Set<String> wanted = new LinkedHashSet<>();
    for (String name : names) {
      Optional<String> found =
          all.stream().filter(e -> isNamed(e, name)).map(Experiment::name).findFirst();
      if (name.equals("all")) {
        wanted.addAll(known);
      } else if (found.isPresent()) {
        wanted.add(found.get());
      } else if (mode == Mode.PARITY && all(Mode.OWN).stream().anyMatch(e -> isNamed(e, name))) {
        throw new IllegalArgumentException(
            "%s is not among the original's experiments; parity has %s"
                .formatted(name, String.join(", ", known)));
      } else {
        throw new IllegalArgumentException(
            "there is no experiment %s; there are %s and all"
                .formatted(name, String.join(", ", known)));
      }
    }
    if (wanted.isEmpty()) {
      throw new IllegalArgumentException("no experiment is given");
    }
    return all.stream().filter(e -> wanted.contains(e.name())).toList();
  }

  /** Whether a word names an experiment: its name, that of its results, or a short one. */
  static boolean isNamed(Experiment<?> e, String word) {
    return e.name().equals(word)
        || e.key().equals(word)
        || word.equals("contrast") && e.name().equals("contrast_response");
  }

  /** Experiments with those that they require, in the order in which they run. */
  static List<Experiment<?>> withRequired(List<Experiment<?>> experiments, Mode mode) {
    List<Experiment<?>> all = all(mode);
    Set<String> names = new LinkedHashSet<>();
    for (Experiment<?> e : all.reversed()) { // those that are required come before
      if (names.contains(e.name())
          || experiments.stream().anyMatch(f -> f.name().equals(e.name()))) {
        names.add(e.name());
        names.addAll(e.description().requires());
      }
    }
    return all.stream().filter(e -> names.contains(e.name())).toList();
  }
}
