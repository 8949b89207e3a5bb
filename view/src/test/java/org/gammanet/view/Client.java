package org.gammanet.view;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A page without a browser. */
final class Client {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newHttpClient();
  private final URI address;

  Client(URI address) {
    this.address = address;
  }

  /** A frame of an answer. */
  record Frame(JsonNode header, byte[] data) {
    String kind() {
      return header.get("kind").asText();
    }

    /** Values of 16-bit steps. */
    float[] steps() {
      var in = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
      float lo = (float) header.get("lo").asDouble();
      float hi = (float) header.get("hi").asDouble();
      float[] out = new float[in.remaining()];
      for (int i = 0; i < out.length; i++) {
        out[i] = lo + (hi - lo) * (in.get() & 0xFFFF) / 65535;
      }
      return out;
    }

    float[] floats() {
      var in = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
      float[] out = new float[in.remaining()];
      in.get(out);
      return out;
    }
  }

  HttpResponse<String> get(String path) {
    try {
      return http.send(
          HttpRequest.newBuilder(address.resolve(path)).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** The frames of an answer to the end. */
  List<Frame> post(String path, byte[] body) {
    try {
      HttpResponse<InputStream> response =
          http.send(
              HttpRequest.newBuilder(address.resolve(path))
                  .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                  .build(),
              HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream in = response.body()) {
        if (response.statusCode() != 200) {
          return List.of(new Frame(JSON.readTree(in), new byte[0]));
        }
        return frames(in);
      }
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** The frames of an answer to JSON in which quotes are single. */
  List<Frame> post(String path, String json) {
    return post(path, json.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
  }

  private static List<Frame> frames(InputStream stream) throws IOException {
    var in = new DataInputStream(stream);
    List<Frame> frames = new ArrayList<>();
    while (true) {
      byte[] length = new byte[4];
      try {
        in.readFully(length);
      } catch (EOFException e) {
        return frames;
      }
      byte[] json = new byte[ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getInt()];
      in.readFully(json);
      JsonNode header = JSON.readTree(json);
      byte[] data = new byte[header.get("bytes").asInt()];
      in.readFully(data);
      if (!header.get("kind").asText().equals("wait")) {
        frames.add(new Frame(header, data));
      }
    }
  }

  /** A connection of its own that has sent a request and reads nothing. */
  Socket open(String path, String json) throws IOException {
    Socket socket = new Socket(address.getHost(), address.getPort());
    String body = json.replace('\'', '"');
    send(
        socket,
        "POST",
        path,
        "Host: " + address.getAuthority() + "\r\nContent-Length: " + body.length() + "\r\n",
        body);
    return socket;
  }

  /** Status of a request with any headers. */
  int status(String method, String path, String headers) throws IOException {
    try (Socket socket = new Socket(address.getHost(), address.getPort())) {
      send(socket, method, path, headers + "Connection: close\r\n", "");
      String answer =
          new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      return Integer.parseInt(answer.substring(9, 12));
    }
  }

  private void send(Socket socket, String method, String path, String headers, String body)
      throws IOException {
    String head =
        "%s %s HTTP/1.1\r\n%s\r\n%s"
            .formatted(method, address.resolve(path).getRawPath(), headers, body);
    OutputStream out = socket.getOutputStream();
    out.write(head.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }
}
