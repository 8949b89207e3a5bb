package org.gammanet.experiments.opto;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.StimulusImage;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Format;
import org.gammanet.figures.Axis;
import org.gammanet.figures.ColorMap;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HeatMap;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** Figures of the simulated optogenetics. Distances are pixels of the layer's map. */
public final class OptoFigures {
  private static final Style RING = Style.GUIDE.dash(Style.Dash.SOLID).width(0.7);
  private static final Style REACH = Style.GUIDE.dash(Style.Dash.DASHED).width(0.7);

  private OptoFigures() {}

  // ---- Sweep and stimuli ----

  /** R² of each frequency and contrast, with the best cell framed. */
  public static Figure sweep(SweepResult sweep) {
    int bestRow = index(sweep.frequencies(), sweep.optimalFrequency());
    int bestColumn = index(sweep.contrasts(), sweep.optimalContrast());
    double[] all = Arrays.stream(sweep.r2()).flatMapToDouble(Arrays::stream).toArray();
    double low = Arrays.stream(all).filter(Double::isFinite).min().orElse(0);
    double high = Arrays.stream(all).filter(Double::isFinite).max().orElse(0);
    double room = Math.max(0, 0.1 - (high - low)) / 2; // less than 0.1 does not use the whole scale
    var figure = new Figure(6.4, 5);
    figure
        .panel(0, 0)
        .title("Decoding from gratings in the classical receptive field")
        .x(Axis.names("Contrast (Michelson)", names(sweep.contrasts())))
        .y(Axis.names("Spatial frequency (cycles/image)", names(sweep.frequencies())).reverse())
        .heatMap(
            HeatMap.of(sweep.r2())
                .colors(ColorMap.VIRIDIS, low - room, high + room)
                .printed(high - low < 0.1 ? 3 : 2)
                .framed(bestRow, bestColumn)
                .barLabel("R² of the decoder"));
    return figure;
  }

  private static int index(double[] values, double wanted) {
    return IntStream.range(0, values.length).filter(i -> values[i] == wanted).findFirst().orElse(0);
  }

  private static List<String> names(double[] values) {
    return DoubleStream.of(values).mapToObj(Format::label).toList();
  }

  /**
   * Gratings that cover the classical field alone (above, enlarged) and those that cover the
   * extra-classical field, one column per orientation.
   */
  public static Figure stimuli(StimulusSet classical, StimulusSet extraClassical) {
    int n = extraClassical.size();
    var figure = new Figure(0.6 + 1.55 * n, 4.1);
    for (int i = 0; i < n; i++) {
      Orientation orientation = extraClassical.meta(i).orientation();
      figure
          .panel(0, i)
          .title(orientation == null ? "" : Format.label(orientation.modulation()) + "°")
          .x(Axis.hidden())
          .y(Axis.hidden().reverse())
          .luminance(cropped(classical.get(i), 8), 17);
      double reach = Math.ceil(extraClassical.meta(i).height() / 2) + 6;
      int side =
          (int) Math.min(reach, Math.min(extraClassical.height(), extraClassical.width()) / 2 - 1);
      figure
          .panel(1, i)
          .x(Axis.hidden())
          .y(Axis.hidden().reverse())
          .luminance(cropped(extraClassical.get(i), side), 2 * side + 1);
    }
    figure.footer(
        String.format(
            Locale.ROOT,
            "Above: %s px across, 17 × 17 px shown. Below: %s px across. Degrees: direction of"
                + " modulation, clockwise from horizontal.",
            Format.label(classical.meta(0).height()),
            Format.label(extraClassical.meta(0).height())));
    return figure;
  }

  private static float[] cropped(StimulusImage image, int reach) {
    int side = 2 * reach + 1;
    float[] out = new float[side * side];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int fromY = Math.clamp(image.meta().center().y() + y - reach, 0, image.height() - 1);
        int fromX = Math.clamp(image.meta().center().x() + x - reach, 0, image.width() - 1);
        out[y * side + x] = image.values()[fromY * image.width() + fromX];
      }
    }
    return out;
  }

  // ---- Flow ----

  /** Input of the perturbed site through horizontal connections. */
  public static Figure flow(FlowResult flow) {
    double[] baseE = flow.baseline().meanExcitatory();
    double[] baseI = flow.baseline().meanInhibitory();
    double[] perturbedE = flow.perturbed().meanExcitatory();
    double[] perturbedI = flow.perturbed().meanInhibitory();
    double[] steps = IntStream.range(0, baseE.length).asDoubleStream().toArray();
    Axis time = Axis.linear("Timestep").ticks(steps);
    double[] changeE = flow.excitatoryChange();
    double[] changeI = flow.inhibitoryChange();
    var figure = new Figure(18, 10);
    figure.title(
        String.format(
            Locale.ROOT,
            "Recurrent flow in %s, drive × %s",
            flow.layer(),
            Format.label(flow.factor())));
    Style before = Style.BLACK.dash(Style.Dash.DASHED);
    figure
        .panel(0, 0, 1, 3)
        .title("Excitation reaching the site")
        .x(time)
        .y(Axis.linear("E, mean over channels"))
        .line(steps, baseE, before.label("baseline"))
        .line(steps, perturbedE, Style.EXCITATORY.label("perturbed"));
    figure
        .panel(0, 3, 1, 3)
        .title("Inhibition reaching the site")
        .x(time)
        .y(Axis.linear("I, mean over channels"))
        .line(steps, baseI, before.label("baseline"))
        .line(steps, perturbedI, Style.INHIBITORY.label("perturbed"));
    figure
        .panel(1, 0, 1, 3)
        .title("Change by the perturbation")
        .x(time)
        .y(Axis.linear("perturbed − baseline"))
        .horizontal(0, Style.GUIDE)
        .line(steps, changeE, Style.EXCITATORY.label("E"))
        .line(steps, changeI, Style.INHIBITORY.label("I"));
    figure
        .panel(1, 3, 1, 3)
        .title("Balance")
        .x(time)
        .y(Axis.linear("E − I"))
        .horizontal(0, Style.GUIDE)
        .line(steps, difference(baseE, baseI), before.label("baseline"))
        .line(steps, difference(perturbedE, perturbedI), Style.series(2).label("perturbed"));
    int reach = 26;
    SurroundMap e = flow.excitatoryChangeMap();
    SurroundMap i = flow.inhibitoryChangeMap();
    SurroundMap balance = e.minus(i);
    double limit = Math.max(percentile(absolute(balance), 0.98), Double.MIN_NORMAL);
    map(
        figure.panel(2, 0, 1, 2).title("Change of E, last step"),
        e.crop(reach),
        oneSided(e.crop(reach), ColorMap.REDS, false),
        "ΔE");
    map(
        figure.panel(2, 2, 1, 2).title("Change of I, last step"),
        i.crop(reach),
        oneSided(i.crop(reach), ColorMap.BLUES, false),
        "ΔI");
    map(
        figure.panel(2, 4, 1, 2).title("Change of E − I, last step"),
        balance.crop(reach),
        new Scale(ColorMap.DIVERGING, -limit, limit),
        "ΔE − ΔI");
    return figure.letters();
  }

  /**
   * Where the horizontal terms of the perturbed site come from at the last timestep: the
   * contribution of each pixel under the kernel, without and with the perturbation.
   */
  public static Figure sources(FlowResult flow) {
    int last = flow.baseline().excitatorySources().length - 1;
    var figure = new Figure(10, 3.4);
    for (int which = 0; which < 2; which++) {
      double[][] before =
          which == 0 ? flow.baseline().excitatorySources() : flow.baseline().inhibitorySources();
      double[][] after =
          which == 0 ? flow.perturbed().excitatorySources() : flow.perturbed().inhibitorySources();
      int k = (int) Math.round(Math.sqrt(before[last].length));
      int middle = k / 2;
      SurroundMap change =
          new SurroundMap(difference(after[last], before[last]), k, k, middle, middle);
      SurroundMap base = new SurroundMap(before[last], k, k, middle, middle);
      String name = which == 0 ? "E" : "I";
      map(
          figure.panel(0, 2 * which).title(name + ", baseline"),
          base,
          symmetric(base),
          "before rectification");
      map(
          figure.panel(0, 2 * which + 1).title(name + ", change"),
          change,
          symmetric(change),
          "perturbed − baseline");
    }
    return figure;
  }

  private static double[] difference(double[] a, double[] b) {
    double[] out = new double[a.length];
    Arrays.setAll(out, i -> a[i] - b[i]);
    return out;
  }

  // ---- Maps ----

  private record Scale(ColorMap colors, double from, double to) {}

  private static double[] absolute(SurroundMap map) {
    return Arrays.stream(map.values()).map(Math::abs).toArray();
  }

  private static double percentile(double[] values, double fraction) {
    double[] sorted = Arrays.stream(values).filter(v -> v != 0).sorted().toArray();
    return sorted.length == 0 ? 0 : Statistics.quantile(sorted, fraction);
  }

  private static Scale symmetric(SurroundMap map) {
    double limit = Math.max(percentile(absolute(map), 0.975), Double.MIN_NORMAL);
    return new Scale(ColorMap.DIVERGING, -limit, limit);
  }

  /**
   * From 0 to the 97.5th percentile of what is not zero. Where an appreciable part of the map is
   * negative, which such colors would hide, a scale about zero instead.
   */
  private static Scale oneSided(SurroundMap map, ColorMap colors, boolean always) {
    double[] present = Arrays.stream(map.values()).filter(v -> v != 0).toArray();
    double limit = percentile(map.values(), 0.975);
    double low = percentile(map.values(), 0.025);
    boolean signed = present.length > 0 && -low > 0.1 * limit;
    return signed && !always
        ? symmetric(map)
        : new Scale(colors, 0, Math.max(limit, Double.MIN_NORMAL));
  }

  /** A map with the perturbed site's pixel at (0, 0). */
  private static HeatMap heat(SurroundMap map) {
    return HeatMap.of(map.values(), map.width())
        .extent(
            -map.centerX() - 0.5,
            map.width() - map.centerX() - 0.5,
            -map.centerY() - 0.5,
            map.height() - map.centerY() - 0.5);
  }

  /** A map about the perturbed site. */
  private static Plot map(Plot plot, SurroundMap map, Scale scale, String label) {
    return plot.x(Axis.linear("Δx (px)"))
        .y(Axis.linear("Δy (px)").reverse())
        .equalAspect()
        .heatMap(heat(map).colors(scale.colors, scale.from, scale.to).barLabel(label))
        .points(new double[] {0}, new double[] {0}, Style.BLACK.marker(Style.Marker.CROSS, 5));
  }

  /** The figure of optimized states; immutable. */
  public static MultiOrientation multiOrientation(MultiOrientationResult result) {
    return new MultiOrientation(result, Aggregation.MEAN, true, false, "");
  }

  /**
   * The canonical maps: averaged A_E, A_I and their difference above; below, the difference for
   * each orientation after rotation, on one scale, or the loss against step.
   *
   * @param result what is shown
   * @param how channels become one map
   * @param individual whether each orientation has a panel, else the losses are shown
   * @param halfTurns whether maps are averaged with their rotation by 180 degrees
   * @param footer text below, such as that the network is untrained
   */
  public record MultiOrientation(
      MultiOrientationResult result,
      Aggregation how,
      boolean individual,
      boolean halfTurns,
      String footer) {

    /** With a panel for each orientation, or with the losses. */
    public MultiOrientation showIndividual(boolean value) {
      return new MultiOrientation(result, how, value, halfTurns, footer);
    }

    /** With the mean or the largest value of all channels. */
    public MultiOrientation aggregation(Aggregation value) {
      return new MultiOrientation(result, value, individual, halfTurns, footer);
    }

    /** Averages maps with their rotation by 180 degrees, the period of an orientation. */
    public MultiOrientation symmetric(boolean value) {
      return new MultiOrientation(result, how, individual, value, footer);
    }

    /** With text below. */
    public MultiOrientation footer(String text) {
      return new MultiOrientation(result, how, individual, halfTurns, text);
    }

    private SurroundMap shown(ChannelMaps maps, Aggregation aggregation) {
      SurroundMap map = (halfTurns ? maps.symmetric() : maps).aggregate(aggregation);
      return result.definitions().wholeMaps()
          ? map
          : map.crop((int) Math.ceil(result.radius()) + 8);
    }

    private Plot rings(Plot plot) {
      plot.circle(0, 0, result.radius(), RING).circle(0, 0, result.patchSize() / 2, RING);
      return result.reach() > 0 && result.reach() < result.radius() + 8
          ? plot.circle(0, 0, result.reach(), REACH)
          : plot;
    }

    /** The figure. */
    public Figure figure() {
      int n = result.rescues().size();
      boolean always = result.definitions().wholeMaps();
      SurroundMap e = shown(result.averagedExcitatory(), how);
      SurroundMap i = shown(result.averagedInhibitory(), how);
      SurroundMap balance = e.minus(i);
      double limit =
          Math.max(
              Math.max(
                  Math.abs(percentile(balance.values(), 0.025)),
                  Math.abs(percentile(balance.values(), 0.975))),
              Double.MIN_NORMAL);
      var scale = new Scale(ColorMap.DIVERGING, -limit, limit);
      var figure = new Figure(15, individual ? 8.2 : 8.8);
      figure.title(
          String.format(
              Locale.ROOT,
              "Initial states that restore the decoded orientation, drive of %s × %s, %d"
                  + " orientations rotated to 0°",
              result.layer(),
              Format.label(result.factor()),
              n));
      String of = how == Aggregation.MEAN ? "mean of channels" : "largest of channels";
      rings(
          map(
              figure.panel(0, 0, 1, n).title("Excitatory"),
              e,
              oneSided(e, ColorMap.REDS, always),
              "A_{E}, " + of));
      rings(
          map(
              figure.panel(0, n, 1, n).title("Inhibitory"),
              i,
              oneSided(i, ColorMap.BLUES, always),
              "A_{I}, " + of));
      rings(
          map(
              figure.panel(0, 2 * n, 1, n).title("Excitatory − inhibitory"),
              balance,
              scale,
              "A_{E} − A_{I}"));
      if (individual) {
        for (int k = 0; k < n; k++) {
          Aggregation one = always ? Aggregation.MEAN : how;
          SurroundMap own =
              shown(result.alignedExcitatory(k), one)
                  .minus(shown(result.alignedInhibitory(k), one));
          Plot plot =
              figure
                  .panel(1, 3 * k, 1, 3)
                  .title(Format.label(result.rescues().get(k).orientation()) + "°");
          plot.x(Axis.linear("Δx (px)"))
              .y(k == 0 ? Axis.linear("Δy (px)").reverse() : Axis.hidden().reverse())
              .equalAspect()
              .heatMap(heat(own).colors(scale.colors, scale.from, scale.to).withoutBar());
          rings(plot);
        }
        figure.rowHeights(1.6, 1);
      } else {
        losses(figure.panel(1, 0, 1, 3 * n), result);
        figure.rowHeights(1.2, 1);
      }
      List<String> words = new ArrayList<>();
      words.add(
          String.format(
              Locale.ROOT,
              "Circles: perturbed disc, %s px, and extra-classical radius, %s px; dashed, reach of"
                  + " the horizontal connections, %d px. Stripes of the reference run vertically.",
              Format.label(result.patchSize()),
              Format.label(result.radius()),
              result.reach()));
      if (individual) {
        words.add("Lower row: excitatory − inhibitory under each orientation, in the same colors.");
      }
      if (!footer.isEmpty()) {
        words.add(footer);
      }
      return figure.footer(String.join(" ", words));
    }

    /**
     * Writes {@code <base>.svg} and {@code <base>.png}.
     *
     * @param base path, with or without the ending {@code .png}
     * @return the files written
     * @throws IOException when a file cannot be written
     */
    public List<Path> write(Path base) throws IOException {
      return figure()
          .write(
              base.resolveSibling(String.valueOf(base.getFileName()).replaceFirst("\\.png$", "")));
    }
  }

  // ---- Convergence and profiles ----

  /** The loss of each orientation against the number of updates. */
  public static Figure convergence(MultiOrientationResult result) {
    var figure = new Figure(8, 4.6);
    losses(figure.panel(0, 0), result);
    return figure;
  }

  private static void losses(Plot plot, MultiOrientationResult result) {
    plot.title("Convergence").x(Axis.linear("Updates")).y(Axis.log("Loss"));
    for (int k = 0; k < result.rescues().size(); k++) {
      OrientationRescue rescue = result.rescues().get(k);
      double[] y = Arrays.copyOf(rescue.losses(), rescue.losses().length + 1);
      y[y.length - 1] = rescue.finalLoss();
      double[] x = IntStream.range(0, y.length).asDoubleStream().toArray();
      plot.line(x, y, Style.series(k).plain().label(Format.label(rescue.orientation()) + "°"));
    }
    plot.legend(Plot.Legend.OUTSIDE);
  }

  /** A_E and A_I against distance and against direction about the perturbed site. */
  public static Figure profiles(MultiOrientationResult result) {
    SurroundMap e = result.averagedExcitatory().aggregate(Aggregation.MEAN);
    SurroundMap i = result.averagedInhibitory().aggregate(Aggregation.MEAN);
    int rings = (int) Math.ceil(result.radius()) + 2;
    double[] distance = IntStream.range(0, rings).asDoubleStream().toArray();
    var figure = new Figure(11, 4.4);
    figure
        .panel(0, 0)
        .title("By distance")
        .x(Axis.linear("Distance from the perturbed site (px)"))
        .y(Axis.linear("Optimized state, mean of channels"))
        .horizontal(0, Style.GUIDE)
        .vertical(result.reach() < rings ? result.reach() : Double.NaN, REACH)
        .line(distance, Arrays.copyOf(e.radialMean(), rings), Style.EXCITATORY.label("A_{E}"))
        .line(distance, Arrays.copyOf(i.radialMean(), rings), Style.INHIBITORY.label("A_{I}"));
    int bins = 12;
    double[] axis = IntStream.rangeClosed(0, bins).mapToDouble(k -> 180.0 * k / bins).toArray();
    figure
        .panel(0, 1)
        .title("By direction")
        .x(
            Axis.linear("Direction from the perturbed site (deg); stripes run along 90")
                .range(0, 180)
                .ticks(0, 45, 90, 135, 180))
        .y(Axis.linear("Optimized state, mean of channels"))
        .horizontal(0, Style.GUIDE)
        .vertical(MultiOrientationResult.COLLINEAR_AXIS, Style.GUIDE)
        .line(axis, closed(e, result, bins), Style.EXCITATORY.label("A_{E}"))
        .line(axis, closed(i, result, bins), Style.INHIBITORY.label("A_{I}"));
    return figure.letters();
  }

  private static double[] closed(SurroundMap map, MultiOrientationResult result, int bins) {
    double[] open = map.angularMean(result.patchSize() / 2, result.radius(), bins);
    double[] out = Arrays.copyOf(open, bins + 1);
    out[bins] = open[0];
    return out;
  }

  // ---- Contrast grid ----

  /**
   * Averaged E - I for each pair of contrasts, on one color scale.
   *
   * @param center contrasts of the rows
   * @param surround contrasts of the columns
   * @param results [center][surround]
   */
  public static Figure gridMaps(
      double[] center, double[] surround, MultiOrientationResult[][] results, Aggregation how) {
    SurroundMap[][] maps = new SurroundMap[center.length][surround.length];
    List<double[]> all = new ArrayList<>();
    for (int r = 0; r < center.length; r++) {
      for (int c = 0; c < surround.length; c++) {
        MultiOrientationResult result = results[r][c];
        maps[r][c] = result.averagedBalance(how).crop((int) Math.ceil(result.radius()) + 8);
        all.add(absolute(maps[r][c]));
      }
    }
    double[] together = all.stream().flatMapToDouble(Arrays::stream).toArray();
    double limit = Math.max(percentile(together, 0.975), Double.MIN_NORMAL);
    var figure = new Figure(1 + 3.1 * surround.length, 0.8 + 2.9 * center.length);
    figure.title(
        "A_{E} − A_{I} by contrast of center and surround, "
            + (how == Aggregation.MEAN ? "mean of channels" : "largest of channels"));
    for (int r = 0; r < center.length; r++) {
      for (int c = 0; c < surround.length; c++) {
        SurroundMap map = maps[r][c];
        HeatMap heat = heat(map).diverging(limit);
        figure
            .panel(r, c)
            .title("center " + Format.label(center[r]) + ", surround " + Format.label(surround[c]))
            .x(r == center.length - 1 ? Axis.linear("Δx (px)") : Axis.hidden())
            .y(c == 0 ? Axis.linear("Δy (px)").reverse() : Axis.hidden().reverse())
            .equalAspect()
            .heatMap(c == surround.length - 1 ? heat : heat.withoutBar())
            .circle(0, 0, results[r][c].radius(), RING)
            .circle(0, 0, results[r][c].patchSize() / 2, RING);
      }
    }
    return figure;
  }

  /** Numbers of each pair of contrasts: mean E, I, E - I inside the radius, final loss, rescue. */
  public static Figure gridMetrics(
      double[] center, double[] surround, List<String> names, List<double[][]> metrics) {
    var figure = new Figure(16, 9);
    for (int m = 0; m < metrics.size(); m++) {
      figure
          .panel(m / 3, m % 3)
          .title(names.get(m))
          .x(Axis.names("Surround contrast", names(surround)))
          .y(Axis.names("Center contrast", names(center)).reverse())
          .heatMap(HeatMap.of(metrics.get(m)).printed(decimals(metrics.get(m))));
    }
    return figure.letters();
  }

  /** Decimals that show three digits of the largest number. */
  private static int decimals(double[][] values) {
    double most =
        Arrays.stream(values)
            .flatMapToDouble(Arrays::stream)
            .map(Math::abs)
            .filter(Double::isFinite)
            .max()
            .orElse(0);
    return most > 0 ? Math.clamp(2 - (int) Math.floor(Math.log10(most)), 0, 9) : 0;
  }
}
