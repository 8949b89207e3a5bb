package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.io.Npy;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResponseExtractorTest {
  private static final int T = 3;
  private static Network network;

  /** 40 x 56 pixels: what is meant as height must not be the width. */
  private static final StimulusSet SET =
      GratingStimuli.builder()
          .size(40, 56)
          .orientations(0, 45, 90, 135)
          .spatialFrequencies(5)
          .contrasts(0.8)
          .withBlank()
          .build()
          .generate();

  @BeforeAll
  static void build() {
    var config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]",
                "model.hidden_channels=8"));
    network = Network.create(config.model());
    DeterministicWeights.fill(network, 3);
  }

  @AfterAll
  static void close() {
    network.close();
  }

  private static ResponseExtractor.Builder extractor() {
    return ResponseExtractor.forNetwork(network);
  }

  private static float[] image(int i) {
    return SET.toInput(InputScaling.IMAGENET, i, i + 1);
  }

  /** The signal as a forward pass of one image hands it to its hooks. */
  private static Map<String, float[]> byHand(int stimulus) {
    var seen = new java.util.HashMap<String, float[]>();
    var hooks =
        new ForwardHooks() {
          @Override
          public Tensor blockOutput(String block, int timestep, Tensor drive) {
            seen.put(block + timestep, drive.toFloatArray());
            return drive;
          }

          @Override
          public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
            for (int i = 0; i < states.length; i++) {
              seen.put(cell + timestep + i, states[i].toFloatArray());
            }
            return states;
          }

          @Override
          public void timestepFinished(int timestep, Map<String, Tensor> states) {
            states.forEach((name, state) -> seen.put(name + timestep, state.toFloatArray()));
          }
        };
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      var options = ForwardOptions.DEFAULTS.withTimesteps(T).withHooks(hooks).withEveryTimestep();
      var result = network.forward(Tensor.of(image(stimulus), 1, 3, 40, 56), options);
      for (int t = 0; t < T; t++) {
        seen.put("output" + t, result.logitsPerTimestep().get(t).toFloatArray());
      }
    }
    return seen;
  }

  private static float[] unit(float[] map, int height, int width, int y, int x) {
    float[] out = new float[map.length / (height * width)];
    for (int c = 0; c < out.length; c++) {
      out[c] = map[(c * height + y) * width + x];
    }
    return out;
  }

  @Test
  void centerUnitsAreThoseOfAForwardPass() {
    long before = Tensor.liveHandles();
    Responses r =
        extractor()
            .batchSize(2)
            .build()
            .extract(
                SET,
                RecordingPlan.layers(
                        List.of("fgru_0", "fgru_1", "td_fgru_0", "block2_conv", "output"))
                    .states(State.EXCITATORY, State.INHIBITORY)
                    .timesteps(T));
    assertEquals(before, Tensor.liveHandles(), "live handles");
    for (int s : new int[] {0, 3, 4}) {
      Map<String, float[]> hand = byHand(s);
      for (int t = 0; t < T; t++) {
        for (int i = 0; i < 2; i++) {
          State state = i == 0 ? State.EXCITATORY : State.INHIBITORY;
          assertArrayEquals(
              unit(hand.get("fgru_0" + t + i), 40, 56, 20, 28), r.at("fgru_0", state, t)[s], 1e-5f);
          assertArrayEquals(
              unit(hand.get("fgru_1" + t + i), 20, 28, 10, 14), r.at("fgru_1", state, t)[s], 1e-5f);
          assertArrayEquals(
              unit(hand.get("td_fgru_0" + t + i), 40, 56, 20, 28),
              r.at("td_fgru_0", state, t)[s],
              1e-5f);
        }
        assertArrayEquals(
            unit(hand.get("block2_conv" + t), 20, 28, 10, 14),
            r.at("block2_conv", State.FEEDFORWARD, t)[s],
            1e-4f);
        assertArrayEquals(
            unit(hand.get("output" + t), 40, 56, 20, 28),
            r.at("output", State.FEEDFORWARD, t)[s],
            1e-4f);
      }
    }
  }

  @Test
  void resultsDoNotDependOnTheBatchSizeNorOnWhatElseIsRecorded() {
    RecordingPlan plan =
        RecordingPlan.layer("fgru_0").states(State.EXCITATORY, State.INHIBITED_DRIVE).timesteps(T);
    Responses one = extractor().batchSize(1).build().extract(SET, plan);
    Responses all = extractor().batchSize(5).build().extract(SET, plan);
    Responses last = extractor().build().extract(SET, plan.steps(1).timesteps(0));
    for (State state : plan.states()) {
      assertArrayEquals(one.values("fgru_0", state), all.values("fgru_0", state), 1e-5f);
      for (int s = 0; s < SET.size(); s++) {
        assertArrayEquals(
            one.at("fgru_0", state, 1)[s], last.last("fgru_0", state)[s], 1e-5f, "step 1 alone");
      }
    }
  }

  @Test
  void poolingOverSpace() throws IOException {
    Map<String, float[]> hand = byHand(2);
    float[] map = hand.get("fgru_10" + "0"); // fgru_1, step 0, excitatory
    RecordingPlan plan = RecordingPlan.layer("fgru_1").timesteps(1);
    StimulusSet one = StimulusSet.of(List.of(SET.stimuli().get(2)));
    ResponseExtractor extractor = extractor().build();
    for (int c = 0; c < 8; c++) {
      double mean = 0;
      float max = Float.NEGATIVE_INFINITY;
      double patch = 0;
      double parity = 0;
      for (int y = 0; y < 20; y++) {
        for (int x = 0; x < 28; x++) {
          float v = map[(c * 20 + y) * 28 + x];
          mean += v / 560;
          max = Math.max(max, v);
          patch += y >= 9 && y <= 11 && x >= 13 && x <= 15 ? v / 9 : 0;
          parity += y >= 8 && y <= 11 && x >= 12 && x <= 15 ? v / 16 : 0; // n = 5: c - 2 … c + 1
        }
      }
      assertEquals(mean, pooled(extractor, one, plan, Pooling.mean())[c], 1e-5);
      assertEquals(max, pooled(extractor, one, plan, Pooling.max())[c], 1e-5);
      assertEquals(patch, pooled(extractor, one, plan, Pooling.patch(3))[c], 1e-5);
      assertEquals(
          parity, pooled(extractor, one, plan, new Pooling.CentralWindow())[c], 1e-5, "parity");
    }
    float[] two =
        pooled(
            extractor,
            one,
            plan,
            Pooling.units(List.of(new PixelPoint(0, 55), new PixelPoint(21, 3))));
    for (int c = 0; c < 8; c++) {
      assertEquals(map[(c * 20) * 28 + 27], two[2 * c], 1e-5);
      assertEquals(map[(c * 20 + 10) * 28 + 1], two[2 * c + 1], 1e-5);
    }
    List<ResponseSink.Recording> maps = new ArrayList<>();
    extractor.stream(one, plan.pooling(Pooling.full()), maps::add);
    assertEquals(1, maps.size());
    assertArrayEquals(map, maps.get(0).values(), 1e-5f);
    assertEquals(28, maps.get(0).width());
  }

  private static float[] pooled(
      ResponseExtractor extractor, StimulusSet set, RecordingPlan plan, Pooling pooling) {
    return extractor.extract(set, plan.pooling(pooling)).last("fgru_1", State.EXCITATORY)[0];
  }

  @Test
  void statesAfterFeedbackDifferFromWhatCellsReturn() {
    RecordingPlan plan = RecordingPlan.layer("fgru_0").timesteps(T);
    Responses after = extractor().build().extract(SET, plan.moment(Moment.AFTER_TOP_DOWN));
    Map<String, float[]> hand = byHand(1);
    for (int t = 0; t < T; t++) {
      assertArrayEquals(
          unit(hand.get("h0_exc" + t), 40, 56, 20, 28),
          after.at("fgru_0", State.EXCITATORY, t)[1],
          1e-5f);
    }
  }

  @Test
  void hooksOfTheCallerActBeforeTheRecording() {
    var lesion =
        new ForwardHooks() {
          @Override
          public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
            return cell.equals("fgru_0")
                ? new Tensor[] {
                  Tensor.zeros(states[0].dtype(), states[0].device(), states[0].shape()), states[1]
                }
                : states;
          }
        };
    Responses r =
        extractor()
            .options(ForwardOptions.DEFAULTS.withHooks(lesion).withTimesteps(2))
            .build()
            .extract(SET, RecordingPlan.layer("fgru_0"));
    assertEquals(2, r.steps().size());
    for (float v : r.values("fgru_0", State.EXCITATORY)) {
      assertEquals(0, v);
    }
  }

  @Test
  void arraysInNumPysFormat(@TempDir Path folder) throws IOException {
    Responses r =
        extractor()
            .build()
            .extract(
                SET,
                RecordingPlan.layer("fgru_1")
                    .states(State.EXCITATORY, State.INHIBITORY)
                    .timesteps(2));
    List<Path> files = r.writeNpy(folder.resolve("deep/orientation"));
    assertEquals(2, files.size());
    Npy e = Npy.read(folder.resolve("deep/orientation_fgru_1_excitatory.npy"));
    assertArrayEquals(new int[] {5, 2, 8}, e.shape());
    assertArrayEquals(r.values("fgru_1", State.EXCITATORY), e.floats());
    double[] trace = r.trace("fgru_1", State.EXCITATORY, 3, 7);
    assertEquals(e.floats()[(3 * 2 + 1) * 8 + 7], trace[1], 0);
  }

  @Test
  void anEstimateBeforeTheRun() {
    var estimate =
        extractor()
            .memoryLimit(10_000_000)
            .build()
            .estimate(SET, RecordingPlan.layer("fgru_0").timesteps(4).pooling(Pooling.full()));
    assertEquals(5L * 4 * 8 * 40 * 56 * 4, estimate.resultBytes());
    assertTrue(estimate.passBytes() <= 10_000_000 && estimate.batch() >= 1, estimate.toString());
    assertTrue(estimate.toString().startsWith("5 stimuli, 4 timesteps each, "), "a sentence");
  }

  private static void refused(String part, Runnable what) {
    var e = assertThrows(RuntimeException.class, what::run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void whatCannotBeRecordedIsRefused() {
    ResponseExtractor x = extractor().build();
    refused(
        "there is no layer fgru_9; this network has block1_conv, block2_conv, fgru_0, fgru_1,"
            + " td_fgru_0, output",
        () -> x.extract(SET, RecordingPlan.layer("fgru_9")));
    refused(
        "(y 40, x 0) lies outside of the image of 40 x 56",
        () ->
            x.extract(
                SET, RecordingPlan.layer("fgru_0").pooling(Pooling.unit(new PixelPoint(40, 0)))));
    refused("stream", () -> x.extract(SET, RecordingPlan.layer("fgru_0").pooling(Pooling.full())));
    refused("run from 0 to 3", () -> x.extract(SET, RecordingPlan.layer("fgru_0").steps(4)));
    refused(
        "feedback changes states only",
        () -> RecordingPlan.layer("fgru_0").states(State.INPUT_GATE).moment(Moment.AFTER_TOP_DOWN));
    refused(
        "too few",
        () ->
            x.extract(tiny(), RecordingPlan.layer("fgru_1").pooling(new Pooling.CentralWindow())));
    refused(
        "has no inhibitory state: its cell has a single state",
        () -> {
          var config =
              GammaNetConfig.shipped(
                  "default",
                  List.of(
                      "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]",
                      "model.hidden_channels=8",
                      "model.fgru.use_separate_ei_states=false"));
          try (Network single = Network.create(config.model())) {
            ResponseExtractor.forNetwork(single)
                .build()
                .extract(SET, RecordingPlan.layer("fgru_0").states(State.INHIBITORY));
          }
        });
  }

  private static StimulusSet tiny() {
    return GratingStimuli.builder().size(8, 8).orientations(0).build().generate();
  }

  @Test
  void aResponseThatIsNoNumberIsNamed() {
    var broken =
        new ForwardHooks() {
          @Override
          public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
            return timestep == 1
                ? new Tensor[] {
                  Tensor.full(Double.NaN, states[0].dtype(), states[0].device(), states[0].shape()),
                  states[1]
                }
                : states;
          }
        };
    refused(
        "channel 0 of fgru_0 to stimulus 0 is NaN at timestep 2",
        () ->
            extractor()
                .options(ForwardOptions.DEFAULTS.withHooks(broken))
                .build()
                .extract(SET, RecordingPlan.layer("fgru_0")));
  }
}
