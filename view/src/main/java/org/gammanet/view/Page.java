package org.gammanet.view;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The files of the page: ours, and uPlot's from its WebJar. */
final class Page {
  private static final String WEBJAR = "META-INF/resources/webjars/uplot/";
  private static final Pattern INLINE =
      Pattern.compile("<script type=\"importmap\">(.*?)</script>", Pattern.DOTALL);

  /** The modules, in the order in which they depend on each other. */
  static final List<String> MODULES =
      List.of(
          "state.js",
          "colors.js",
          "source.js",
          "plots.js",
          "stage.js",
          "units.js",
          "controls.js",
          "export.js",
          "main.js");

  /**
   * A file.
   *
   * @param type media type
   */
  record Resource(byte[] bytes, String type) {}

  private final Map<String, Resource> files = new LinkedHashMap<>();
  private final String policy;

  Page() {
    add("", "page/index.html", "text/html; charset=utf-8");
    add("style.css", "page/style.css", "text/css; charset=utf-8");
    add("icon.svg", "page/icon.svg", "image/svg+xml");
    for (String module : MODULES) {
      add(module, "page/" + module, "text/javascript; charset=utf-8");
    }
    String folder = WEBJAR + uplotVersion() + "/";
    put("uplot.js", library(folder + "dist/uPlot.iife.min.js"), "text/javascript; charset=utf-8");
    put("uplot.css", library(folder + "dist/uPlot.min.css"), "text/css; charset=utf-8");
    put("uplot-license.txt", library(folder + "LICENSE"), "text/plain; charset=utf-8");
    policy = policy(new String(get("").bytes, StandardCharsets.UTF_8));
  }

  /** Nothing but this server's files, and the one inline script, which is named by its digest. */
  private static String policy(String html) {
    Matcher inline = INLINE.matcher(html);
    if (!inline.find()) {
      throw new AssertionError("the page has no import map");
    }
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(inline.group(1).getBytes(StandardCharsets.UTF_8));
      return "default-src 'none'; script-src 'self' 'sha256-%s'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
          .formatted(Base64.getEncoder().encodeToString(digest));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  /** Value of the header Content-Security-Policy. */
  String policy() {
    return policy;
  }

  /** The file of a name. */
  Resource get(String name) {
    Resource file = files.get(name);
    if (file == null) {
      throw new ViewException(404, "this page has no file '%s'".formatted(name));
    }
    return file;
  }

  /** Version of uPlot, as its WebJar says. */
  static String uplotVersion() {
    var properties = new Properties();
    byte[] text = library("META-INF/maven/org.webjars.npm/uplot/pom.properties");
    try (var in = new java.io.ByteArrayInputStream(text)) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty("version");
  }

  private void add(String name, String resource, String type) {
    put(name, read(Page.class.getResourceAsStream(resource), resource), type);
  }

  private void put(String name, byte[] bytes, String type) {
    files.put(name, new Resource(bytes, type));
  }

  private static byte[] library(String resource) {
    return read(Page.class.getClassLoader().getResourceAsStream(resource), resource);
  }

  private static byte[] read(@Nullable InputStream in, String resource) {
    if (in == null) {
      throw new IllegalStateException("%s is missing from this installation".formatted(resource));
    }
    try (in) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
