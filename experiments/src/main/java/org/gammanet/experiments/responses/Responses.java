package org.gammanet.experiments.responses;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.io.Npy;

/**
 * Responses of units to a set of stimuli over timesteps. A layer's units are its channels, or,
 * where several points were recorded, channels x points with the points running fastest.
 */
public final class Responses {
  /** Values of an array, at most. */
  public static final int MAX_VALUES = Integer.MAX_VALUE - 8;

  /** A recorded signal. */
  public record Key(String layer, State state) {}

  private record Block(int units, float[] values) {}

  private final int stimuli;
  private final List<Integer> steps;
  private final int points;
  private final Map<Key, Block> blocks = new LinkedHashMap<>();

  /**
   * Room for responses.
   *
   * @param stimuli number of stimuli
   * @param steps recorded timesteps, from 0
   * @param points recorded points per channel
   */
  public Responses(int stimuli, List<Integer> steps, int points) {
    this.stimuli = stimuli;
    this.steps = List.copyOf(steps);
    this.points = points;
  }

  /**
   * Allocates a signal of this many units, all 0, unless it exists.
   *
   * @throws IllegalArgumentException if it has more values than an array can hold
   */
  public Responses add(String layer, State state, int units) {
    long rows = (long) stimuli * steps.size();
    if (units > 0 && rows > MAX_VALUES / units) {
      throw new IllegalArgumentException(
          "%s of %s has %s units at %s timesteps for %s stimuli; an array can hold %s values"
              .formatted(state.word(), layer, units, steps.size(), stimuli, MAX_VALUES));
    }
    blocks.computeIfAbsent(
        new Key(layer, state), k -> new Block(units, new float[(int) rows * units]));
    return this;
  }

  /** Allocates responses to this many stimuli, otherwise like another recording. */
  public static Responses like(Responses other, int stimuli) {
    Responses out = new Responses(stimuli, other.steps, other.points);
    other.blocks.forEach((key, block) -> out.add(key.layer, key.state, block.units));
    return out;
  }

  /**
   * Copies a recording of some of the stimuli.
   *
   * @param part of the same signals
   * @param from the stimulus that its first one is here
   */
  public void put(Responses part, int from) {
    part.blocks.forEach(
        (key, block) ->
            System.arraycopy(
                block.values,
                0,
                block(key.layer, key.state).values,
                from * steps.size() * block.units,
                block.values.length));
  }

  /** All values of all signals, one signal after the other. */
  public float[] flat() {
    int n = blocks.values().stream().mapToInt(b -> b.values.length).sum();
    float[] out = new float[n];
    int at = 0;
    for (Block block : blocks.values()) {
      System.arraycopy(block.values, 0, out, at, block.values.length);
      at += block.values.length;
    }
    return out;
  }

  /**
   * Takes values as {@link #flat} gives them; does nothing and returns false for another number.
   */
  public boolean setFlat(float[] values) {
    if (values.length != blocks.values().stream().mapToInt(b -> b.values.length).sum()) {
      return false;
    }
    int at = 0;
    for (Block block : blocks.values()) {
      System.arraycopy(values, at, block.values, 0, block.values.length);
      at += block.values.length;
    }
    return true;
  }

  /** Number of stimuli. */
  public int stimuli() {
    return stimuli;
  }

  /** Recorded timesteps, from 0. */
  public List<Integer> steps() {
    return steps;
  }

  /** Recorded points per channel; 1 unless several were asked for. */
  public int points() {
    return points;
  }

  /** The recorded signals. */
  public List<Key> keys() {
    return List.copyOf(blocks.keySet());
  }

  /** Whether a signal was recorded. */
  public boolean has(String layer, State state) {
    return blocks.containsKey(new Key(layer, state));
  }

  private Block block(String layer, State state) {
    Block block = blocks.get(new Key(layer, state));
    if (block == null) {
      throw new IllegalArgumentException(
          "%s of %s was not recorded; there are %s"
              .formatted(
                  state.word(),
                  layer,
                  keys().stream().map(k -> k.state.word() + " of " + k.layer).toList()));
    }
    return block;
  }

  /** Number of units of a signal. */
  public int units(String layer, State state) {
    return block(layer, state).units;
  }

  /** Sizes of a signal: stimuli, timesteps, channels and, where there are several, points. */
  public int[] shape(String layer, State state) {
    int units = units(layer, state);
    return points == 1
        ? new int[] {stimuli, steps.size(), units}
        : new int[] {stimuli, steps.size(), units / points, points};
  }

  /** Stores the responses of all units to a stimulus at the recorded step number {@code index}. */
  public void set(String layer, State state, int stimulus, int index, float[] values) {
    Block block = block(layer, state);
    if (values.length != block.units) {
      throw new IllegalArgumentException(
          "%s responses for %s units".formatted(values.length, block.units));
    }
    System.arraycopy(
        values, 0, block.values, (stimulus * steps.size() + index) * block.units, block.units);
  }

  /**
   * Responses at one timestep.
   *
   * @param index of the recorded step: a position in {@link #steps()}
   * @return a row per stimulus, in each one value per unit
   */
  public float[][] at(String layer, State state, int index) {
    Block block = block(layer, state);
    float[][] out = new float[stimuli][];
    for (int s = 0; s < stimuli; s++) {
      int from = (s * steps.size() + index) * block.units;
      out[s] = Arrays.copyOfRange(block.values, from, from + block.units);
    }
    return out;
  }

  /** Responses at the last recorded timestep: a row per stimulus, in each one value per unit. */
  public float[][] last(String layer, State state) {
    return at(layer, state, steps.size() - 1);
  }

  /** One unit's responses to one stimulus over the recorded timesteps. */
  public double[] trace(String layer, State state, int stimulus, int unit) {
    Block block = block(layer, state);
    double[] out = new double[steps.size()];
    for (int t = 0; t < out.length; t++) {
      out[t] = block.values[(stimulus * steps.size() + t) * block.units + unit];
    }
    return out;
  }

  /** All values of a signal: stimuli x timesteps x units. */
  public float[] values(String layer, State state) {
    return block(layer, state).values.clone();
  }

  /**
   * Writes a signal in NumPy's format: (stimuli, timesteps, channels), with a fourth dimension
   * where several points were recorded.
   *
   * @throws IOException when it cannot be written
   */
  public void writeNpy(Path file, String layer, State state) throws IOException {
    Npy.write(file, block(layer, state).values, shape(layer, state));
  }

  /**
   * Writes every signal to {@code <base>_<layer>_<state>.npy}, making the folder if it is missing.
   *
   * @return the files
   * @throws IOException when one cannot be written
   */
  public List<Path> writeNpy(Path base) throws IOException {
    Path folder = base.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    List<Path> files = new ArrayList<>();
    for (Key key : blocks.keySet()) {
      Path file =
          base.resolveSibling(
              base.getFileName() + "_" + key.layer + "_" + key.state.word() + ".npy");
      writeNpy(file, key.layer, key.state);
      files.add(file);
    }
    return files;
  }
}
