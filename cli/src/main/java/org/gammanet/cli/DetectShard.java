package org.gammanet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.GammaNet;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import picocli.CommandLine.Model.OptionSpec;

/** A shard of a run of detect: the record of what it has done, and the merge of all of them. */
final class DetectShard {
  /** The file in which a shard says what it has done. */
  static final String RECORD = "detect.json";

  /** Step of a shard's results. */
  private static final String PART = "part";

  /** Options that change no file. */
  private static final Set<String> INDIFFERENT =
      Set.of(
          "--output",
          "--recursive",
          "--force",
          "--skip-existing",
          "--json",
          "--shard",
          "--checkpoint",
          "--config",
          "--device",
          "--threads",
          "--verbose");

  private final Study study;

  private DetectShard(Study study) {
    this.study = study;
  }

  /** What a shard leaves for the merge besides its files: a sentence for each that failed. */
  private record Part(List<String> failures) {}

  /**
   * Opens the record of a shard, which is not complete.
   *
   * @param names of all images of the run
   * @param options that were given; those that change results are part of the run's identity
   * @throws CommandException where the folder holds a part of another run
   */
  static DetectShard open(
      Path folder, Shard part, List<String> names, GammaNet net, List<OptionSpec> options)
      throws IOException {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("network", net.config().model().name());
    settings.put("timesteps", Integer.toString(net.config().model().timesteps()));
    for (OptionSpec option : options) {
      if (!INDIFFERENT.contains(option.longestName())) {
        settings.put(
            option.longestName().substring(2).replace('-', '_'),
            String.join(" ", option.originalStringValues()));
      }
    }
    Study study;
    try {
      study =
          Study.open(
              folder,
              RECORD,
              new Study.Identity("detect", settings, net.network().digest()),
              Map.of(),
              Study.Existing.CONTINUE,
              Progress.NONE);
      Shards.mark(study, part, names);
    } catch (IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    study.complete(false);
    return new DetectShard(study);
  }

  /** Notes that all images of the shard are done but for those that have failed. */
  void complete(List<String> failures) throws IOException {
    study.put(PART, new Part(failures));
    study.complete(true);
  }

  /**
   * Joins the shards of a run.
   *
   * @param force whether to replace files that are there already and are not known as results of
   *     this command: videos have no mark
   * @throws IllegalStateException where there are such files without {@code force}
   */
  static int merge(Shards shards, Path output, boolean force, Console console) throws IOException {
    shards.link(output, to -> force || DetectOutput.isOurs(to));
    Set<String> failures = new LinkedHashSet<>(); // each shard names those that are not there
    for (ObjectNode root : shards.results()) {
      failures.addAll(Json.read(root.path(PART), Part.class).failures);
    }
    failures.forEach(console::error);
    console.print(output);
    return failures.isEmpty() ? 0 : Failures.FAILED;
  }
}
