package org.gammanet.training;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.model.Executor;
import org.gammanet.model.ForwardContext;
import org.gammanet.model.Segment;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Back-propagation through time that trades computation for memory (Chen et al., "Training deep
 * nets with sublinear memory cost", 2016).
 *
 * <p>The forward pass keeps the inputs of each segment and nothing of its inside. The backward pass
 * goes through the segments from the last to the first: it computes one again, this time recording,
 * turns the gradients of its outputs into gradients of its inputs and parameters, adds those of a
 * value that was used more than once, and forgets the segment. The gradients are those of plain
 * automatic differentiation up to the order of additions.
 *
 * <ul>
 *   <li>{@link Recompute#NONE}: plain automatic differentiation, everything is kept;
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
  /** What one segment gives and others take. */
  private static final class Value {
    /** Number of the stretch of segments that made it: 0 before the first timestep. */
    final int stretch;

    /** Kept for the backward pass; null while it is not needed or can be made again. */
    @Nullable Tensor content;

    @Nullable Tensor gradient;

    Value(int stretch) {
      this.stretch = stretch;
    }

    void keep(Tensor tensor) {
      if (content == null) {
        content = TensorScope.detach(tensor.alias());
      }
    }

    void drop() {
      if (content != null) {
        content.close();
        content = null;
      }
    }

    void add(Tensor more) {
      Tensor sum = gradient == null ? more.alias() : Ops.add(gradient, more);
      dropGradient();
      gradient = TensorScope.detach(sum);
    }

    void dropGradient() {
      if (gradient != null) {
        gradient.close();
        gradient = null;
      }
    }
  }

  /**
   * A segment that was run.
   *
   * @param inputs what other segments made
   * @param external inputs that came from outside: images, initial states; null elsewhere
   */
  private record Step(
      Segment segment,
      ForwardContext context,
      int timestep,
      List<@Nullable Value> inputs,
      List<@Nullable Tensor> external,
      List<Value> outputs) {

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

    void close() {
      for (Tensor tensor : external) {
        if (tensor != null) {
          tensor.close();
        }
      }
      for (Value output : outputs) {
        if (!inputs.contains(output)) { // made here, so nothing before needs it
          output.drop();
          output.dropGradient();
        }
      }
    }
  }

  private final Recompute mode;
  private final List<List<Step>> stretches = new ArrayList<>();
  private final Map<Tensor, Value> values = new IdentityHashMap<>();
  private final Set<ForwardContext> contexts = new HashSet<>();

  /** A tape for one pass. */
  public Tape(Recompute mode) {
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
    if (mode == Recompute.NONE) {
      return DIRECT.run(segment, context, inputs);
    }
    Tensor[] outputs;
    try (var silent = Autograd.noGrad()) {
      outputs = DIRECT.run(segment, context, inputs);
    }
    contexts.add(context);
    int stretch = stretches.size() - 1;
    List<@Nullable Value> sources = new ArrayList<>();
    List<@Nullable Tensor> external = new ArrayList<>();
    for (Tensor input : inputs) {
      Value value = values.get(input);
      sources.add(value);
      external.add(value == null ? TensorScope.detach(input.alias()) : null);
      if (value != null && (mode == Recompute.CELLS || value.stretch < stretch)) {
        value.keep(input);
      }
    }
    List<Value> made = new ArrayList<>();
    for (Tensor output : outputs) {
      // A segment may hand an input through: then it stays the same value.
      made.add(values.computeIfAbsent(output, o -> new Value(stretch)));
    }
    stretches
        .getLast()
        .add(new Step(segment, context, context.timestep(), sources, external, made));
    return outputs;
  }

  /**
   * Adds to the gradients of all parameters those of {@code sum(output * gradient)}, and forgets
   * the forward pass.
   *
   * @param output a tensor of the forward pass, such as the logits
   * @param gradient of the same shape
   */
  public void backward(Tensor output, Tensor gradient) {
    if (mode == Recompute.NONE) {
      Autograd.backward(output, gradient);
      return;
    }
    Value value = values.get(output);
    if (value == null) {
      throw new IllegalArgumentException(output + " was not made by a segment on this tape");
    }
    values.clear();
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      value.add(gradient);
      while (!stretches.isEmpty()) {
        List<Step> stretch = stretches.getLast();
        if (mode == Recompute.TIMESTEPS && stretches.size() > 1) {
          again(stretch);
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
      contexts.forEach(ForwardContext::finishReplay);
    }
  }

  /** Computes what the segments of a timestep gave to each other. */
  private static void again(List<Step> stretch) {
    for (Step step : stretch) {
      try (var scope = TensorScope.open()) {
        step.context.replay(step.timestep);
        Tensor[] outputs = step.segment.forward(step.context, step.content());
        for (int i = 0; i < outputs.length; i++) {
          step.outputs.get(i).keep(outputs[i]);
        }
      }
    }
  }

  /** Runs a segment again, recording, and lets automatic differentiation do the rest. */
  private static void differentiate(Step step) {
    if (step.outputs.stream().allMatch(v -> v.gradient == null)) {
      return;
    }
    Tensor[] inputs = step.content();
    Map<Value, Tensor> leaves = new IdentityHashMap<>();
    for (int i = 0; i < inputs.length; i++) {
      Value value = step.inputs.get(i);
      if (value != null) {
        Tensor content = inputs[i];
        inputs[i] = leaves.computeIfAbsent(value, v -> content.detach().requiresGrad(true));
      }
    }
    List<Tensor> outputs = new ArrayList<>();
    List<Tensor> gradients = new ArrayList<>();
    try (var recording = Autograd.enableGrad()) {
      step.context.replay(step.timestep);
      Tensor[] made = step.segment.forward(step.context, inputs);
      for (int i = 0; i < made.length; i++) {
        Tensor gradient = step.outputs.get(i).gradient;
        if (gradient != null && made[i].requiresGrad()) {
          outputs.add(made[i]);
          gradients.add(gradient);
        }
      }
      if (!outputs.isEmpty()) {
        Autograd.backward(outputs, gradients);
      }
    }
    // Used up; what an input that was handed through collects next is for its earlier uses.
    step.outputs.forEach(Value::dropGradient);
    leaves.forEach(
        (value, leaf) -> {
          Tensor gradient = leaf.grad();
          if (gradient != null) {
            value.add(gradient);
          }
        });
  }

  /** Bytes of what segments gave to each other that the forward pass has kept so far. */
  long keptBytes() {
    return values.values().stream()
        .distinct()
        .filter(v -> v.content != null)
        .mapToLong(v -> v.content == null ? 0 : v.content.numel() * v.content.dtype().byteSize())
        .sum();
  }

  /** Releases what is kept; safe after an error in either pass. */
  @Override
  public void close() {
    stretches.forEach(stretch -> stretch.forEach(Step::close));
    stretches.clear();
    values.clear();
    contexts.forEach(ForwardContext::close);
    contexts.clear();
  }
}
