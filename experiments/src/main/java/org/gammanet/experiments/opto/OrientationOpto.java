package org.gammanet.experiments.opto;

import static org.gammanet.experiments.study.Format.significant;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.gammanet.GammaNet;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.Npy;

/**
 * The whole experiment: a sweep for the grating parameters that are decoded best, a decoder trained
 * with them, the horizontal input of the perturbed site, and the surround states that restore the
 * decoded orientation under six orientations. Where the decoder does not decode orientation, the
 * experiment stops before the optimization and says so.
 *
 * <p>The folder receives {@code parameter_sweep}, {@code stimuli}, {@code recurrent_flow_analysis}
 * and {@code multi_orientation_optimization_results} as PNG and SVG, {@code summary.txt}, {@code
 * results.json}, {@code maps.npz} and {@code report.html}, each as soon as it is known.
 *
 * @param settings of the run
 * @param described settings for people
 * @param sweep search for grating parameters
 * @param decoder trained with the best ones
 * @param flow horizontal input of the perturbed site
 * @param starts optimized states, for each random start; empty where the decoder does not decode
 */
public record OrientationOpto(
    OptoSettings settings,
    Map<String, Object> described,
    SweepResult sweep,
    OrientationDecoder decoder,
    FlowResult flow,
    List<MultiOrientationResult> starts) {

  /** Name of the results file. */
  public static final String RESULTS = "results.json";

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
      Study.Existing existing,
      Progress progress)
      throws IOException {
    return Study.open(
        folder,
        RESULTS,
        new Study.Identity("orientation_opto", settings.identity(model), model.network().digest()),
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
  public static OrientationOpto run(GammaNet model, OptoSettings settings, Study study)
      throws IOException {
    OptogeneticPerturbation opto = settings.open(model, study);
    if (!study.has("parameter_sweep")) {
      study.put(
          "parameter_sweep",
          opto.findOptimalParameters(
              settings::classical, settings.sweepOptions(settings.decoding().contrasts())));
    }
    SweepResult sweep = study.result("parameter_sweep", SweepResult.class);
    study.write("parameter_sweep", OptoFigures.sweep(sweep).footer(settings.warning()));

    double frequency = sweep.optimalFrequency();
    double contrast = sweep.optimalContrast();
    double[] orientations = settings.stimuli().orientations();
    StimulusSet gratings = settings.extraClassical(frequency, contrast, orientations);
    study.write(
        "stimuli", OptoFigures.stimuli(settings.classicalShown(frequency, contrast), gratings));

    StimulusSet training = settings.classical(frequency, contrast);
    if (!study.has("decoder")) {
      study.put("decoder", opto.trainDecoder(training, settings.decoderOptions()));
    }
    OrientationDecoder decoder = study.result("decoder", OrientationDecoder.class);
    opto.useDecoder(decoder, settings.decoderOptions(), training);
    FlowResult flow =
        opto.measureRecurrentFlow(
            settings.extraClassical(frequency, contrast, 0), settings.rescue());
    study.write("recurrent_flow_analysis", OptoFigures.flow(flow).footer(settings.warning()));

    var result =
        new OrientationOpto(
            settings, settings.describe(opto), sweep, decoder, flow, new ArrayList<>());
    if (decoder.decodes() || !settings.run().gate()) {
      for (int draw = 0; draw < settings.run().starts(); draw++) {
        result.starts.add(opto.optimizeMultiOrientation(gratings, settings.rescue().draw(draw)));
        if (draw == 0) {
          result.write(study);
        }
      }
    }
    result.write(study);
    study.complete(true);
    return result;
  }

  /** Whether states were optimized. */
  public boolean rescued() {
    return !starts.isEmpty();
  }

  /**
   * The optimized states of the first random start.
   *
   * @throws IllegalStateException where the decoder does not decode
   */
  public MultiOrientationResult result() {
    if (starts.isEmpty()) {
      throw new IllegalStateException(warnings().getLast());
    }
    return starts.getFirst();
  }

  /** What a reader must know before the numbers. */
  public List<String> warnings() {
    List<String> out = new ArrayList<>();
    if (!settings.warning().isEmpty()) {
      out.add(settings.warning());
    }
    if (!decoder.decodes()) {
      out.add(undecoded(decoder, rescued()));
    }
    return out;
  }

  /** A sentence on a decoder that does not decode. */
  static String undecoded(OrientationDecoder decoder, boolean rescued) {
    return String.format(
            Locale.ROOT,
            "The decoder does not decode orientation: on left-out orientations its R² is %s and its"
                + " mean error %s°, where at least %.1f and at most %.0f° are required.",
            significant(decoder.leftOutR2()),
            significant(decoder.leftOutMeanAngularError()),
            OrientationDecoder.GATE_R2,
            OrientationDecoder.GATE_ERROR)
        + (rescued
            ? " What the optimized states restore is not orientation."
            : " No states were optimized. A trained network, a ridge decoder, more phases or"
                + " another frequency may decode.");
  }

  private OptoFigures.MultiOrientation figure() {
    return OptoFigures.multiOrientation(result())
        .aggregation(settings.display().aggregation())
        .symmetric(settings.display().symmetric())
        .footer(String.join(" ", warnings()));
  }

  private void write(Study study) throws IOException {
    if (rescued()) {
      study.write("multi_orientation_optimization_results", figure().figure());
    }
    study.write("summary.txt", summary());
    var flows = Json.MAPPER.createObjectNode();
    flows.set("excitatory_baseline", json(flow.baseline().meanExcitatory()));
    flows.set("excitatory_perturbed", json(flow.perturbed().meanExcitatory()));
    flows.set("inhibitory_baseline", json(flow.baseline().meanInhibitory()));
    flows.set("inhibitory_perturbed", json(flow.perturbed().meanInhibitory()));
    study.results().set("recurrent_flow", flows);
    study.results().put("decodes", decoder.decodes());
    study
        .results()
        .set("optimization", json(starts.stream().map(OptoResults.Optimization::of).toList()));
    study.results().set("agreement_of_starts", json(agreement()));
    Map<String, Npy> arrays = new LinkedHashMap<>();
    arrays.put("sweep_r2", OptoResults.matrix(sweep.r2()));
    arrays.put("decoder_weight", OptoResults.matrix(decoder.weight()));
    arrays.put("decoder_bias", Npy.of(decoder.bias(), 2));
    add(arrays, "flow_baseline_", flow.baseline());
    add(arrays, "flow_perturbed_", flow.perturbed());
    for (int draw = 0; draw < starts.size(); draw++) {
      OptoResults.addMaps(arrays, draw == 0 ? "" : "start" + (draw + 1) + "_", starts.get(draw));
    }
    study.writeArrays("maps.npz", arrays);
    study.write(report());
    study.save();
  }

  private static JsonNode json(Object value) {
    return Json.MAPPER.valueToTree(value);
  }

  private static void add(Map<String, Npy> arrays, String prefix, FlowResult.Trace trace) {
    arrays.put(prefix + "excitatory", OptoResults.matrix(trace.excitatory()));
    arrays.put(prefix + "inhibitory", OptoResults.matrix(trace.inhibitory()));
    arrays.put(
        prefix + "excitatory_map", Npy.of(trace.excitatoryMap(), trace.excitatoryMap().length));
    arrays.put(
        prefix + "inhibitory_map", Npy.of(trace.inhibitoryMap(), trace.inhibitoryMap().length));
    if (trace.excitatorySources().length > 0) {
      arrays.put(prefix + "excitatory_sources", OptoResults.matrix(trace.excitatorySources()));
      arrays.put(prefix + "inhibitory_sources", OptoResults.matrix(trace.inhibitorySources()));
    }
  }

  /** Mean correlation of the canonical E - I maps between random starts; NaN for one. */
  private double agreement() {
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < starts.size(); a++) {
      for (int b = 0; b < a; b++) {
        SurroundMap one = starts.get(a).averagedBalance(Aggregation.MEAN);
        SurroundMap other = starts.get(b).averagedBalance(Aggregation.MEAN);
        sum += one.correlation(other, settings.rescue().ecrfRadius());
        pairs++;
      }
    }
    return pairs == 0 ? Double.NaN : sum / pairs;
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }

  /** The results as text. */
  public String summary() {
    var out = new StringBuilder();
    line(out, "Simulated optogenetics: initial states that restore the decoded orientation");
    line(out, "===========================================================================");
    warnings().forEach(w -> line(out, "%nWARNING: %s", w));
    line(out, "%nSettings");
    described.forEach((name, value) -> line(out, "  %-46s %s", name, value));
    line(out, "%nParameter sweep: R² of the decoder; rows: cycles/image, columns: contrast");
    line(
        out,
        "        %s",
        Arrays.stream(sweep.contrasts())
            .mapToObj(c -> String.format(Locale.ROOT, "%9.3g", c))
            .collect(Collectors.joining()));
    for (int f = 0; f < sweep.frequencies().length; f++) {
      var row = new StringBuilder(String.format(Locale.ROOT, "  %6.4g", sweep.frequencies()[f]));
      for (double r2 : sweep.r2()[f]) {
        row.append(String.format(Locale.ROOT, "%9.4f", r2));
      }
      line(out, "%s", row);
    }
    line(
        out,
        "  best: %.4g cycles/image, contrast %.4g, R² %.4f",
        sweep.optimalFrequency(),
        sweep.optimalContrast(),
        sweep.bestR2());
    line(out, "%nDecoder of %s at the center of the map", settings.rescue().layer());
    line(
        out,
        "  training data          R² %s, mean error %s°",
        significant(decoder.r2()),
        significant(decoder.meanAngularError()));
    line(
        out,
        "  left-out orientations  R² %s, mean error %s°",
        significant(decoder.leftOutR2()),
        significant(decoder.leftOutMeanAngularError()));
    double[] e = flow.excitatoryChange();
    double[] i = flow.inhibitoryChange();
    line(out, "%nHorizontal input of the perturbed site, last timestep, perturbed - baseline");
    line(
        out,
        "  E %s, I %s, E - I %s",
        significant(e[e.length - 1]),
        significant(i[i.length - 1]),
        significant(e[e.length - 1] - i[i.length - 1]));
    if (rescued()) {
      summarizeRescue(out);
    }
    return out.toString();
  }

  private void summarizeRescue(StringBuilder out) {
    MultiOrientationResult result = result();
    line(out, "%nOptimized initial states (%s)", Json.name(result.injection()));
    line(
        out,
        "  reach of the horizontal connections: %d px of %s px",
        result.reach(),
        Format.label(result.radius()));
    line(
        out,
        "  orientation  initial loss   final loss   rescue   decoded: before  perturbed  rescued");
    for (OrientationRescue r : result.rescues()) {
      line(
          out,
          "  %8s°    %12s %12s %8.4f   %15.1f° %9.1f° %7.1f°",
          Format.label(r.orientation()),
          significant(r.initialLoss()),
          significant(r.finalLoss()),
          r.rescue(),
          OrientationDecoder.angle(r.target()),
          OrientationDecoder.angle(r.perturbed()),
          OrientationDecoder.angle(r.rescued()));
    }
    line(out, "%nAveraged maps, mean of channels, rotated to 0° (stripes along 90°)");
    line(
        out, "  map         mean        sd       min       max   elongation   axis   along/across");
    OptoResults.Maps maps = OptoResults.Maps.of(result, Aggregation.MEAN);
    for (var map :
        List.of(
            Map.entry("E", maps.excitatory()),
            Map.entry("E - I", maps.balance()),
            Map.entry("I", maps.inhibitory()))) {
      OptoResults.Numbers n = map.getValue();
      line(
          out,
          "  %-6s %9s %9s %9s %9s   %10.3f %5.1f°   %12s",
          map.getKey(),
          significant(n.mean()),
          significant(n.sd()),
          significant(n.min()),
          significant(n.max()),
          n.elongationIndex(),
          n.elongationAxis(),
          significant(n.alongToAcross()));
    }
    line(out, "  radial mean (px: E, I)");
    double[] radialE = maps.excitatory().radialMean();
    double[] radialI = maps.inhibitory().radialMean();
    for (int k = 0; k <= settings.rescue().ecrfRadius() && k < radialE.length; k++) {
      line(out, "    %2d: %10s %10s", k, significant(radialE[k]), significant(radialI[k]));
    }
    line(
        out,
        "  agreement of %d random start%s: %s",
        starts.size(),
        starts.size() == 1 ? "" : "s (mean correlation of E - I maps)",
        significant(agreement()));
  }

  private HtmlReport report() {
    HtmlReport report = new HtmlReport("Simulated optogenetics");
    report.lead(
        "Which excitatory and inhibitory states around a site restore the orientation that is"
            + " decoded there, once its drive is changed? Network: "
            + settings.network()
            + ".");
    report.section("Settings");
    warnings().forEach(report::warning);
    report.values(described);
    report.section("Decoding");
    report.figure(
        OptoFigures.sweep(sweep),
        "R² of a linear decoder of orientation trained on gratings in the classical receptive"
            + " field, for "
            + (settings.run().definitions().scoresTrainingData()
                ? "its training data."
                : "orientations left out of training."));
    double frequency = sweep.optimalFrequency();
    double contrast = sweep.optimalContrast();
    report.figure(
        OptoFigures.stimuli(
            settings.classicalShown(frequency, contrast),
            settings.extraClassical(frequency, contrast, settings.stimuli().orientations())),
        "Gratings in the classical receptive field, which train the decoder, and gratings that"
            + " cover the extra-classical field.");
    report.text(
        "The decoder at the best parameters has R² %s on its training data and %s on left-out orientations; mean angular errors are %s° and %s°."
            .formatted(
                significant(decoder.r2()),
                significant(decoder.leftOutR2()),
                significant(decoder.meanAngularError()),
                significant(decoder.leftOutMeanAngularError())));
    report.section("Horizontal input of the site");
    report.figure(
        OptoFigures.flow(flow),
        "Rectified horizontal excitation and inhibition at the perturbed site, and their change"
            + " over the map at the last timestep.");
    if (flow.baseline().excitatorySources().length > 0) {
      report.figure(
          OptoFigures.sources(flow),
          "Contribution of each pixel under the horizontal kernels to the perturbed site at the"
              + " last timestep.");
    }
    if (rescued()) {
      reportRescue(report);
    }
    return report;
  }

  private void reportRescue(HtmlReport report) {
    MultiOrientationResult result = result();
    report.section("States that restore the decoded orientation");
    report.figure(
        figure().figure(),
        "Optimized initial states, rotated so that the grating of each orientation lies at 0°, and"
            + " their mean.");
    report.figure(OptoFigures.convergence(result), "Loss against updates.");
    report.figure(
        OptoFigures.profiles(result),
        "The averaged maps by distance and by direction; dashed, the reach of the horizontal"
            + " connections.");
    List<List<String>> rows = new ArrayList<>();
    for (OrientationRescue r : result.rescues()) {
      rows.add(
          List.of(
              Format.label(r.orientation()),
              significant(r.initialLoss()),
              significant(r.finalLoss()),
              significant(r.rescue()),
              significant(OrientationDecoder.angle(r.target())),
              significant(OrientationDecoder.angle(r.perturbed())),
              significant(OrientationDecoder.angle(r.rescued()))));
    }
    report.table(
        "Losses and decoded orientations (deg).",
        List.of(
            "orientation",
            "initial loss",
            "final loss",
            "rescue",
            "before",
            "perturbed",
            "rescued"),
        rows);
    if (starts.size() > 1) {
      report.text(
          "Without a penalty, many states restore the decoded orientation. Between %s random starts the E − I maps correlate with r = %s on average."
              .formatted(starts.size(), significant(agreement())));
    }
  }
}
