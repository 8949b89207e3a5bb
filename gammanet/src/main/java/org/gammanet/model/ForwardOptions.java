package org.gammanet.model;

import java.util.Map;
import org.gammanet.config.Copies;
import org.gammanet.nn.Executor;
import org.gammanet.nn.Tile;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * How to run a forward pass; immutable, each {@code with} method returns a changed copy.
 *
 * @param timesteps T; 0 stands for the configuration's
 * @param firstTimestep number of the first of them, from 0: a pass that continues another from its
 *     final states begins with the other's T
 * @param initialStates states before the first step by name, which stay the caller's; states that
 *     are missing are zero
 * @param hooks watches or changes signals; null for none
 * @param everyTimestep whether the logits after each timestep are wanted, not only after the last
 * @param finalStates whether the states after the last timestep are wanted
 * @param executor runs the segments
 * @param composedOnly whether fused kernels must not be used
 * @param tile where the image lies in a larger one ({@link Network#tilingObstacle}); null for a
 *     whole image
 */
public record ForwardOptions(
    int timesteps,
    int firstTimestep,
    Map<String, Tensor> initialStates,
    @Nullable ForwardHooks hooks,
    boolean everyTimestep,
    boolean finalStates,
    Executor executor,
    boolean composedOnly,
    @Nullable Tile tile) {

  /** The configuration's timesteps from zero states; only the last logits. */
  public static final ForwardOptions DEFAULTS =
      new ForwardOptions(0, 0, Map.of(), null, false, false, Executor.DIRECT, false, null);

  /** Checks the number of timesteps. */
  public ForwardOptions {
    if (timesteps < 0) {
      throw new IllegalArgumentException("timesteps must be at least 1, not " + timesteps);
    }
    if (firstTimestep < 0) {
      throw new IllegalArgumentException("timesteps count from 0, not from " + firstTimestep);
    }
    initialStates = Map.copyOf(initialStates);
  }

  /** Runs T timesteps; 0 means as many as the configuration says. */
  public ForwardOptions withTimesteps(int t) {
    return Copies.with(this, "timesteps", t);
  }

  /** With timesteps that are counted from a number on. */
  public ForwardOptions withFirstTimestep(int first) {
    return Copies.with(this, "firstTimestep", first);
  }

  /** Starts from states by name, which stay the caller's; states that are missing are zero. */
  public ForwardOptions withInitialStates(Map<String, Tensor> states) {
    return Copies.with(this, "initialStates", states);
  }

  /** With hooks, or with none. */
  public ForwardOptions withHooks(@Nullable ForwardHooks newHooks) {
    return Copies.with(this, "hooks", newHooks);
  }

  /** With the logits after each timestep. */
  public ForwardOptions withEveryTimestep() {
    return Copies.with(this, "everyTimestep", true);
  }

  /** With the states after the last timestep. */
  public ForwardOptions withFinalStates() {
    return Copies.with(this, "finalStates", true);
  }

  /** Runs the segments by an executor. */
  public ForwardOptions withExecutor(Executor newExecutor) {
    return Copies.with(this, "executor", newExecutor);
  }

  /** Uses LibTorch's operators in place of the fused kernels. */
  public ForwardOptions withComposedOnly() {
    return Copies.with(this, "composedOnly", true);
  }

  /** For an image that is a tile of a larger one. */
  public ForwardOptions withTile(Tile larger) {
    return Copies.with(this, "tile", larger);
  }
}
