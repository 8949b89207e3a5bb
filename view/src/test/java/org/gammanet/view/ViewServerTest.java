package org.gammanet.view;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.imageio.ImageIO;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ViewServerTest {
  private static final String PHOTO = "'input': {'photo': 'first', 'side': 64}";
  private static final String RUN =
      "{'network': 'small', " + PHOTO + ", 'states': {'site': 'fgru_0', 'channel': 'all'}}";

  private GammaNet model;
  private ViewServer server;
  private Client client;
  private RgbImage photo;

  @BeforeEach
  void start() throws IOException {
    List<String> settings =
        List.of(
            "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
            "model.base_channels=4",
            "model.timesteps=3");
    model = GammaNet.random(GammaNetConfig.shipped("default", settings), 7, Device.CPU);
    server =
        ViewServer.start(List.of(new ViewedNetwork("small", "a small one", model, false)), 0, 64);
    client = new Client(server.address());
    photo = noise(48, 40);
    server.show(photo, "noise.png");
  }

  @AfterEach
  void stop() {
    server.close();
    model.close();
  }

  /** Blocks of random gray with edges between them. */
  private static RgbImage noise(int width, int height) {
    byte[] samples = new byte[3 * width * height];
    for (int y = 0, i = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        for (int c = 0; c < 3; c++, i++) {
          samples[i] = (byte) (Integer.hashCode((x / 9) * 31 + (y / 7) * 17) * 73 + 20 * c);
        }
      }
    }
    return new RgbImage(width, height, samples);
  }

  private static List<Client.Frame> of(List<Client.Frame> frames, String kind) {
    assertEquals("end", frames.getLast().kind(), () -> frames.getLast().header().toString());
    return frames.stream().filter(f -> f.kind().equals(kind)).toList();
  }

  private static String error(List<Client.Frame> frames) {
    assertEquals("error", frames.getLast().kind());
    return frames.getLast().header().get("message").asText();
  }

  // ---- Who is answered ----

  @Test
  void onlyWhoKnowsTheToken() throws IOException {
    String host = "Host: " + server.address().getAuthority() + "\r\n";
    assertEquals(200, client.status("GET", "", host));
    assertEquals(200, client.status("GET", "setup", host));
    URI address = server.address();
    String token = address.getPath();
    String wrong = token.substring(0, token.length() - 2) + (token.endsWith("0/") ? "1/" : "0/");
    for (String path : List.of("/", wrong, "/setup", wrong + "setup", token + "..")) {
      assertNotEquals(200, client.status("GET", path, host), path);
    }
    assertEquals(403, client.status("GET", wrong + "setup", host));
    assertEquals(403, client.status("POST", wrong + "run", host + "Content-Length: 0\r\n"));
    assertEquals(404, client.status("GET", "../" + token.substring(1) + "pom.xml", host));
    assertEquals(405, client.status("PUT", "", host + "Content-Length: 0\r\n"));
  }

  @Test
  void tokensDiffer() throws IOException {
    try (ViewServer other =
        ViewServer.start(List.of(new ViewedNetwork("small", "", model, false)), 0, 64)) {
      assertNotEquals(other.address().getPath(), server.address().getPath());
      assertTrue(other.address().getPath().length() >= 32);
    }
  }

  @Test
  void foreignHostsAndOriginsAreRefused() throws IOException {
    int port = server.address().getPort();
    String own = "Host: 127.0.0.1:" + port + "\r\n";
    for (String host :
        List.of("evil.example", "evil.example:" + port, "127.0.0.1", "127.0.0.1:1", "")) {
      assertEquals(403, client.status("GET", "setup", "Host: " + host + "\r\n"), host);
    }
    assertEquals(200, client.status("GET", "setup", "Host: localhost:" + port + "\r\n"));
    assertEquals(403, client.status("GET", "setup", own + "Host: evil.example\r\n"));
    for (String origin :
        List.of("http://evil.example", "null", "https://127.0.0.1:" + port, "http://127.0.0.1:1")) {
      assertEquals(403, client.status("GET", "setup", own + "Origin: " + origin + "\r\n"), origin);
    }
    String origin = "Origin: http://127.0.0.1:" + port + "\r\n";
    assertEquals(200, client.status("GET", "setup", own + origin));
    assertEquals(403, client.status("GET", "setup", own + origin + "Origin: http://evil\r\n"));
    assertEquals(403, client.status("GET", "setup", own + "Sec-Fetch-Site: cross-site\r\n"));
    assertEquals(200, client.status("GET", "setup", own + "Sec-Fetch-Site: same-origin\r\n"));
  }

  @Test
  void thePageIsSmallAndComplete() {
    assertTrue(client.get("").body().contains("main.js"));
    String policy = client.get("").headers().firstValue("Content-Security-Policy").orElse("");
    assertTrue(policy.startsWith("default-src 'none'; script-src 'self' 'sha256-"), policy);
    int scripts = client.get("uplot.js").body().length();
    for (String module : Page.MODULES) {
      String text = client.get(module).body();
      scripts += text.length();
      assertFalse(text.replace("http://www.w3.org/", "").contains("://"), module);
    }
    assertTrue(scripts <= 150_000, scripts + " bytes of scripts");
    assertTrue(client.get("uplot-license.txt").body().contains("MIT"));
    for (String file : List.of("", "style.css", "uplot.css")) {
      assertFalse(client.get(file).body().contains("://"), file);
    }
  }

  // ---- What is computed ----

  @Test
  void edgesAreThoseOfDetection() {
    List<Client.Frame> edges = of(client.post("run", RUN), "edges");
    List<EdgeMap> expected = model.detect(photo, ForwardOptions.DEFAULTS.withEveryTimestep());
    assertEquals(3, edges.size());
    for (int t = 0; t < 3; t++) {
      // Half a step of 16 bits; hooks keep states that may otherwise be overwritten in place.
      assertArrayEquals(expected.get(t).values(), edges.get(t).steps(), 1e-5f);
    }
    List<Client.Frame> changes = of(client.post("run", RUN), "changes");
    double change = 0;
    for (int i = 0; i < 48 * 40; i++) {
      change += Math.abs(expected.get(2).values()[i] - expected.get(1).values()[i]) / (48 * 40);
    }
    assertEquals(change, changes.get(2).header().get("edges").asDouble(), 1e-5);
  }

  private float[] state(String request, String population, int t) {
    return of(client.post("run", request), "state").stream()
        .filter(f -> f.header().get("population").asText().equals(population))
        .filter(f -> f.header().get("t").asInt() == t)
        .findFirst()
        .orElseThrow()
        .steps();
  }

  @Test
  void theMeanAndOneChannelComeFromAll() {
    float[] all = state(RUN, "I", 1);
    float[] mean = state(RUN.replace("'all'", "'mean'"), "I", 1);
    float[] third = state(RUN.replace("'all'", "'2'"), "I", 1);
    int plane = 48 * 40;
    assertEquals(4 * plane, all.length);
    assertArrayEquals(Arrays.copyOfRange(all, 2 * plane, 3 * plane), third, 1e-3f);
    float sum = 0;
    for (int c = 0; c < 4; c++) {
      sum += all[c * plane + 700] / 4;
    }
    assertEquals(sum, mean[700], 1e-3f);
  }

  @Test
  void lightSilencesAPlaceForSomeTime() {
    String light =
        "'lights': [{'site': 'fgru_0', 'population': 'excitatory', 'gain': 0, 'from': 2, 'to': 2,"
            + " 'discs': [[20, 10, 3]]}]";
    String lit = RUN.replace("}}", "}, " + light + "}");
    float[][] dark = new float[3][];
    float[][] bright = new float[3][];
    for (int t = 0; t < 3; t++) {
      dark[t] = state(RUN, "E", t);
      bright[t] = state(lit, "E", t);
    }
    assertArrayEquals(dark[0], bright[0]);
    int silent = 0;
    for (int y = 0; y < 40; y++) {
      for (int x = 0; x < 48; x++) {
        if (Math.hypot(x - 20, y - 10) <= 3) {
          assertEquals(0, bright[1][y * 48 + x], 1e-4f);
          silent++;
        }
      }
    }
    assertEquals(29, silent);
    assertNotEquals(0, bright[2][10 * 48 + 20]);
    assertFalse(Arrays.equals(dark[2], bright[2]));
  }

  @Test
  void aDrivenPlaceGetsThatMuchMore() {
    String light =
        "'lights': [{'site': 'fgru_1', 'population': 'inhibitory', 'gain': 1, 'current': 2.5,"
            + " 'from': 1, 'to': 1, 'discs': [[8, 8, 0]]}]";
    String request = RUN.replace("fgru_0", "fgru_1");
    float[] dark = state(request, "I", 0);
    float[] bright = state(request.replace("}}", "}, " + light + "}"), "I", 0);
    int changed = 0;
    for (int i = 0; i < dark.length; i++) {
      if (Math.abs(bright[i] - dark[i]) > 1) {
        assertEquals(2.5, bright[i] - dark[i], 1e-3);
        assertEquals(4 * 24 + 4, i % (20 * 24));
        changed++;
      }
    }
    assertEquals(8, changed); // channels
  }

  @Test
  void lesions() {
    String request = RUN.replace("fgru_0", "td_fgru_0");
    assertTrue(max(state(request, "E", 2)) > 0);
    assertEquals(
        0, max(state(request.replace("}}", "}, 'lesions': ['top_down']}"), "E", 2)), "feedback");
    float[] intact = of(client.post("run", RUN), "edges").getLast().steps();
    for (String lesion : List.of("horizontal", "inhibition", "top_down")) {
      String cut = RUN.replace("}}", "}, 'lesions': ['" + lesion + "']}");
      float[] edges = of(client.post("run", cut), "edges").getLast().steps();
      assertFalse(Arrays.equals(intact, edges), lesion);
    }
    assertArrayEquals(intact, of(client.post("run", RUN), "edges").getLast().steps());
  }

  private static float max(float[] values) {
    float most = 0;
    for (float v : values) {
      most = Math.max(most, Math.abs(v));
    }
    return most;
  }

  @Test
  void untrainedWeightsAreAlwaysThere() {
    String random = RUN.replace("'small'", "'random'");
    assertFalse(
        Arrays.equals(
            of(client.post("run", RUN), "edges").getLast().steps(),
            of(client.post("run", random), "edges").getLast().steps()));
  }

  // ---- Stimuli ----

  @Test
  void eachStimulusAtBothEndsOfEachSlider() throws IOException {
    JsonNode setup = new ObjectMapper().readTree(client.get("setup").body());
    assertEquals(4, setup.get("stimuli").size());
    for (JsonNode stimulus : setup.get("stimuli")) {
      for (JsonNode slider : stimulus.get("sliders")) {
        for (String end : List.of("min", "max")) {
          String json =
              "{'network': 'small', 'timesteps': 1, 'input': {'stimulus': {'type': '%s', '%s': %s}}}"
                  .formatted(
                      stimulus.get("type").asText(), slider.get("name").asText(), slider.get(end));
          List<Client.Frame> image = of(client.post("run", json), "image");
          assertEquals(3 * 256 * 256, image.getFirst().data().length, json);
        }
      }
    }
  }

  // ---- Photos ----

  @Test
  void aPhotoIsRead() throws IOException {
    var png = new ByteArrayOutputStream();
    ImageIO.write(photo.toBufferedImage(), "png", png);
    JsonNode read =
        of(client.post("photo?name=a%20b.png", png.toByteArray()), "photo").getFirst().header();
    assertEquals("a b.png", read.get("name").asText());
    String request = RUN.replace("'first'", "'" + read.get("id").asText() + "'");
    assertArrayEquals(photo.samples(), of(client.post("run", request), "image").getFirst().data());
  }

  @Test
  void aBrokenFileIsRefusedInWords() {
    String broken = error(client.post("photo?name=x.png", "this is no image at all"));
    assertTrue(broken.contains("x.png"), broken);
    assertTrue(error(client.post("photo?name=x.png", "")).contains("x.png"));
    assertEquals(3, of(client.post("run", RUN), "edges").size());
  }

  @Test
  void wrongRequestsAreRefusedInWords() {
    assertTrue(error(client.post("run", "{")).contains("JSON"));
    assertTrue(error(client.post("run", "{}")).contains("stimulus"));
    assertTrue(error(client.post("run", RUN.replace("'small'", "'other'"))).contains("other"));
    assertTrue(error(client.post("run", RUN.replace("'first'", "'gone'"))).contains("drop it"));
    assertTrue(error(client.post("run", RUN.replace("64", "100000"))).contains("between"));
    assertTrue(error(client.post("run", RUN.replace("'all'", "'99'"))).contains("channels"));
    String many = RUN.replace("}}", "}, 'timesteps': 1000}");
    assertTrue(error(client.post("run", many)).contains("timesteps"));
    String lesion = RUN.replace("}}", "}, 'lesions': ['everything']}");
    assertTrue(error(client.post("run", lesion)).contains("everything"));
    assertTrue(error(client.post("nothing", "{}")).contains("address"));
  }

  // ---- Many pages ----

  @Test
  void pagesLeaveNoTensorBehind() throws Exception {
    String unit =
        "{'network': 'small', " + PHOTO + ", 'unit': {'site': 'fgru_0', 'x': 20, 'y': 20}}";
    String lesioned = RUN.replace("}}", "}, 'lesions': ['inhibition']}");
    of(client.post("run", lesioned), "edges"); // keeps its copy for the next of its kind
    long before = Tensor.liveHandles();
    String longRun = RUN.replace("}}", "}, 'timesteps': 32}");
    try (ExecutorService pages = Executors.newFixedThreadPool(20)) {
      List<Future<Integer>> sessions = new ArrayList<>();
      List<Socket> killed = new ArrayList<>();
      for (int n = 0; n < 20; n++) {
        String body = n % 3 == 0 ? unit : n % 3 == 1 ? RUN : lesioned;
        String path = n % 3 == 0 ? "unit" : "run";
        killed.add(client.open("run", longRun));
        sessions.add(
            pages.submit(
                () -> {
                  List<Client.Frame> frames = new Client(server.address()).post(path, body);
                  assertEquals("end", frames.getLast().kind());
                  return frames.size();
                }));
        if (n % 2 == 0) {
          for (Socket socket : killed) {
            socket.setSoLinger(true, 0); // as when a browser's process is killed
            socket.close();
          }
          killed.clear();
        }
      }
      for (Future<Integer> session : sessions) {
        assertTrue(session.get() > 1);
      }
      for (Socket socket : killed) {
        socket.close();
      }
    }
    of(client.post("run", lesioned), "edges"); // the last in line: all others have ended
    assertEquals(before, Tensor.liveHandles());
    List<Client.Frame> failing = client.post("unit", unit.replace("'y': 20", "'channel': 99"));
    assertTrue(error(failing).contains("channels"));
    assertEquals(before, Tensor.liveHandles());
  }

  @Test
  void closingReleasesEverything() throws IOException {
    long before = Tensor.liveHandles();
    try (ViewServer other =
        ViewServer.start(List.of(new ViewedNetwork("small", "", model, false)), 0, 64)) {
      other.show(photo, "noise.png");
      Client page = new Client(other.address());
      String random = RUN.replace("'small'", "'random'");
      of(page.post("run", random.replace("}}", "}, 'lesions': ['horizontal']}")), "edges");
    }
    assertEquals(before, Tensor.liveHandles());
  }
}
