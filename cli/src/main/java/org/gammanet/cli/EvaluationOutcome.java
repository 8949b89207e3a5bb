package org.gammanet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Study;
import org.jspecify.annotations.Nullable;

/**
 * What came out for one output of an evaluation.
 *
 * @param scores null if no image could be scored
 * @param counts of the images that were scored
 * @param failures reasons by image for those that were not
 */
record EvaluationOutcome(
    Evaluation.Output output,
    @Nullable BoundaryScores scores,
    List<BoundaryCounts> counts,
    Map<String, String> failures) {
  /** How many of the best and how many of the worst images the report shows. */
  static final int SHOWN = 4;

  /**
   * What the report says besides the scores.
   *
   * @param name of the detector
   * @param images of this run
   * @param all images of the split, of which {@code limited} may have left out some
   */
  record About(
      String name,
      Map<String, String> parameters,
      int images,
      int all,
      boolean limited,
      boolean bsds500) {}

  /** Pools the counts of images, in the order of {@code ids}. */
  static EvaluationOutcome of(
      Evaluation.Output output,
      List<String> ids,
      Map<String, BoundaryCounts> counts,
      Map<String, String> failures) {
    var result = BoundaryBenchmark.Result.of(ids, counts, failures);
    return new EvaluationOutcome(
        output,
        result.counts().isEmpty() ? null : BoundaryScores.of(result.counts()),
        result.counts(),
        result.failures());
  }

  /**
   * The scores, for a command that is about them.
   *
   * @throws CommandException where there are none
   */
  BoundaryScores requireScores() {
    if (scores == null) {
      throw new CommandException("no image could be scored");
    }
    return scores;
  }

  /** Exit status of a command that scored these images. */
  int status() {
    return failures.isEmpty() ? 0 : Failures.FAILED;
  }

  /** Prints the four scores, and how many images have none. */
  void print(Console console) {
    BoundaryScores s = requireScores();
    BoundaryScores.Point ods = s.ods();
    BoundaryScores.Point ois = s.ois();
    console.printf(
        "%nODS %.4f  (recall %.4f, precision %.4f, threshold %.4f)%n",
        ods.f(), ods.recall(), ods.precision(), ods.threshold());
    console.printf(
        "OIS %.4f  (recall %.4f, precision %.4f)%n", ois.f(), ois.recall(), ois.precision());
    console.printf("AP  %.4f%nR50 %.4f%n", s.ap(), s.r50());
    if (!failures.isEmpty()) {
      console.printf(
          "%d of %d images have no score%n", failures.size(), failures.size() + counts.size());
    }
  }

  /**
   * Writes results and report, and completes the study; nothing without scores.
   *
   * @param noticed what a reader has to know of the maps and drawings, a sentence each
   * @param samples what the report shows
   */
  void write(
      Study study,
      About about,
      Settings settings,
      List<String> noticed,
      EvaluationReport.Samples samples)
      throws IOException {
    if (scores == null) {
      return;
    }
    ObjectNode reasons = study.results().putObject("failures");
    failures.forEach(reasons::put);
    study.results().setAll(json(scores));
    study.write("eval_bdry.txt", BoundaryFiles.summary(scores));
    study.write("eval_bdry_thr.txt", BoundaryFiles.curve(scores));
    study.write("eval_bdry_img.txt", BoundaryFiles.images(scores));
    List<String> remarks = new ArrayList<>(noticed);
    if (about.limited) {
      remarks.add(
          "Only the first %s of %s images were scored: these scores are not comparable with published ones."
              .formatted(about.images, about.all));
    }
    new EvaluationReport(
            about.name, scores, settings, about.parameters, failures, remarks, about.bsds500)
        .write(study, samples, SHOWN);
    study.complete(true);
  }

  /** The scores as JSON; {@code results} has them under the names of the original program. */
  private static ObjectNode json(BoundaryScores scores) {
    ObjectNode root = Json.MAPPER.createObjectNode();
    root.put("ods", scores.ods().f());
    root.put("ois", scores.ois().f());
    root.put("ap", scores.ap());
    root.put("r50", scores.r50());
    root.put("threshold", scores.ods().threshold());
    root.set("ods_point", Json.object(scores.ods()));
    root.set("ois_point", Json.object(scores.ois()));
    ArrayNode images = root.putArray("images");
    for (BoundaryScores.ImageScore image : scores.images()) {
      images.addObject().put("id", image.id()).setAll(Json.object(image.best()));
    }
    ArrayNode curve = root.putArray("curve");
    scores.curve().forEach(p -> curve.add(Json.object(p)));
    ObjectNode results = root.putObject("results");
    results.put("ods_f1", scores.ods().f());
    results.put("ois_f1", scores.ois().f());
    results.put("ods_threshold", scores.ods().threshold());
    results.put("ap", scores.ap());
    return root;
  }
}
