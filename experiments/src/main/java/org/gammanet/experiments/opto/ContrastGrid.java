package org.gammanet.experiments.opto;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.gammanet.GammaNet;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.Npy;

/**
 * States that restore the reading, for each pair of contrasts in the centre and in the surround of
 * the gratings. The decoder is trained once, on gratings of contrast 1 in the classical field; with
 * {@link OptoSettings#retrainDecoder} once for each centre contrast, which confounds decoder and
 * stimulus.
 *
 * <p>The folder gets {@code contrast_grid_ei_balance_mean}, {@code …_max}, {@code
 * contrast_grid_metrics_mean}, {@code …_max}, a folder {@code center_X.XX_surround_Y.YY} for each
 * pair with {@code optimization_results_mean} and {@code …_max}, {@code summary.txt}, {@code
 * results.json}, {@code maps.npz} and {@code report.html}. What is done is kept in {@code state}
 * for later runs.
 */
public final class ContrastGrid {
  private static final List<String> METRICS =
      List.of("Mean E", "Mean I", "Mean E − I", "Final loss", "Rescue");

  private final OptoSettings settings;
  private final Path folder;
  private final Consumer<Path> written;
  private final Map<String, Object> described;
  private final double frequency;
  private final List<OrientationDecoder> decoders = new ArrayList<>();
  private final MultiOrientationResult[][] results;
  private final double seconds;

  private ContrastGrid(
      OptoSettings settings, Path folder, Consumer<Path> written, OptogeneticPerturbation opto)
      throws IOException {
    this.settings = settings;
    this.folder = folder;
    this.written = written;
    long begin = System.nanoTime();
    double[] contrasts = settings.gridContrasts;
    described = settings.describe(opto);
    described.put("contrasts of centre and surround", Arrays.toString(contrasts));
    described.put(
        "decoder is trained", settings.retrainDecoder ? "for each centre contrast" : "once");
    Path state = OptoFiles.begin(folder, described, settings.replace);
    double[] candidates = settings.sweepFrequencies();
    frequency =
        candidates.length == 1
            ? candidates[0]
            : opto.findOptimalParameters(
                    settings::classical,
                    SweepOptions.layer(settings.layer)
                        .decoder(settings.decoderOptions().epochs(20))
                        .frequencies(candidates)
                        .contrasts(1)
                        .folder(state))
                .optimalFrequency();
    described.put("spatial frequency (cycles per image)", frequency);
    results = new MultiOrientationResult[contrasts.length][contrasts.length];
    for (int r = 0; r < contrasts.length; r++) {
      if (r == 0 || settings.retrainDecoder) {
        double contrast = settings.retrainDecoder ? contrasts[r] : 1;
        decoders.add(
            opto.trainDecoder(
                settings.classical(frequency, contrast),
                settings.decoderOptions(),
                settings.retrainDecoder ? state.resolve("decoder" + r) : state));
      }
      for (int c = 0; c < contrasts.length; c++) {
        String pair =
            String.format(Locale.ROOT, "center_%.2f_surround_%.2f", contrasts[r], contrasts[c]);
        MultiOrientationResult result =
            opto.optimizeMultiOrientation(
                settings.hybrid(frequency, contrasts[r], contrasts[c]),
                settings.rescueOptions().folder(state.resolve(pair)));
        results[r][c] = result;
        for (Aggregation how : Aggregation.values()) {
          OptoFigures.multiOrientation(result)
              .aggregation(how)
              .symmetric(settings.symmetric)
              .footer(settings.warning())
              .write(folder.resolve(pair).resolve("optimization_results_" + word(how)))
              .forEach(written);
        }
      }
    }
    seconds = (System.nanoTime() - begin) / 1e9;
    writeResults();
  }

  /**
   * Runs the experiment, or what is left of it.
   *
   * @param written hears of each file
   * @throws IOException when a file cannot be written
   * @throws IllegalArgumentException for settings that do not fit the network or the image
   * @throws IllegalStateException when the network runs away, or the folder holds a run of other
   *     settings
   * @throws java.util.concurrent.CancellationException when the listener cancels; what is done is
   *     kept in the folder
   */
  public static ContrastGrid run(
      GammaNet model,
      OptoSettings settings,
      Path folder,
      OptoListener listener,
      Consumer<Path> written)
      throws IOException {
    return new ContrastGrid(settings, folder, written, settings.open(model, listener));
  }

  /** The states that were found: [centre contrast][surround contrast]. */
  public MultiOrientationResult[][] results() {
    return Arrays.stream(results)
        .map(MultiOrientationResult[]::clone)
        .toArray(MultiOrientationResult[][]::new);
  }

  private static String word(Aggregation how) {
    return how.name().toLowerCase(Locale.ROOT);
  }

  /** The metrics, in their order: [metric][centre][surround]. */
  private List<double[][]> metrics(Aggregation how) {
    int n = results.length;
    List<double[][]> out = new ArrayList<>();
    for (int m = 0; m < METRICS.size(); m++) {
      out.add(new double[n][n]);
    }
    for (int r = 0; r < n; r++) {
      for (int c = 0; c < n; c++) {
        MultiOrientationResult result = results[r][c];
        double e = OptoFiles.Numbers.of(result.averagedExcitatory().aggregate(how), result).mean();
        double i = OptoFiles.Numbers.of(result.averagedInhibitory().aggregate(how), result).mean();
        out.get(0)[r][c] = e;
        out.get(1)[r][c] = i;
        out.get(2)[r][c] = e - i;
        out.get(3)[r][c] =
            result.rescues().stream().mapToDouble(OrientationRescue::finalLoss).average().orElse(0);
        out.get(4)[r][c] =
            result.rescues().stream().mapToDouble(OrientationRescue::rescue).average().orElse(0);
      }
    }
    return out;
  }

  private Figure maps(Aggregation how) {
    double[] contrasts = settings.gridContrasts;
    return OptoFigures.gridMaps(contrasts, contrasts, results, how).footer(settings.warning());
  }

  private Figure numbers(Aggregation how) {
    double[] contrasts = settings.gridContrasts;
    return OptoFigures.gridMetrics(contrasts, contrasts, METRICS, metrics(how))
        .footer(settings.warning());
  }

  private void writeResults() throws IOException {
    for (Aggregation how : Aggregation.values()) {
      maps(how).write(folder.resolve("contrast_grid_ei_balance_" + word(how))).forEach(written);
      numbers(how).write(folder.resolve("contrast_grid_metrics_" + word(how))).forEach(written);
    }
    Path text = folder.resolve("summary.txt");
    OptoFiles.writeText(text, summary());
    written.accept(text);
    ObjectNode json = OptoFiles.JSON.createObjectNode();
    json.put("experiment", "contrast_grid");
    json.put("trained", settings.checkpoint != null);
    json.set("settings", OptoFiles.settings(described));
    ArrayNode trained = json.putArray("decoders");
    decoders.forEach(d -> trained.add(OptoFiles.decoder(d)));
    ArrayNode pairs = json.putArray("pairs");
    Map<String, Npy> arrays = new LinkedHashMap<>();
    for (int r = 0; r < results.length; r++) {
      for (int c = 0; c < results.length; c++) {
        double centre = settings.gridContrasts[r];
        double surround = settings.gridContrasts[c];
        ObjectNode pair = OptoFiles.result(results[r][c]);
        pair.put("centre_contrast", centre);
        pair.put("surround_contrast", surround);
        pairs.add(pair);
        OptoFiles.addMaps(
            arrays,
            String.format(Locale.ROOT, "center_%.2f_surround_%.2f_", centre, surround),
            results[r][c]);
      }
    }
    Path numbers = folder.resolve("results.json");
    OptoFiles.writeJson(numbers, json);
    written.accept(numbers);
    Path maps = folder.resolve("maps.npz");
    Npy.writeAll(maps, arrays);
    written.accept(maps);
    HtmlReport report = new HtmlReport("Simulated optogenetics: contrast of centre and surround");
    report.lead(settings.network());
    addTo(report);
    Path html = folder.resolve("report.html");
    report.write(html);
    written.accept(html);
  }

  /** The numbers for people: a line per pair, and means on, above and below the diagonal. */
  public String summary() {
    var out = new StringBuilder();
    out.append("Simulated optogenetics: contrast of centre and surround\n")
        .append("=======================================================\n");
    if (!settings.warning().isEmpty()) {
      out.append("\nWARNING: ").append(settings.warning()).append('\n');
    }
    out.append("\nSettings\n");
    described.forEach(
        (name, value) -> out.append(String.format(Locale.ROOT, "  %-46s %s%n", name, value)));
    for (OrientationDecoder decoder : decoders) {
      out.append(
          "\nDecoder: R² %s on its training data, %s on orientations left out%n"
              .formatted(OptoFiles.number(decoder.r2()), OptoFiles.number(decoder.leftOutR2())));
    }
    out.append("\nMeans over the pixels whose states may change, mean of channels\n");
    String row = "  %-22s %12s %12s %12s %12s %12s%n";
    out.append(row.formatted("centre, surround", "E", "I", "E - I", "final loss", "rescue"));
    List<double[][]> metrics = metrics(Aggregation.MEAN);
    int n = results.length;
    double[][] sums = new double[3][METRICS.size()];
    int[] counts = new int[3];
    for (int r = 0; r < n; r++) {
      for (int c = 0; c < n; c++) {
        int side = r == c ? 0 : c > r ? 1 : 2;
        counts[side]++;
        Object[] cells = new Object[METRICS.size() + 1];
        cells[0] =
            OptoFiles.number(settings.gridContrasts[r])
                + ", "
                + OptoFiles.number(settings.gridContrasts[c]);
        for (int m = 0; m < METRICS.size(); m++) {
          double value = metrics.get(m)[r][c];
          sums[side][m] += value;
          cells[m + 1] = OptoFiles.number(value);
        }
        out.append(row.formatted(cells));
      }
    }
    String[] names = {"mean, equal", "mean, surround higher", "mean, centre higher"};
    for (int side = 0; side < 3; side++) {
      Object[] cells = new Object[METRICS.size() + 1];
      cells[0] = names[side];
      for (int m = 0; m < METRICS.size(); m++) {
        cells[m + 1] = OptoFiles.number(sums[side][m] / counts[side]);
      }
      out.append(row.formatted(cells));
    }
    out.append(String.format(Locale.ROOT, "%nTime of this run: %.0f s%n", seconds));
    return out.toString();
  }

  /** Adds a section with figures to a report. */
  public void addTo(HtmlReport report) {
    report.section("Contrast of centre and surround");
    if (!settings.warning().isEmpty()) {
      report.warning(settings.warning());
    }
    report.values(described);
    for (Aggregation how : Aggregation.values()) {
      report.figure(
          maps(how),
          "Averaged A_{E} − A_{I} for each pair of contrasts, %s of channels; rows centre, columns surround, one colour scale."
              .formatted(how == Aggregation.MEAN ? "mean" : "largest"));
      report.figure(
          numbers(how),
          "Means over the pixels whose states may change (%s of channels), final loss and rescue."
              .formatted(how == Aggregation.MEAN ? "mean" : "largest"));
    }
  }
}
