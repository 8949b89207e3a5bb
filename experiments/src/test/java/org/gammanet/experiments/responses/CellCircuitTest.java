package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class CellCircuitTest {
  @Test
  void signsAreCountedPerPresynapticChannel() {
    // Rows are postsynaptic: channel 0 excites both, channel 1 inhibits both.
    CellCircuit.Kernel dale = CellCircuit.Kernel.of(new float[] {1, -1, 2, -3}, 2, 1);
    assertEquals(0.5, dale.negative());
    assertEquals(1, dale.consistency());
    assertEquals(-3, dale.sums()[1][1]);
    CellCircuit.Kernel mixed = CellCircuit.Kernel.of(new float[] {1, -1, -2, 3}, 2, 1);
    assertEquals(0.5, mixed.consistency());
  }

  @Test
  void symmetryIsThatOfChannelsAndPositions() {
    float[] w = new float[2 * 2 * 9];
    w[9] = 5; // from channel 1 to 0, upper left
    w[18 + 8] = 5; // from channel 0 to 1, lower right
    assertEquals(0, CellCircuit.Kernel.of(w, 2, 3).asymmetry());
    w[18 + 8] = 0;
    assertEquals(Math.sqrt(2), CellCircuit.Kernel.of(w, 2, 3).asymmetry(), 1e-12);
  }
}
