package org.gammanet.model;

import java.util.stream.Stream;
import org.gammanet.testing.GoldenCase;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden cases that are part of the project: whole networks against PyTorch. */
class GoldenSetTest {
  static Stream<GoldenCase> networks() {
    return GoldenCase.resources("networks");
  }

  @ParameterizedTest
  @MethodSource("networks")
  void networksEqualPyTorch(GoldenCase golden) {
    new NetworkFixtureTest().equalsPyTorch(golden);
  }
}
