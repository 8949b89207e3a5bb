package org.gammanet.experiments.study;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;

/**
 * Responses to the conditions of a design. An evoked response is the response less that to the
 * blank.
 *
 * @param <C> the conditions
 */
public final class Recording<C> {
  private final RunContext context;
  private final Design<C> design;
  private final Responses responses;
  private final Map<C, Integer> rows = new HashMap<>();

  Recording(RunContext context, Design<C> design, Responses responses) {
    this.context = context;
    this.design = design;
    this.responses = responses;
    for (C c : design.conditions()) {
      rows.put(c, rows.size());
    }
  }

  /** What was shown. */
  public Design<C> design() {
    return design;
  }

  /** The responses as they were recorded, in the order of the conditions; a blank is the last. */
  public Responses responses() {
    return responses;
  }

  private int row(C condition) {
    Integer row = rows.get(condition);
    if (row == null) {
      throw new IllegalArgumentException("the design lacks " + condition);
    }
    return row;
  }

  /** Whether the network's logits were recorded. */
  public boolean hasOutput() {
    return responses.has(ResponseExtractor.OUTPUT, State.FEEDFORWARD);
  }

  /** Logits at the recorded points after the last timestep. */
  public float[] output(C condition) {
    return responses.last(ResponseExtractor.OUTPUT, State.FEEDFORWARD)[row(condition)];
  }

  /** One unit's responses to a condition over all timesteps; the blank is not subtracted. */
  public double[] trace(State state, C condition, int unit) {
    return responses.trace(context.layer(), state, row(condition), unit);
  }

  /** Responses of one population after a timestep, from 0. */
  public At at(State state, int step) {
    return new At(state, step);
  }

  /** Responses of the population that analyses rest on, after the last timestep. */
  public At last() {
    return at(context.mainState(), context.lastStep());
  }

  /** Responses of one population after a timestep. */
  public final class At {
    private final State state;
    private final int step;
    private final float[][] raw;

    private At(State state, int step) {
      this.state = state;
      this.step = step;
      raw = responses.at(context.layer(), state, step);
    }

    /** The population. */
    public State state() {
      return state;
    }

    /** The timestep, from 0. */
    public int step() {
      return step;
    }

    /** Whether this is the last timestep. */
    public boolean isLast() {
      return step == context.lastStep();
    }

    /** Whether this is the population, and the timestep, that analyses rest on. */
    public boolean isMain() {
      return isLast() && state == context.mainState();
    }

    /** Responses of all units to a condition. */
    public float[] response(C condition) {
      return raw[row(condition)];
    }

    /** Responses to all conditions in their order; a blank is the last. */
    public float[][] responses() {
      return raw;
    }

    /** One unit's response to the blank. */
    public double blank(int unit) {
      if (!design.blank()) {
        throw new IllegalStateException("no blank was recorded");
      }
      return raw[raw.length - 1][unit];
    }

    /** One unit's evoked response. */
    public double evoked(C condition, int unit) {
      return raw[row(condition)][unit] - blank(unit);
    }

    /** Evoked responses of all units. */
    public double[] evoked(C condition) {
      double[] out = new double[raw[0].length];
      Arrays.setAll(out, u -> evoked(condition, u));
      return out;
    }

    /** Evoked responses of some units. */
    public double[] evoked(C condition, int[] units) {
      return Arrays.stream(units).mapToDouble(u -> evoked(condition, u)).toArray();
    }

    /** One unit's evoked responses to several conditions. */
    public double[] curve(List<? extends C> conditions, int unit) {
      return conditions.stream().mapToDouble(c -> evoked(c, unit)).toArray();
    }
  }

  /**
   * Measures units in every population, after every timestep.
   *
   * @param measures a row of the table; its components are the columns
   */
  public <M extends Record> UnitTable<M> table(
      int[] units, Class<M> type, Function<Unit<C>, M> measures) {
    return tables(units, type, u -> List.of(measures.apply(u)));
  }

  /** As {@link #table}, with several rows per unit. */
  public <M extends Record> UnitTable<M> tables(
      int[] units, Class<M> type, Function<Unit<C>, List<M>> measures) {
    var table = new UnitTable<M>(context, type);
    for (State state : context.states()) {
      for (int step = 0; step <= context.lastStep(); step++) {
        At at = at(state, step);
        for (int u : units) {
          for (M row : measures.apply(new Unit<>(at, u))) {
            table.add(state, u, step, row);
          }
        }
      }
    }
    return table;
  }

  /**
   * One unit after a timestep.
   *
   * @param at the population and the timestep
   * @param index of the unit
   * @param <C> the conditions
   */
  public record Unit<C>(Recording<C>.At at, int index) {
    /** Its evoked response. */
    public double evoked(C condition) {
      return at.evoked(condition, index);
    }

    /** Its evoked responses. */
    public double[] curve(List<? extends C> conditions) {
      return at.curve(conditions, index);
    }
  }
}
