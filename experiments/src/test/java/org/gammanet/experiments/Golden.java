package org.gammanet.experiments;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.StreamSupport;
import org.gammanet.io.Npy;
import org.gammanet.testing.Fixtures;

/** Golden stimuli and statistics, and comparisons that print their largest errors. */
public final class Golden {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Golden() {}

  /** A file of the golden data; skips the test where only the small part without it is there. */
  public static Path file(String name) {
    Path file = Fixtures.folder("experiments").resolve(name);
    assumeTrue(Files.exists(file), () -> "the small part of the golden data has no " + name);
    return file;
  }

  public static JsonNode json(String name) {
    try {
      return JSON.readTree(file(name).toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static Npy npy(String name) {
    return Npy.read(file(name));
  }

  /** The manifest's entry of a file. */
  public static JsonNode entry(String name) {
    return StreamSupport.stream(json("manifest.json").path("files").spliterator(), false)
        .filter(f -> f.path("file").asText().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("the manifest has no " + name));
  }

  /** Numbers of an array, also nested; null is NaN. */
  public static double[] doubles(JsonNode array) {
    if (!array.isArray()) {
      return new double[] {array.isNumber() ? array.asDouble() : Double.NaN};
    }
    return StreamSupport.stream(array.spliterator(), false)
        .flatMapToDouble(n -> java.util.Arrays.stream(doubles(n)))
        .toArray();
  }

  public static double[][] matrix(JsonNode rows) {
    return StreamSupport.stream(rows.spliterator(), false)
        .map(Golden::doubles)
        .toArray(double[][]::new);
  }

  /** Rows of an array with two dimensions. */
  public static double[][] matrix(Npy npy) {
    int rows = npy.shape()[0];
    int columns = npy.shape()[1];
    double[] all = npy.doubles();
    double[][] out = new double[rows][];
    for (int r = 0; r < rows; r++) {
      out[r] = java.util.Arrays.copyOfRange(all, r * columns, (r + 1) * columns);
    }
    return out;
  }

  /** Compares, prints and returns the largest error; NaN must meet NaN. */
  public static double check(String what, double[] expected, double[] actual, double tolerance) {
    assertEquals(expected.length, actual.length, what);
    double largest = 0;
    int at = -1;
    for (int i = 0; i < expected.length; i++) {
      assertEquals(
          Double.isNaN(expected[i]),
          Double.isNaN(actual[i]),
          what + "[" + i + "]: expected " + expected[i] + ", got " + actual[i]);
      double error = Math.abs(expected[i] - actual[i]);
      if (error > largest) {
        largest = error;
        at = i;
      }
    }
    System.out.printf("%-52s largest error %.2e of %.0e%n", what, largest, tolerance);
    if (largest > tolerance) {
      assertTrue(
          false,
          "%s[%d]: expected %s, got %s, tolerance %s"
              .formatted(what, at, expected[at], actual[at], tolerance));
    }
    return largest;
  }

  public static void check(String what, double expected, double actual, double tolerance) {
    check(what, new double[] {expected}, new double[] {actual}, tolerance);
  }

  public static double[] doubles(float[] values) {
    double[] out = new double[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = values[i];
    }
    return out;
  }
}
