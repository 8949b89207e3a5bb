package org.gammanet.experiments.opto;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Patterns;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.CellSite;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OptoTest {
  private static final int SIZE = 32;

  /** Two levels with feedback, small. */
  static GammaNet network(String... more) {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
                "model.hidden_channels=6",
                "model.timesteps=3"));
    settings.addAll(List.of(more));
    GammaNet net = GammaNet.empty(GammaNetConfig.shipped("default", settings), Device.CPU);
    DeterministicWeights.fill(net.network(), 5); // keep all states of order 1
    return net;
  }

  static StimulusSet gratings(double diameter, double... orientations) {
    return GratingStimuli.builder()
        .size(SIZE, SIZE)
        .orientations(orientations)
        .spatialFrequencies(4)
        .diameter(diameter)
        .aperture(ApertureRule.EXACT_DIAMETER)
        .build()
        .generate();
  }

  private static StimulusSet decoderGratings() {
    return gratings(5, 0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165);
  }

  private static final RescueOptions RESCUE =
      RescueOptions.layer("fgru_0").ecrfRadius(8).steps(8).factor(2);

  // ---- Gradient ----

  /** A decoder with arbitrary weights. */
  private static OrientationDecoder decoder(int channels) {
    double[][] features = new double[8][channels];
    double[] theta = new double[8];
    Random random = new Random(3);
    for (int i = 0; i < theta.length; i++) {
      theta[i] = 22.5 * i;
      for (int c = 0; c < channels; c++) {
        features[i][c] = random.nextGaussian();
      }
    }
    return OrientationDecoder.train(
        features, theta, DecoderOptions.layer("fgru_0").method(DecoderOptions.Method.RIDGE), 0);
  }

  @ParameterizedTest
  @CsvSource({
    "INITIAL_STATE, NONE, 0, 0",
    "INITIAL_STATE, CELLS, 0.5, 0.7",
    "INITIAL_STATE, TIMESTEPS, 0, 0",
    "AFTER_FIRST_STEP, NONE, 0, 0",
    "AFTER_FIRST_STEP, CELLS, 0.5, 0.7",
    "AFTER_FIRST_STEP, TIMESTEPS, 0, 0"
  })
  void gradientEqualsFiniteDifferences(
      Injection injection, Recompute recompute, double sparseness, double positivity) {
    try (GammaNet net = network();
        var scope = TensorScope.open()) {
      CellSite place = net.network().sites().getFirst();
      float[] gain = new float[SIZE * SIZE];
      Arrays.fill(gain, 1);
      float[] inside = new float[SIZE * SIZE];
      for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
          double d = Math.hypot(y - 16, x - 16);
          gain[y * SIZE + x] = d <= 2.5 ? 1.5f : 1;
          inside[y * SIZE + x] = d > 2.5 && d <= 6 ? 1 : 0;
        }
      }
      var setup =
          new StateOptimization.Setup(
              net.network(),
              place,
              injection,
              3,
              Tensor.of(gain, 1, 1, SIZE, SIZE),
              new StateOptimization.Readout(decoder(6), "fgru_0", 16, 16),
              false,
              sparseness,
              positivity,
              recompute);
      Tensor images =
          Tensor.of(gratings(17, 20, 110).toInput(InputScaling.IMAGENET), 2, 3, SIZE, SIZE);
      Tensor mask = Tensor.of(inside, 1, 1, SIZE, SIZE);
      try (var optimization = new StateOptimization(setup, images, mask, 0.01)) {
        optimization.targets(new double[][] {{0.9, -0.4}, {-0.3, 0.2}});
        optimization.randomStart(new long[] {1, 2});
        // Larger states than at the start, so that differences stand out of the rounding.
        Random random = new Random(4);
        int n = (int) optimization.excitatory().numel();
        float[][] at = new float[2][];
        for (int which = 0; which < 2; which++) {
          Tensor unknown = which == 0 ? optimization.excitatory() : optimization.inhibitory();
          at[which] = unknown.toFloatArray();
          for (int i = 0; i < n; i++) {
            at[which][i] *= 40;
          }
          set(unknown, at[which]);
        }
        optimization.gradients();
        float[][] gradient = {
          grad(optimization.excitatory()), grad(optimization.inhibitory()),
        };
        double largest = 0;
        for (int direction = 0; direction < 4; direction++) {
          double[][] v = new double[2][n];
          double expected = 0;
          for (int which = 0; which < 2; which++) {
            for (int i = 0; i < n; i++) {
              boolean free = inside[i % (SIZE * SIZE)] == 1;
              assertTrue(free || gradient[which][i] == 0, "a masked state has a gradient");
              // Along the gradient with noise: a random direction would be nearly orthogonal.
              v[which][i] =
                  free
                      ? gradient[which][i] * (1 + random.nextGaussian())
                          + (direction == 0 ? 0 : 1e-4 * random.nextGaussian())
                      : 0;
              expected += v[which][i] * gradient[which][i];
            }
          }
          double norm = Math.sqrt(sum(v));
          double h = 3e-3 / norm; // small, since rectifications make corners
          double actual = (loss(optimization, at, v, h) - loss(optimization, at, v, -h)) / (2 * h);
          largest = Math.max(largest, Math.abs(actual - expected) / Math.abs(expected));
          assertEquals(expected, actual, 1e-2 * Math.abs(expected), injection + " " + recompute);
        }
        System.out.printf(
            "%s %s: gradient against finite differences, largest relative error %.1e%n",
            injection, recompute, largest);
      }
    }
  }

  private static double sum(double[][] v) {
    return Arrays.stream(v).flatMapToDouble(Arrays::stream).map(x -> x * x).sum();
  }

  private static float[] grad(Tensor leaf) {
    Tensor gradient = leaf.grad();
    assertNotNull(gradient);
    return gradient.toFloatArray();
  }

  private static void set(Tensor leaf, float[] values) {
    try (var silent = Autograd.noGrad()) {
      leaf.copyFrom(values);
    }
  }

  private static double loss(
      StateOptimization optimization, float[][] at, double[][] v, double step) {
    for (int which = 0; which < 2; which++) {
      float[] moved = at[which].clone();
      for (int i = 0; i < moved.length; i++) {
        moved[i] += (float) (step * v[which][i]);
      }
      set(which == 0 ? optimization.excitatory() : optimization.inhibitory(), moved);
    }
    return Arrays.stream(optimization.evaluate().losses()).sum();
  }

  // ---- Rescue ----

  @Test
  void lossFallsAndStatesStayInsideTheMask() {
    long before = Tensor.liveHandles();
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(5).seed(1).build();
      opto.trainDecoder(decoderGratings(), DecoderOptions.layer("fgru_0"));
      MultiOrientationResult result =
          opto.optimizeMultiOrientation(gratings(17, 0, 60, 120), RESCUE.steps(20));
      for (OrientationRescue rescue : result.rescues()) {
        assertTrue(rescue.initialLoss() > 0);
        assertTrue(
            rescue.finalLoss() < rescue.initialLoss(),
            rescue.initialLoss() + " → " + rescue.finalLoss());
        for (ChannelMaps maps : List.of(rescue.excitatory(), rescue.inhibitory())) {
          int free = 0;
          for (int i = 0; i < maps.values().length; i++) {
            int p = i % (maps.height() * maps.width());
            double d =
                Math.hypot(p / maps.width() - maps.centerY(), p % maps.width() - maps.centerX());
            boolean allowed = d > 2.5 && d <= 8;
            assertTrue(allowed || maps.values()[i] == 0);
            free += allowed && maps.values()[i] != 0 ? 1 : 0;
          }
          assertTrue(free > 1000);
        }
      }
      assertEquals(6, result.reach()); // 3x3 kernels of both kinds, 3 timesteps
    }
    assertEquals(before, Tensor.liveHandles());
  }

  @Test
  void withoutPerturbationNothingIsLost() {
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(5).build();
      opto.trainDecoder(decoderGratings(), DecoderOptions.layer("fgru_0"));
      MultiOrientationResult result =
          opto.optimizeMultiOrientation(gratings(17, 0, 60), RESCUE.factor(1).steps(1));
      for (OrientationRescue rescue : result.rescues()) {
        assertEquals(0, rescue.initialLoss());
        assertArrayEquals(rescue.target(), rescue.perturbed());
      }
    }
  }

  @Test
  void theDiscIsTheOneOfTheDescription() {
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(5).build();
      StimulusSet set =
          GratingStimuli.builder().size(64, 64).orientations(0).diameter(37).build().generate();
      opto.trainDecoder(set.plus(set), DecoderOptions.layer("fgru_0").epochs(1));
      MultiOrientationResult result =
          opto.optimizeMultiOrientation(
              set.filter(m -> m.cyclesPerImage() == 10), RescueOptions.layer("fgru_0").steps(1));
      ChannelMaps maps = result.rescues().getFirst().excitatory();
      int changed = 0;
      for (int p = 0; p < maps.height() * maps.width(); p++) {
        changed += maps.values()[p] != 0 ? 1 : 0;
      }
      assertEquals(988, changed);
    }
  }

  @Test
  void resultsDoNotDependOnTheBatch() {
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(5).build();
      opto.trainDecoder(decoderGratings(), DecoderOptions.layer("fgru_0"));
      StimulusSet set = gratings(17, 0, 60, 120);
      MultiOrientationResult one = opto.optimizeMultiOrientation(set, RESCUE.batch(1));
      MultiOrientationResult three = opto.optimizeMultiOrientation(set, RESCUE.batch(3));
      for (int i = 0; i < 3; i++) {
        assertEquals(
            one.rescues().get(i).finalLoss(),
            three.rescues().get(i).finalLoss(),
            1e-3 * one.rescues().get(i).initialLoss());
      }
    }
  }

  /** Cancels after a number of reports. */
  private static Progress after(int reports) {
    return new Progress() {
      private int left = reports;

      @Override
      public void advance(String what, int done, int total, String detail) {
        left--;
      }

      @Override
      public boolean canceled() {
        return left <= 0;
      }
    };
  }

  private static Study study(Path folder, Progress progress) throws IOException {
    return Study.open(
        folder,
        "results.json",
        new Study.Identity("test", Map.of("seed", 7), ""),
        Map.of(),
        Study.Existing.CONTINUE,
        progress);
  }

  private static OptogeneticPerturbation trained(GammaNet net, @Nullable Study study) {
    var builder = OptogeneticPerturbation.forModel(net).patchSize(5).seed(7);
    OrientationDecoder decoder =
        builder.build().trainDecoder(decoderGratings(), DecoderOptions.layer("fgru_0"));
    OptogeneticPerturbation opto = study == null ? builder.build() : builder.study(study).build();
    var unused = opto.useDecoder(decoder, "fgru_0", new PixelPoint(SIZE / 2, SIZE / 2));
    return opto;
  }

  @Test
  void goesOnWhereItWasCanceledToTheSameBits(@TempDir Path folder) throws IOException {
    StimulusSet set = gratings(17, 0, 60, 120);
    try (GammaNet net = network()) {
      MultiOrientationResult whole = trained(net, null).optimizeMultiOrientation(set, RESCUE);
      long before = Tensor.liveHandles();
      int runs = 0;
      while (true) {
        runs++;
        try {
          MultiOrientationResult parts =
              trained(net, study(folder, after(5))).optimizeMultiOrientation(set, RESCUE);
          for (int i = 0; i < 3; i++) {
            OrientationRescue a = whole.rescues().get(i);
            OrientationRescue b = parts.rescues().get(i);
            assertArrayEquals(a.losses(), b.losses());
            assertArrayEquals(a.excitatory().values(), b.excitatory().values());
            assertArrayEquals(a.inhibitory().values(), b.inhibitory().values());
            assertEquals(a.finalLoss(), b.finalLoss());
          }
          break;
        } catch (CancellationException e) {
          assertEquals(before, Tensor.liveHandles());
          assertTrue(runs < 20);
        }
      }
      assertTrue(runs > 3, "was not canceled");

      // Other options do not continue it, and a damaged file is computed again.
      MultiOrientationResult other =
          trained(net, study(folder, Progress.NONE))
              .optimizeMultiOrientation(set, RESCUE.factor(3));
      assertTrue(
          other.rescues().getFirst().initialLoss() != whole.rescues().getFirst().initialLoss());
      try (Stream<Path> files = Files.list(folder.resolve(".partial"))) {
        for (Path path : files.toList()) {
          try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(file.length() / 2);
          }
        }
      }
      MultiOrientationResult again =
          trained(net, study(folder, Progress.NONE)).optimizeMultiOrientation(set, RESCUE);
      assertEquals(whole.rescues().getFirst().finalLoss(), again.rescues().getFirst().finalLoss());
    }
  }

  @Test
  void sweepFindsTheCellThatIsDecodedBest(@TempDir Path folder) throws IOException {
    try (GammaNet net = network()) {
      var options =
          new SweepOptions(
              DecoderOptions.layer("fgru_0").method(DecoderOptions.Method.RIDGE),
              new double[] {2, 4},
              new double[] {0.5, 1});
      SweepOptions.Gratings stimuli =
          (f, c) ->
              GratingStimuli.builder()
                  .size(SIZE, SIZE)
                  .orientations(0, 30, 60, 90, 120, 150)
                  .spatialFrequencies(f)
                  .contrasts(c)
                  .equallySpacedPhases(2)
                  .diameter(5)
                  .build()
                  .generate();
      var canceled = OptogeneticPerturbation.forModel(net).study(study(folder, after(8))).build();
      assertThrows(
          CancellationException.class, () -> canceled.findOptimalParameters(stimuli, options));
      var opto = OptogeneticPerturbation.forModel(net).study(study(folder, Progress.NONE)).build();
      SweepResult resumed = opto.findOptimalParameters(stimuli, options);
      SweepResult whole =
          OptogeneticPerturbation.forModel(net).build().findOptimalParameters(stimuli, options);
      assertArrayEquals(whole.r2()[0], resumed.r2()[0]);
      assertArrayEquals(whole.r2()[1], resumed.r2()[1]);
      double best = Arrays.stream(whole.r2()).flatMapToDouble(Arrays::stream).max().orElse(0);
      assertEquals(best, whole.bestR2());
    }
  }

  @Test
  void flowChangesAtThePerturbedSiteFirst() {
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(5).build();
      FlowResult flow = opto.measureRecurrentFlow(gratings(17, 0), RESCUE);
      assertEquals(3, flow.baseline().excitatory().length);
      assertEquals(6, flow.baseline().excitatory()[0].length);
      assertTrue(flow.excitatoryChange()[0] != 0);
      // At rest there is no excitation to be inhibited by yet.
      assertEquals(0, flow.baseline().meanInhibitory()[0]);
      // Before rectification, the parts under the kernel are the whole.
      assertEquals(9, flow.baseline().excitatorySources()[2].length);
      FlowResult none = opto.measureRecurrentFlow(gratings(17, 0), RESCUE.factor(1));
      assertArrayEquals(new double[3], none.excitatoryChange());
      assertArrayEquals(new double[3], none.inhibitoryChange());
    }
  }

  @Test
  void influenceFallsWithDistance() {
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).patchSize(3).build();
      InfluenceMap map = opto.influenceMap(gratings(25, 0), "fgru_0", 8, 1.2);
      assertEquals(map.rows().length, map.total().length);
      for (int r = 0; r < map.rows().length; r++) {
        for (int c = 0; c < map.columns().length; c++) {
          assertTrue(map.total()[r][c] > 0);
          assertEquals(
              map.total()[r][c],
              map.facilitation()[r][c] + map.suppression()[r][c],
              1e-9 + 1e-6 * map.total()[r][c]);
        }
      }
      assertTrue(Double.isNaN(map.byDistance()[0]));
      assertTrue(Math.abs(map.byDistance()[3]) > 10 * Math.abs(map.byDistance()[12]));
      InfluenceMap none = opto.influenceMap(gratings(25, 0), "fgru_0", 16, 1);
      // Passes of other batch sizes differ in rounding.
      assertEquals(0, none.total()[0][0], 1e-2 * map.total()[0][0]);
    }
  }

  @Test
  void networksAndPlacesThatCannotBeUsedAreNamed() {
    try (GammaNet single = network("model.model_version=v1")) {
      var opto = OptogeneticPerturbation.forModel(single).build();
      var e =
          assertThrows(IllegalArgumentException.class, () -> opto.requireRescuable("fgru_block1"));
      assertTrue(String.valueOf(e.getMessage()).contains("no inhibitory state"), e.getMessage());
      assertMessage("no inhibitory state", () -> opto.requireRescuable("fgru_0"));
    }
    try (GammaNet net = network()) {
      var opto = OptogeneticPerturbation.forModel(net).build();
      StimulusSet set = gratings(17, 0, 90);
      assertMessage("trainDecoder", () -> opto.optimizeMultiOrientation(set, RESCUE));
      assertMessage("fgru_0, fgru_1", () -> opto.requireRescuable("fgru_7"));
      assertMessage("top-down", () -> opto.requireRescuable("td_fgru_0"));
      assertMessage(
          "outside the map",
          () -> opto.trainDecoder(set, DecoderOptions.layer("fgru_1").location(20, 3)));
    }
  }

  @Test
  void contrastsOfAGridHaveNamesOfTheirOwn() {
    assertEquals("center_0.25_surround_1.00", ContrastGrid.pair(0.25, 1));
    assertEquals("center_0.001_surround_0.002", ContrastGrid.pair(0.001, 0.002));
    assertMessage("must differ", () -> new ContrastGrid.Grid(new double[] {0.5, 0.5}, false));
  }

  private static void assertMessage(String part, Executable call) {
    RuntimeException e = assertThrows(RuntimeException.class, call);
    assertTrue(String.valueOf(e.getMessage()).contains(part), e.getMessage());
  }

  // ---- Decoder ----

  @Test
  void leftOutPredictionsOfRidgeAreThoseOfRefitting() {
    Random random = new Random(1);
    double[][] features = new double[12][20];
    double[] theta = new double[12];
    for (int i = 0; i < 12; i++) {
      theta[i] = 30 * (i / 2); // two of each
      for (int c = 0; c < 20; c++) {
        features[i][c] = random.nextGaussian();
      }
    }
    OrientationDecoder decoder =
        OrientationDecoder.train(
            features, theta, DecoderOptions.layer("x").method(DecoderOptions.Method.RIDGE), 0);
    double[][] targets = OrientationDecoder.targets(theta);
    double[][] predicted = new double[12][];
    // The shortcut keeps the penalty of all stimuli, whose scale the refit has to be told.
    double scale = spread(features);
    for (double left : Arrays.stream(theta).distinct().toArray()) {
      List<double[]> x = new ArrayList<>();
      List<double[]> y = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        if (theta[i] != left) {
          x.add(features[i]);
          y.add(targets[i]);
        }
      }
      double[][] rest = x.toArray(double[][]::new);
      var fit =
          OrientationDecoder.ridge(
              rest, y.toArray(double[][]::new), decoder.ridgePenalty() * scale / spread(rest));
      for (int i = 0; i < 12; i++) {
        if (theta[i] == left) {
          predicted[i] = fit.predict(new double[][] {features[i]})[0];
        }
      }
    }
    assertEquals(OrientationDecoder.r2(predicted, targets), decoder.leftOutR2(), 1e-9);
  }

  private static double spread(double[][] rows) {
    double sum = 0;
    for (int c = 0; c < rows[0].length; c++) {
      double mean = 0;
      for (double[] row : rows) {
        mean += row[c] / rows.length;
      }
      for (double[] row : rows) {
        sum += (row[c] - mean) * (row[c] - mean) / rows.length;
      }
    }
    return sum;
  }

  // ---- Maps ----

  @Test
  void rotatedGratingsLieOnTheReference() {
    Frame frame = Frame.of(53, 53);
    double[] disc = Patterns.disc(frame, 18);
    double[] reference = Patterns.grating(frame, 0, 53 / 12.0, 0, 1);
    SurroundMap zero = new SurroundMap(product(reference, disc), 53, 53, 26, 26);
    for (double theta : new double[] {30, 60, 90, 120, 150}) {
      double[] grating = Patterns.grating(frame, theta, 53 / 12.0, 0, 1);
      float[] values = new float[grating.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (grating[i] * disc[i]);
      }
      var maps = new ChannelMaps(1, 53, 53, 26, 26, values);
      double right = maps.rotated(theta).aggregate(Aggregation.MEAN).correlation(zero, 16);
      double wrong = maps.rotated(-theta).aggregate(Aggregation.MEAN).correlation(zero, 16);
      System.out.printf(
          "grating at %.0f° rotated to the reference: r = %.4f, the other way %.4f%n",
          theta, right, wrong);
      assertTrue(right > 0.99, "r = " + right);
      assertTrue(theta == 90 || wrong < 0.5, "the other way r = " + wrong);
    }
  }

  private static double[] product(double[] a, double[] b) {
    double[] out = new double[a.length];
    Arrays.setAll(out, i -> a[i] * b[i]);
    return out;
  }

  @Test
  void elongationOfLinesAndDiscs() {
    for (double axis : new double[] {0, 25, 90, 130}) {
      double[] line = Patterns.bar(Frame.of(41, 41), 0, 0, 30, 5, axis);
      SurroundMap map = new SurroundMap(line, 41, 41, 20, 20);
      assertTrue(map.elongation().index() > 0.9);
      assertEquals(0, OrientationDecoder.angularError(axis, map.elongation().axis()), 1);
      assertTrue(map.alongToAcross(axis) > 2);
      double[] sectors = map.angularMean(5, 18, 18);
      int most = 0;
      for (int k = 0; k < 18; k++) {
        most = sectors[k] > sectors[most] ? k : most;
      }
      assertEquals(0, OrientationDecoder.angularError(axis, 10 * most), 5);
    }
    SurroundMap disc = new SurroundMap(Patterns.disc(Frame.of(41, 41), 15), 41, 41, 20, 20);
    assertEquals(0, disc.elongation().index(), 1e-9);
    assertEquals(1, disc.alongToAcross(30), 1e-9);
  }
}
