package org.gammanet.view;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.figures.ColorMap;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/**
 * Serves the page on the loopback interface, to whoever knows the address with its random token.
 *
 * <pre>{@code
 * try (var server = ViewServer.start(networks, 0, 320)) {
 *   System.out.println(server.address());
 * }
 * }</pre>
 *
 * <p>A request must name this server as its host, so that no other site's name leads here, and must
 * not come from another origin. One computation runs at a time; it is given up once the page that
 * asked for it is gone.
 */
public final class ViewServer implements AutoCloseable {
  private static final int MAX_REQUEST = 1 << 20;
  private static final int MAX_ANSWERS = 128;

  /** After this time without a frame, a page is sent one that says that the work goes on. */
  private static final long SILENCE_MILLIS = 250;

  /**
   * Frames that arise within this time are sent together: a browser that reads each by itself takes
   * the processors from a short computation.
   */
  private static final long GATHER_MILLIS = 150;

  /** Bytes that are sent at once without waiting for more. */
  private static final int MAX_GATHERED = 8 << 20;

  private static final System.Logger LOG = System.getLogger(ViewServer.class.getName());
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpServer http;
  private final ExecutorService threads;
  private final Semaphore answers = new Semaphore(MAX_ANSWERS);
  private final Set<Job> jobs = ConcurrentHashMap.newKeySet();
  private final Worker worker = new Worker();
  private final Page page = new Page();
  private final Photos photos = new Photos();
  private final Networks networks;
  private final int side;
  private final String token;
  private volatile Photos.@Nullable Photo first;

  private ViewServer(List<ViewedNetwork> shown, int port, int side) throws IOException {
    networks = new Networks(shown);
    this.side = Request.range(side, 32, Photos.MAX_SIDE, "the working size");
    byte[] random = new byte[16];
    new SecureRandom().nextBytes(random);
    token = HexFormat.of().formatHex(random);
    threads =
        Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("gammanet-view-", 0).factory());
    http =
        HttpServer.create(
            new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 64);
    http.setExecutor(threads);
    http.createContext("/", this::answer);
    http.start();
  }

  /**
   * Starts to serve.
   *
   * @param networks at least one; they stay the caller's, who closes them after this
   * @param port of 127.0.0.1; 0 for any that is free
   * @param side longer side of photos at first, pixels, 32 to 1024
   * @throws IOException when the port is taken
   * @throws IllegalArgumentException for networks of one name
   */
  public static ViewServer start(List<ViewedNetwork> networks, int port, int side)
      throws IOException {
    return new ViewServer(networks, port, side);
  }

  /** Address of the page with its token. */
  public URI address() {
    return URI.create("http://%s/%s/".formatted(host(), token));
  }

  private String host() {
    return "127.0.0.1:" + http.getAddress().getPort();
  }

  /** Sets the photo that a page shows at first; without one it shows a stimulus. */
  public void show(RgbImage photo, String name) {
    first = photos.keep("first", name, photo);
  }

  // ---- Requests ----

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      if (!answers.tryAcquire()) {
        refuse(exchange, new ViewException(503, "too many requests at once: close some pages"));
        return;
      }
      try {
        String path = admitted(exchange);
        route(exchange, path);
      } catch (ViewException e) {
        refuse(exchange, e);
      } catch (JsonProcessingException e) {
        refuse(exchange, ViewException.bad("the request is no JSON"));
      } catch (IllegalArgumentException e) { // parameters of stimuli
        refuse(exchange, ViewException.bad(String.valueOf(e.getMessage())));
      } catch (RuntimeException e) {
        LOG.log(System.Logger.Level.ERROR, "a request failed", e);
        refuse(exchange, new ViewException(500, "this is a fault in gammanet: " + e));
      } finally {
        answers.release();
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "a page is gone", e);
    }
  }

  /** The path after the token, if the request may be answered. */
  private String admitted(HttpExchange exchange) {
    Headers headers = exchange.getRequestHeaders();
    String port = ":" + http.getAddress().getPort();
    Set<String> names = Set.of("127.0.0.1" + port, "localhost" + port);
    String host = only(headers, "Host");
    if (host == null || !names.contains(host.toLowerCase(Locale.ROOT))) {
      throw new ViewException(403, "this server answers to its own address only");
    }
    String origin = only(headers, "Origin");
    if (headers.containsKey("Origin") && !("http://" + host).equals(origin)) {
      throw new ViewException(403, "requests from other origins are refused");
    }
    String site = only(headers, "Sec-Fetch-Site");
    if (headers.containsKey("Sec-Fetch-Site")
        && !("same-origin".equals(site) || "none".equals(site))) {
      throw new ViewException(403, "requests from other sites are refused");
    }
    String path = exchange.getRequestURI().getRawPath();
    String[] parts = (path == null ? "" : path).split("/", 3);
    byte[] given = (parts.length < 3 ? "" : parts[1]).getBytes(StandardCharsets.UTF_8);
    if (!MessageDigest.isEqual(given, token.getBytes(StandardCharsets.UTF_8))) {
      throw new ViewException(403, "open the address that gammanet view has printed");
    }
    return parts[2];
  }

  /** The value of a header that occurs once; null otherwise. */
  private static @Nullable String only(Headers headers, String name) {
    List<String> values = headers.get(name);
    return values != null && values.size() == 1 ? values.getFirst() : null;
  }

  private void route(HttpExchange exchange, String path) throws IOException {
    String method = exchange.getRequestMethod();
    if (method.equals("POST")) {
      switch (path) {
        case "run" -> {
          ForwardRun run = ForwardRun.parse(json(exchange));
          stream(exchange, job -> run.run(job, networks, photos));
        }
        case "unit" -> {
          UnitRun run = UnitRun.parse(json(exchange));
          stream(exchange, job -> run.run(job, networks, photos));
        }
        case "photo" -> {
          String name = photoName(exchange);
          byte[] file = body(exchange, Photos.MAX_BYTES, name + " is larger than 64 MB");
          stream(exchange, job -> job.send(describe(photos.add(file, name), Job.header("photo"))));
        }
        default -> throw new ViewException(404, "nothing is done under this address");
      }
    } else if (method.equals("GET")) {
      if (path.equals("setup")) {
        byte[] setup = JSON.writeValueAsBytes(setup());
        send(exchange, 200, new Page.Resource(setup, "application/json"));
      } else {
        send(exchange, 200, page.get(path));
      }
    } else {
      throw new ViewException(405, "only GET and POST are answered");
    }
  }

  private static JsonNode json(HttpExchange exchange) throws IOException {
    return JSON.readTree(body(exchange, MAX_REQUEST, "the request is too large"));
  }

  private static byte[] body(HttpExchange exchange, int most, String refusal) throws IOException {
    try (InputStream in = exchange.getRequestBody()) {
      byte[] bytes = in.readNBytes(most + 1);
      if (bytes.length > most) {
        throw new ViewException(413, refusal);
      }
      return bytes;
    }
  }

  /** What errors call a photo: the name of its file, without what does not belong into a line. */
  private static String photoName(HttpExchange exchange) {
    String query = exchange.getRequestURI().getRawQuery();
    String name =
        query != null && query.startsWith("name=")
            ? URLDecoder.decode(query.substring(5), StandardCharsets.UTF_8)
            : "";
    name = name.replaceAll("[\\p{Cntrl}/\\\\]", " ").strip();
    return name.isEmpty() ? "the photo" : name.substring(0, Math.min(120, name.length()));
  }

  private static ObjectNode describe(Photos.Photo photo, ObjectNode out) {
    return out.put("id", photo.id())
        .put("name", photo.name())
        .put("width", photo.image().width())
        .put("height", photo.image().height());
  }

  /** What a page must know before it asks for anything. */
  private ObjectNode setup() {
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    networks.describe(out.putArray("networks"));
    StimulusKind.describe(out.putArray("stimuli"));
    ObjectNode lesions = out.putObject("lesions");
    for (Lesion lesion : Lesion.values()) {
      lesions.put(lesion.name().toLowerCase(Locale.ROOT), lesion.words());
    }
    out.put("side", side).put("maxSide", Photos.MAX_SIDE).put("uplot", Page.uplotVersion());
    out.put("stimulusSize", StimulusKind.SIZE).put("maxTimesteps", Request.MAX_TIMESTEPS);
    ArrayNode modules = out.putArray("modules");
    Page.MODULES.forEach(modules::add);
    if (first != null) {
      describe(first, out.putObject("photo"));
    }
    ObjectNode palettes = out.putObject("palettes");
    for (ColorMap map : ColorMap.values()) {
      var colors = new StringBuilder();
      for (int i = 0; i < 256; i++) {
        colors.append("%06x".formatted(map.rgb(i / 255.0)));
      }
      palettes.put(map.name().toLowerCase(Locale.ROOT), colors.toString());
    }
    return out;
  }

  // ---- Answers ----

  private void send(HttpExchange exchange, int status, Page.Resource file) throws IOException {
    head(exchange, file.type());
    exchange.sendResponseHeaders(status, file.bytes().length);
    exchange.getResponseBody().write(file.bytes());
  }

  private void refuse(HttpExchange exchange, ViewException e) throws IOException {
    byte[] message = JSON.writeValueAsBytes(Job.header("error").put("message", e.getMessage()));
    send(exchange, e.status(), new Page.Resource(message, "application/json"));
  }

  private void head(HttpExchange exchange, String type) {
    Headers headers = exchange.getResponseHeaders();
    headers.set("Content-Type", type);
    headers.set("Content-Security-Policy", page.policy());
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("Referrer-Policy", "no-referrer");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cache-Control", "no-store");
  }

  /** Sends the frames of a computation; gives it up when the page is gone. */
  private void stream(HttpExchange exchange, Worker.Task task) throws IOException {
    head(exchange, "application/octet-stream");
    exchange.sendResponseHeaders(200, 0);
    Job job = worker.submit(task);
    jobs.add(job);
    try (OutputStream out = exchange.getResponseBody()) {
      var gathered = new ByteArrayOutputStream();
      long sent = System.nanoTime();
      boolean ended = false;
      while (!ended) {
        byte[] frame = job.next(gathered.size() > 0 ? GATHER_MILLIS : SILENCE_MILLIS);
        ended = frame != null && frame.length == 0;
        if (frame != null) {
          gathered.writeBytes(frame);
        } else if (gathered.size() == 0) {
          gathered.writeBytes(Job.frame(Job.header("wait"), ByteBuffer.allocate(0)));
        }
        long now = System.nanoTime();
        if (ended
            || frame == null
            || gathered.size() >= MAX_GATHERED
            || now - sent >= TimeUnit.MILLISECONDS.toNanos(GATHER_MILLIS)) {
          gathered.writeTo(out);
          out.flush();
          gathered.reset();
          sent = now;
        }
      }
    } finally {
      job.cancel();
      jobs.remove(job);
    }
  }

  /** Ends all computations and forgets what pages have sent. */
  @Override
  public void close() {
    jobs.forEach(Job::cancel);
    http.stop(0);
    worker.close();
    networks.close();
    threads.shutdownNow();
  }
}
