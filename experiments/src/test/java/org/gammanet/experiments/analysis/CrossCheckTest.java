package org.gammanet.experiments.analysis;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Objects;
import org.gammanet.experiments.Golden;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Gabor;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.Stimulus;
import org.junit.jupiter.api.Test;

/**
 * Against other programs on the same arrays: SciPy, scikit-learn and stimupy, and selectivity as
 * {@code docs/python/cross_checks.py} states it in NumPy. That script makes the expected values.
 */
class CrossCheckTest {
  private static final JsonNode ALL = read();

  private static JsonNode read() {
    try (InputStream in = CrossCheckTest.class.getResourceAsStream("/cross_checks.json")) {
      return new ObjectMapper().readTree(Objects.requireNonNull(in));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static float[][] floats(JsonNode rows) {
    double[][] all = Golden.matrix(rows);
    float[][] out = new float[all.length][all[0].length];
    for (int i = 0; i < all.length; i++) {
      for (int j = 0; j < all[i].length; j++) {
        out[i][j] = (float) all[i][j];
      }
    }
    return out;
  }

  @Test
  void selectivity() {
    JsonNode expected = ALL.path("selectivity");
    double[] orientations = Golden.doubles(expected.path("orientations"));
    OrientationMeasures[] found =
        Arrays.stream(Golden.matrix(expected.path("responses")))
            .map(r -> OrientationMeasures.of(orientations, r, 0))
            .toArray(OrientationMeasures[]::new);
    Golden.check(
        "circular variance",
        Golden.doubles(expected.path("circular_variance")),
        Arrays.stream(found).mapToDouble(OrientationMeasures::circularVariance).toArray(),
        1e-9);
    Golden.check(
        "OSI",
        Golden.doubles(expected.path("osi")),
        Arrays.stream(found).mapToDouble(OrientationMeasures::osi).toArray(),
        1e-9);
  }

  @Test
  void populations() {
    JsonNode expected = ALL.path("populations");
    float[][] model = floats(expected.path("model"));
    float[][] recorded = floats(expected.path("recorded"));
    double[][] rdm = RepresentationalComparison.rdm(model);
    Golden.check(
        "RDM by SciPy",
        Golden.doubles(expected.path("rdm")),
        RepresentationalComparison.upperTriangle(rdm),
        1e-6);
    var similarity =
        RepresentationalComparison.RdmSimilarity.of(rdm, RepresentationalComparison.rdm(recorded));
    Golden.check(
        "Spearman of RDMs", expected.path("rdm_spearman").asDouble(), similarity.spearman(), 1e-6);
    Golden.check(
        "Kendall of RDMs", expected.path("rdm_kendall").asDouble(), similarity.kendallTauA(), 1e-6);
    Golden.check(
        "CKA by scikit-learn's kernels",
        expected.path("cka").asDouble(),
        RepresentationalComparison.cka(model, recorded, false),
        1e-6);
    Golden.check(
        "unbiased CKA",
        expected.path("cka_unbiased").asDouble(),
        RepresentationalComparison.cka(model, recorded, true),
        1e-6);
    RepresentationalComparison.Encoding ridge =
        RepresentationalComparison.ridge(
            model, recorded, expected.path("folds").asInt(), expected.path("penalty").asDouble());
    Golden.check(
        "ridge predictions by scikit-learn",
        Golden.doubles(expected.path("ridge_predictions")),
        Arrays.stream(ridge.predictions()).flatMapToDouble(Arrays::stream).toArray(),
        1e-6);
    Golden.check(
        "ridge correlation",
        Golden.doubles(expected.path("ridge_correlation")),
        ridge.pearson(),
        1e-6);
  }

  @Test
  void tests() {
    JsonNode expected = ALL.path("tests");
    double[] a = Golden.doubles(expected.path("a"));
    double[] b = Golden.doubles(expected.path("b"));
    Golden.check(
        "Wilcoxon", expected.path("wilcoxon").asDouble(), Statistics.wilcoxon(a, b).p(), 1e-9);
    Golden.check(
        "paired t", expected.path("paired_t").asDouble(), Statistics.pairedT(a, b).p(), 1e-9);
    Golden.check(
        "Mann-Whitney",
        expected.path("mann_whitney").asDouble(),
        Statistics.mannWhitney(a, b).p(),
        1e-9);
    Golden.check(
        "Kolmogorov-Smirnov",
        expected.path("kolmogorov_smirnov").asDouble(),
        Statistics.kolmogorovSmirnov(a, b),
        1e-9);
    Golden.check(
        "Benjamini-Hochberg",
        Golden.doubles(expected.path("false_discovery")),
        Statistics.falseDiscovery(Golden.doubles(expected.path("p"))),
        1e-9);
  }

  @Test
  void stimuli() {
    JsonNode expected = ALL.path("stimuli");
    int side = expected.path("side").asInt();
    Frame frame = Frame.of(side, side);
    for (JsonNode image : expected.path("images")) {
      var sine =
          new Sine(
              image.path("modulation").asDouble(),
              side / image.path("wavelength").asDouble(),
              Math.toRadians(image.path("phase").asDouble()),
              expected.path("contrast").asDouble());
      Stimulus stimulus =
          image.path("sigma").isNull()
              ? new Grating(frame, sine, null)
              : new Gabor(frame, sine, image.path("sigma").asDouble());
      float[] luminance = stimulus.draw();
      double[] sampled =
          Arrays.stream(Golden.matrix(image.path("at")))
              .mapToDouble(at -> luminance[(int) at[0] * side + (int) at[1]])
              .toArray();
      Golden.check(
          "stimupy, %s deg, %s px".formatted(image.path("modulation"), image.path("wavelength")),
          Golden.doubles(image.path("luminance")),
          sampled,
          1e-6);
    }
  }
}
