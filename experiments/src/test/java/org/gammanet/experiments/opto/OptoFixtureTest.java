package org.gammanet.experiments.opto;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.Golden;
import org.gammanet.io.Npy;
import org.junit.jupiter.api.Test;

/** Decoders and maps against golden values. */
class OptoFixtureTest {
  private static void decoder(String name, int epochs, DecoderOptions.Loss loss) {
    JsonNode golden = Golden.json("analysis/decoder.json");
    JsonNode expected = golden.path(name);
    double atol = golden.path("atol").asDouble();
    double[][] features = Golden.matrix(golden.path("features"));
    double[] theta = Golden.doubles(golden.path("theta"));
    double[][] targets = OrientationDecoder.targets(theta);
    var start =
        new OrientationDecoder.Fit(
            Golden.matrix(golden.path("initial_weight")),
            Golden.doubles(golden.path("initial_bias")),
            new double[0]);
    var fit =
        OrientationDecoder.adam(
            features, targets, start, DecoderOptions.layer("any").epochs(epochs).loss(loss));
    double[][] predicted = fit.predict(features);
    Golden.check(
        name + " weight", Golden.doubles(expected.path("weight")), flat(fit.weight()), atol);
    Golden.check(name + " bias", Golden.doubles(expected.path("bias")), fit.bias(), atol);
    Golden.check(name + " losses", Golden.doubles(expected.path("losses")), fit.losses(), atol);
    Golden.check(
        name + " predictions", Golden.doubles(expected.path("predictions")), flat(predicted), atol);
    Golden.check(
        name + " R²",
        expected.path("r2").asDouble(),
        OrientationDecoder.r2(predicted, targets),
        atol);
    Golden.check(
        name + " angular error",
        expected.path("mean_angular_error").asDouble(),
        OrientationDecoder.meanError(predicted, theta),
        1e-4);
  }

  private static double[] flat(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  @Test
  void decoderOfTwentyEpochs() {
    decoder("mse_20", 20, DecoderOptions.Loss.SQUARED_ERROR);
  }

  @Test
  void decoderOfHundredEpochs() {
    decoder("mse_100", 100, DecoderOptions.Loss.SQUARED_ERROR);
  }

  @Test
  void mirrorLossSettlesOnTheOrthogonal() {
    decoder("mirror_100", 100, DecoderOptions.Loss.MIRROR);
  }

  @Test
  void mapsAreTurnedToTheReference() {
    Npy input = Golden.npy("analysis/map_input.npy");
    int h = input.shape()[0];
    int w = input.shape()[1];
    JsonNode entry = Golden.entry("analysis/map_aligned.npy");
    double[] angles = Golden.doubles(entry.path("angles"));
    double[] center = Golden.doubles(entry.path("centre"));
    var maps = new ChannelMaps(1, h, w, center[0], center[1], input.floats());
    List<double[]> own = new ArrayList<>();
    for (double angle : angles) {
      own.add(Golden.doubles(maps.rotated(angle).values()));
    }
    Golden.check(
        "turned to the reference",
        Golden.npy("analysis/map_aligned.npy").doubles(),
        flat(own.toArray(double[][]::new)),
        entry.path("atol").asDouble());
    JsonNode profiles = Golden.json("analysis/map_profiles.json");
    double[] expected = Golden.doubles(profiles.path("radial_mean"));
    double[] radial = maps.aggregate(Aggregation.MEAN).radialMean();
    assertTrue(radial.length >= expected.length);
    Golden.check(
        "radial mean",
        expected,
        Arrays.copyOf(radial, expected.length),
        profiles.path("atol").asDouble());
    assertEquals(center[0], maps.rotated(30).centerY());
  }
}
