package org.gammanet.experiments.responses;

/** When in a timestep states are recorded. */
public enum Moment {
  /** What the cell returns, before feedback of the same timestep is added to its state. */
  UNIT_OUTPUT,
  /** The state at the end of the timestep, after feedback. Only states have this moment. */
  AFTER_TOP_DOWN
}
