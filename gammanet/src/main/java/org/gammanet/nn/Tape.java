package org.gammanet.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Back-propagation through time that trades computation for memory (Chen et al., "Training deep
 * nets with sublinear memory cost", 2016).
 *
 * <p>Each segment is differentiated on its own, from the last to the first: gradients of its
 * outputs become gradients of its inputs and parameters, those of a value that was used more than
 * once are added up, and the segment is forgotten. A segment has a derivative of its own ({@link
 * Segment#backward}) or is differentiated automatically. The gradients are those of plain automatic
 * differentiation of the whole up to the order of additions.
 *
 * <ul>
 *   <li>{@link Recompute#NONE}: what a segment needs for that is kept from the forward pass, though
 *       of the inside of segments with hand-written derivatives only {@link #KEPT_INSIDE} bytes;
 *   <li>{@link Recompute#CELLS}: the inputs of every cell update and block are kept; one more
 *       forward pass;
 *   <li>{@link Recompute#TIMESTEPS}: only what passes from one timestep to a later one is kept; a
 *       timestep is computed again segment by segment, each of which is then computed once more:
 *       two more forward passes.
 * </ul>
 *
 * <p>Gradients of images and initial states are found in their {@link Tensor#grad} like those of
 * parameters, when they require them. One tape serves one forward and one backward pass on one
 * thread; it owns what it keeps.
 */
public final class Tape implements Executor, AutoCloseable {
  /**
   * Bytes that may be kept of the inside of segments with hand-written derivatives: what exceeds
   * them is recomputed, since new memory soon costs as much as the computation.
   */
  public static final long KEPT_INSIDE = 512L << 20;

  /** What one segment gives and others take. */
  private static final class Value implements AutoCloseable {
    /** Number of the stretch of segments that made it: 0 before the first timestep. */
    final int stretch;

    /** Whether anything that wants a gradient lies behind it. */
    final boolean differentiable;

    /** Kept for the backward pass; null while it is not needed or can be recomputed. */
    @Nullable Tensor content;

    /** Shares the content's memory and collects gradients of automatic differentiation. */
    private @Nullable Tensor leaf;

    /** Gradients from elsewhere. */
    private @Nullable Tensor gradient;

    Value(int stretch, boolean differentiable) {
      this.stretch = stretch;
      this.differentiable = differentiable;
    }

    void keep(Tensor tensor) {
      if (content == null) {
        content = TensorScope.detach(tensor.alias());
      }
    }

    /** Stands for the value in the graph of a segment that uses it. */
    Tensor leaf(Tensor value) {
      if (leaf == null) {
        leaf = TensorScope.detach(value.detach().requiresGrad(differentiable));
      }
      return leaf;
    }

    void add(Tensor more) {
      if (differentiable) {
        Tensor sum = gradient == null ? more.alias() : Ops.add(gradient, more);
        close(gradient);
        gradient = TensorScope.detach(sum);
      }
    }

    /** All gradients so far, which are then forgotten; null for none. */
    @Nullable Tensor takeGradient() {
      Tensor collected = leaf == null ? null : leaf.grad();
      if (collected != null && gradient != null) {
        collected = Ops.add(collected, gradient);
      } else if (gradient != null) {
        collected = gradient.alias();
      }
      forgetGradient();
      return collected;
    }

    void forgetGradient() {
      Tensor oldLeaf = leaf;
      Tensor oldGradient = gradient;
      leaf = null;
      gradient = null;
      Resources.closeAll(List.of(() -> close(oldLeaf), () -> close(oldGradient)));
    }

    @Override
    public void close() {
      Tensor oldContent = content;
      content = null;
      Resources.closeAll(List.of(() -> close(oldContent), this::forgetGradient));
    }

    private static void close(@Nullable Tensor tensor) {
      if (tensor != null && !tensor.isClosed()) {
        tensor.close();
      }
    }
  }

  /** A segment that was run. */
  private static final class Step implements AutoCloseable {
    final Segment segment;
    final ForwardContext context;

    /** Inputs that other segments made; null elsewhere. */
    final List<@Nullable Value> inputs = new ArrayList<>();

    /** Inputs that came from outside: images, initial states; null elsewhere. */
    final List<@Nullable Tensor> external = new ArrayList<>();

    final List<Value> outputs = new ArrayList<>();

    /** Outputs of the forward pass that are differentiated; empty where it is recomputed. */
    List<Tensor> graph = List.of();

    /** Kept by the forward pass for the segment's own derivative. */
    final List<Tensor> kept = new ArrayList<>();

    Step(Segment segment, ForwardContext context) {
      this.segment = segment;
      this.context = context;
    }

    /** The inputs as they were. */
    Tensor[] content() {
      Tensor[] tensors = new Tensor[inputs.size()];
      for (int i = 0; i < tensors.length; i++) {
        Value value = inputs.get(i);
        Tensor tensor = value == null ? external.get(i) : value.content;
        if (tensor == null) {
          throw new AssertionError("an input of " + segment.name() + " was not kept");
        }
        tensors[i] = tensor;
      }
      return tensors;
    }

    /** The inputs as leaves of a graph of this segment alone. */
    Tensor[] leaves(Tensor[] content) {
      Tensor[] leaves = content.clone();
      for (int i = 0; i < leaves.length; i++) {
        Value value = inputs.get(i);
        if (value != null) {
          leaves[i] = value.leaf(content[i]);
        }
      }
      return leaves;
    }

    @Override
    public void close() {
      List<AutoCloseable> all = new ArrayList<>();
      external.forEach(tensor -> all.add(() -> Value.close(tensor)));
      graph.forEach(tensor -> all.add(() -> Value.close(tensor)));
      kept.forEach(tensor -> all.add(() -> Value.close(tensor)));
      for (Value output : outputs) {
        if (!inputs.contains(output)) { // made here, so nothing before needs it
          all.add(output);
        }
      }
      Resources.closeAll(all);
    }
  }

  private final Recompute mode;
  private final List<List<Step>> stretches = new ArrayList<>();
  private final Map<Tensor, Value> values = new IdentityHashMap<>();
  private long keptInside;

  /**
   * A tape for one pass.
   *
   * @param mode none, cells or timesteps
   */
  public Tape(Recompute mode) {
    if (mode == Recompute.AUTO) {
      throw new IllegalArgumentException(
          "recompute mode must not be AUTO: a tape needs none, cells or timesteps");
    }
    this.mode = mode;
    stretches.add(new ArrayList<>());
  }

  @Override
  public void beginTimestep(int t) {
    if (mode == Recompute.TIMESTEPS) {
      stretches.add(new ArrayList<>());
    }
  }

  @Override
  public Tensor[] run(Segment segment, ForwardContext context, Tensor... inputs) {
    int stretch = stretches.size() - 1;
    Step step = new Step(segment, context);
    stretches.getLast().add(step);
    // A segment without parameters may depend on something that its maker knows of.
    boolean differentiable =
        segment.parameters().isEmpty()
            || segment.parameters().stream().anyMatch(p -> p.tensor().requiresGrad());
    for (Tensor input : inputs) {
      Value value = values.get(input);
      step.inputs.add(value);
      step.external.add(value == null ? TensorScope.detach(input.alias()) : null);
      differentiable |= value == null ? input.requiresGrad() : value.differentiable;
    }
    Tensor[] outputs;
    if (!differentiable) {
      outputs = withoutGrad(segment, context, inputs);
    } else if (mode == Recompute.NONE) {
      outputs = record(step, inputs);
    } else {
      outputs = withoutGrad(segment, context, inputs);
      for (int i = 0; i < inputs.length; i++) {
        Value value = step.inputs.get(i);
        // What runs before the first timestep is not recomputed.
        boolean kept = mode == Recompute.CELLS || stretch == 0;
        if (value != null && (kept || value.stretch < stretch)) {
          value.keep(inputs[i]);
        }
      }
    }
    for (Tensor output : outputs) {
      Value value = values.get(output);
      if (value == null) { // else an input that is handed through: the same value
        value = new Value(stretch, differentiable);
        values.put(output, value);
      }
      step.outputs.add(value);
    }
    if (mode == Recompute.TIMESTEPS && !differentiable) {
      for (int i = 0; i < outputs.length; i++) {
        step.outputs.get(i).keep(outputs[i]); // it is not computed again
      }
    }
    return outputs;
  }

  private static Tensor[] withoutGrad(Segment segment, ForwardContext context, Tensor[] inputs) {
    try (var silent = Autograd.noGrad()) {
      return DIRECT.run(segment, context, inputs);
    }
  }

  /** Runs a segment and keeps what is needed to go back through it. */
  private Tensor[] record(Step step, Tensor[] inputs) {
    if (step.segment.hasBackward(step.context, inputs)) {
      for (int i = 0; i < inputs.length; i++) {
        Value value = step.inputs.get(i);
        if (value != null) {
          value.keep(inputs[i]);
        }
      }
      try (var silent = Autograd.noGrad();
          var scope = TensorScope.open()) {
        Tensor[] outputs =
            keptInside < KEPT_INSIDE
                ? step.segment.forwardKeeping(step.context, step.kept, inputs)
                : step.segment.forward(step.context, inputs);
        for (Tensor inside : step.kept) {
          TensorScope.detach(inside);
          keptInside += bytes(inside);
        }
        for (Tensor output : outputs) {
          scope.keep(output);
        }
        return outputs;
      }
    }
    try (var scope = TensorScope.open();
        var recording = Autograd.enableGrad()) {
      Tensor[] leaves = step.leaves(inputs);
      Tensor[] outputs = step.segment.forward(step.context, leaves);
      List<Tensor> graph = new ArrayList<>();
      step.graph = graph;
      for (int i = 0; i < outputs.length; i++) {
        graph.add(TensorScope.detach(outputs[i].alias()));
        int handedThrough = Arrays.asList(leaves).indexOf(outputs[i]);
        outputs[i] = handedThrough >= 0 ? inputs[handedThrough] : scope.keep(outputs[i]);
      }
      return outputs;
    }
  }

  /**
   * Adds to the gradients of all parameters those of {@code sum(output * gradient)}, and forgets
   * the forward pass.
   *
   * @param output a tensor of the forward pass, such as the logits
   * @param gradient of the same shape
   */
  public void backward(Tensor output, Tensor gradient) {
    backward(List.of(output), List.of(gradient));
  }

  /**
   * Adds to the gradients of all parameters those of {@code sum(outputs[k] * gradients[k])} over
   * all k, and forgets the forward pass.
   *
   * @param outputs tensors of the forward pass, such as the logits after each timestep
   * @param gradients of the same shapes
   */
  public void backward(List<Tensor> outputs, List<Tensor> gradients) {
    List<Value> ends = new ArrayList<>();
    for (Tensor output : outputs) {
      Value value = values.get(output);
      if (value == null) {
        throw new IllegalArgumentException(output + " was not made by a segment on this tape");
      }
      ends.add(value);
    }
    values.clear();
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (int k = 0; k < ends.size(); k++) {
        ends.get(k).add(gradients.get(k));
      }
      while (!stretches.isEmpty()) {
        List<Step> stretch = stretches.getLast();
        if (mode == Recompute.TIMESTEPS && stretches.size() > 1) {
          recompute(stretch);
        }
        while (!stretch.isEmpty()) {
          Step step = stretch.getLast();
          try (var inner = TensorScope.open()) {
            differentiate(step);
          }
          stretch.removeLast().close();
        }
        stretches.removeLast();
      }
    }
  }

  /** Computes what the segments of a timestep gave to each other. */
  private static void recompute(List<Step> stretch) {
    for (Step step : stretch) {
      if (step.outputs.stream().allMatch(v -> v.content != null)) {
        continue;
      }
      try (var scope = TensorScope.open()) {
        Tensor[] outputs = step.segment.forward(step.context.replay(), step.content());
        for (int i = 0; i < outputs.length; i++) {
          step.outputs.get(i).keep(outputs[i]);
        }
      }
    }
  }

  /** Turns the gradients of a segment's outputs into those of its inputs and parameters. */
  private void differentiate(Step step) {
    @Nullable Tensor[] gradients = new @Nullable Tensor[step.outputs.size()];
    boolean any = false;
    for (int i = 0; i < gradients.length; i++) {
      Value output = step.outputs.get(i);
      if (!step.inputs.contains(output)) { // else handed through: its gradients go on as they are
        gradients[i] = output.takeGradient();
        any |= gradients[i] != null;
      }
    }
    if (!any) {
      return;
    }
    List<Tensor> made = step.graph;
    if (made.isEmpty()) {
      ForwardContext context = step.context.replay();
      Tensor[] content = step.content();
      if (step.segment.hasBackward(context, content)) {
        backwardFused(step, context, content, gradients);
        return;
      }
      try (var recording = Autograd.enableGrad()) {
        made = List.of(step.segment.forward(context, step.leaves(content)));
      }
    }
    List<Tensor> outputs = new ArrayList<>();
    List<Tensor> wanted = new ArrayList<>();
    for (int i = 0; i < made.size(); i++) {
      Tensor gradient = gradients[i];
      if (gradient != null && made.get(i).requiresGrad()) {
        outputs.add(made.get(i));
        wanted.add(gradient);
      }
    }
    if (!outputs.isEmpty()) {
      Autograd.backward(outputs, wanted);
    }
  }

  /** By the segment's own derivative. */
  private static void backwardFused(
      Step step, ForwardContext context, Tensor[] inputs, @Nullable Tensor[] gradients) {
    boolean[] wanted = new boolean[inputs.length];
    for (int i = 0; i < wanted.length; i++) {
      Value value = step.inputs.get(i);
      wanted[i] = value == null ? inputs[i].requiresGrad() : value.differentiable;
    }
    @Nullable Tensor[] found = step.segment.backward(context, inputs, gradients, wanted, step.kept);
    for (int i = 0; i < wanted.length; i++) {
      Tensor gradient = found[i];
      Value value = step.inputs.get(i);
      if (gradient != null && wanted[i]) {
        if (value != null) {
          value.add(gradient);
        } else {
          Autograd.backward(inputs[i], gradient);
        }
      }
    }
  }

  /** Bytes of what segments gave to each other that the forward pass has kept so far. */
  long keptBytes() {
    return values.values().stream()
        .distinct()
        .filter(v -> v.content != null)
        .mapToLong(v -> v.content == null ? 0 : bytes(v.content))
        .sum();
  }

  private static long bytes(Tensor tensor) {
    return tensor.numel() * tensor.dtype().byteSize();
  }

  /** Releases what is kept, also after an error in either pass; does nothing the second time. */
  @Override
  public void close() {
    List<Step> steps = stretches.stream().flatMap(List::stream).toList();
    stretches.clear();
    values.clear();
    Resources.closeAll(steps);
  }
}
