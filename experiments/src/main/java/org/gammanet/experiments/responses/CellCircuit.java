package org.gammanet.experiments.responses;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HeatMap;
import org.gammanet.model.CellSite;
import org.gammanet.model.Network;
import org.gammanet.nn.FgruCell;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * The horizontal connections of a cell, and how the currents through them balance.
 *
 * @param cell its name
 * @param channels C
 * @param kernelSize side of the kernels
 * @param dale whether the network constrains the signs of the kernels
 * @param excitatory the excitatory kernel
 * @param inhibitory the inhibitory kernel
 * @param balance of each channel's unit at the center: (E - I) / (E + I) of the rectified
 *     horizontal terms after the last timestep, mean over gratings; NaN where both are 0
 */
public record CellCircuit(
    String cell,
    int channels,
    int kernelSize,
    boolean dale,
    Kernel excitatory,
    Kernel inhibitory,
    double[] balance) {
  private static final double WAVELENGTH = 12.8;
  private static final int ORIENTATIONS = 4;

  /**
   * A horizontal kernel as it is applied.
   *
   * @param negative fraction of negative weights
   * @param consistency of signs: the fraction of a presynaptic channel's weights that have its more
   *     frequent sign, mean over channels; 1 obeys Dale's principle
   * @param chance the consistency that weights of random signs have on average
   * @param asymmetry |W - W'| / |W|, with W' the kernel with channels exchanged and rotated by 180
   *     degrees; 0 for a symmetric one
   * @param sums over positions, postsynaptic x presynaptic channel
   */
  public record Kernel(
      double negative, double consistency, double chance, double asymmetry, double[][] sums) {
    /** Describes a kernel of shape {@code [output channel, input channel, row, column]}. */
    static Kernel of(float[] w, int channels, int side) {
      int taps = side * side;
      int negative = 0;
      int nonzero = 0;
      double[][] sums = new double[channels][channels];
      double difference = 0;
      double square = 0;
      int[] below = new int[channels];
      int[] signed = new int[channels];
      for (int out = 0; out < channels; out++) {
        for (int in = 0; in < channels; in++) {
          for (int k = 0; k < taps; k++) {
            double v = w[(out * channels + in) * taps + k];
            double mirrored = w[(in * channels + out) * taps + taps - 1 - k];
            sums[out][in] += v;
            square += v * v;
            difference += (v - mirrored) * (v - mirrored);
            if (v != 0) {
              nonzero++;
              signed[in]++;
              negative += v < 0 ? 1 : 0;
              below[in] += v < 0 ? 1 : 0;
            }
          }
        }
      }
      double consistency = 0;
      int counted = 0;
      for (int in = 0; in < channels; in++) {
        if (signed[in] > 0) {
          double fraction = below[in] / (double) signed[in];
          consistency += Math.max(fraction, 1 - fraction);
          counted++;
        }
      }
      return new Kernel(
          (double) negative / nonzero,
          consistency / counted,
          // Mean absolute deviation of a binomial fraction, normal approximation.
          0.5 + Math.sqrt(1 / (2 * Math.PI * channels * taps)),
          Math.sqrt(difference / square),
          sums);
    }
  }

  /**
   * The circuits of all cells of a network.
   *
   * @param size of the gratings that evoke currents, pixels
   */
  public static List<CellCircuit> of(Network network, int size) {
    Frame frame = Frame.of(size, size);
    List<Grating> gratings = new ArrayList<>();
    for (int i = 0; i < ORIENTATIONS; i++) {
      gratings.add(
          new Grating(frame, new Sine(180.0 * i / ORIENTATIONS, size / WAVELENGTH, 0, 0.5), null));
    }
    StimulusSet set = StimulusSet.of(gratings);
    ResponseExtractor extractor = ResponseExtractor.forNetwork(network).build();
    List<CellCircuit> out = new ArrayList<>();
    for (CellSite site : network.sites()) {
      FgruCell cell = site.cell();
      RecordingPlan plan =
          RecordingPlan.layer(site.name())
              .states(State.EXCITATORY_HORIZONTAL, State.INHIBITORY_HORIZONTAL);
      Responses responses = extractor.extract(set, plan);
      float[][] e = responses.last(site.name(), State.EXCITATORY_HORIZONTAL);
      float[][] i = responses.last(site.name(), State.INHIBITORY_HORIZONTAL);
      double[] balance = new double[cell.channels()];
      for (int c = 0; c < balance.length; c++) {
        double excited = 0;
        double inhibited = 0;
        for (int s = 0; s < e.length; s++) {
          excited += e[s][c];
          inhibited += i[s][c];
        }
        balance[c] = (excited - inhibited) / (excited + inhibited);
      }
      out.add(
          new CellCircuit(
              site.name(),
              cell.channels(),
              cell.kernelSize(),
              cell.config().dale(),
              kernel(cell, true),
              kernel(cell, false),
              balance));
    }
    return out;
  }

  private static Kernel kernel(FgruCell cell, boolean excitatory) {
    try (var scope = TensorScope.open()) {
      Tensor kernel = cell.horizontalKernel(excitatory);
      return Kernel.of(kernel.toFloatArray(), cell.channels(), cell.kernelSize());
    }
  }

  /** Both kernels as maps of postsynaptic by presynaptic channels, summed over positions. */
  public Figure figure() {
    var figure = new Figure(9, 4.4);
    figure.title(cell);
    panel(figure, 0, "Excitatory kernel", excitatory);
    panel(figure, 1, "Inhibitory kernel", inhibitory);
    return figure;
  }

  private static void panel(Figure figure, int column, String title, Kernel kernel) {
    double largest =
        Arrays.stream(kernel.sums).flatMapToDouble(Arrays::stream).map(Math::abs).max().orElse(1);
    figure
        .panel(0, column)
        .title(title)
        .x(Axis.linear("Presynaptic channel"))
        .y(Axis.linear("Postsynaptic channel").reverse())
        .equalAspect()
        .heatMap(
            HeatMap.of(kernel.sums)
                .diverging(largest > 0 ? largest : 1)
                .barLabel("Sum of weights over positions"));
  }
}
