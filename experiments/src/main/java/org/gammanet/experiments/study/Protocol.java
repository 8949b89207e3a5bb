package org.gammanet.experiments.study;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.config.ConfigException;
import org.gammanet.config.Documents;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.figures.HtmlReport;
import org.gammanet.io.DataException;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * What is to be measured, and how it is judged, written down before anything is measured.
 *
 * @param experiment its name
 * @param hypothesis in words
 * @param layer that is recorded; null for the usual one
 * @param size of the images, pixels; null for the usual one
 * @param settings of the stimuli
 * @param exclusions of units, in words: those of the experiment apply
 * @param controls as on the command line
 * @param primary the number that is judged
 * @param test how it is judged
 * @param alternative {@code greater}, {@code less} or {@code different}
 * @param alpha level of the test
 * @param leastN units, or stimuli, that must be left
 */
public record Protocol(
    String experiment,
    String hypothesis,
    @Nullable String layer,
    @Nullable Integer size,
    @Nullable Stimuli settings,
    @Nullable List<String> exclusions,
    @Nullable List<String> controls,
    String primary,
    Test test,
    Alternative alternative,
    double alpha,
    int leastN) {
  private static final ObjectMapper MAPPER =
      new ObjectMapper()
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(com.fasterxml.jackson.databind.MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE);

  /** Key of the metadata. */
  static final String KEY = "protocol";

  /**
   * Settings that a protocol may fix; null for the usual ones.
   *
   * @param full all conditions
   * @param probes number of probe gratings
   * @param contrast of gratings
   * @param aperture diameter of the orientation experiment's gratings, pixels
   * @param pixelsPerDegree scales the stimuli
   * @param seed of resamples
   */
  public record Stimuli(
      @Nullable Boolean full,
      @Nullable Integer probes,
      @Nullable Double contrast,
      @Nullable Double aperture,
      @Nullable Double pixelsPerDegree,
      @Nullable Long seed) {
    /** Applied to settings. */
    public Settings apply(Settings to) {
      Settings s = full == null ? to : to.withFull(full);
      s = probes == null ? s : s.withProbes(probes);
      s = contrast == null ? s : s.withContrast(contrast);
      s = aperture == null ? s : s.withAperture(aperture);
      s = pixelsPerDegree == null ? s : s.withPixelsPerDegree(pixelsPerDegree);
      return seed == null ? s : s.withSeed(seed);
    }
  }

  /** How a number is judged. */
  public enum Test {
    /** By its bootstrap interval over units, which must exclude 0 (95 %, alpha 0.05). */
    INTERVAL,
    /** By its rank among untrained networks, the controls {@code random}. */
    RANDOM,
    /** By its rank among networks with shuffled kernels, the controls {@code shuffled}. */
    SHUFFLED
  }

  /** Which deviation counts. */
  public enum Alternative {
    /** The number is larger. */
    GREATER,
    /** The number is smaller. */
    LESS,
    /** Either. */
    DIFFERENT
  }

  /** Checks the ranges. */
  public Protocol {
    if (!(alpha > 0 && alpha < 1)) {
      throw new ConfigException("alpha must lie between 0 and 1, not " + alpha);
    }
    if (test == Test.INTERVAL && alpha != 0.05) {
      throw new ConfigException(
          "the intervals are those of 95 %: the test interval needs alpha 0.05");
    }
    if (leastN < 1) {
      throw new ConfigException("least_n must be at least 1, not " + leastN);
    }
  }

  /**
   * Reads a file of YAML.
   *
   * @throws ConfigException if it cannot be read or is no protocol
   */
  public static Protocol read(Path file) {
    JsonNode node = Documents.readYaml(file);
    for (String key :
        List.of("experiment", "hypothesis", "primary", "test", "alternative", "alpha", "least_n")) {
      if (node.path(key).isMissingNode() || node.path(key).isNull()) {
        throw new ConfigException("%s: the protocol lacks %s".formatted(file, key));
      }
    }
    try {
      return MAPPER.treeToValue(node, Protocol.class);
    } catch (JsonProcessingException e) {
      Throwable cause = e.getCause();
      throw new ConfigException(
          file
              + ": "
              + (cause instanceof ConfigException ? cause.getMessage() : e.getOriginalMessage()),
          e);
    }
  }

  /** As JSON, of which {@link #of} reads the protocol again. */
  ObjectNode json() {
    return MAPPER.valueToTree(this);
  }

  /** A protocol from its JSON, to which other keys may have been added. */
  static Protocol of(ObjectNode noted) {
    ObjectNode own = noted.deepCopy();
    own.remove(List.of("file", "sha256", "verdict"));
    try {
      return MAPPER.treeToValue(own, Protocol.class);
    } catch (JsonProcessingException e) {
      throw new DataException("the results are damaged: " + e.getOriginalMessage(), e);
    }
  }

  /** The SHA-256 of a protocol's file. */
  public static String digest(Path file) throws IOException {
    var digest = Sha256.digest();
    digest.update(Files.readAllBytes(file));
    return Sha256.hex(digest);
  }

  /**
   * What a run says.
   *
   * @param value the primary number with its interval
   * @param p of the test; NaN where it has none
   * @param outcome {@code confirmed}, {@code not confirmed} or {@code not testable}
   * @param reason in words
   */
  public record Verdict(Interval value, double p, String outcome, String reason) {}

  /** Judges the result of the experiment. */
  Verdict judge(ObjectNode result) {
    Interval value = ControlComparison.numbers(result).get(primary);
    if (value == null || !Double.isFinite(value.value())) {
      return new Verdict(
          new Interval(Double.NaN, Double.NaN, Double.NaN, 0),
          Double.NaN,
          "not testable",
          primary + " is not defined");
    }
    if (value.n() < leastN) {
      return new Verdict(
          value,
          Double.NaN,
          "not testable",
          "n is %s, and %s are needed".formatted(value.n(), leastN));
    }
    if (test == Test.INTERVAL) {
      boolean above = value.low() > 0;
      boolean below = value.high() < 0;
      return verdict(value, Double.NaN, above, below, above || below, "its interval");
    }
    String group = test.name().toLowerCase(Locale.ROOT);
    for (JsonNode against : result.path("controls").path(primary)) {
      if (against.path("group").asText().equals(group)) {
        double p = against.path("p").isNumber() ? against.path("p").asDouble() : Double.NaN;
        if (Double.isNaN(p)) {
          return new Verdict(value, p, "not testable", "there are fewer than 19 control networks");
        }
        double difference = against.path("difference").asDouble();
        return verdict(
            value, p, difference > 0, difference < 0, p <= alpha, "its rank among " + group);
      }
    }
    return new Verdict(value, Double.NaN, "not testable", "there are no controls " + group);
  }

  private Verdict verdict(
      Interval value, double p, boolean above, boolean below, boolean significant, String by) {
    boolean direction =
        switch (alternative) {
          case GREATER -> above;
          case LESS -> below;
          case DIFFERENT -> above || below;
        };
    return new Verdict(
        value, p, direction && significant ? "confirmed" : "not confirmed", "by " + by);
  }

  /** The section of a report. */
  static void addTo(HtmlReport report, JsonNode noted) {
    Verdict verdict = Json.read(noted.path("verdict"), Verdict.class);
    report.section("Protocol");
    report.text(noted.path("hypothesis").asText());
    report.text(
        "The hypothesis is %s, %s: %s %s, n = %s%s."
            .formatted(
                verdict.outcome,
                verdict.reason,
                noted.path("primary").asText().replace('_', ' '),
                Format.interval(verdict.value),
                verdict.value.n(),
                Double.isNaN(verdict.p) ? "" : ", p " + Format.p(verdict.p)));
    report.values(
        Map.of(
            "protocol",
            noted.path("file").asText(),
            "SHA-256 of the protocol",
            noted.path("sha256").asText()));
  }
}
