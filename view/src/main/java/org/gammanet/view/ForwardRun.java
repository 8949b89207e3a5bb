package org.gammanet.view;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.data.Preprocessing;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.study.LesionedNetwork;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Resources;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A forward pass whose signals are sent as they arise.
 *
 * <p>Frames: {@code start}; {@code image}; after each timestep {@code edges} (probabilities) with
 * the change since the timestep before, and {@code state} for each population that is asked for.
 *
 * @param request what is computed
 * @param site cell whose states are sent; {@code *} for all cells, null for none
 * @param channel that is sent; -1 for the mean of all, -2 for each
 */
record ForwardRun(Request request, @Nullable String site, int channel) {
  private static final int MEAN = -1;
  private static final int ALL = -2;

  static ForwardRun parse(JsonNode json) {
    JsonNode states = json.path("states");
    return new ForwardRun(
        Request.parse(json),
        states.hasNonNull("site") ? states.get("site").asText() : null,
        switch (states.path("channel").asText("mean")) {
          case "mean" -> MEAN;
          case "all" -> ALL;
          default -> states.path("channel").asInt();
        });
  }

  void run(Job job, Networks networks, Photos photos) {
    ViewedNetwork viewed = networks.get(request.network());
    LesionedNetwork lesioned = networks.lesioned(viewed, request.lesions());
    Network network = lesioned.network();
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Request.Input input = request.input(viewed, photos);
      long height = input.tensor().size(2);
      long width = input.tensor().size(3);
      Request.requireMemory(network, height, width, 16);
      int timesteps = request.timesteps(network);
      ObjectNode start = Job.header("start").put("timesteps", timesteps);
      start.put("width", input.image().width()).put("height", input.image().height());
      CellSite chosen = site == null ? null : network.site(site).orElse(null);
      if (chosen != null && channel >= chosen.cell().channels()) {
        throw ViewException.bad(
            "%s has %s channels".formatted(chosen.name(), chosen.cell().channels()));
      }
      job.send(start);
      Frames.send(job, input.image());
      List<ForwardHooks> inner = new ArrayList<>();
      if (lesioned.hooks() != null) {
        inner.add(lesioned.hooks());
      }
      inner.add(Light.hooks(request.lights(network, height, width)));
      try (var recording =
          new Recording(job, network, inner, input.image().height(), input.image().width())) {
        network.forward(
            input.tensor(),
            ForwardOptions.DEFAULTS
                .withTimesteps(timesteps)
                .withEveryTimestep()
                .withHooks(recording));
      }
    }
  }

  /** Sends signals after other hooks have changed them. */
  private final class Recording implements ForwardHooks, AutoCloseable {
    private final Job job;
    private final Map<String, CellSite> sites = new HashMap<>();
    private final List<ForwardHooks> inner;
    private final int height;
    private final int width;

    /** Excitatory outputs of the timestep before, by cell: the change is measured there. */
    private final Map<String, Tensor> before = new HashMap<>();

    private final ObjectNode changes = Job.header("changes");
    private float @Nullable [] edges;

    Recording(Job job, Network network, List<ForwardHooks> inner, int height, int width) {
      this.job = job;
      this.inner = inner;
      this.height = height;
      this.width = width;
      network.sites().forEach(s -> sites.put(s.name(), s));
    }

    @Override
    public Tensor blockOutput(String block, int timestep, Tensor drive) {
      job.check();
      Tensor out = drive;
      for (ForwardHooks hooks : inner) {
        out = hooks.blockOutput(block, timestep, out);
      }
      return out;
    }

    @Override
    public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
      job.check();
      Tensor[] out = states;
      for (ForwardHooks hooks : inner) {
        out = hooks.cellOutput(cell, timestep, out);
      }
      CellSite here = sites.get(cell);
      if (here != null && here.block() != null) {
        change(cell, out[0]);
      }
      if (cell.equals(site) || "*".equals(site)) {
        for (int k = 0; k < out.length; k++) {
          state(cell, timestep, k, out[k]);
        }
      }
      return out;
    }

    /** Mean absolute change of a state, relative to its mean absolute value. */
    private void change(String cell, Tensor state) {
      Tensor old = before.put(cell, Request.held(state));
      if (old == null) {
        return;
      }
      try (var scope = TensorScope.open();
          old) {
        double change = Ops.mean(Ops.abs(Ops.sub(state, old))).item();
        double size = Ops.mean(Ops.abs(state)).item();
        changes.put(cell, size > 0 ? change / size : 0);
      }
    }

    private void state(String cell, int timestep, int population, Tensor state) {
      try (var scope = TensorScope.open()) {
        Tensor sent =
            channel == ALL
                ? state
                : channel == MEAN
                    ? Ops.mean(state, new long[] {1}, true)
                    : Ops.narrow(state, 1, channel, 1);
        ObjectNode header =
            Job.header("state")
                .put("site", cell)
                .put("t", timestep)
                .put("population", population == 0 ? "E" : "I")
                .put("channels", sent.size(1))
                .put("height", sent.size(2))
                .put("width", sent.size(3));
        Frames.sendSteps(job, header, sent.toFloatArray(), timestep);
      }
    }

    @Override
    public void logitsFinished(int timestep, Tensor logits) {
      float[] old = edges;
      if (Network.firstNonFinite(List.of(logits)) >= 0) {
        throw Frames.divergence(timestep);
      }
      try (var scope = TensorScope.open()) {
        Tensor first = Ops.narrow(Preprocessing.crop(logits, height, width), 1, 0, 1);
        edges = Ops.sigmoid(first.contiguous()).toFloatArray();
      }
      if (old != null) {
        double sum = 0;
        for (int i = 0; i < edges.length; i++) {
          sum += Math.abs(edges[i] - old[i]);
        }
        changes.put("edges", sum / edges.length);
      }
      ObjectNode header =
          Job.header("edges").put("t", timestep).put("width", width).put("height", height);
      Frames.sendSteps(job, header, edges, timestep);
      job.send(changes.deepCopy().put("t", timestep));
    }

    @Override
    public void close() {
      Resources.closeAll(before.values());
    }
  }
}
