package org.gammanet.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SimdTest {
  private static Simd.Choice choose(String setting, boolean module, String vm, int preferred) {
    return Simd.choose(setting, module, vm, () -> preferred);
  }

  @Test
  void takesWhatTheProcessorPrefers() {
    assertEquals(256, choose(null, true, "mixed mode, sharing", 256).bits());
    assertEquals(512, choose(" auto ", true, "mixed mode", 512).bits());
  }

  @Test
  void aPropertyForcesTheWidthOrScalarCode() {
    assertEquals(128, choose("128", true, "mixed mode", 512).bits());
    assertEquals(512, choose("512", true, "interpreted mode", 64).bits());
    assertEquals(0, choose("off", true, "mixed mode", 512).bits());
    assertTrue(choose("off", false, "mixed mode", 512).asRequested());
  }

  @Test
  void saysWhyItIsScalar() {
    Simd.Choice absent = choose("256", false, "mixed mode", 512);
    assertEquals(0, absent.bits());
    assertFalse(absent.asRequested());
    assertTrue(absent.reason().contains("--add-modules jdk.incubator.vector"), absent.reason());
    assertEquals(0, choose(null, true, "interpreted mode", 512).bits());
    assertEquals(0, choose(null, true, "mixed mode", 64).bits());
  }

  @Test
  void anUnknownWidthIsNamedAndIgnored() {
    Simd.Choice choice = choose("300", true, "mixed mode", 512);
    assertEquals(512, choice.bits());
    assertTrue(choice.reason().contains("300 is none of auto, off, 128"), choice.reason());
    assertFalse(choice.asRequested());
  }
}
