package org.gammanet.experiments.opto;

import java.util.Map;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Records the input of a site through horizontal connections.
 *
 * @param stimulus a set of one stimulus
 * @param at the site, in the layer's map
 * @param size height and width of that map
 */
record RecurrentFlow(
    Simulation simulation, StimulusSet stimulus, String layer, PixelPoint at, int[] size) {

  /** The input with a gain of the site's drive. */
  FlowResult.Trace trace(double factor) {
    CellSite site = simulation.site(layer);
    Definitions definitions = simulation.definitions();
    int timesteps = simulation.timesteps();
    double[][] excitatory = new double[timesteps][];
    double[][] inhibitory = new double[timesteps][];
    double[][] fromExcitatory = new double[definitions.splitsSources() ? timesteps : 0][];
    double[][] fromInhibitory = new double[definitions.splitsSources() ? timesteps : 0][];
    double[][] maps = new double[2][];
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor gain = simulation.gain(size, at, factor);
      Tensor wExc = site.cell().horizontalKernel(true);
      Tensor wInh = site.cell().horizontalKernel(false);
      ForwardHooks hooks =
          new ForwardHooks() {
            @Override
            public boolean wantsInside(String cell, int timestep) {
              return cell.equals(layer);
            }

            @Override
            public Tensor blockOutput(String block, int timestep, Tensor drive) {
              return block.equals(site.block()) ? Ops.mul(drive, gain) : drive;
            }

            @Override
            public void cellFinished(String cell, int t, Map<String, Tensor> signals) {
              Tensor[] input = definitions.horizontalInput(site.cell(), signals);
              Tensor e = input[0];
              Tensor i = input[1];
              if (definitions.splitsSources()) {
                fromExcitatory[t] = sources(Simulation.signal(signals, "n2"), wExc);
                fromInhibitory[t] = sources(Simulation.signal(signals, "n1"), wInh);
              }
              excitatory[t] = Simulation.pixel(e, at);
              inhibitory[t] = Simulation.pixel(i, at);
              if (t == timesteps - 1) {
                maps[0] = Ops.mean(e, 1).toDoubleArray();
                maps[1] = Ops.mean(i, 1).toDoubleArray();
              }
            }
          };
      simulation.respond(
          simulation.input(stimulus, 0, 1), layer, simulation.options().withHooks(hooks));
    }
    return new FlowResult.Trace(
        excitatory, inhibitory, maps[0], maps[1], fromExcitatory, fromInhibitory);
  }

  /**
   * Contribution of each pixel under a kernel to its output at one pixel, mean over output
   * channels.
   */
  private double[] sources(Tensor input, Tensor kernel) {
    int k = (int) kernel.size(2);
    int r = k / 2;
    double[] weights = Ops.mean(kernel, 0).toDoubleArray(); // [C][k][k]
    double[] out = new double[k * k];
    for (int ky = 0; ky < k; ky++) {
      for (int kx = 0; kx < k; kx++) {
        int y = at.y() + ky - r;
        int x = at.x() + kx - r;
        if (y < 0 || x < 0 || y >= size[0] || x >= size[1]) {
          continue;
        }
        double[] state = Simulation.pixel(input, new PixelPoint(y, x));
        for (int c = 0; c < state.length; c++) {
          out[ky * k + kx] += weights[(c * k + ky) * k + kx] * state[c];
        }
      }
    }
    return out;
  }
}
