package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.InputChecks;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.DataException;

/**
 * What a shard of an evaluation leaves for the merge, as its results have it.
 *
 * @param about the whole run
 * @param root absolute path of the data
 * @param ids images of the shard
 * @param kept files of partial work by image, for those that were scored
 * @param failures reasons by image
 */
record EvaluationShard(
    EvaluationOutcome.About about,
    Settings settings,
    String root,
    String split,
    List<String> ids,
    Map<String, String> kept,
    Map<String, String> failures,
    InputChecks.Noticed noticed) {
  /** Step of a shard's results. */
  private static final String PART = "part";

  /** Writes this into the results of the shard, and completes them. */
  void write(Study study) throws IOException {
    study.put(PART, this);
    study.complete(true);
  }

  /**
   * Joins the shards of an evaluation, and writes the results of the whole run. Its report shows
   * images and drawings where the data set still is.
   *
   * @throws IllegalStateException where the folder holds another run
   */
  static EvaluationOutcome merge(
      Shards shards, Path output, Study.Existing existing, Console console) throws IOException {
    List<EvaluationShard> parts =
        shards.results().stream().map(r -> Json.read(r.path(PART), EvaluationShard.class)).toList();
    Study study = shards.open(output, existing, Progress.NONE);
    shards.link(output, to -> true);
    study.results().remove(PART);
    Map<String, BoundaryCounts> counts = new HashMap<>();
    Map<String, String> names = new HashMap<>();
    Map<String, String> failures = new HashMap<>();
    var checks = new InputChecks();
    for (EvaluationShard part : parts) {
      part.kept.forEach(
          (id, name) -> counts.put(id, EvaluationPartials.counts(study.partialNamed(name), id)));
      names.putAll(part.kept);
      failures.putAll(part.failures);
      checks.add(part.noticed);
    }
    EvaluationShard first = parts.getFirst();
    var outcome =
        EvaluationOutcome.of(
            new Evaluation.Output(output, "", Map.of()),
            Shards.join(parts.stream().map(EvaluationShard::ids).toList()),
            counts,
            failures);
    List<String> noticed = checks.remarks(first.settings);
    noticed.forEach(console::note);
    Path root = Path.of(first.root);
    outcome.write(
        study,
        first.about,
        first.settings,
        noticed,
        id -> {
          var data = EvaluationData.open(root, first.split);
          Path truth = data.truth().get(id);
          if (truth == null) {
            throw new DataException("it has no ground truth any more in " + root);
          }
          return new EvaluationReport.Sample(
              data.photo(id),
              EvaluationPartials.map(study.partialNamed(Objects.requireNonNull(names.get(id)))),
              GroundTruth.readAnnotation(truth).drawings());
        });
    return outcome;
  }
}
