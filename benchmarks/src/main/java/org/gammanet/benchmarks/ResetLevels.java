package org.gammanet.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.gammanet.GammaNet;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.model.CellSite;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;

/**
 * What the recurrent kernels of each cell are worth: scores a network whose W_exc and W_inh are set
 * back, one cell at a time, to the values that training began with. Images are those of train and
 * val that training holds out; 24 thresholds, {@code smooth} suppression.
 *
 * <p>Arguments: the BSDS500's folder, the weights, the seed that training began with. Prints a
 * table in Markdown.
 */
public final class ResetLevels {
  private static final List<String> KERNELS = List.of("W_exc", "W_inh");

  private ResetLevels() {}

  /** Runs the measurement. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Path data = Path.of(arguments[0]);
    try (var trained = GammaNet.load(Path.of(arguments[1]), Device.CPU);
        var initial = GammaNet.random(trained.config(), Long.parseLong(arguments[2]), Device.CPU)) {
      Map<String, Tensor> weights = trained.network().stateDict();
      Map<String, Tensor> before = initial.network().stateDict();
      double intact = ods(trained, data);
      System.out.printf(Locale.ROOT, "intact: ODS %.4f%n%n", intact);
      System.out.println("| cell | correlation of W_exc | of W_inh | ODS, both reset | change |");
      System.out.println("|---|---|---|---|---|");
      for (CellSite site : trained.network().sites()) {
        var kept = new LinkedHashMap<Tensor, float[]>();
        var row = new StringBuilder("| " + site.name());
        for (String kernel : KERNELS) {
          String name = site.name() + "." + kernel;
          Tensor weight = Objects.requireNonNull(weights.get(name), name);
          float[] now = weight.toFloatArray();
          float[] start = Objects.requireNonNull(before.get(name), name).toFloatArray();
          row.append(
              String.format(
                  Locale.ROOT, " | %.2f", Statistics.pearson(doubles(now), doubles(start))));
          kept.put(weight, now);
          weight.copyFrom(start);
        }
        double ods = ods(trained, data);
        System.out.printf(Locale.ROOT, "%s | %.4f | %+.4f |%n", row, ods, ods - intact);
        kept.forEach(Tensor::copyFrom);
      }
    }
  }

  private static double ods(GammaNet model, Path data) throws IOException, InterruptedException {
    Map<String, Path> truth = DatasetIndex.annotations(data, DatasetIndex.HELD_OUT);
    List<BoundaryBenchmark.Image> images = new ArrayList<>();
    for (var image : DatasetIndex.images(data, DatasetIndex.HELD_OUT).entrySet()) {
      EdgeMap map = model.detect(Images.read(image.getValue()));
      Strengths strengths = Strengths.of(map.values(), map.height(), map.width());
      Path drawings = Objects.requireNonNull(truth.get(image.getKey()));
      images.add(
          new BoundaryBenchmark.Image(
              image.getKey(), () -> strengths, () -> GroundTruth.read(drawings)));
    }
    var settings = BoundaryBenchmark.Settings.DEFAULT.withThresholds(24).withNms(EdgeNms.SMOOTH);
    var benchmark =
        new BoundaryBenchmark(settings, Math.max(1, Runtime.getRuntime().availableProcessors()));
    var result = benchmark.run(images, new BoundaryBenchmark.Listener() {});
    return BoundaryScores.of(result.counts()).ods().f();
  }

  private static double[] doubles(float[] values) {
    double[] out = new double[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = values[i];
    }
    return out;
  }
}
