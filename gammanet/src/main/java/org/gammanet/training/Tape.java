package org.gammanet.training;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.model.Segment;
import org.gammanet.model.SegmentRunner;
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
 *   <li>{@link Recompute#CELLS}: the inputs of every cell update and block are kept: one more
 *       forward pass;
 *   <li>{@link Recompute#TIMESTEPS}: only the state between timesteps is kept; a timestep is
 *       computed again cell by cell, each of which is then computed once more: two more forward
 *       passes.
 * </ul>
 *
 * <p>One tape serves one forward and one backward pass on one thread. It owns what it keeps.
 */
public final class Tape implements SegmentRunner, AutoCloseable {
  /** What flows between segments: a tensor object of the forward pass, and its gradient so far. */
  private static final class Value {
    @Nullable Tensor gradient;

    void add(Tensor more) {
      Tensor sum = gradient == null ? more : Ops.add(gradient, more);
      set(TensorScope.detach(sum == more ? more.alias() : sum));
    }

    void set(@Nullable Tensor replacement) {
      if (gradient != null) {
        gradient.close();
      }
      gradient = replacement;
    }
  }

  /**
   * A segment that was run.
   *
   * @param inputs handles of the tape's own
   * @param sources where gradients of inputs go; null for constants
   * @param outputs one per output
   */
  private record Step(
      Extent extent,
      Segment segment,
      List<Tensor> inputs,
      List<@Nullable Value> sources,
      List<Value> outputs) {
    void close() {
      inputs.forEach(Tensor::close);
    }
  }

  /** Steps in order, and the values they made. */
  private static final class Recording {
    final List<Step> steps = new ArrayList<>();
    final Map<Tensor, Value> values = new IdentityHashMap<>();

    void close() {
      steps.forEach(Step::close);
      values.values().forEach(v -> v.set(null));
      steps.clear();
      values.clear();
    }
  }

  private final Recompute mode;
  private final Recording main = new Recording();
  private Recording recording = main;

  /** While a segment runs whose inside is not recorded. */
  private boolean direct;

  /** A tape for one pass. */
  public Tape(Recompute mode) {
    this.mode = mode;
  }

  /**
   * Asks for the gradient of something that is not a parameter: an image, an initial state. Must be
   * called before the forward pass, which has to use the returned tensor.
   */
  public Tensor watch(Tensor tensor) {
    if (mode == Recompute.NONE) {
      return tensor.detach().requiresGrad(true);
    }
    main.values.computeIfAbsent(tensor, t -> new Value());
    return tensor;
  }

  /**
   * After {@link #backward}, the gradient of what {@link #watch} returned; null if the outputs do
   * not depend on it. Belongs to the current scope or the caller.
   */
  public @Nullable Tensor gradient(Tensor watched) {
    if (mode == Recompute.NONE) {
      return watched.grad();
    }
    Value value = main.values.get(watched);
    return value == null || value.gradient == null ? null : value.gradient.alias();
  }

  @Override
  public List<Tensor> run(Extent extent, Segment segment, List<Tensor> inputs) {
    if (mode == Recompute.NONE
        || direct
        || extent == Extent.TIMESTEP && (mode == Recompute.CELLS || recording != main)) {
      return segment.run(inputs);
    }
    List<Tensor> outputs;
    direct = true;
    try (var silent = Autograd.noGrad()) {
      outputs = inScope(segment, inputs);
    } finally {
      direct = false;
    }
    List<Tensor> kept = new ArrayList<>();
    List<@Nullable Value> sources = new ArrayList<>();
    for (Tensor input : inputs) {
      kept.add(TensorScope.detach(input.alias()));
      sources.add(recording.values.get(input));
    }
    List<Value> made = new ArrayList<>();
    for (Tensor output : outputs) {
      // A segment may hand an input through: then it stays the same value.
      made.add(recording.values.computeIfAbsent(output, t -> new Value()));
    }
    recording.steps.add(new Step(extent, segment, kept, sources, made));
    return outputs;
  }

  private static List<Tensor> inScope(Segment segment, List<Tensor> inputs) {
    try (var scope = TensorScope.open()) {
      List<Tensor> outputs = segment.run(inputs);
      outputs.forEach(scope::keep);
      return outputs;
    }
  }

  /**
   * Adds to the parameters' gradients those of {@code sum over i of sum(outputs[i] *
   * gradients[i])}, and forgets the forward pass.
   *
   * @param outputs tensors that segments returned
   * @param gradients of the same shapes
   */
  public void backward(List<Tensor> outputs, List<Tensor> gradients) {
    if (mode == Recompute.NONE) {
      Autograd.backward(outputs, gradients);
      return;
    }
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (int i = 0; i < outputs.size(); i++) {
        Value value = main.values.get(outputs.get(i));
        if (value == null) {
          throw new IllegalArgumentException("an output was not made by a segment of this tape");
        }
        value.add(gradients.get(i));
      }
      backward(main);
    }
  }

  private void backward(Recording from) {
    while (!from.steps.isEmpty()) {
      Step step = from.steps.removeLast();
      try (var scope = TensorScope.open()) {
        backward(step);
      } finally {
        step.close();
      }
    }
  }

  private void backward(Step step) {
    List<@Nullable Tensor> gradients = new ArrayList<>();
    boolean any = false;
    for (Value output : step.outputs) {
      gradients.add(output.gradient);
      any |= output.gradient != null;
    }
    if (!any) {
      return;
    }
    List<@Nullable Tensor> byHand = step.segment.backward(step.inputs, gradients);
    if (byHand != null) {
      release(step);
      for (int i = 0; i < byHand.size(); i++) {
        Value source = step.sources.get(i);
        Tensor gradient = byHand.get(i);
        if (source != null && gradient != null) {
          source.add(gradient);
        }
      }
    } else if (step.extent == Extent.TIMESTEP) {
      again(step, gradients);
    } else {
      differentiate(step, gradients);
    }
  }

  /** The gradients of outputs have been used: what arrives from now on is for earlier uses. */
  private static void release(Step step) {
    step.outputs.forEach(v -> v.set(null));
  }

  /** Runs a cell again, recording, and lets automatic differentiation do the rest. */
  private void differentiate(Step step, List<@Nullable Tensor> gradients) {
    Map<Value, Tensor> leaves = new IdentityHashMap<>();
    List<Tensor> inputs = new ArrayList<>();
    for (int i = 0; i < step.inputs.size(); i++) {
      Tensor input = step.inputs.get(i);
      Value source = step.sources.get(i);
      inputs.add(
          source == null
              ? input
              : leaves.computeIfAbsent(source, s -> input.detach().requiresGrad(true)));
    }
    List<Tensor> used = new ArrayList<>();
    List<Tensor> usedGradients = new ArrayList<>();
    direct = true;
    try (var recordingOn = Autograd.enableGrad()) {
      List<Tensor> outputs = step.segment.run(inputs);
      for (int i = 0; i < outputs.size(); i++) {
        Tensor gradient = gradients.get(i);
        if (gradient != null && outputs.get(i).requiresGrad()) {
          used.add(outputs.get(i));
          usedGradients.add(gradient);
        }
      }
      if (!used.isEmpty()) {
        Autograd.backward(used, usedGradients);
      }
    } finally {
      direct = false;
    }
    release(step);
    leaves.forEach(
        (source, leaf) -> {
          Tensor gradient = leaf.grad();
          if (gradient != null) {
            source.add(gradient);
          }
        });
  }

  /** Runs a timestep again, this time keeping the inputs of its cells. */
  private void again(Step step, List<@Nullable Tensor> gradients) {
    Recording inner = new Recording();
    try {
      for (int i = 0; i < step.inputs.size(); i++) {
        if (step.sources.get(i) != null) {
          inner.values.computeIfAbsent(step.inputs.get(i), t -> new Value());
        }
      }
      recording = inner;
      List<Tensor> outputs = step.segment.run(step.inputs);
      for (int i = 0; i < outputs.size(); i++) {
        Value value = inner.values.get(outputs.get(i));
        Tensor gradient = gradients.get(i);
        if (value != null && gradient != null) {
          value.add(gradient);
        }
      }
      release(step);
      backward(inner);
      for (int i = 0; i < step.inputs.size(); i++) {
        Value source = step.sources.get(i);
        Value value = inner.values.get(step.inputs.get(i));
        if (source != null && value != null && value.gradient != null) {
          source.add(value.gradient);
        }
      }
    } finally {
      recording = main;
      inner.close();
    }
  }

  /** Releases what is kept; safe after an error in either pass. */
  @Override
  public void close() {
    main.close();
    recording = main;
    direct = false;
  }
}
