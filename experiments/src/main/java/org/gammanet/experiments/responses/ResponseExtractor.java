package org.gammanet.experiments.responses;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.gammanet.GammaNet;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Shows stimuli to a network and records its units.
 *
 * <pre>{@code
 * var extractor = ResponseExtractor.forModel(model).build();
 * Responses responses = extractor.extract(set, RecordingPlan.layer("fgru_0").timesteps(8));
 * }</pre>
 *
 * <p>Every stimulus begins with states of zero. Results do not depend on the batch size, except for
 * rounding. The network stays the caller's.
 */
public final class ResponseExtractor {
  /** The name under which the network's logits are recorded. */
  public static final String OUTPUT = "output";

  private final Network network;
  private final InputScaling scaling;
  private final int batchSize;
  private final long memory;
  private final ForwardOptions options;
  private final IntConsumer progress;

  private ResponseExtractor(Builder builder) {
    network = builder.network;
    scaling = builder.scaling;
    batchSize = builder.batchSize;
    memory = builder.memory;
    options = builder.options;
    progress = builder.progress;
  }

  /** An extractor for a detector's network. */
  public static Builder forModel(GammaNet model) {
    return new Builder(model.network());
  }

  /** An extractor for a network. */
  public static Builder forNetwork(Network network) {
    return new Builder(network);
  }

  /** Describes an extractor. */
  public static final class Builder {
    private final Network network;
    private InputScaling scaling = InputScaling.IMAGENET;
    private int batchSize = 32;
    private long memory = 1L << 30;
    private ForwardOptions options = ForwardOptions.DEFAULTS;
    private IntConsumer progress = done -> {};

    private Builder(Network network) {
      this.network = network;
    }

    /** Moves the network to a device, where it stays; by default it stays where it is. */
    public Builder device(Device where) {
      network.to(where);
      return this;
    }

    /** How images become network input; default {@link InputScaling#IMAGENET}. */
    public Builder scaling(InputScaling value) {
      scaling = value;
      return this;
    }

    /** Stimuli that pass at once, at most; default 32, fewer where memory is short. */
    public Builder batchSize(int most) {
      if (most < 1) {
        throw new IllegalArgumentException("a batch has at least 1 stimulus, not " + most);
      }
      batchSize = most;
      return this;
    }

    /** Bytes that a batch's signals may take; default 1 GiB. Decides on the batch size. */
    public Builder memoryLimit(long bytes) {
      memory = bytes;
      return this;
    }

    /**
     * Options of the passes, such as hooks that lesion a population. The recording receives a
     * signal after those hooks have had their say; number of timesteps and executor come from here,
     * final states have no effect.
     */
    public Builder options(ForwardOptions value) {
      options = value;
      return this;
    }

    /** Called after each batch with the number of stimuli that are done. */
    public Builder progress(IntConsumer listener) {
      progress = listener;
      return this;
    }

    /** The extractor. */
    public ResponseExtractor build() {
      return new ResponseExtractor(this);
    }
  }

  /**
   * What a recording takes, before it is made.
   *
   * @param batch stimuli that pass at once
   * @param passBytes an upper estimate of what a batch's signals take in the network
   * @param valueCount recorded numbers
   */
  public record Estimate(int stimuli, int timesteps, int batch, long passBytes, long valueCount) {
    /** Bytes of all recorded numbers. */
    public long resultBytes() {
      return 4 * valueCount;
    }

    /** One sentence. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%d stimuli, %d timesteps each, %d at a time: about %s for signals, %s of responses",
          stimuli,
          timesteps,
          batch,
          bytes(passBytes),
          bytes(resultBytes()));
    }

    private static String bytes(long n) {
      return n < 10_000_000
          ? String.format(Locale.ROOT, "%.2g MB", n / 1e6)
          : n < 1_000_000_000L
              ? String.format(Locale.ROOT, "%.0f MB", n / 1e6)
              : String.format(Locale.ROOT, "%.1f GB", n / 1e9);
    }
  }

  /** The layers that can be recorded, in the order in which they run. */
  public List<LayerInfo> layers() {
    Map<String, Integer> widths = new LinkedHashMap<>();
    for (LayerSummary row : network.summary(1L << 8, 1L << 8)) {
      widths.put(row.name(), row.channels());
    }
    List<LayerInfo> blocks = new ArrayList<>();
    List<LayerInfo> cells = new ArrayList<>();
    for (CellSite place : network.sites()) {
      String block = place.block();
      Integer width = block == null ? null : widths.get(block);
      if (block != null && width != null) {
        blocks.add(new LayerInfo(block, width, place.level(), Set.of(State.FEEDFORWARD)));
      }
      EnumSet<State> states = EnumSet.allOf(State.class);
      if (place.cell().states() < 2) {
        states.remove(State.INHIBITORY);
      }
      cells.add(new LayerInfo(place.name(), place.cell().channels(), place.level(), states));
    }
    List<LayerInfo> all = new ArrayList<>(blocks);
    all.addAll(cells);
    all.add(new LayerInfo(OUTPUT, network.config().outputChannels(), 0, Set.of(State.FEEDFORWARD)));
    return all;
  }

  /**
   * The layer of this name.
   *
   * @throws IllegalArgumentException for another name; the message lists those there are
   */
  public LayerInfo layer(String name) {
    List<LayerInfo> all = layers();
    return all.stream()
        .filter(l -> l.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "there is no layer %s; this network has %s"
                        .formatted(
                            name, String.join(", ", all.stream().map(LayerInfo::name).toList()))));
  }

  /** Blocks and the output have one signal, which is recorded whatever states a plan names. */
  private static Set<State> statesOf(LayerInfo layer, RecordingPlan plan) {
    if (layer.states().size() == 1) {
      return layer.states();
    }
    for (State state : plan.states()) {
      if (!layer.states().contains(state)) {
        throw new IllegalArgumentException(
            "%s has no %s state: its cell has a single state; it has %s"
                .formatted(
                    layer.name(),
                    state.word(),
                    layer.states().stream().map(State::word).sorted().toList()));
      }
    }
    return EnumSet.copyOf(plan.states());
  }

  /**
   * What a recording would take.
   *
   * @throws IllegalArgumentException as {@link #stream}
   */
  public Estimate estimate(StimulusSet set, RecordingPlan plan) {
    long pixels = (long) set.height() * set.width();
    long states = 0;
    long largest = 0;
    Map<String, long[]> shapes = network.stateShapes(1, set.height(), set.width());
    for (long[] shape : shapes.values()) {
      long n = 4 * shape[1] * shape[2] * shape[3];
      states += n;
      largest = Math.max(largest, n);
    }
    // What a timestep's signals take until it ends, as measured for networks of VGG16's plan.
    long perStimulus = 4 * states + 40 * largest + 3 * 4 * pixels;
    int batch = (int) Math.clamp(memory / Math.max(1, perStimulus), 1, batchSize);
    batch = Math.min(batch, set.size());
    long values = 0;
    List<Integer> steps = steps(plan);
    for (String name : plan.layers()) {
      LayerInfo layer = layer(name);
      long map = (set.height() >> layer.level()) * (long) (set.width() >> layer.level());
      long units =
          switch (plan.pooling()) {
            case Pooling.Full full -> map;
            case Pooling.Units units1 -> units1.at().size();
            default -> 1;
          };
      values +=
          units
              * layer.channels()
              * statesOf(layer, plan).size()
              * (long) steps.size()
              * set.size();
    }
    return new Estimate(set.size(), timesteps(plan), batch, batch * perStimulus, values);
  }

  private int timesteps(RecordingPlan plan) {
    int t = plan.timesteps() > 0 ? plan.timesteps() : options.timesteps();
    return t > 0 ? t : network.config().timesteps();
  }

  private List<Integer> steps(RecordingPlan plan) {
    int t = timesteps(plan);
    if (!plan.steps().isEmpty()) {
      if (plan.steps().getLast() >= t) {
        throw new IllegalArgumentException(
            "timestep %s cannot be recorded: they run from 0 to %s"
                .formatted(plan.steps().getLast(), t - 1));
      }
      return plan.steps();
    }
    return IntStream.range(0, t).boxed().toList();
  }

  /**
   * Records pooled responses of all stimuli.
   *
   * @throws IllegalArgumentException as {@link #stream}; for {@link Pooling.Full}, whose recordings
   *     would not fit into memory
   * @throws IllegalStateException as {@link #stream}
   */
  public Responses extract(StimulusSet set, RecordingPlan plan) {
    if (plan.pooling() instanceof Pooling.Full) {
      throw new IllegalArgumentException("whole maps are not held in memory: stream them");
    }
    List<Integer> steps = steps(plan);
    int points = plan.pooling() instanceof Pooling.Units units ? units.at().size() : 1;
    Responses responses = new Responses(set.size(), steps, points);
    for (String name : plan.layers()) {
      LayerInfo layer = layer(name);
      for (State state : statesOf(layer, plan)) {
        responses.add(name, state, layer.channels() * points);
      }
    }
    try {
      stream(
          set,
          plan,
          r ->
              responses.set(
                  r.layer(), r.state(), r.stimulus(), steps.indexOf(r.step()), r.values()));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // does not happen: nothing is written
    }
    return responses;
  }

  /**
   * Records responses batch after batch. For each batch the recordings come in the order of the
   * timesteps and, within one, of the layers as they run; for each signal, in the order of the
   * stimuli. Timesteps at which a cell does not run are left out.
   *
   * @throws IllegalArgumentException for an unknown layer, a state that a layer does not have, a
   *     point outside of the image, or images that are too small for the network
   * @throws IllegalStateException where a response is not finite; it names layer, timestep and
   *     stimulus
   * @throws IOException what the sink throws
   */
  public void stream(StimulusSet set, RecordingPlan plan, ResponseSink sink) throws IOException {
    Map<String, Set<State>> wanted = new LinkedHashMap<>();
    for (String name : plan.layers()) {
      wanted.put(name, statesOf(layer(name), plan));
    }
    checkPoints(set, plan.pooling());
    List<Integer> steps = steps(plan);
    int batch = estimate(set, plan).batch();
    for (int from = 0; from < set.size(); from += batch) {
      int to = Math.min(set.size(), from + batch);
      if (Thread.currentThread().isInterrupted()) {
        throw new IllegalStateException("the recording was interrupted");
      }
      pass(set, from, to, plan, wanted, steps, sink);
      progress.accept(to);
    }
  }

  private static void checkPoints(StimulusSet set, Pooling pooling) {
    List<PixelPoint> points =
        switch (pooling) {
          case Pooling.Unit(PixelPoint at) when at != null -> List.of(at);
          case Pooling.Patch(int n, PixelPoint at) when at != null -> List.of(at);
          case Pooling.Units(List<PixelPoint> at) -> at;
          default -> List.of();
        };
    for (PixelPoint p : points) {
      if (p.y() < 0 || p.y() >= set.height() || p.x() < 0 || p.x() >= set.width()) {
        throw new IllegalArgumentException(
            "the location (y %s, x %s) lies outside of the image of %s x %s pixels (height x width)"
                .formatted(p.y(), p.x(), set.height(), set.width()));
      }
    }
  }

  private void pass(
      StimulusSet set,
      int from,
      int to,
      RecordingPlan plan,
      Map<String, Set<State>> wanted,
      List<Integer> steps,
      ResponseSink sink)
      throws IOException {
    int timesteps = steps.getLast() + 1; // later steps have no influence on earlier ones
    Recorder recorder = new Recorder(set, from, plan, wanted, steps, sink, options.hooks());
    ForwardOptions run = options.withTimesteps(timesteps).withHooks(recorder);
    Set<String> cells = new LinkedHashSet<>();
    for (CellSite place : network.sites()) {
      String block = place.block();
      if (wanted.containsKey(place.name()) || (block != null && wanted.containsKey(block))) {
        cells.add(place.name());
      }
    }
    boolean whole = wanted.containsKey(OUTPUT) || plan.moment() == Moment.AFTER_TOP_DOWN;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor image =
          Tensor.of(set.toInput(scaling, from, to), to - from, 3, set.height(), set.width())
              .to(network.device());
      if (whole) {
        boolean logits = wanted.containsKey(OUTPUT);
        List<Tensor> each =
            logits
                ? network.forward(image, run.withEveryTimestep()).logitsPerTimestep()
                : List.of(network.forward(image, run).logits());
        for (int step : logits ? steps : List.<Integer>of()) {
          recorder.take(OUTPUT, State.FEEDFORWARD, step, each.get(step));
        }
      } else {
        network.respond(image, cells, run);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** Takes signals out of a pass, after the hooks of the caller have changed them. */
  private final class Recorder implements ForwardHooks {
    private final StimulusSet set;
    private final int from;
    private final RecordingPlan plan;
    private final Map<String, Set<State>> wanted;
    private final List<Integer> steps;
    private final ResponseSink sink;
    private final @Nullable ForwardHooks inner;

    Recorder(
        StimulusSet set,
        int from,
        RecordingPlan plan,
        Map<String, Set<State>> wanted,
        List<Integer> steps,
        ResponseSink sink,
        @Nullable ForwardHooks inner) {
      this.set = set;
      this.from = from;
      this.plan = plan;
      this.wanted = wanted;
      this.steps = steps;
      this.sink = sink;
      this.inner = inner;
    }

    private Set<State> of(String layer, int step) {
      return steps.contains(step) ? wanted.getOrDefault(layer, Set.of()) : Set.of();
    }

    @Override
    public Tensor blockOutput(String block, int timestep, Tensor drive) {
      Tensor out = inner == null ? drive : inner.blockOutput(block, timestep, drive);
      if (of(block, timestep).contains(State.FEEDFORWARD)) {
        take(block, State.FEEDFORWARD, timestep, out);
      }
      return out;
    }

    @Override
    public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
      Tensor[] out = inner == null ? states : inner.cellOutput(cell, timestep, states);
      Set<State> here = of(cell, timestep);
      if (plan.moment() == Moment.UNIT_OUTPUT) {
        if (here.contains(State.EXCITATORY)) {
          take(cell, State.EXCITATORY, timestep, out[0]);
        }
        if (here.contains(State.INHIBITORY)) {
          take(cell, State.INHIBITORY, timestep, out[1]);
        }
      }
      return out;
    }

    @Override
    public boolean wantsInside(String cell, int timestep) {
      return of(cell, timestep).stream().anyMatch(s -> !s.signal().isEmpty())
          || (inner != null && inner.wantsInside(cell, timestep));
    }

    @Override
    public void cellFinished(String cell, int timestep, Map<String, Tensor> signals) {
      if (inner != null && inner.wantsInside(cell, timestep)) {
        inner.cellFinished(cell, timestep, signals);
      }
      for (State state : of(cell, timestep)) {
        Tensor signal = state.signal().isEmpty() ? null : signals.get(state.signal());
        if (signal != null) {
          take(cell, state, timestep, signal);
        }
      }
    }

    @Override
    public void timestepFinished(int timestep, Map<String, Tensor> states) {
      if (inner != null) {
        inner.timestepFinished(timestep, states);
      }
      if (plan.moment() == Moment.AFTER_TOP_DOWN) {
        for (CellSite place : network.sites()) {
          for (State state : of(place.name(), timestep)) {
            Tensor value = states.get(place.states().get(state == State.INHIBITORY ? 1 : 0));
            if (value != null) {
              take(place.name(), state, timestep, value);
            }
          }
        }
      }
    }

    /** Pools a signal (N, C, h, w) and hands it on stimulus by stimulus. */
    void take(String layer, State state, int step, Tensor signal) {
      int n = (int) signal.size(0);
      int channels = (int) signal.size(1);
      int height = 1;
      int width = 1;
      float[] all;
      try (var scope = TensorScope.open()) {
        switch (plan.pooling()) {
          case Pooling.Full full -> {
            height = (int) signal.size(2);
            width = (int) signal.size(3);
            all = signal.toFloatArray();
          }
          case Pooling.Mean mean -> all = Ops.mean(signal, 2, 3).toFloatArray();
          case Pooling.Max max -> all = Ops.amax(signal, 2, 3).toFloatArray();
          case Pooling.Unit(PixelPoint at) ->
              all = window(signal, row(signal, at), 1, column(signal, at), 1).toFloatArray();
          case Pooling.Units(List<PixelPoint> at) -> {
            height = at.size();
            List<Tensor> each = new ArrayList<>();
            for (PixelPoint p : at) {
              Tensor one = window(signal, row(signal, p), 1, column(signal, p), 1);
              each.add(Ops.reshape(one, n, channels, 1));
            }
            all = Ops.cat(each, 2).toFloatArray();
          }
          case Pooling.Patch(int side, PixelPoint at) ->
              all =
                  patch(signal, row(signal, at) - side / 2, column(signal, at) - side / 2, side)
                      .toFloatArray();
          case Pooling.CentralWindow window -> {
            int side = (int) Math.min(signal.size(2), signal.size(3)) / 4;
            int half = side / 2;
            if (half == 0) {
              throw new IllegalArgumentException(
                  "the map of %s has %s x %s units: too few for a central window"
                      .formatted(layer, signal.size(2), signal.size(3)));
            }
            all =
                patch(signal, row(signal, null) - half, column(signal, null) - half, 2 * half)
                    .toFloatArray();
          }
        }
      }
      int each = channels * height * width;
      for (int i = 0; i < n; i++) {
        float[] values = new float[each];
        System.arraycopy(all, i * each, values, 0, each);
        for (int u = 0; u < each; u++) {
          if (!Float.isFinite(values[u])) {
            throw new IllegalStateException(
                "the response of channel %s of %s to stimulus %s is %s at timestep %s: the network's weights make the recurrence diverge"
                    .formatted(u / (height * width), layer, from + i, values[u], step + 1));
          }
        }
        try {
          sink.accept(
              new ResponseSink.Recording(
                  from + i, layer, state, step, values, channels, height, width));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }

    private int row(Tensor signal, @Nullable PixelPoint at) {
      int y = at == null ? set.height() / 2 : at.y();
      return (int) (y * signal.size(2) / set.height());
    }

    private int column(Tensor signal, @Nullable PixelPoint at) {
      int x = at == null ? set.width() / 2 : at.x();
      return (int) (x * signal.size(3) / set.width());
    }

    private static Tensor window(Tensor signal, int row, int rows, int column, int columns) {
      return Ops.narrow(Ops.narrow(signal, 2, row, rows), 3, column, columns);
    }

    /** Mean over a window, of which some may lie outside of the map. */
    private static Tensor patch(Tensor signal, int row, int column, int size) {
      int top = Math.max(0, row);
      int left = Math.max(0, column);
      int bottom = (int) Math.min(signal.size(2), row + size);
      int right = (int) Math.min(signal.size(3), column + size);
      return Ops.mean(window(signal, top, bottom - top, left, right - left), 2, 3);
    }
  }
}
