package org.gammanet.experiments.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;

/**
 * The stimuli of an experiment, each labeled with its condition: a record, by which responses are
 * found again.
 *
 * @param <C> the conditions
 */
public final class Design<C> {
  private final Map<C, Stimulus> stimuli = new LinkedHashMap<>();
  private Pooling pooling = Pooling.unit();
  private InputScaling scaling = InputScaling.IMAGENET;
  private boolean output;
  private boolean blank = true;

  /**
   * Adds a condition.
   *
   * @throws IllegalArgumentException where the design has it already
   */
  public Design<C> add(C condition, Stimulus stimulus) {
    if (stimuli.putIfAbsent(condition, stimulus) != null) {
      throw new IllegalArgumentException("the design has two stimuli for " + condition);
    }
    return this;
  }

  /** Which units are recorded; by default the center unit of each channel. */
  public Design<C> pooling(Pooling value) {
    pooling = value;
    return this;
  }

  /** How stimuli are scaled; by default as in training. */
  public Design<C> scaling(InputScaling value) {
    scaling = value;
    return this;
  }

  /** The network's logits are recorded as well. */
  public Design<C> withOutput() {
    output = true;
    return this;
  }

  /** No blank is recorded, so that there are no evoked responses. */
  public Design<C> withoutBlank() {
    blank = false;
    return this;
  }

  /** The conditions in the order in which they were added. */
  public List<C> conditions() {
    return List.copyOf(stimuli.keySet());
  }

  /** The conditions of a kind, in their order. */
  public <D> List<D> conditions(Class<D> kind) {
    List<D> out = new ArrayList<>();
    for (C c : stimuli.keySet()) {
      if (kind.isInstance(c)) {
        out.add(kind.cast(c));
      }
    }
    return out;
  }

  /**
   * The stimulus of a condition.
   *
   * @throws IllegalArgumentException where the design lacks it
   */
  public Stimulus stimulus(C condition) {
    Stimulus s = stimuli.get(condition);
    if (s == null) {
      throw new IllegalArgumentException("the design lacks " + condition);
    }
    return s;
  }

  /**
   * The stimuli in the order of the conditions.
   *
   * @throws IllegalArgumentException for a design without conditions
   */
  public StimulusSet stimuli() {
    return StimulusSet.of(List.copyOf(stimuli.values()));
  }

  Pooling pooling() {
    return pooling;
  }

  InputScaling scaling() {
    return scaling;
  }

  boolean output() {
    return output;
  }

  boolean blank() {
    return blank;
  }
}
