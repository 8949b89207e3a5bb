package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.List;
import org.gammanet.io.DataException;
import org.gammanet.testing.Mutations;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Damaged results and curves: {@code -Dgammanet.fuzz.inputs=N} of each. */
class ResultReaderTest {
  private static final int INPUTS = Integer.getInteger("gammanet.fuzz.inputs", 300);

  @Test
  void aResultWithoutItsPartsIsDamaged() {
    var nothing = Json.MAPPER.createObjectNode();
    assertThrows(DataException.class, () -> Findings.highlights(nothing));
    nothing.putObject("report");
    assertThrows(DataException.class, () -> Findings.highlights(nothing));
  }

  @ParameterizedTest
  @EnumSource
  void onlyTheDocumentedExceptionIsThrown(ResultReader reader) throws IOException {
    assertEquals(List.of(), new Mutations(reader, 11).run(INPUTS, Long.MAX_VALUE).faults());
  }
}
