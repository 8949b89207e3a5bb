package org.gammanet.view;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.gammanet.experiments.stimuli.Aperture;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.FlankedBars;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.Stimulus;

/** The stimuli that a page has sliders for. */
enum StimulusKind {
  /** A sine grating in a disc. */
  GRATING(
      "Grating",
      "A sine grating in a disc with a soft edge.",
      new Slider("orientation", "Orientation", "°", 0, 180, 5, 30),
      new Slider("cycles", "Frequency", "cycles", 2, 48, 1, 16),
      new Slider("contrast", "Contrast", "%", 0, 100, 5, 80),
      new Slider("size", "Diameter", "px", 16, 232, 4, 160),
      new Slider("phase", "Phase", "°", 0, 360, 15, 0)) {
    @Override
    Stimulus of(Values v) {
      Aperture disc = Aperture.disc(v.get("size")).softEdge(6);
      return new Grating(FRAME, v.sine("orientation", "contrast"), disc);
    }
  },

  /** A disc of grating within a ring of grating. */
  DISC_IN_RING(
      "Disc in ring",
      "A disc of grating within a ring of grating: the surround suppresses the center.",
      new Slider("orientation", "Orientation", "°", 0, 180, 5, 0),
      new Slider("cycles", "Frequency", "cycles", 2, 48, 1, 16),
      new Slider("contrast", "Contrast, disc", "%", 0, 100, 5, 80),
      new Slider("ring", "Contrast, ring", "%", 0, 100, 5, 80),
      new Slider("turn", "Ring turned by", "°", -90, 90, 5, 90),
      new Slider("size", "Radius, disc", "px", 6, 60, 2, 30),
      new Slider("gap", "Gap", "px", 0, 40, 1, 0),
      new Slider("width", "Width, ring", "px", 4, 80, 2, 50)) {
    @Override
    Stimulus of(Values v) {
      Sine center = v.sine("orientation", "contrast");
      double inner = v.get("size") + v.get("gap");
      double outer = Math.min(FRAME.largestRadius(), inner + v.get("width"));
      Sine ring =
          center.contrast(v.get("ring") / 100).orientation(v.get("orientation") + v.get("turn"));
      return new CenterSurround(
          FRAME,
          CenterSurround.Disc.of(center, v.get("size")),
          new CenterSurround.Ring(ring, inner, outer));
    }
  },

  /** A bar with two flankers on its line. */
  FLANKED_BARS(
      "Flanked bars",
      "A bar with two flankers, after Kapadia and others (1995): collinear flankers facilitate.",
      new Slider("axis", "Axis", "°", 0, 180, 5, 0),
      new Slider("contrast", "Contrast, bar", "%", -100, 100, 5, 40),
      new Slider("flankers", "Contrast, flankers", "%", -100, 100, 5, 90),
      new Slider("length", "Length", "px", 6, 80, 2, 36),
      new Slider("width", "Width", "px", 1, 16, 1, 6),
      new Slider("gap", "Gap", "px", 0, 80, 1, 10),
      new Slider("angle", "Flankers turned by", "°", -90, 90, 5, 0),
      new Slider("lateral", "Lateral offset", "px", -40, 40, 1, 0)) {
    @Override
    Stimulus of(Values v) {
      double length = v.get("length");
      return new FlankedBars(
          FRAME,
          v.get("axis"),
          new FlankedBars.Element(length, v.get("width"), null, true),
          v.get("contrast") / 100,
          FlankedBars.Flankers.at(length + v.get("gap"), v.get("flankers") / 100)
              .angle(v.get("angle"))
              .lateral(v.get("lateral")));
    }
  },

  /** A grating whose surround is tilted. */
  TILT(
      "Tilt",
      "A grating within one of another orientation: the tilt illusion.",
      new Slider("orientation", "Orientation, test", "°", 0, 180, 1, 0),
      new Slider("tilt", "Tilt of surround", "°", -90, 90, 1, 15),
      new Slider("cycles", "Frequency", "cycles", 2, 48, 1, 20),
      new Slider("contrast", "Contrast", "%", 0, 100, 5, 80),
      new Slider("size", "Radius, test", "px", 6, 80, 2, 40),
      new Slider("gap", "Gap", "px", 0, 40, 1, 0)) {
    @Override
    Stimulus of(Values v) {
      Sine test = v.sine("orientation", "contrast");
      Sine surround = test.orientation(v.get("orientation") + v.get("tilt"));
      return new CenterSurround(
          FRAME,
          CenterSurround.Disc.of(test, v.get("size")),
          new CenterSurround.Ring(surround, v.get("size") + v.get("gap"), FRAME.largestRadius()));
    }
  };

  /** Height and width of all stimuli, pixels. */
  static final int SIZE = 256;

  private static final Frame FRAME = Frame.of(SIZE, SIZE);

  /**
   * A parameter.
   *
   * @param name in requests
   * @param label for people
   * @param unit cycles are per image
   * @param value at first
   */
  private record Slider(
      String name, String label, String unit, double min, double max, double step, double value) {}

  private final String title;
  private final String words;
  private final List<Slider> sliders;

  StimulusKind(String title, String words, Slider... sliders) {
    this.title = title;
    this.words = words;
    this.sliders = List.of(sliders);
  }

  abstract Stimulus of(Values values);

  /** The parameters of one stimulus, all within their ranges. */
  static final class Values {
    private final Map<String, Double> values = new TreeMap<>();

    private Values(StimulusKind kind, JsonNode given) {
      for (Slider slider : kind.sliders) {
        double value = given.path(slider.name).asDouble(slider.value);
        values.put(slider.name, Math.clamp(value, slider.min, slider.max));
      }
    }

    double get(String name) {
      Double value = values.get(name);
      if (value == null) {
        throw new AssertionError("no slider is called " + name);
      }
      return value;
    }

    private Sine sine(String orientation, String contrast) {
      double phase = values.getOrDefault("phase", 0.0);
      return new Sine(get(orientation), get("cycles"), Math.toRadians(phase), get(contrast) / 100);
    }
  }

  private String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The stimulus of a request: {@code type} and the values of its sliders, each its first one where
   * it is missing.
   */
  static Stimulus parse(JsonNode request) {
    String type = request.path("type").asText();
    for (StimulusKind kind : values()) {
      if (kind.id().equals(type)) {
        return kind.of(new Values(kind, request));
      }
    }
    throw ViewException.bad("there is no stimulus '%s'".formatted(type));
  }

  /** What a page must know of the stimuli. */
  static void describe(ArrayNode out) {
    for (StimulusKind kind : values()) {
      ObjectNode one = out.addObject();
      one.put("type", kind.id()).put("title", kind.title).put("words", kind.words);
      ArrayNode sliders = one.putArray("sliders");
      for (Slider s : kind.sliders) {
        sliders
            .addObject()
            .put("name", s.name)
            .put("label", s.label)
            .put("unit", s.unit)
            .put("min", s.min)
            .put("max", s.max)
            .put("step", s.step)
            .put("value", s.value);
      }
    }
  }
}
