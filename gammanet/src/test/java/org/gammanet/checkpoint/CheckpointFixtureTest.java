package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.GoldenCase;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that PyTorch wrote, and files that must be refused. */
class CheckpointFixtureTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Path folder() {
    return Fixtures.folder("model/checkpoints");
  }

  private static Stream<JsonNode> index(String list) throws IOException {
    JsonNode index = JSON.readTree(folder().resolve("index.json").toFile());
    return StreamSupport.stream(index.get(list).spliterator(), false);
  }

  static Stream<JsonNode> valid() throws IOException {
    return index("valid");
  }

  static Stream<JsonNode> rejected() throws IOException {
    return index("rejected");
  }

  private static PyValue read(Path file) {
    return MappedFile.read(
        file,
        mapped ->
            (TorchFile.isZip(mapped) ? TorchFile.readZip(mapped) : TorchFile.readLegacy(mapped))
                .root());
  }

  @ParameterizedTest
  @MethodSource("valid")
  void everyValueIsRead(JsonNode entry) throws IOException {
    Path file = folder().resolve(entry.get("file").asText());
    JsonNode expected = JSON.readTree(folder().resolve(entry.get("expected").asText()).toFile());
    check("$", expected, read(file));
    assertFalse(Checkpoint.load(file).weights().isEmpty());
  }

  private static void check(String at, JsonNode expected, PyValue actual) {
    switch (expected.getNodeType()) {
      case NULL -> assertEquals(PyValue.None.NONE, actual, at);
      case BOOLEAN -> assertEquals(new PyValue.Bool(expected.booleanValue()), actual, at);
      case STRING -> assertEquals(new PyValue.Str(expected.textValue()), actual, at);
      case NUMBER -> {
        if (expected.isIntegralNumber()) {
          assertEquals(new PyValue.Int(expected.bigIntegerValue()), actual, at);
        } else {
          assertEquals(new PyValue.Float(expected.doubleValue()), actual, at);
        }
      }
      case ARRAY -> items(at, PyValue.Sequence.Kind.LIST, expected, actual);
      case OBJECT -> {
        String only = expected.size() == 1 ? expected.fieldNames().next() : "";
        JsonNode value = expected.get(only);
        switch (only) {
          case "tensor" -> tensor(at, value, assertInstanceOf(PyValue.Array.class, actual, at));
          case "tuple" -> items(at, PyValue.Sequence.Kind.TUPLE, value, actual);
          case "path" -> assertEquals(new PyValue.PathName(value.textValue()), actual, at);
          case "int" ->
              assertEquals(new PyValue.Int(new BigInteger(value.textValue())), actual, at);
          case "float" -> assertEquals(new PyValue.Float(number(expected)), actual, at);
          case "dict" -> {
            List<Map.Entry<JsonNode, JsonNode>> pairs = new ArrayList<>();
            value.forEach(pair -> pairs.add(Map.entry(pair.get(0), pair.get(1))));
            entries(at, pairs, actual);
          }
          default -> {
            List<Map.Entry<JsonNode, JsonNode>> pairs = new ArrayList<>();
            expected
                .properties()
                .forEach(e -> pairs.add(Map.entry(JSON.valueToTree(e.getKey()), e.getValue())));
            entries(at, pairs, actual);
          }
        }
      }
      default -> fail(at + ": " + expected);
    }
  }

  private static void items(
      String at, PyValue.Sequence.Kind kind, JsonNode expected, PyValue actual) {
    PyValue.Sequence sequence = assertInstanceOf(PyValue.Sequence.class, actual, at);
    assertEquals(kind, sequence.kind(), at);
    assertEquals(expected.size(), sequence.items().size(), at);
    for (int i = 0; i < expected.size(); i++) {
      check(at + "[" + i + "]", expected.get(i), sequence.items().get(i));
    }
  }

  private static void entries(
      String at, List<Map.Entry<JsonNode, JsonNode>> expected, PyValue actual) {
    var entries =
        List.copyOf(assertInstanceOf(PyValue.Dictionary.class, actual, at).entries().entrySet());
    assertEquals(expected.size(), entries.size(), at);
    for (int i = 0; i < expected.size(); i++) {
      String key = at + "." + expected.get(i).getKey().asText();
      check(key + " (key)", expected.get(i).getKey(), entries.get(i).getKey());
      check(key, expected.get(i).getValue(), entries.get(i).getValue());
    }
  }

  private static void tensor(String at, JsonNode expected, PyValue.Array actual) {
    StoredTensor tensor = actual.tensor();
    assertEquals(expected.get("dtype").asText(), tensor.type().name(), at);
    assertArrayEquals(GoldenCase.longs(expected.get("shape")), tensor.shape(), at);
    JsonNode values = expected.get("values");
    assertEquals(values.size(), tensor.numel(), at);
    ByteBuffer data = tensor.data();
    for (int i = 0; i < values.size(); i++) {
      if (tensor.type() == ElementType.I64) {
        assertEquals(values.get(i).longValue(), data.getLong(8 * i), at + "[" + i + "]");
      } else {
        assertEquals(number(values.get(i)), tensor.get(i), at + "[" + i + "]");
      }
    }
  }

  private static double number(JsonNode value) {
    if (value.isBoolean()) {
      return value.booleanValue() ? 1 : 0;
    }
    return switch (value.path("float").asText()) {
      case "nan" -> Double.NaN;
      case "inf" -> Double.POSITIVE_INFINITY;
      case "-inf" -> Double.NEGATIVE_INFINITY;
      default -> value.doubleValue();
    };
  }

  @ParameterizedTest
  @MethodSource("rejected")
  void hostileAndDamagedFilesAreRefused(JsonNode entry) {
    Path file = folder().resolve(entry.get("file").asText());
    CheckpointException e =
        Assertions.assertTimeout(
            Duration.ofSeconds(10),
            () -> assertThrows(CheckpointException.class, () -> Checkpoint.load(file)));
    System.out.println(entry.get("reason").asText() + "  =>  " + e.getMessage());
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
    if (entry.get("file").asText().startsWith("malicious")) {
      assertTrue(e.getMessage().contains("nothing was executed"), e.getMessage());
    }
    for (Path where : List.of(Path.of(""), file.getParent(), Path.of("/tmp"))) {
      assertFalse(Files.exists(where.resolve("pwned-gammanet")), "executed!");
    }
  }

  @Test
  void aTrainersFileGivesItsParts() {
    Checkpoint checkpoint = Checkpoint.load(folder().resolve("zip.pt"));
    assertEquals(15, checkpoint.epoch().orElseThrow());
    assertEquals(0.7381, checkpoint.bestMetric().orElseThrow());
    assertEquals("4242", checkpoint.metadata().get("global_step"));
    assertFalse(checkpoint.weights().containsKey("h0_exc"));
    assertFalse(checkpoint.weights().containsKey("h4_inh"));
    assertTrue(checkpoint.weights().containsKey("névr.ключ") || !checkpoint.weights().isEmpty());
    assertEquals("2 recurrent states among the weights are left out", checkpoint.remarks().get(0));
    String config = checkpoint.metadata().get("config");
    assertNotNull(config);
    assertTrue(config.contains("\"h_kernel\":[7,7]"), config);
    assertTrue(checkpoint.metadataJson().contains("café 日本"), checkpoint.metadataJson());
  }

  @Test
  void numpyNumbersAndPathsArePlain() {
    Checkpoint checkpoint = Checkpoint.load(folder().resolve("zip_numpy_scalar_and_path.pt"));
    assertEquals(3.625, checkpoint.bestMetric().orElseThrow());
    assertEquals("{\"data\":{\"train_path\":\"data/train\"}}", checkpoint.metadata().get("config"));
  }

  static Stream<String> wholeFiles() {
    return Stream.of("zip.pt", "legacy.pt", "zip_protocol4.pt", "zip_numpy_scalar_and_path.pt");
  }

  /** Whatever is changed or cut off: a readable file or one clear error, soon, in little memory. */
  @ParameterizedTest
  @MethodSource("wholeFiles")
  void damageEndsInOneError(String name) throws IOException {
    Fuzz.run(Files.readAllBytes(folder().resolve(name)));
  }
}
