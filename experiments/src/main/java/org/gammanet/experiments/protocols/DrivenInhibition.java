package org.gammanet.experiments.protocols;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.gammanet.experiments.analysis.ParadoxicalEffect;
import org.gammanet.experiments.responses.NetworkDynamics;
import org.gammanet.experiments.responses.Perturbation;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** A network under a grating whose inhibitory population is driven. */
final class DrivenInhibition implements ParadoxicalEffect.Circuit, AutoCloseable {
  private final RunContext context;
  private final Network network;
  private final ForwardOptions options;
  private final Stimulus stimulus;
  private final CellSite site;
  private final Set<String> excitatory = new HashSet<>();
  private double drive;
  private @Nullable NetworkDynamics dynamics;

  DrivenInhibition(RunContext context, Network network, ForwardOptions options, Stimulus stimulus) {
    this.context = context;
    this.network = network;
    this.stimulus = stimulus;
    site = network.site(context.layer()).orElseThrow();
    network.sites().forEach(s -> excitatory.add(s.states().getFirst()));
    ForwardHooks before = options.hooks();
    this.options =
        options.withHooks(
            new ForwardHooks() {
              @Override
              public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
                Tensor[] in = before == null ? states : before.cellOutput(cell, timestep, states);
                return drive == 0 ? in : disc().cellOutput(cell, timestep, in);
              }
            });
  }

  private Perturbation disc() {
    int size = context.size();
    return new Perturbation(
        context.layer(),
        State.INHIBITORY,
        context.stride(),
        Perturbation.Kind.ADDITIVE,
        drive,
        new PixelPoint(size / 2, size / 2),
        0,
        size / 8.0,
        0,
        Integer.MAX_VALUE);
  }

  @Override
  public void reset() {
    close();
    dynamics = new NetworkDynamics(network, options, stimulus);
  }

  private NetworkDynamics running() {
    NetworkDynamics now = dynamics;
    if (now == null) {
      throw new IllegalStateException("the circuit is not at rest yet");
    }
    return now;
  }

  @Override
  public double[] step(double value) {
    drive = value;
    running().step();
    Map<String, Tensor> states = running().states();
    return site.states().stream().mapToDouble(name -> center(states, name)).toArray();
  }

  /** Mean rate in the square within the disc. */
  private double center(Map<String, Tensor> states, String name) {
    Tensor map = states.get(name);
    if (map == null) {
      throw new AssertionError(name);
    }
    long side = Math.max(1, map.size(2) / 8);
    try (var scope = TensorScope.open()) {
      Tensor rows = Ops.narrow(map, 2, map.size(2) / 2 - side / 2, side);
      return Ops.mean(Ops.narrow(rows, 3, map.size(3) / 2 - side / 2, side)).item();
    }
  }

  @Override
  public double excitatoryEigenvalue() {
    return running().leadingEigenvalue(30, context.seed(), excitatory::contains).modulus();
  }

  @Override
  public void close() {
    NetworkDynamics now = dynamics;
    if (now != null) {
      now.close();
    }
  }
}
