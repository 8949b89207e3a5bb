package org.gammanet.view;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;

/** What reaches a unit, against what happens when light changes it a little. */
class UnitRunTest {
  private static final String STIMULUS =
      "'input': {'stimulus': {'type': 'disc_in_ring', 'cycles': 30}}, 'timesteps': 3";
  private static final int X = 128;
  private static final int Y = 130;

  private static Client.Frame frame(List<Client.Frame> frames, String kind, String of) {
    return frames.stream()
        .filter(f -> f.kind().equals(kind))
        .filter(f -> of.isEmpty() || f.header().get("of").asText().equals(of))
        .findFirst()
        .orElseThrow(() -> new AssertionError(frames.getLast().header().toString()));
  }

  private static String unit(String site, String more) {
    return "{'network': 'n', %s, 'unit': {'site': '%s', 'x': %d, 'y': %d, 'channel': 1}%s}"
        .formatted(STIMULUS, site, X, Y, more);
  }

  /** E of the unit after the last timestep. */
  private static double response(List<Client.Frame> frames) {
    Client.Frame traces = frame(frames, "traces", "");
    int channels = traces.header().get("channels").asInt();
    return traces.floats()[(signals(traces).indexOf("E") * 3 + 2) * channels + 1];
  }

  private static List<String> signals(Client.Frame traces) {
    return traces.header().get("signals").valueStream().map(n -> n.asText()).toList();
  }

  /**
   * Light on one place at all timesteps: by a current, whose effect is the gradient, and by a gain,
   * whose effect is the input. The difference quotient's error is the second derivative's share,
   * which falls with the step, and rounding of the response, which rises: a bound of 5 percent of
   * the largest effect leaves room for both.
   */
  private static void compare(
      String[] settings, String site, String lit, String map, int level, int... offsets)
      throws IOException {
    try (GammaNet model =
            GammaNet.random(GammaNetConfig.shipped("default", List.of(settings)), 3, Device.CPU);
        ViewServer server =
            ViewServer.start(List.of(new ViewedNetwork("n", "", model, false)), 0, 256)) {
      Client client = new Client(server.address());
      List<Client.Frame> dark = client.post("unit", unit(site, ""));
      float[] planes = frame(dark, "map", map).floats();
      int side = 256 >> level;
      double most = 0;
      double error = 0;
      for (int dx : offsets) {
        int x = (X >> level) + dx;
        int y = Y >> level;
        double size = 3e-4;
        String light =
            ", 'lights': [{'site': '%s', 'population': 'excitatory', '%s': %s, 'from': 1, 'to': 2,"
                + " 'discs': [[%d, %d, 0]]}]";
        double[] effects = new double[2];
        for (int how = 0; how < 2; how++) {
          double[] ends = new double[2];
          for (int sign = -1; sign <= 1; sign += 2) {
            String lights =
                light.formatted(
                    lit, how == 0 ? "current" : "gain", how + sign * size, x << level, y << level);
            ends[(sign + 1) / 2] = response(client.post("unit", unit(site, lights)));
          }
          effects[how] = (ends[1] - ends[0]) / (2 * size);
        }
        for (int how = 0; how < 2; how++) {
          float found = planes[how * side * side + y * side + x];
          most = Math.max(most, Math.abs(effects[how]));
          error = Math.max(error, Math.abs(found - effects[how]));
        }
      }
      assertTrue(most > 1e-3, "light has an effect: " + most);
      assertTrue(error < 0.05 * most, "error %g of %g".formatted(error, most));
    }
  }

  /** One layer alone: whatever a place does to the unit goes through horizontal connections. */
  @Test
  void horizontalInputIsWhatLightInTheLayerDoes() throws IOException {
    String[] settings = {"model.layers=[conv1_1, conv1_2]", "model.base_channels=4"};
    compare(settings, "fgru_0", "fgru_0", "horizontal_e", 0, 0, 1, -2);
  }

  @Test
  void topDownInputIsWhatLightInTheLayerAboveDoes() throws IOException {
    String[] settings = {
      "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]", "model.base_channels=4"
    };
    compare(settings, "fgru_0", "fgru_1", "top_down", 1, 0, 1, -1);
  }

  @Test
  void nothingIsAboveTheTop() throws IOException {
    String[] settings = {"model.layers=[conv1_1, conv1_2]", "model.base_channels=4"};
    try (GammaNet model =
            GammaNet.random(GammaNetConfig.shipped("default", List.of(settings)), 3, Device.CPU);
        ViewServer server =
            ViewServer.start(List.of(new ViewedNetwork("n", "", model, false)), 0, 256)) {
      List<String> maps =
          new Client(server.address())
              .post("unit", unit("fgru_0", "")).stream()
                  .filter(f -> f.kind().equals("map"))
                  .map(f -> f.header().get("of").asText())
                  .toList();
      assertEquals(List.of("horizontal_e", "horizontal_i", "image"), maps);
    }
  }
}
