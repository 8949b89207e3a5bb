package org.gammanet.pretrained;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.testing.Fixtures;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;

class BsdsModelTest {
  private static final String SHA_256 =
      "56b19ed514a48e658e38c34705fdbc127fb258da3ff0f0044fc31ec4548d181c";

  private static final double LEAST_ODS = 0.66;

  @Test
  void theFileIsTheOneThatTheCardDescribes() throws IOException, GeneralSecurityException {
    PretrainedModel model = PretrainedModel.find().orElseThrow();
    try (InputStream stream = model.open()) {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(stream.readAllBytes());
      assertEquals(SHA_256, HexFormat.of().formatHex(digest));
    }
  }

  /** The stored map was written by {@code Images.writePng16}. */
  @Test
  void edgesOfASamplePhotoAreTheStoredOnes() throws IOException {
    RgbImage photo = Images.read(Path.of("../samples/chelsea.png")).resize(226, 150);
    EdgeMap expected =
        Images.readEdgeMap(
            Path.of("src/test/resources/org/gammanet/pretrained/chelsea-226x150.png"));
    try (GammaNet net = GammaNet.pretrained(Device.CPU)) {
      double correlation = correlation(net.detect(photo), expected);
      System.out.printf("correlation with the stored edges: %.6f%n", correlation);
      assertTrue(correlation > 0.999, "correlation " + correlation);
    }
  }

  /** Bounded circuit parameters keep the states finite however many timesteps there are. */
  @Test
  void fortyTimestepsStayFinite() throws IOException {
    RgbImage photo = Images.read(Path.of("../samples/chelsea.png")).resize(113, 75);
    byte[] white = new byte[3 * 64 * 64];
    Arrays.fill(white, (byte) 255);
    try (GammaNet net = GammaNet.pretrained(Device.CPU)) {
      for (RgbImage image : List.of(photo, new RgbImage(64, 64, white))) {
        for (EdgeMap map :
            net.detect(image, ForwardOptions.DEFAULTS.withTimesteps(40).withEveryTimestep())) {
          for (float p : map.values()) {
            assertTrue(Float.isFinite(p), "a probability is " + p);
          }
        }
      }
    }
  }

  /**
   * The benchmark on every twentieth test image. The stored value is what it gives, less what
   * another processor's rounding may cost.
   */
  @Test
  void tenTestImagesScoreAsStored() throws IOException {
    Path root = Fixtures.data("BSDS500");
    Map<String, Path> images = DatasetIndex.images(root, "test");
    Map<String, Path> drawings = DatasetIndex.annotations(root, "test");
    BoundaryBenchmark.Settings settings =
        BoundaryBenchmark.Settings.DEFAULT.withNms(EdgeNms.SMOOTH);
    List<BoundaryCounts> counts = new ArrayList<>();
    try (GammaNet net = GammaNet.pretrained(Device.CPU)) {
      int k = 0;
      for (String id : drawings.keySet()) {
        if (k++ % 20 == 0) {
          EdgeMap map = net.detect(Images.read(images.get(id)));
          counts.add(
              BoundaryBenchmark.count(
                  id,
                  BoundaryBenchmark.Strengths.of(map.values(), map.height(), map.width()),
                  GroundTruth.read(drawings.get(id)),
                  settings));
        }
      }
    }
    BoundaryScores scores = BoundaryScores.of(counts);
    System.out.printf("%d images: ODS %.4f%n", counts.size(), scores.ods().f());
    assertEquals(10, counts.size());
    assertTrue(scores.ods().f() > LEAST_ODS, "ODS " + scores.ods().f());
  }

  private static double correlation(EdgeMap a, EdgeMap b) {
    float[] x = a.values();
    float[] y = b.values();
    assertEquals(x.length, y.length);
    double mx = 0;
    double my = 0;
    for (int i = 0; i < x.length; i++) {
      mx += x[i] / (double) x.length;
      my += y[i] / (double) x.length;
    }
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (int i = 0; i < x.length; i++) {
      xy += (x[i] - mx) * (y[i] - my);
      xx += (x[i] - mx) * (x[i] - mx);
      yy += (y[i] - my) * (y[i] - my);
    }
    return xy / Math.sqrt(xx * yy);
  }
}
