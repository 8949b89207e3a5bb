package org.gammanet.experiments.opto;

/** Where the optimized states enter the recurrence. */
public enum Injection {
  /** They are the states before the first timestep. */
  INITIAL_STATE,
  /** They are added to the cell's output at the first timestep, which the layers above see too. */
  AFTER_FIRST_STEP
}
