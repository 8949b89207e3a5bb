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
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.Npy;

/**
 * The whole experiment: a sweep for the grating parameters that are read best, a decoder trained
 * with them, what flows into the perturbed place, and the states around it that restore the reading
 * under six orientations.
 *
 * <p>The folder gets {@code parameter_sweep}, {@code stimuli}, {@code recurrent_flow_analysis} and
 * {@code multi_orientation_optimization_results} as PNG and SVG, {@code summary.txt}, {@code
 * results.json}, {@code maps.npz} and {@code report.html}; each is written as soon as it can be. In
 * its sub-folder {@code state} lies what later runs with the same settings need not do again.
 */
public final class OrientationOpto {
  private final OptoSettings settings;
  private final Path folder;
  private final Consumer<Path> written;

  private final Map<String, Object> described;
  private final SweepResult sweep;
  private final OrientationDecoder decoder;
  private final FlowResult flow;
  private final List<MultiOrientationResult> starts = new ArrayList<>();
  private double seconds;

  private OrientationOpto(
      OptoSettings settings, Path folder, Consumer<Path> written, OptogeneticPerturbation opto)
      throws IOException {
    this.settings = settings;
    this.folder = folder;
    this.written = written;
    long begin = System.nanoTime();
    described = settings.describe(opto);
    Path state = OptoFiles.begin(folder, described, settings.replace);

    sweep =
        opto.findOptimalParameters(
            settings::classical,
            SweepOptions.layer(settings.layer)
                .decoder(settings.decoderOptions().epochs(20))
                .frequencies(settings.sweepFrequencies())
                .contrasts(settings.contrasts)
                .folder(state));
    write(OptoFigures.sweep(sweep).footer(settings.warning()), "parameter_sweep");

    double frequency = sweep.optimalFrequency();
    double contrast = sweep.optimalContrast();
    StimulusSet gratings = settings.extraClassical(frequency, contrast, settings.orientations);
    write(OptoFigures.stimuli(settings.classicalShown(frequency, contrast), gratings), "stimuli");

    decoder =
        opto.trainDecoder(
            settings.classical(frequency, contrast), settings.decoderOptions(), state);
    flow =
        opto.measureRecurrentFlow(
            settings.extraClassical(frequency, contrast, 0), settings.rescueOptions());
    write(OptoFigures.flow(flow).footer(settings.warning()), "recurrent_flow_analysis");

    for (int draw = 0; draw < settings.starts(); draw++) {
      starts.add(
          opto.optimizeMultiOrientation(
              gratings, settings.rescueOptions().draw(draw).folder(state)));
      seconds = (System.nanoTime() - begin) / 1e9;
      if (draw == 0) {
        writeResults();
      }
    }
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
  public static OrientationOpto run(
      GammaNet model,
      OptoSettings settings,
      Path folder,
      OptoListener listener,
      Consumer<Path> written)
      throws IOException {
    return new OrientationOpto(settings, folder, written, settings.open(model, listener));
  }

  /** The states that were found, of the first random start. */
  public MultiOrientationResult result() {
    return starts.getFirst();
  }

  /** The search for grating parameters. */
  public SweepResult sweep() {
    return sweep;
  }

  /** The decoder. */
  public OrientationDecoder decoder() {
    return decoder;
  }

  /** What flows into the perturbed place. */
  public FlowResult flow() {
    return flow;
  }

  private void write(Figure figure, String name) throws IOException {
    figure.write(folder.resolve(name)).forEach(written);
  }

  private OptoFigures.MultiOrientation figure(Aggregation how) {
    return OptoFigures.multiOrientation(result())
        .aggregation(how)
        .symmetric(settings.symmetric)
        .footer(settings.warning());
  }

  private void writeResults() throws IOException {
    figure(settings.aggregation)
        .write(folder.resolve("multi_orientation_optimization_results"))
        .forEach(written);
    Path text = folder.resolve("summary.txt");
    OptoFiles.writeText(text, summary());
    written.accept(text);
    Path json = folder.resolve("results.json");
    OptoFiles.writeJson(json, json());
    written.accept(json);
    Map<String, Npy> arrays = new LinkedHashMap<>();
    arrays.put(
        "sweep_r2", Npy.of(flat(sweep.r2()), sweep.frequencies().length, sweep.contrasts().length));
    arrays.put("decoder_weight", Npy.of(flat(decoder.weight()), 2, decoder.channels()));
    arrays.put("decoder_bias", Npy.of(decoder.bias(), 2));
    add(arrays, "flow_baseline_", flow.baseline());
    add(arrays, "flow_perturbed_", flow.perturbed());
    for (int draw = 0; draw < starts.size(); draw++) {
      OptoFiles.addMaps(arrays, draw == 0 ? "" : "start" + (draw + 1) + "_", starts.get(draw));
    }
    Path maps = folder.resolve("maps.npz");
    Npy.writeAll(maps, arrays);
    written.accept(maps);
    Path html = folder.resolve("report.html");
    HtmlReport report = new HtmlReport("Simulated optogenetics");
    report.lead(
        "Which states of excitation and inhibition around a place restore the orientation that is"
            + " read there, once its drive is changed? "
            + settings.network());
    addTo(report);
    report.write(html);
    written.accept(html);
  }

  private static void add(Map<String, Npy> arrays, String prefix, FlowResult.Trace trace) {
    int steps = trace.excitatory().length;
    arrays.put(
        prefix + "excitatory",
        Npy.of(flat(trace.excitatory()), steps, trace.excitatory()[0].length));
    arrays.put(
        prefix + "inhibitory",
        Npy.of(flat(trace.inhibitory()), steps, trace.inhibitory()[0].length));
    arrays.put(
        prefix + "excitatory_map", Npy.of(trace.excitatoryMap(), trace.excitatoryMap().length));
    arrays.put(
        prefix + "inhibitory_map", Npy.of(trace.inhibitoryMap(), trace.inhibitoryMap().length));
    if (trace.excitatorySources().length > 0) {
      int cells = trace.excitatorySources()[0].length;
      arrays.put(
          prefix + "excitatory_sources", Npy.of(flat(trace.excitatorySources()), steps, cells));
      arrays.put(
          prefix + "inhibitory_sources", Npy.of(flat(trace.inhibitorySources()), steps, cells));
    }
  }

  private static double[] flat(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  /** Mean correlation of the canonical E - I maps between random starts; NaN for one. */
  private double agreement() {
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < starts.size(); a++) {
      for (int b = 0; b < a; b++) {
        sum +=
            starts
                .get(a)
                .averagedBalance(Aggregation.MEAN)
                .correlation(starts.get(b).averagedBalance(Aggregation.MEAN), settings.ecrfRadius);
        pairs++;
      }
    }
    return pairs == 0 ? Double.NaN : sum / pairs;
  }

  private static final String BLIND =
      "The decoder does not read orientations that it was not trained with better than their mean"
          + " would, so that what is restored is not orientation. A trained network, a ridge"
          + " decoder or another frequency may do better.";

  private boolean readsOrientation() {
    return !(decoder.leftOutR2() <= 0);
  }

  private ObjectNode json() {
    ObjectNode out = OptoFiles.JSON.createObjectNode();
    out.put("experiment", "orientation_opto");
    out.put("trained", settings.checkpoint != null);
    out.set("settings", OptoFiles.settings(described));
    ObjectNode swept = out.putObject("parameter_sweep");
    OptoFiles.put(swept, "optimal_frequency", sweep.optimalFrequency());
    OptoFiles.put(swept, "optimal_contrast", sweep.optimalContrast());
    OptoFiles.put(swept, "best_r2", sweep.bestR2());
    swept.set("frequencies", OptoFiles.array(sweep.frequencies()));
    swept.set("contrasts", OptoFiles.array(sweep.contrasts()));
    swept.set("r2", OptoFiles.matrix(sweep.r2()));
    out.set("decoder", OptoFiles.decoder(decoder));
    ObjectNode flows = out.putObject("recurrent_flow");
    flows.set("excitatory_baseline", OptoFiles.array(flow.baseline().meanExcitatory()));
    flows.set("excitatory_perturbed", OptoFiles.array(flow.perturbed().meanExcitatory()));
    flows.set("inhibitory_baseline", OptoFiles.array(flow.baseline().meanInhibitory()));
    flows.set("inhibitory_perturbed", OptoFiles.array(flow.perturbed().meanInhibitory()));
    ArrayNode all = out.putArray("optimization");
    starts.forEach(s -> all.add(OptoFiles.result(s)));
    OptoFiles.put(out, "agreement_of_starts", agreement());
    return out;
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }

  /** The numbers for people. */
  public String summary() {
    var out = new StringBuilder();
    line(out, "Simulated optogenetics: orientation-based optimisation of initial states");
    line(out, "=======================================================================");
    if (!settings.warning().isEmpty()) {
      line(out, "");
      line(out, "WARNING: %s", settings.warning());
    }
    line(out, "");
    line(out, "Settings");
    described.forEach((name, value) -> line(out, "  %-46s %s", name, value));
    line(out, "");
    line(
        out,
        "Parameter sweep: R² of the decoder, rows frequency (cycles per image), columns contrast");
    StringBuilder head = new StringBuilder("        ");
    for (double c : sweep.contrasts()) {
      head.append(String.format(Locale.ROOT, "%9.3g", c));
    }
    line(out, "%s", head);
    for (int f = 0; f < sweep.frequencies().length; f++) {
      StringBuilder row =
          new StringBuilder(String.format(Locale.ROOT, "  %6.4g", sweep.frequencies()[f]));
      for (double r2 : sweep.r2()[f]) {
        row.append(String.format(Locale.ROOT, "%9.4f", r2));
      }
      line(out, "%s", row);
    }
    line(
        out,
        "  best: %.4g cycles per image, contrast %.4g, R² %.4f",
        sweep.optimalFrequency(),
        sweep.optimalContrast(),
        sweep.bestR2());
    line(out, "");
    line(out, "Decoder of %s at the centre of the map", settings.layer);
    line(
        out,
        "  training data          R² %s, mean error %s°",
        number(decoder.r2()),
        number(decoder.error()));
    line(
        out,
        "  orientations left out  R² %s, mean error %s°",
        number(decoder.leftOutR2()),
        number(decoder.leftOutError()));
    if (!readsOrientation()) {
      line(out, "");
      line(out, "WARNING: %s", BLIND);
    }
    double[] e = flow.excitatoryChange();
    double[] i = flow.inhibitoryChange();
    line(out, "");
    line(out, "Recurrent flow into the perturbed place, last step, perturbed - baseline");
    line(
        out,
        "  E %s, I %s, E - I %s",
        number(e[e.length - 1]),
        number(i[i.length - 1]),
        number(e[e.length - 1] - i[i.length - 1]));
    line(out, "");
    line(
        out, "Optimised initial states (%s)", result().injection().name().toLowerCase(Locale.ROOT));
    line(
        out,
        "  reach of the horizontal connections: %d px of %s px",
        result().reach(),
        OptoFigures.text(result().radius()));
    line(
        out,
        "  orientation  initial loss   final loss   rescue   decoded: before  perturbed  rescued");
    for (OrientationRescue r : result().rescues()) {
      line(
          out,
          "  %8s°    %12s %12s %8.4f   %15.1f° %9.1f° %7.1f°",
          OptoFigures.text(r.orientation()),
          number(r.initialLoss()),
          number(r.finalLoss()),
          r.rescue(),
          OrientationDecoder.angle(r.target()),
          OrientationDecoder.angle(r.perturbed()),
          OrientationDecoder.angle(r.rescued()));
    }
    line(out, "");
    line(out, "Averaged map, mean of channels, all orientations turned to 0° (stripes along 90°)");
    line(
        out, "  map         mean        sd       min       max   elongation   axis   along/across");
    SurroundMap excitatory = result().averagedExcitatory().aggregate(Aggregation.MEAN);
    SurroundMap inhibitory = result().averagedInhibitory().aggregate(Aggregation.MEAN);
    for (Map.Entry<String, SurroundMap> map :
        Map.of("E", excitatory, "I", inhibitory, "E - I", excitatory.minus(inhibitory))
            .entrySet()
            .stream()
            .sorted(Map.Entry.comparingByKey())
            .toList()) {
      OptoFiles.Numbers n = OptoFiles.Numbers.of(map.getValue(), result());
      line(
          out,
          "  %-6s %9s %9s %9s %9s   %10.3f %5.1f°   %12s",
          map.getKey(),
          number(n.mean()),
          number(n.sd()),
          number(n.min()),
          number(n.max()),
          map.getValue().elongation().index(),
          map.getValue().elongation().axis(),
          number(map.getValue().alongToAcross(MultiOrientationResult.COLLINEAR_AXIS)));
    }
    line(out, "  radial mean (px: E, I)");
    double[] radialE = excitatory.radialMean();
    double[] radialI = inhibitory.radialMean();
    for (int k = 0; k <= settings.ecrfRadius && k < radialE.length; k++) {
      line(out, "    %2d: %10s %10s", k, number(radialE[k]), number(radialI[k]));
    }
    line(
        out,
        "  agreement of %d random start%s: %s",
        starts.size(),
        starts.size() == 1 ? "" : "s (mean correlation of E - I maps)",
        number(agreement()));
    line(out, "");
    line(out, "Time of this run: %.0f s", seconds);
    return out.toString();
  }

  private static String number(double value) {
    return OptoFiles.number(value);
  }

  /** Adds sections with figures and tables to a report. */
  public void addTo(HtmlReport report) {
    report.section("Settings of the optogenetic experiment");
    if (!settings.warning().isEmpty()) {
      report.warning(settings.warning());
    }
    report.values(described);
    report.section("What the place reads");
    report.figure(
        OptoFigures.sweep(sweep),
        "R² of a linear decoder of orientation trained on gratings in the classical field"
            + (settings.mode == Mode.PARITY
                ? ", on its training data."
                : ", for orientations that were left out in training."));
    StimulusSet gratings =
        settings.extraClassical(
            sweep.optimalFrequency(), sweep.optimalContrast(), settings.orientations);
    report.figure(
        OptoFigures.stimuli(
            settings.classicalShown(sweep.optimalFrequency(), sweep.optimalContrast()), gratings),
        "Gratings in the classical field, which train the decoder, and those that cover the"
            + " extra-classical field.");
    report.text(
        "The decoder at the best cell has R² %s on its training data and %s on orientations left out; mean angular errors are %s° and %s°."
            .formatted(
                number(decoder.r2()),
                number(decoder.leftOutR2()),
                number(decoder.error()),
                number(decoder.leftOutError())));
    if (!readsOrientation()) {
      report.warning(BLIND);
    }
    report.section("What flows into the place");
    report.figure(
        OptoFigures.flow(flow),
        "Rectified horizontal excitation and inhibition at the perturbed place, and their change"
            + " over the map at the last timestep.");
    if (flow.baseline().excitatorySources().length > 0) {
      report.figure(
          OptoFigures.sources(flow),
          "Contribution of each pixel under the horizontal kernels to the perturbed place at the"
              + " last timestep.");
    }
    report.section("States that restore the reading");
    report.figure(
        figure(settings.aggregation).figure(),
        "Optimised initial states, turned so that the grating of each orientation comes to lie at"
            + " 0°, and their mean.");
    report.figure(OptoFigures.convergence(result()), "Loss against updates.");
    report.figure(
        OptoFigures.profiles(result()),
        "The averaged maps by distance and by direction; dashed, the reach of the horizontal"
            + " connections.");
    List<List<String>> rows = new ArrayList<>();
    for (OrientationRescue r : result().rescues()) {
      rows.add(
          List.of(
              OptoFigures.text(r.orientation()),
              number(r.initialLoss()),
              number(r.finalLoss()),
              number(r.rescue()),
              number(OrientationDecoder.angle(r.target())),
              number(OrientationDecoder.angle(r.perturbed())),
              number(OrientationDecoder.angle(r.rescued()))));
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
          "Without a penalty many states restore the reading. Between %d random starts the E − I maps correlate with r = %s on average."
              .formatted(starts.size(), number(agreement())));
    }
  }
}
