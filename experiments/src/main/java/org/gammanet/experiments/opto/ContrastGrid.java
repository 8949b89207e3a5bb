package org.gammanet.experiments.opto;

import static org.gammanet.experiments.study.Format.significant;

import java.io.IOException;
import java.nio.file.Path;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.GammaNet;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.Npy;

/**
 * States that restore the decoded orientation, for each pair of contrasts in the center and in the
 * surround of the gratings. The experiment stops where a decoder does not decode orientation.
 *
 * <p>The folder receives {@code contrast_grid_ei_balance_mean}, {@code …_max}, {@code
 * contrast_grid_metrics_mean}, {@code …_max}, a folder {@code center_X.XX_surround_Y.YY} for each
 * pair with {@code optimization_results_mean} and {@code …_max}, {@code summary.txt}, {@code
 * results.json}, {@code maps.npz} and {@code report.html}.
 *
 * @param settings of the run
 * @param grid contrasts and decoders
 * @param described settings for people
 * @param decoders one, or one for each center contrast
 * @param results [center contrast][surround contrast]; empty where a decoder does not decode
 */
public record ContrastGrid(
    OptoSettings settings,
    Grid grid,
    Map<String, Object> described,
    List<OrientationDecoder> decoders,
    MultiOrientationResult[][] results) {

  private static final List<String> METRICS =
      List.of("Mean E", "Mean I", "Mean E − I", "Final loss", "Rescue");

  /**
   * What the grid adds to the settings.
   *
   * @param contrasts of center and surround, Michelson
   * @param retrainDecoder whether a decoder is trained for each center contrast, which confounds
   *     decoder and stimulus, instead of once at contrast 1
   */
  public record Grid(double[] contrasts, boolean retrainDecoder) {
    /** Checks the ranges. */
    public Grid {
      OptoSettings.requireContrasts("contrasts of the grid", contrasts);
      if (Arrays.stream(contrasts).distinct().count() < contrasts.length) {
        throw new IllegalArgumentException(
            "the contrasts of the grid must differ, but are " + Arrays.toString(contrasts));
      }
    }
  }

  /** The decoders of a run, in the results file. */
  private record Decoders(double frequency, List<OrientationDecoder> decoders) {}

  /**
   * Opens a folder for a run of these settings, or continues the one that it holds.
   *
   * @throws IllegalStateException where the folder holds another run
   * @throws IOException where its results are damaged or cannot be deleted
   */
  public static Study open(
      Path folder,
      GammaNet model,
      OptoSettings settings,
      Grid grid,
      Study.Existing existing,
      Progress progress)
      throws IOException {
    var identity = settings.identity(model);
    identity.set("grid", Json.object(grid));
    return Study.open(
        folder,
        OrientationOpto.RESULTS,
        new Study.Identity("contrast_grid", identity, model.network().digest()),
        Map.of("trained", settings.display().network() != null, "network", settings.network()),
        existing,
        progress);
  }

  /**
   * Runs the experiment, or what is left of it.
   *
   * @throws IOException when a file cannot be written
   * @throws IllegalArgumentException for settings that do not fit the network or the image
   * @throws IllegalStateException when the network diverges
   * @throws java.util.concurrent.CancellationException when the run is canceled; finished work is
   *     kept in the folder
   */
  public static ContrastGrid run(GammaNet model, OptoSettings settings, Grid grid, Study study)
      throws IOException {
    OptogeneticPerturbation opto = settings.open(model, study);
    double[] contrasts = grid.contrasts;
    double[] frequencies = settings.decoding().frequencies();
    if (!study.has("decoding")) {
      double frequency =
          frequencies.length == 1
              ? frequencies[0]
              : opto.findOptimalParameters(settings::classical, settings.sweepOptions(1))
                  .optimalFrequency();
      List<OrientationDecoder> decoders = new ArrayList<>();
      for (double contrast : grid.retrainDecoder ? contrasts : new double[] {1}) {
        decoders.add(
            opto.trainDecoder(settings.classical(frequency, contrast), settings.decoderOptions()));
      }
      study.put("decoding", new Decoders(frequency, decoders));
    }
    Decoders known = study.result("decoding", Decoders.class);
    Map<String, Object> described = settings.describe(opto);
    described.put("contrasts of center and surround", Arrays.toString(contrasts));
    described.put("decoder is trained", grid.retrainDecoder ? "for each center contrast" : "once");
    described.put("spatial frequency (cycles/image)", known.frequency);
    boolean gated =
        settings.run().gate() && !known.decoders.stream().allMatch(OrientationDecoder::decodes);
    var results = new MultiOrientationResult[gated ? 0 : contrasts.length][contrasts.length];
    var result = new ContrastGrid(settings, grid, described, known.decoders, results);
    for (int r = 0; r < results.length; r++) {
      opto.useDecoder(
          known.decoders.get(grid.retrainDecoder ? r : 0),
          settings.decoderOptions(),
          settings.classical(known.frequency, 1));
      for (int c = 0; c < contrasts.length; c++) {
        results[r][c] =
            opto.optimizeMultiOrientation(
                settings.hybrid(known.frequency, contrasts[r], contrasts[c]), settings.rescue());
        for (Aggregation how : Aggregation.values()) {
          study.write(
              pair(contrasts[r], contrasts[c]) + "/optimization_results_" + Json.name(how),
              OptoFigures.multiOrientation(results[r][c])
                  .aggregation(how)
                  .symmetric(settings.display().symmetric())
                  .footer(settings.warning())
                  .figure());
        }
      }
    }
    result.write(study);
    study.complete(true);
    return result;
  }

  /** The name of a pair of contrasts in files. */
  static String pair(double center, double surround) {
    var exact =
        new DecimalFormat("0.00##############", DecimalFormatSymbols.getInstance(Locale.ROOT));
    return "center_%s_surround_%s".formatted(exact.format(center), exact.format(surround));
  }

  /** Whether states were optimized. */
  public boolean rescued() {
    return results.length > 0;
  }

  /** What a reader must know before the numbers. */
  public List<String> warnings() {
    List<String> out = new ArrayList<>();
    if (!settings.warning().isEmpty()) {
      out.add(settings.warning());
    }
    for (OrientationDecoder decoder : decoders) {
      if (!decoder.decodes()) {
        out.add(OrientationOpto.undecoded(decoder, rescued()));
        break;
      }
    }
    return out;
  }

  /** The metrics, in their order: [metric][center][surround]. */
  private List<double[][]> metrics(Aggregation how) {
    int n = results.length;
    List<double[][]> out = new ArrayList<>();
    for (int m = 0; m < METRICS.size(); m++) {
      out.add(new double[n][n]);
    }
    for (int r = 0; r < n; r++) {
      for (int c = 0; c < n; c++) {
        MultiOrientationResult result = results[r][c];
        OptoResults.Maps maps = OptoResults.Maps.of(result, how);
        out.get(0)[r][c] = maps.excitatory().mean();
        out.get(1)[r][c] = maps.inhibitory().mean();
        out.get(2)[r][c] = maps.excitatory().mean() - maps.inhibitory().mean();
        out.get(3)[r][c] =
            result.rescues().stream().mapToDouble(OrientationRescue::finalLoss).average().orElse(0);
        out.get(4)[r][c] =
            result.rescues().stream().mapToDouble(OrientationRescue::rescue).average().orElse(0);
      }
    }
    return out;
  }

  private Figure maps(Aggregation how) {
    return OptoFigures.gridMaps(grid.contrasts, grid.contrasts, results, how)
        .footer(settings.warning());
  }

  private Figure numbers(Aggregation how) {
    return OptoFigures.gridMetrics(grid.contrasts, grid.contrasts, METRICS, metrics(how))
        .footer(settings.warning());
  }

  private void write(Study study) throws IOException {
    Map<String, Npy> arrays = new LinkedHashMap<>();
    var pairs = Json.MAPPER.createArrayNode();
    if (rescued()) {
      for (Aggregation how : Aggregation.values()) {
        study.write("contrast_grid_ei_balance_" + Json.name(how), maps(how));
        study.write("contrast_grid_metrics_" + Json.name(how), numbers(how));
      }
      for (int r = 0; r < results.length; r++) {
        for (int c = 0; c < results.length; c++) {
          double center = grid.contrasts[r];
          double surround = grid.contrasts[c];
          var pair = Json.object(OptoResults.Optimization.of(results[r][c]));
          pair.put("center_contrast", center);
          pair.put("surround_contrast", surround);
          pairs.add(pair);
          OptoResults.addMaps(arrays, pair(center, surround) + "_", results[r][c]);
        }
      }
      study.writeArrays("maps.npz", arrays);
    }
    study.results().set("pairs", pairs);
    study.write("summary.txt", summary());
    study.write(report());
    study.save();
  }

  /** The results as text: a line per pair, and means on, above and below the diagonal. */
  public String summary() {
    var out = new StringBuilder();
    out.append("Simulated optogenetics: contrast of center and surround\n")
        .append("=======================================================\n");
    warnings().forEach(w -> out.append("\nWARNING: ").append(w).append('\n'));
    out.append("\nSettings\n");
    described.forEach(
        (name, value) -> out.append(String.format(Locale.ROOT, "  %-46s %s%n", name, value)));
    for (OrientationDecoder decoder : decoders) {
      out.append(
          "\nDecoder: R² %s on its training data, %s on left-out orientations%n"
              .formatted(significant(decoder.r2()), significant(decoder.leftOutR2())));
    }
    if (!rescued()) {
      return out.toString();
    }
    out.append("\nMeans over the pixels whose states may change, mean of channels\n");
    String row = "  %-22s %12s %12s %12s %12s %12s%n";
    out.append(row.formatted("center, surround", "E", "I", "E - I", "final loss", "rescue"));
    List<double[][]> metrics = metrics(Aggregation.MEAN);
    int n = results.length;
    double[][] sums = new double[3][METRICS.size()];
    int[] counts = new int[3];
    for (int r = 0; r < n; r++) {
      for (int c = 0; c < n; c++) {
        int side = r == c ? 0 : c > r ? 1 : 2;
        counts[side]++;
        Object[] cells = new Object[METRICS.size() + 1];
        cells[0] = significant(grid.contrasts[r]) + ", " + significant(grid.contrasts[c]);
        for (int m = 0; m < METRICS.size(); m++) {
          double value = metrics.get(m)[r][c];
          sums[side][m] += value;
          cells[m + 1] = significant(value);
        }
        out.append(row.formatted(cells));
      }
    }
    String[] names = {"mean, equal", "mean, surround higher", "mean, center higher"};
    for (int side = 0; side < 3; side++) {
      Object[] cells = new Object[METRICS.size() + 1];
      cells[0] = names[side];
      for (int m = 0; m < METRICS.size(); m++) {
        cells[m + 1] = significant(sums[side][m] / counts[side]);
      }
      out.append(row.formatted(cells));
    }
    return out.toString();
  }

  private HtmlReport report() {
    HtmlReport report = new HtmlReport("Simulated optogenetics: contrast of center and surround");
    report.lead("Network: " + settings.network() + ".");
    report.section("Contrast of center and surround");
    warnings().forEach(report::warning);
    report.values(described);
    for (Aggregation how : rescued() ? Aggregation.values() : new Aggregation[0]) {
      String of = how == Aggregation.MEAN ? "mean" : "largest";
      report.figure(
          maps(how),
          "Averaged A_{E} − A_{I} for each pair of contrasts, %s of channels; rows: center, columns: surround, one color scale."
              .formatted(of));
      report.figure(
          numbers(how),
          "Means over the pixels whose states may change (%s of channels), final loss and rescue."
              .formatted(of));
    }
    return report;
  }
}
