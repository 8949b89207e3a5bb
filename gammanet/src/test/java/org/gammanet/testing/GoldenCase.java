package org.gammanet.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.gammanet.checkpoint.SafeTensors;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.torch.Tensor;

/** A golden case: its description, and the expected tensors with their tolerances. */
public record GoldenCase(Path file, JsonNode json, Map<String, StoredTensor> tensors) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Reads NAME.json and NAME.safetensors. */
  public static GoldenCase read(Path file) {
    try {
      Path data = Path.of(file.toString().replaceAll("\\.json$", ".safetensors"));
      return new GoldenCase(
          file,
          JSON.readTree(file.toFile()),
          Files.exists(data) ? SafeTensors.read(data).tensors() : Map.of());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The cases of a folder that are part of the project's test resources. */
  public static Stream<GoldenCase> resources(String folder) {
    URL url = GoldenCase.class.getResource("/golden/" + folder);
    if (url == null) {
      throw new AssertionError("no golden cases " + folder);
    }
    try (Stream<Path> files = Files.list(Path.of(url.toURI()))) {
      return files
          .filter(f -> f.toString().endsWith(".json"))
          .sorted()
          .map(GoldenCase::read)
          .toList()
          .stream();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  public String name() {
    return json.path("name").asText();
  }

  public String kind() {
    return json.path("kind").asText();
  }

  public long seed() {
    return json.path("seed").asLong();
  }

  public static long[] longs(JsonNode array) {
    long[] values = new long[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asLong();
    }
    return values;
  }

  /** An input by name, generated and compared with the stored one where there is one. */
  public Tensor input(String name) {
    JsonNode input = json.path("inputs").path(name);
    Tensor made =
        DeterministicWeights.tensor(
            name,
            seed(),
            input.path("center").asDouble(),
            input.path("half").asDouble(),
            longs(input.path("shape")));
    StoredTensor stored = tensors.get("input." + name);
    if (stored != null) {
      float[] values = made.toFloatArray();
      for (int i = 0; i < values.length; i++) {
        assertEquals(stored.get(i), values[i], "generated input " + name + "[" + i + "]");
      }
    }
    return made;
  }

  /** Compares with the stored tensor, prints and returns the largest error over its tolerance. */
  public double check(String name, Tensor actual) {
    double largest = error(name, actual);
    double tolerance = tolerance(name);
    assertTrue(
        largest <= tolerance, name() + ": " + name + " differs by " + largest + " > " + tolerance);
    return largest / tolerance;
  }

  /** What a float32 implementation may differ from the stored tensor at any element. */
  public double tolerance(String name) {
    return json.path("tensors").path(name).path("max_abs_error").asDouble();
  }

  /** Largest difference from the stored tensor; printed. */
  public double error(String name, Tensor actual) {
    StoredTensor expected = tensors.get(name);
    JsonNode about = json.path("tensors").path(name);
    if (expected == null || about.isMissingNode()) {
      return fail(file + " has no tensor " + name);
    }
    assertArrayEquals(expected.shape(), actual.shape(), name());
    double[] values = actual.toDoubleArray();
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      double error = Math.abs(values[i] - expected.get(i));
      largest = Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(largest, error);
    }
    System.out.printf(
        "%-34s %-50s largest error %.2e of %.2e (PyTorch float32: %.2e)%n",
        name(), name, largest, tolerance(name), about.path("fp32_error").asDouble());
    return largest;
  }

  @Override
  public String toString() {
    return file.getParent().getFileName() + "/" + name();
  }
}
