package org.gammanet.view;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.LesionedNetwork;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Resources;
import org.gammanet.nn.Segments;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * What happens at one pixel of a cell, and what reaches one unit there.
 *
 * <p>Frames: {@code traces}, signals of all channels at the pixel over time; {@code map} for each
 * input of the unit at a timestep t. A map has two planes: the gradient of the unit's state at t
 * with respect to the activity at each place, summed over channels and earlier timesteps, which is
 * the effect of light that is on all the time; and the same with each gradient times the activity,
 * the effect, to first order, of what is active there. The maps are
 *
 * <ul>
 *   <li>{@code horizontal_e} and {@code horizontal_i}: the states of the same cell, through its own
 *       recurrence alone;
 *   <li>{@code top_down}: the excitatory output of the cell a level above, which reaches lower
 *       levels through feedback alone;
 *   <li>{@code image}: the input, through everything.
 * </ul>
 *
 * @param request what is computed
 * @param site cell
 * @param x column, pixels of the image
 * @param y row, pixels of the image
 * @param channel -1 for the most active one
 * @param population excitatory or inhibitory
 * @param timestep t, from 1; 0 for the last
 */
record UnitRun(
    Request request, String site, int x, int y, int channel, State population, int timestep) {

  static UnitRun parse(JsonNode json) {
    JsonNode unit = json.path("unit");
    return new UnitRun(
        Request.parse(json),
        unit.path("site").asText(),
        unit.path("x").asInt(),
        unit.path("y").asInt(),
        unit.path("channel").asInt(-1),
        Request.word(State.class, unit.path("population").asText("excitatory"), "population"),
        unit.path("t").asInt(0));
  }

  void run(Job job, Networks networks, Photos photos) {
    ViewedNetwork viewed = networks.get(request.network());
    LesionedNetwork lesioned = networks.lesioned(viewed, request.lesions());
    Network network = lesioned.network();
    int timesteps = request.timesteps(network);
    int last = timestep == 0 ? timesteps : Request.range(timestep, 1, timesteps, "the timestep");
    CellSite cell =
        find(network, s -> s.name().equals(site))
            .orElseThrow(() -> ViewException.bad("the network has no cell '%s'".formatted(site)));
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Request.Input input = request.input(viewed, photos);
      long height = input.tensor().size(2);
      long width = input.tensor().size(3);
      Request.requireMemory(network, height, width, 30 + 8.0 * timesteps);
      List<ForwardHooks> inner = new ArrayList<>();
      if (lesioned.hooks() != null) {
        inner.add(lesioned.hooks());
      }
      List<Light> lights = request.lights(network, height, width);
      inner.add(Light.hooks(lights));
      int row = (int) Math.clamp((long) y >> cell.level(), 0, (height >> cell.level()) - 1);
      int column = (int) Math.clamp((long) x >> cell.level(), 0, (width >> cell.level()) - 1);
      try (var watch = new Watch(job, cell, inner, row, column)) {
        network.forward(
            input.tensor(), ForwardOptions.DEFAULTS.withTimesteps(timesteps).withHooks(watch));
        int which = population == State.INHIBITORY && cell.states().size() > 1 ? 1 : 0;
        int unit = channel < 0 ? watch.mostActive(which, last - 1) : channel;
        if (unit >= cell.cell().channels()) {
          throw ViewException.bad("%s has %s channels".formatted(site, cell.cell().channels()));
        }
        watch.send(unit, timesteps);
        var maps = new Maps(job, network, cell, inner, row, column, unit, which, last);
        maps.horizontal(watch, Light.hooks(lights));
        maps.others(input.tensor());
      }
    }
  }

  private static Optional<CellSite> find(
      Network network, java.util.function.Predicate<CellSite> wanted) {
    return network.sites().stream().filter(wanted).findFirst();
  }

  /** The signals of a cell at a pixel, and what its recurrence needs to run again. */
  private static final class Watch implements ForwardHooks, AutoCloseable {
    private final Job job;
    private final CellSite cell;
    private final List<ForwardHooks> inner;
    private final int row;
    private final int column;

    /** By signal and timestep, values of all channels. */
    private final Map<String, Map<Integer, float[]>> traces = new LinkedHashMap<>();

    private final List<Tensor> drives = new ArrayList<>();
    private final List<Tensor[]> outputs = new ArrayList<>();
    private final List<Tensor[]> states = new ArrayList<>();

    Watch(Job job, CellSite cell, List<ForwardHooks> inner, int row, int column) {
      this.job = job;
      this.cell = cell;
      this.inner = inner;
      this.row = row;
      this.column = column;
    }

    private void trace(String signal, int t, Tensor map) {
      int y = Math.min(row, (int) map.size(2) - 1);
      int x = Math.min(column, (int) map.size(3) - 1);
      try (var scope = TensorScope.open()) {
        float[] values = at(map, y, x).toFloatArray();
        float[] all = new float[cell.cell().channels()];
        for (int c = 0; c < all.length; c++) {
          all[c] = values[Math.min(c, values.length - 1)];
        }
        traces.computeIfAbsent(signal, s -> new HashMap<>()).put(t, all);
      }
    }

    @Override
    public boolean wantsInside(String name, int t) {
      return name.equals(cell.name());
    }

    @Override
    public void cellFinished(String name, int t, Map<String, Tensor> signals) {
      for (String signal : List.of("x", "s", "g1", "c1", "g2", "c2", "q")) {
        Tensor value = signals.get(signal);
        if (value != null) {
          trace(signal, t, value);
        }
      }
      Tensor drive = signals.get("x");
      if (drive != null) {
        drives.add(Request.held(drive));
      }
    }

    @Override
    public Tensor blockOutput(String block, int t, Tensor drive) {
      job.check();
      return Maps.block(inner, block, t, drive);
    }

    @Override
    public Tensor[] cellOutput(String name, int t, Tensor[] values) {
      job.check();
      Tensor[] out = Maps.cell(inner, name, t, values);
      if (name.equals(cell.name())) {
        trace("E", t, out[0]);
        if (out.length > 1) {
          trace("I", t, out[1]);
        }
        outputs.add(held(out));
      }
      return out;
    }

    @Override
    public void timestepFinished(int t, Map<String, Tensor> all) {
      Tensor[] here = cell.states().stream().map(all::get).toArray(Tensor[]::new);
      // Before the first timestep at which a cell runs, its states do not exist.
      states.add(Arrays.stream(here).anyMatch(s -> s == null) ? new Tensor[0] : held(here));
      job.send(Job.header("progress").put("done", t + 1));
    }

    private static Tensor[] held(Tensor[] tensors) {
      return Arrays.stream(tensors).map(Request::held).toArray(Tensor[]::new);
    }

    int mostActive(int which, int t) {
      float[] values = traces.getOrDefault(which == 0 ? "E" : "I", Map.of()).get(t);
      int best = 0;
      for (int c = 1; values != null && c < values.length; c++) {
        if (Math.abs(values[c]) > Math.abs(values[best])) {
          best = c;
        }
      }
      return best;
    }

    void send(int unit, int timesteps) {
      int channels = cell.cell().channels();
      float[] all = new float[traces.size() * timesteps * channels];
      Arrays.fill(all, Float.NaN);
      ObjectNode header = Job.header("traces");
      ArrayNode names = header.putArray("signals");
      int at = 0;
      for (var signal : traces.entrySet()) {
        names.add(signal.getKey());
        for (int t = 0; t < timesteps; t++, at += channels) {
          float[] values = signal.getValue().get(t);
          if (values != null) {
            System.arraycopy(values, 0, all, at, channels);
          }
        }
      }
      header.put("timesteps", timesteps).put("channels", channels).put("channel", unit);
      header.put("row", row).put("column", column).put("level", cell.level());
      Frames.sendFloats(job, header, all);
    }

    @Override
    public void close() {
      List<Tensor> all = new ArrayList<>(drives);
      outputs.forEach(o -> all.addAll(List.of(o)));
      states.forEach(s -> all.addAll(List.of(s)));
      Resources.closeAll(all);
    }
  }

  /** The inputs of a unit. */
  private static final class Maps {
    private final Job job;
    private final Network network;
    private final CellSite cell;
    private final List<ForwardHooks> inner;
    private final int row;
    private final int column;
    private final int unit;
    private final int which;
    private final int last;

    Maps(
        Job job,
        Network network,
        CellSite cell,
        List<ForwardHooks> inner,
        int row,
        int column,
        int unit,
        int which,
        int last) {
      this.job = job;
      this.network = network;
      this.cell = cell;
      this.inner = inner;
      this.row = row;
      this.column = column;
      this.unit = unit;
      this.which = which;
      this.last = last;
    }

    static Tensor block(List<ForwardHooks> inner, String block, int t, Tensor drive) {
      Tensor out = drive;
      for (ForwardHooks hooks : inner) {
        out = hooks.blockOutput(block, t, out);
      }
      return out;
    }

    static Tensor[] cell(List<ForwardHooks> inner, String name, int t, Tensor[] states) {
      Tensor[] out = states;
      for (ForwardHooks hooks : inner) {
        out = hooks.cellOutput(name, t, out);
      }
      return out;
    }

    /**
     * Through the cell's own recurrence: its steps run again, each from the output before, with the
     * recorded drives; what feedback added to the states is added as it was.
     */
    void horizontal(Watch watch, ForwardHooks light) {
      int first = last - watch.drives.size();
      int steps = last - 1;
      boolean complete =
          watch.drives.size() >= last
              && watch.states.size() >= last
              && watch.states.subList(0, last).stream().allMatch(s -> s.length > 0);
      if (steps < 1 || !complete || first > 0) {
        return;
      }
      int n = cell.states().size();
      boolean replaced = !network.config().skipConnections();
      try (var scope = TensorScope.open();
          var tape = new Tape(Recompute.CELLS)) {
        Tensor[][] before = new Tensor[steps][];
        Tensor[][] leaves = new Tensor[steps][];
        Tensor[] out = watch.outputs.getFirst();
        for (int k = 0; k < steps; k++) {
          int t = k + 1;
          Tensor[] state = watch.states.get(k);
          Tensor[] leaf = new Tensor[n];
          Tensor[] added = new Tensor[n];
          for (int p = 0; p < n; p++) {
            leaf[p] = leaf(state[p]);
            added[p] = Ops.sub(state[p], watch.outputs.get(k)[p]);
          }
          before[k] = state;
          leaves[k] = leaf;
          Tensor drive = watch.drives.get(t);
          boolean starts = k == 0 || replaced;
          var step =
              Segments.of(
                  cell.name(),
                  List.of(),
                  (context, from) -> {
                    Tensor[] in = new Tensor[1 + n];
                    in[0] = drive;
                    for (int p = 0; p < n; p++) {
                      Tensor base = starts ? state[p] : Ops.add(from[p], added[p]);
                      in[1 + p] = Ops.add(base, leaf[p]);
                    }
                    return light.cellOutput(cell.name(), t, cell.cell().step(context, in));
                  });
          out = tape.run(step, ForwardContext.composed(), out);
          job.check();
        }
        tape.backward(out[which], seed(out[which]));
        for (int p = 0; p < n; p++) {
          int population = p;
          List<Tensor> from = Arrays.stream(leaves).map(l -> l[population]).toList();
          List<Tensor> active = Arrays.stream(before).map(b -> b[population]).toList();
          send(p == 0 ? "horizontal_e" : "horizontal_i", cell.name(), from, active);
        }
      }
    }

    /** From the level above and from the image, through the whole network. */
    void others(Tensor image) {
      CellSite above =
          find(network, s -> s.block() != null && s.level() == cell.level() + 1).orElse(null);
      try (var scope = TensorScope.open();
          var tape = new Tape(Recompute.CELLS)) {
        Tensor x = image.detach().requiresGrad(true);
        long[] shape =
            above == null
                ? null
                : network
                    .stateShapes(1, image.size(2), image.size(3))
                    .get(above.states().getFirst());
        List<Tensor> leaves = new ArrayList<>();
        Map<Integer, Tensor> active = new HashMap<>();
        for (int t = 0; shape != null && t < last; t++) {
          leaves.add(Tensor.zeros(image.dtype(), image.device(), shape).requiresGrad(true));
        }
        ForwardHooks hooks =
            new ForwardHooks() {
              @Override
              public Tensor blockOutput(String block, int t, Tensor drive) {
                job.check();
                return block(inner, block, t, drive);
              }

              @Override
              public Tensor[] cellOutput(String name, int t, Tensor[] states) {
                job.check();
                Tensor[] out = Maps.cell(inner, name, t, states);
                if (above == null || !name.equals(above.name())) {
                  return out;
                }
                if (!active.containsKey(t)) { // the tape may call this again
                  active.put(t, Request.held(out[0].detach()));
                }
                Tensor[] lit = out.clone();
                lit[0] = Ops.add(out[0], leaves.get(t));
                return lit;
              }
            };
        try {
          Tensor response =
              network.respond(
                      x,
                      List.of(cell.name()),
                      ForwardOptions.DEFAULTS
                          .withTimesteps(last)
                          .withHooks(hooks)
                          .withExecutor(tape))
                  .getOrDefault(cell.name(), new Tensor[0])[which];
          tape.backward(response, seed(response));
          if (above != null) {
            List<Tensor> from = new ArrayList<>();
            List<Tensor> at = new ArrayList<>();
            active.forEach(
                (t, state) -> {
                  from.add(leaves.get(t));
                  at.add(state);
                });
            send("top_down", above.name(), from, at);
          }
          send("image", "image", List.of(x), List.of(image));
        } finally {
          Resources.closeAll(active.values());
        }
      }
    }

    private static Tensor leaf(Tensor like) {
      return Tensor.zeros(like.dtype(), like.device(), like.shape()).requiresGrad(true);
    }

    /** 1 at the unit, else 0. */
    private Tensor seed(Tensor response) {
      Tensor seed = Tensor.zeros(response.dtype(), response.device(), response.shape());
      Ops.narrow(at(seed, row, column), 1, unit, 1)
          .copy_(Tensor.ones(response.dtype(), response.device(), 1, 1, 1, 1));
      return seed;
    }

    /** Sends gradients, and gradients times activities, summed over channels and timesteps. */
    private void send(String of, String from, List<Tensor> leaves, List<Tensor> activities) {
      job.check();
      try (var scope = TensorScope.open()) {
        Tensor first = leaves.getFirst();
        int h = (int) first.size(2);
        int w = (int) first.size(3);
        float[] planes = new float[2 * h * w];
        boolean any = false;
        for (int k = 0; k < leaves.size(); k++) {
          Tensor gradient = leaves.get(k).grad();
          if (gradient == null) {
            continue; // the unit does not depend on it
          }
          any = true;
          add(planes, 0, Ops.sum(gradient, 1));
          add(planes, h * w, Ops.sum(Ops.mul(gradient, activities.get(k)), 1));
        }
        if (any) {
          ObjectNode header = Job.header("map").put("of", of).put("from", from);
          header.put("t", last).put("height", h).put("width", w);
          Frames.sendFloats(job, header, planes);
        }
      }
    }

    private static void add(float[] to, int offset, Tensor plane) {
      float[] values = plane.toFloatArray();
      for (int i = 0; i < values.length; i++) {
        to[offset + i] += values[i];
      }
    }
  }

  private static Tensor at(Tensor map, int row, int column) {
    return Ops.narrow(Ops.narrow(map, 2, row, 1), 3, column, 1);
  }
}
