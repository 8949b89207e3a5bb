package org.gammanet.model;

import java.util.List;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Segments;
import org.jspecify.annotations.Nullable;

/**
 * One step of a network. A network is a list of these: running it, its recording sites, the shapes
 * of its states, its layer table and its cost all derive from the list.
 *
 * @param name as in a checkpoint
 * @param kind a few words for the layer table; null for what is not listed
 * @param role when it runs, and what hooks see of it
 * @param segment computes the outputs from the inputs
 * @param inputs signals; a state that does not exist yet is left out
 * @param outputs signals that it sets
 * @param macs multiply-accumulates of its convolutions for one image
 * @param since first timestep at which it runs, from 0
 * @param idle why it never runs; null when it does
 */
public record Stage(
    String name,
    @Nullable String kind,
    Role role,
    Segment segment,
    List<Signal> inputs,
    List<Signal> outputs,
    Macs macs,
    int since,
    @Nullable String idle) {

  /** When a stage runs, and what {@link ForwardHooks} see of it. */
  public enum Role {
    /** Once in a pass, before the first timestep. */
    ONCE,
    /** At each timestep. */
    EVERY_TIMESTEP,
    /** At each timestep: hands on the output of a block, which hooks may replace. */
    BLOCK_OUTPUT,
    /** At each timestep: updates the states of a cell, which hooks may replace. */
    CELL,
    /** At timesteps whose logits are asked for. */
    READOUT
  }

  /** Multiply-accumulates for an image of a size. */
  public interface Macs {
    /** None. */
    Macs NONE = (height, width) -> 0;

    /** For an image of this size in pixels. */
    long of(long height, long width);

    /** So many for each pixel of a level. */
    static Macs perPixel(long macs, int level) {
      return (height, width) -> macs * (height >> level) * (width >> level);
    }

    /** The sum of two. */
    default Macs plus(Macs other) {
      return (height, width) -> of(height, width) + other.of(height, width);
    }
  }

  static Stage of(
      Role role,
      Segment segment,
      @Nullable String kind,
      List<Signal> inputs,
      Signal output,
      Macs macs) {
    return new Stage(segment.name(), kind, role, segment, inputs, List.of(output), macs, 0, null);
  }

  /** A stage without parameters that is not listed. */
  static Stage of(Segment segment, List<Signal> inputs, Signal output) {
    return of(Role.EVERY_TIMESTEP, segment, null, inputs, output, Macs.NONE);
  }

  /** Where hooks may replace the output of a block. */
  static Stage blockOutput(String block, Signal from, Signal to) {
    return new Stage(
        block,
        null,
        Role.BLOCK_OUTPUT,
        Segments.IDENTITY,
        List.of(from),
        List.of(to),
        Macs.NONE,
        0,
        null);
  }

  /** The same stage from a later timestep on. */
  Stage since(int timestep) {
    return new Stage(name, kind, role, segment, inputs, outputs, macs, timestep, idle);
  }

  /** The same stage, which never runs for a reason. */
  Stage idleIf(boolean condition, String reason) {
    return condition
        ? new Stage(name, kind, role, segment, inputs, outputs, macs, since, reason)
        : this;
  }

  /** The same stage under another kind in the layer table. */
  Stage listedAs(String newKind) {
    return new Stage(name, newKind, role, segment, inputs, outputs, macs, since, idle);
  }

  /** The same stage computed by another segment. */
  Stage with(Segment other, List<Signal> otherInputs, List<Signal> otherOutputs) {
    return new Stage(name, kind, role, other, otherInputs, otherOutputs, macs, since, idle);
  }
}
