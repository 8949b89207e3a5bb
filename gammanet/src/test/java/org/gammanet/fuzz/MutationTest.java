package org.gammanet.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import org.gammanet.testing.Mutations;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Damaged files of every format: {@code -Dgammanet.fuzz.inputs=N} of each. */
class MutationTest {
  private static final int INPUTS = Integer.getInteger("gammanet.fuzz.inputs", 300);

  @ParameterizedTest
  @EnumSource
  void onlyTheDocumentedExceptionIsThrown(Reader reader) throws IOException {
    assertEquals(List.of(), new Mutations(reader, 11).run(INPUTS, Long.MAX_VALUE).faults());
  }
}
