package org.gammanet.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The generator gives the bits that the golden data were made with. */
class DeterministicWeightsFixtureTest {
  static Stream<JsonNode> cases() throws Exception {
    JsonNode file = new ObjectMapper().readTree(Fixtures.folder("model/generator.json").toFile());
    return StreamSupport.stream(file.get("cases").spliterator(), false);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void bitsAreEqual(JsonNode known) throws Exception {
    String name = known.get("name").asText();
    long seed = known.get("seed").asLong();
    long[] shape = GoldenCase.longs(known.get("shape"));
    int count = 1;
    for (long size : shape) {
      count *= (int) size;
    }
    double half = known.get("half").asDouble();
    float[] values =
        DeterministicWeights.values(name, seed, count, known.get("center").asDouble(), half);

    assertEquals(known.get("fnv1a64").asText(), hex(DeterministicWeights.hash(name)));
    assertEquals(known.get("half_bits").asText(), hex(Float.floatToRawIntBits((float) half)));
    for (int i = 0; i < known.get("indices").size(); i++) {
      int at = known.get("indices").get(i).asInt();
      assertEquals(
          known.get("bits").get(i).asText(), hex(Float.floatToRawIntBits(values[at])), name + at);
    }
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
    assertEquals(known.get("sha256_le_f32").asText(), HexFormat.of().formatHex(digest));
  }

  private static String hex(long bits) {
    return HexFormat.of().toHexDigits(bits);
  }

  private static String hex(int bits) {
    return HexFormat.of().toHexDigits(bits);
  }
}
