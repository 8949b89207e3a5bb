package org.gammanet.cli;

import org.gammanet.evaluation.BoundaryBenchmark;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which images the benchmark scores, and at how many thresholds. */
final class ScoringOptions {
  static final String HEADING = "%nBenchmark:%n";

  @Option(
      names = "--split",
      paramLabel = "NAME",
      defaultValue = "test",
      description =
          "Folder below images and groundTruth: test, val or train; or held-out, the tenth of train"
              + " and val that training on both leaves out. Default: ${DEFAULT-VALUE}.")
  String split = "test";

  @Option(
      names = "--limit",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "Score the first N images only; not comparable with published scores.")
  @Nullable Integer limit;

  @Option(
      names = "--thresholds",
      paramLabel = "N",
      defaultValue = "99",
      description =
          "Number of thresholds k/(N+1); compare only equal numbers; default: ${DEFAULT-VALUE}.")
  int thresholds = 99;

  int limit() {
    return limit == null ? Integer.MAX_VALUE : limit;
  }

  /** The settings of the benchmark with these thresholds. */
  BoundaryBenchmark.Settings settings() {
    try {
      return BoundaryBenchmark.Settings.DEFAULT.withThresholds(thresholds);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }
}
