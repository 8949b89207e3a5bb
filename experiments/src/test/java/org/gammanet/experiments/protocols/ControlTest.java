package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Control;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.Preparation;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Protocol;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.Network;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Control networks: how they are made, and what results are compared with. */
class ControlTest {
  @Test
  void controlsAreNamed() {
    List<Control> controls =
        Control.parse(List.of("random:2", "shuffled:1", "lesion:horizontal+top_down", "random:1"));
    assertEquals(
        "[random-1, random-2, shuffled-1, lesion-horizontal, lesion-top_down]", names(controls));
    assertEquals(controls, Control.parse(controls.stream().map(Control::name).toList()));
    assertEquals("[random-7]", names(Control.parse(List.of("random-7"))));
    for (String wrong : List.of("random", "random:0", "random:x", "lesion:", "lesion:all", "x:1")) {
      Exception e =
          assertThrows(IllegalArgumentException.class, () -> Control.parse(List.of(wrong)));
      assertTrue(String.valueOf(e.getMessage()).endsWith("not " + wrong), e.getMessage());
    }
  }

  @Test
  void networksOfASampleHaveControlsOfTheirOwn() {
    List<Control> first = Control.parse(List.of("random:2", "shuffled:1", "lesion:inhibition"));
    assertEquals(first, Control.ofNetwork(first, 0));
    assertEquals(
        "[random-3, random-4, shuffled-2, lesion-inhibition]", names(Control.ofNetwork(first, 1)));
    assertEquals(
        "[random-5, random-6, shuffled-3, lesion-inhibition]", names(Control.ofNetwork(first, 2)));
  }

  private static String names(List<Control> controls) {
    return controls.stream().map(Control::name).toList().toString();
  }

  @Test
  void shuffledKernelsKeepTheirValues() {
    var config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1]",
                "model.hidden_channels=4",
                "model.timesteps=1"));
    long before = Tensor.liveHandles();
    try (Network network = Network.create(config.model(), 5)) {
      var preparation = new NetworkPreparation(network, "fgru_0", 48, 0, 8, true);
      String digest = preparation.digest();
      for (String kind : List.of("shuffled", "random")) {
        Control control = Control.parse(List.of(kind + ":1")).getFirst();
        try (Preparation other = preparation.control(control);
            Preparation same = preparation.control(control)) {
          assertNotNull(other);
          assertNotNull(same);
          assertFalse(other.trained());
          assertNotEquals(digest, other.digest());
          assertEquals(same.digest(), other.digest(), "by its seed alone");
        }
      }
      assertEquals(digest, preparation.digest(), "the network stays as it is");
      Preparation lesioned =
          preparation.control(Control.parse(List.of("lesion:inhibition")).getFirst());
      assertNotNull(lesioned);
      assertEquals(digest + "-inhibition", lesioned.digest());
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  /** Units that are suppressed by large stimuli, a fraction given by {@code index}. */
  private static List<PlantedUnits.Unit> units(double index) {
    return IntStream.range(0, 6)
        .<PlantedUnits.Unit>mapToObj(u -> s -> response(s, u, index))
        .toList();
  }

  private static double response(Stimulus s, int unit, double index) {
    if (!(s instanceof Grating g)) {
      return 0;
    }
    double tuned = 2 + Math.cos(Math.toRadians(2 * (g.sine().orientation() - 30 * unit)));
    Double d = g.aperture() == null ? null : g.aperture().diameter();
    double size = d == null || d > 40 ? 1 - index : d < 13 ? d / 13 : 1;
    return tuned * g.sine().contrast() * size;
  }

  /** Units whose controls are suppressed a little, each by its number. */
  private static final class Trained extends PlantedUnits {
    Trained(double index) {
      super(units(index));
    }

    @Override
    public Preparation control(Control control) {
      return new PlantedUnits(units(control.number() / 100.0));
    }
  }

  private static InSilico open(
      Path folder,
      String experiment,
      Settings settings,
      Preparation units,
      Study.Existing existing,
      String controls)
      throws IOException {
    return InSilico.open(
            folder,
            List.of(experiment),
            settings,
            units,
            null,
            Map.of(),
            false,
            existing,
            Progress.NONE)
        .controls(Control.parse(List.of(controls)));
  }

  @Test
  void effectsAreComparedWithControls(@TempDir Path folder) throws IOException {
    for (int again = 0; again < 2; again++) { // a second run continues, and adds nothing
      InSilico run =
          open(
              folder,
              "size_tuning",
              Settings.DEFAULTS,
              new Trained(0.4),
              Study.Existing.CONTINUE,
              "random:3");
      run.run();
      JsonNode size = run.results().path("size_tuning");
      JsonNode against = size.path("controls").path("suppression_index").path(0);
      assertEquals("random", against.path("group").asText());
      assertEquals(3, against.path("networks").asInt());
      assertEquals(0.02, against.path("mean").asDouble(), 1e-6);
      assertEquals(0.38, against.path("difference").asDouble(), 1e-6);
      // All units alike: the interval is that of the controls' spread, 0.01 · sqrt(4/3) · 1.96.
      assertEquals(0.38 - 1.96 * 0.01 * Math.sqrt(4 / 3.0), against.path("low").asDouble(), 1e-4);
      assertTrue(against.path("p").isNull(), "three controls give no p");
      long bands =
          IntStream.range(0, size.path("figures").path("size_tuning").path("panels").size())
              .mapToObj(i -> size.path("figures").path("size_tuning").path("panels").path(i))
              .filter(p -> p.path("key").asText().equals("discs"))
              .flatMap(p -> Arrays.stream(looks(p)))
              .filter(look -> look.equals("untrained"))
              .count();
      assertEquals(1, bands);
    }
    String csv = Files.readString(folder.resolve("controls.csv"));
    assertEquals(
        "network,group,experiment,quantity,value,low,high,n", csv.lines().findFirst().orElse(""));
    assertArrayEquals(
        new String[] {"network", "random-1", "random-2", "random-3"},
        csv.lines()
            .filter(l -> l.contains("suppression_index"))
            .map(l -> l.split(",")[0])
            .toArray());
    assertTrue(Files.readString(folder.resolve("report.html")).contains("Controls"));
  }

  @Test
  void aForcedRunReplacesTheControlsOfTheOldOne(@TempDir Path folder) throws IOException {
    for (double contrast : new double[] {0.5, 0.4}) {
      InSilico run =
          open(
              folder,
              "size_tuning",
              Settings.DEFAULTS.withContrast(contrast),
              new Trained(0.4),
              Study.Existing.REPLACE,
              "random:3");
      run.run();
      JsonNode size = run.results().path("size_tuning");
      assertEquals(3, size.at("/controls/suppression_index/0/networks").asInt(), "at " + contrast);
    }
  }

  private static String[] looks(JsonNode panel) {
    return IntStream.range(0, panel.path("series").size())
        .mapToObj(i -> panel.path("series").path(i).path("look").asText())
        .toArray(String[]::new);
  }

  /** A protocol may call an experiment by either of its names. */
  @ParameterizedTest
  @ValueSource(strings = {"orientation", "orientation_tuning"})
  void aProtocolIsJudgedByEitherName(String name, @TempDir Path folder) throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("protocol.yaml"),
            """
            {experiment: %s, hypothesis: H, primary: circular_variance, test: interval,
             alternative: greater, alpha: 0.05, least_n: 2}
            """
                .formatted(name));
    Protocol protocol = Protocol.read(file);
    InSilico run =
        open(
            folder.resolve("run"),
            protocol.experiment(),
            Settings.DEFAULTS,
            new Trained(0.4),
            Study.Existing.CONTINUE,
            "random:1");
    run.protocol(protocol, "protocol.yaml", Protocol.digest(file)).run();
    JsonNode noted = InSilico.read(folder.resolve("run")).at("/metadata/protocol");
    assertFalse(noted.at("/verdict/outcome").asText().isEmpty(), noted.toString());
  }

  /** Units of whose controls the recording is interrupted. */
  private static final class Interrupted extends PlantedUnits {
    Interrupted() {
      super(units(0.3));
    }

    @Override
    public Preparation control(Control control) {
      return new PlantedUnits(units(0)) {
        @Override
        public Responses record(
            StimulusSet set,
            Pooling pooling,
            InputScaling scaling,
            boolean withOutput,
            IntConsumer progress) {
          throw new CancellationException("interrupted");
        }
      };
    }
  }

  @Test
  void anInterruptionDuringAControlEndsTheRun(@TempDir Path folder) throws IOException {
    InSilico run =
        open(
            folder,
            "orientation",
            Settings.DEFAULTS,
            new Interrupted(),
            Study.Existing.CONTINUE,
            "random:1");
    assertThrows(CancellationException.class, run::run);
    assertFalse(InSilico.read(folder).path("metadata").path("complete").asBoolean());
  }
}
