package org.gammanet.nn;

import java.util.stream.Stream;
import org.gammanet.testing.GoldenCase;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden cases that are part of the project: components and cells against PyTorch. */
class GoldenSetTest {
  static Stream<GoldenCase> components() {
    return GoldenCase.resources("components");
  }

  static Stream<GoldenCase> cells() {
    return GoldenCase.resources("cells");
  }

  @ParameterizedTest
  @MethodSource("components")
  void componentsEqualPyTorch(GoldenCase golden) {
    new ComponentFixtureTest().equalsPyTorch(golden);
  }

  @ParameterizedTest
  @MethodSource("cells")
  void cellsEqualPyTorch(GoldenCase golden) {
    new CellFixtureTest().equalsPyTorch(golden);
  }
}
