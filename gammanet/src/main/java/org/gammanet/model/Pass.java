package org.gammanet.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.fused.Kernels;
import org.gammanet.nn.Executor;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** One forward pass over a list of stages. */
final class Pass {
  private final List<Stage> stages;
  private final List<String> stateNames;
  private final ForwardOptions options;
  private final @Nullable ForwardHooks hooks;
  private final int timesteps;

  /** Cells whose outputs at the last timestep are asked for; empty for logits. */
  private final Set<String> cells;

  /** Whether the states after the last timestep are computed though nothing reads them. */
  private final boolean keepsLastStates;

  /** Whether nobody but this pass holds on to states, so that they may be overwritten. */
  private final boolean reuses;

  /** All signals that exist, by name. */
  private final Map<String, Tensor> values = new LinkedHashMap<>();

  /** States made by this pass. */
  private final Set<Tensor> own = Collections.newSetFromMap(new IdentityHashMap<>());

  final List<Tensor> logits = new ArrayList<>();
  final Map<String, Tensor[]> outputs = new LinkedHashMap<>();

  /**
   * A pass.
   *
   * @param stages without those that are idle
   * @param completeLast whether the last timestep is computed whole: running statistics count it
   */
  Pass(
      List<Stage> stages,
      ForwardOptions options,
      int timesteps,
      Set<String> cells,
      boolean completeLast) {
    this.stages = stages;
    stateNames =
        stages.stream()
            .flatMap(stage -> stage.outputs().stream())
            .filter(Signal::state)
            .map(Signal::name)
            .distinct()
            .toList();
    this.options = options;
    this.timesteps = timesteps;
    this.cells = cells;
    hooks = options.hooks();
    boolean forLogits = cells.isEmpty();
    keepsLastStates = completeLast || forLogits && (options.finalStates() || hooks != null);
    reuses =
        options.executor() == Executor.DIRECT
            && hooks == null
            && forLogits
            && !Autograd.isEnabled();
  }

  /** Runs it; what is asked for belongs to the current tensor scope of the caller. */
  void run(Tensor image, ForwardContext context) {
    List<Stage> every = needed(stateNames, cells.isEmpty() && options.everyTimestep(), false);
    List<Stage> last =
        needed(keepsLastStates ? stateNames : List.of(), cells.isEmpty(), !cells.isEmpty());
    for (String cell : cells) {
      if (last.stream()
          .noneMatch(
              s -> s.name().equals(cell) && s.since() < options.firstTimestep() + timesteps)) {
        throw new IllegalArgumentException(
            cell + " does not run at timestep " + timesteps + " of this network");
      }
    }
    try (TensorScope all = TensorScope.open()) {
      values.put(Signal.IMAGE.name(), image);
      options.initialStates().forEach((name, state) -> values.put(name, state.alias()));
      Set<Signal> read = new HashSet<>();
      every.forEach(stage -> read.addAll(stage.inputs()));
      last.forEach(stage -> read.addAll(stage.inputs()));
      for (Stage stage : once(read)) {
        run(stage, context);
      }
      for (int t = 0; t < timesteps; t++) {
        timestep(
            t == timesteps - 1 ? last : every,
            context.at(options.firstTimestep() + t),
            t == timesteps - 1);
      }
      logits.forEach(all::keep);
      if (options.finalStates() && cells.isEmpty()) {
        states().values().forEach(all::keep);
      }
      keep(all, outputs.values());
    }
  }

  private static void keep(TensorScope scope, Collection<Tensor[]> tensors) {
    for (Tensor[] all : tensors) {
      for (Tensor tensor : all) {
        scope.keep(tensor);
      }
    }
  }

  /** The stages before the first timestep on which some signals depend. */
  private List<Stage> once(Set<Signal> read) {
    List<Stage> run = new ArrayList<>();
    for (Stage stage : stages.reversed()) {
      if (stage.role() == Stage.Role.ONCE && !Collections.disjoint(stage.outputs(), read)) {
        run.addFirst(stage);
        read.addAll(stage.inputs());
      }
    }
    return run;
  }

  /** The stages of a timestep on which some signals depend. */
  private List<Stage> needed(Collection<String> signals, boolean readout, boolean wantsCells) {
    Set<String> needed = new HashSet<>(signals);
    if (readout) {
      needed.add(Network.LOGITS);
    }
    List<Stage> run = new ArrayList<>();
    for (Stage stage : stages.reversed()) {
      List<String> outs = stage.outputs().stream().map(Signal::name).toList();
      boolean wanted = wantsCells && cells.contains(stage.name());
      if (stage.role() == Stage.Role.ONCE || !wanted && Collections.disjoint(outs, needed)) {
        continue;
      }
      // A stage that starts late leaves the signals as they are until then.
      if (stage.since() == 0) {
        outs.forEach(needed::remove);
      }
      stage.inputs().forEach(s -> needed.add(s.name()));
      run.addFirst(stage);
    }
    return reuses ? withSums(run) : run;
  }

  /**
   * Cells followed by the addition of their new state become one stage where a kernel does both.
   */
  private static List<Stage> withSums(List<Stage> stages) {
    List<Stage> merged = new ArrayList<>();
    for (Stage stage : stages) {
      Stage before = merged.isEmpty() ? null : merged.getLast();
      Segment both =
          before != null
                  && stage.segment() == Segments.ADD
                  && stage.inputs().getLast().equals(before.outputs().getFirst())
              ? Kernels.withSum(before.segment())
              : null;
      if (before == null || both == null) {
        merged.add(stage);
        continue;
      }
      Signal map = stage.inputs().getFirst();
      List<Signal> inputs = new ArrayList<>(before.inputs());
      // Unlike a state of the cell, the map must exist.
      inputs.add(Signal.of(map.name(), map.channels(), map.level()));
      List<Signal> outputs = new ArrayList<>(before.outputs());
      outputs.addAll(stage.outputs());
      merged.set(merged.size() - 1, before.with(both, inputs, outputs));
    }
    return merged;
  }

  /** The states that exist, by name. */
  Map<String, Tensor> states() {
    Map<String, Tensor> states = new LinkedHashMap<>();
    for (String name : stateNames) {
      Tensor state = values.get(name);
      if (state != null) {
        states.put(name, state);
      }
    }
    return Collections.unmodifiableMap(states);
  }

  private void timestep(List<Stage> run, ForwardContext context, boolean last) {
    Map<String, Tensor> before = new LinkedHashMap<>(values);
    try (TensorScope scope = TensorScope.open()) {
      options.executor().beginTimestep(context.timestep());
      for (Stage stage : run) {
        if (context.timestep() >= stage.since()) {
          run(stage, context);
          if (last && cells.contains(stage.name())) {
            outputs.put(
                stage.name(), stage.outputs().stream().map(this::value).toArray(Tensor[]::new));
          }
        }
      }
      if (hooks != null && (cells.isEmpty() || !last)) {
        hooks.timestepFinished(context.timestep(), states());
      }
      Tensor z = values.get(Network.LOGITS);
      if (z != null) {
        if (hooks != null) {
          hooks.logitsFinished(context.timestep(), z);
        }
        logits.add(scope.keep(z));
      }
      states().values().forEach(scope::keep);
      keep(scope, outputs.values());
      // What is neither a state nor from before ends with the timestep.
      Set<String> lasting = new HashSet<>(states().keySet());
      lasting.addAll(before.keySet());
      values.keySet().retainAll(lasting);
    }
    Set<Tensor> present = Collections.newSetFromMap(new IdentityHashMap<>());
    present.addAll(values.values());
    for (Tensor old : before.values()) {
      if (!present.contains(old) && !old.isClosed()) {
        old.close();
      }
    }
    own.removeIf(Tensor::isClosed);
  }

  private Tensor value(Signal signal) {
    Tensor value = values.get(signal.name());
    if (value == null) {
      throw new IllegalStateException("the signal " + signal.name() + " does not exist yet");
    }
    return value;
  }

  private void run(Stage stage, ForwardContext context) {
    Tensor[] inputs = inputs(stage);
    Tensor[] results = inputs;
    if (stage.segment() != Segments.IDENTITY) {
      ForwardContext ofStage = reuses ? context.reusing(reusable(stage, inputs)) : context;
      results = options.executor().run(stage.segment(), ofStage, inputs);
    }
    results = hooked(stage, context, results);
    for (int k = 0; k < results.length; k++) {
      Signal signal = stage.outputs().get(k);
      if (signal.state() && !values.containsValue(results[k])) {
        own.add(results[k]);
      }
      values.put(signal.name(), results[k]);
    }
  }

  /** The inputs that exist. Of several states, those that do not are zero; at rest, none does. */
  private Tensor[] inputs(Stage stage) {
    boolean atRest =
        stage.inputs().stream()
            .filter(stage.outputs()::contains)
            .noneMatch(signal -> values.containsKey(signal.name()));
    List<Tensor> inputs = new ArrayList<>();
    for (Signal signal : stage.inputs()) {
      if (values.containsKey(signal.name()) || !stage.outputs().contains(signal)) {
        inputs.add(value(signal));
      } else if (!atRest) {
        Tensor x = inputs.getFirst();
        inputs.add(Tensor.zeros(x.dtype(), x.device(), x.shape()));
      }
    }
    return inputs.toArray(Tensor[]::new);
  }

  /** Inputs that the stage replaces and nobody else reads. */
  private List<Tensor> reusable(Stage stage, Tensor[] inputs) {
    List<Tensor> reusable = new ArrayList<>();
    for (Tensor input : inputs) {
      List<String> names = new ArrayList<>();
      values.forEach(
          (name, value) -> {
            if (value == input) {
              names.add(name);
            }
          });
      boolean replaced =
          names.size() == 1
              && stage.outputs().stream().anyMatch(s -> s.name().equals(names.getFirst()));
      if (own.contains(input) && replaced) {
        reusable.add(input);
      }
    }
    return reusable;
  }

  /** The results after the hooks of the stage. */
  private Tensor[] hooked(Stage stage, ForwardContext context, Tensor[] results) {
    ForwardHooks hooks = this.hooks;
    boolean block = stage.role() == Stage.Role.BLOCK_OUTPUT;
    if (hooks == null || !block && stage.role() != Stage.Role.CELL) {
      return results;
    }
    String name = stage.name();
    Segments.Body hook =
        block
            ? (c, x) -> new Tensor[] {hooks.blockOutput(name, c.timestep(), x[0])}
            : (c, x) -> hooks.cellOutput(name, c.timestep(), x);
    return options.executor().run(Segments.of(name + " hook", List.of(), hook), context, results);
  }
}
