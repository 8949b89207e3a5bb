package org.gammanet.experiments.responses;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What is recorded. Made by {@link #layer} and changed by the methods that give altered copies:
 *
 * <pre>{@code
 * RecordingPlan.layer("fgru_0").timesteps(8).states(State.EXCITATORY, State.INHIBITORY)
 * }</pre>
 *
 * @param layers names as {@link ResponseExtractor#layers()} lists them
 * @param states signals of each layer
 * @param moment when in a timestep states are taken
 * @param timesteps T; 0 for the network's own
 * @param steps timesteps that are recorded, rising from 0; empty for all
 * @param pooling which units of a map
 */
public record RecordingPlan(
    List<String> layers,
    Set<State> states,
    Moment moment,
    int timesteps,
    List<Integer> steps,
    Pooling pooling) {

  /** Checks everything that can be checked without a network. */
  public RecordingPlan {
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("no layer is given that is to be recorded");
    }
    if (states.isEmpty()) {
      throw new IllegalArgumentException("no state is given that is to be recorded");
    }
    if (timesteps < 0) {
      throw new IllegalArgumentException("timesteps must be at least 1, not " + timesteps);
    }
    for (int i = 0; i < steps.size(); i++) {
      int last = i == 0 ? -1 : steps.get(i - 1);
      if (steps.get(i) <= last || (timesteps > 0 && steps.get(i) >= timesteps)) {
        throw new IllegalArgumentException(
            "recorded timesteps must rise from 0 and lie below T, not be %s%s"
                .formatted(steps, timesteps > 0 ? " of " + timesteps : ""));
      }
    }
    if (moment == Moment.AFTER_TOP_DOWN) {
      for (State state : states) {
        if (state != State.EXCITATORY && state != State.INHIBITORY) {
          throw new IllegalArgumentException(
              "feedback changes states only: there is no %s after it".formatted(state.word()));
        }
      }
    }
    layers = List.copyOf(layers);
    states = Set.copyOf(EnumSet.copyOf(states));
    steps = List.copyOf(steps);
  }

  /** The center unit's excitatory state (or, of blocks and the output, their value) over time. */
  public static RecordingPlan layer(String name) {
    return layers(List.of(name));
  }

  /** As {@link #layer}, for several layers at once. */
  public static RecordingPlan layers(List<String> names) {
    return new RecordingPlan(
        names, Set.of(State.EXCITATORY), Moment.UNIT_OUTPUT, 0, List.of(), Pooling.unit());
  }

  /** With these signals. */
  public RecordingPlan states(State first, State... more) {
    return new RecordingPlan(layers, EnumSet.of(first, more), moment, timesteps, steps, pooling);
  }

  /** With states of another moment. */
  public RecordingPlan moment(Moment value) {
    return new RecordingPlan(layers, states, value, timesteps, steps, pooling);
  }

  /** With T timesteps. */
  public RecordingPlan timesteps(int t) {
    return new RecordingPlan(layers, states, moment, t, steps, pooling);
  }

  /** With only these timesteps recorded, from 0. */
  public RecordingPlan steps(int... recorded) {
    return new RecordingPlan(
        layers, states, moment, timesteps, Arrays.stream(recorded).boxed().toList(), pooling);
  }

  /** With other units. */
  public RecordingPlan pooling(Pooling value) {
    return new RecordingPlan(layers, states, moment, timesteps, steps, value);
  }
}
