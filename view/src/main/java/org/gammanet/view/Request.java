package org.gammanet.view;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.io.RgbImage;
import org.gammanet.io.SystemMemory;
import org.gammanet.model.CellSite;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * What a page asks to be computed: an input, a network, lesions and lights.
 *
 * @param network identifier
 * @param photo identifier of the photo; null for a stimulus
 * @param side longer side of the photo at most, pixels
 * @param stimulus null for a photo
 * @param timesteps T; 0 for the network's own
 * @param lesions parts of the circuit that are cut
 * @param lights on populations, in this order
 */
record Request(
    String network,
    @Nullable String photo,
    int side,
    @Nullable Stimulus stimulus,
    int timesteps,
    Set<Lesion> lesions,
    List<Beam> lights) {
  /** Largest number of timesteps. */
  static final int MAX_TIMESTEPS = 32;

  private static final int MIN_SIDE = 32;
  private static final int MAX_LIGHTS = 16;
  private static final int MAX_DISCS = 256;

  /**
   * Light through discs.
   *
   * @param cell name
   * @param population whose state it changes
   * @param gain factor of the state
   * @param current that is added to it
   * @param from first timestep, from 1
   * @param to last timestep
   * @param discs x, y, radius: pixels of the image
   */
  record Beam(
      String cell,
      State population,
      double gain,
      double current,
      int from,
      int to,
      List<double[]> discs) {}

  /** An image as the network gets it, and as people see it. */
  record Input(Tensor tensor, RgbImage image) {}

  static Request parse(JsonNode json) {
    JsonNode input = json.path("input");
    String photo = input.hasNonNull("photo") ? input.get("photo").asText() : null;
    Stimulus stimulus = photo == null ? StimulusKind.parse(input.path("stimulus")) : null;
    EnumSet<Lesion> lesions = EnumSet.noneOf(Lesion.class);
    for (JsonNode lesion : json.path("lesions")) {
      lesions.add(word(Lesion.class, lesion.asText(), "lesion"));
    }
    List<Beam> lights = new ArrayList<>();
    for (JsonNode light : json.path("lights")) {
      lights.add(beam(light));
    }
    if (lights.size() > MAX_LIGHTS) {
      throw ViewException.bad("at most %s lights can be on".formatted(MAX_LIGHTS));
    }
    return new Request(
        json.path("network").asText(),
        photo,
        range(input.path("side").asInt(320), MIN_SIDE, Photos.MAX_SIDE, "the working size"),
        stimulus,
        range(json.path("timesteps").asInt(0), 0, MAX_TIMESTEPS, "the number of timesteps"),
        lesions,
        lights);
  }

  private static Beam beam(JsonNode json) {
    List<double[]> discs = new ArrayList<>();
    for (JsonNode disc : json.path("discs")) {
      discs.add(
          new double[] {
            disc.path(0).asDouble(), disc.path(1).asDouble(), Math.max(0, disc.path(2).asDouble())
          });
    }
    if (discs.size() > MAX_DISCS) {
      throw ViewException.bad("a light has at most %s strokes".formatted(MAX_DISCS));
    }
    return new Beam(
        json.path("site").asText(),
        word(State.class, json.path("population").asText(), "population"),
        Math.clamp(json.path("gain").asDouble(1), 0, 100),
        Math.clamp(json.path("current").asDouble(0), -1e4, 1e4),
        json.path("from").asInt(1),
        json.path("to").asInt(MAX_TIMESTEPS),
        discs);
  }

  static <E extends Enum<E>> E word(Class<E> type, String word, String what) {
    try {
      return Enum.valueOf(type, word.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw ViewException.bad("there is no %s '%s'".formatted(what, word));
    }
  }

  static int range(int value, int least, int most, String what) {
    if (value < least || value > most) {
      throw ViewException.bad(
          "%s must lie between %s and %s, not at %s".formatted(what, least, most, value));
    }
    return value;
  }

  int timesteps(Network of) {
    return timesteps == 0 ? of.config().timesteps() : timesteps;
  }

  /** The input; its tensor belongs to the current scope. */
  Input input(ViewedNetwork viewed, Photos photos) {
    if (stimulus != null) {
      StimulusSet set = StimulusSet.of(List.of(stimulus));
      float[] values = set.toInput(InputScaling.IMAGENET);
      Tensor x =
          Tensor.of(values, 1, 3, set.height(), set.width()).to(viewed.model().network().device());
      return new Input(x, gray(set.get(0).values(), set.width(), set.height()));
    }
    Photos.Photo known = photo == null ? null : photos.get(photo);
    if (known == null) {
      throw new ViewException(404, "this photo is no longer here: drop it on the page again");
    }
    RgbImage image = known.image().shrink(side);
    return new Input(viewed.model().input(image), image);
  }

  private static RgbImage gray(float[] luminance, int width, int height) {
    byte[] samples = new byte[3 * luminance.length];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (byte) Math.clamp(Math.round(255 * luminance[i / 3]), 0, 255);
    }
    return new RgbImage(width, height, samples);
  }

  /**
   * The lights for a network that has their cells; their tensors belong to the current scope.
   * Lights on cells that it does not have are left out.
   */
  List<Light> lights(Network on, long height, long width) {
    List<Light> out = new ArrayList<>();
    for (Beam beam : lights) {
      CellSite site = on.site(beam.cell).orElse(null);
      if (site == null || beam.population == State.INHIBITORY && site.states().size() < 2) {
        continue;
      }
      int h = (int) (height >> site.level());
      int w = (int) (width >> site.level());
      float[] gain = new float[h * w];
      float[] current = new float[h * w];
      java.util.Arrays.fill(gain, 1);
      double scale = 1.0 / (1 << site.level());
      for (double[] disc : beam.discs) {
        int x = (int) Math.clamp((long) (disc[0] * scale), 0, w - 1);
        int y = (int) Math.clamp((long) (disc[1] * scale), 0, h - 1);
        float[] lit = Light.disc(h, w, new PixelPoint(y, x), disc[2] * scale);
        for (int i = 0; i < lit.length; i++) {
          if (lit[i] == 1) {
            gain[i] = (float) beam.gain;
            current[i] = (float) beam.current;
          }
        }
      }
      out.add(
          new Light(
              beam.cell,
              beam.population,
              beam.gain == 1 ? null : Tensor.of(gain, 1, 1, h, w).to(on.device()),
              beam.current == 0 ? null : Tensor.of(current, 1, 1, h, w).to(on.device()),
              beam.from - 1,
              beam.to - 1));
    }
    return out;
  }

  /**
   * Refuses work that would not fit into memory.
   *
   * @param maps of the largest layer that are in memory at once
   */
  static void requireMemory(Network network, long height, long width, double maps) {
    long largest = 0;
    for (LayerSummary row : network.summary(height, width)) {
      largest = Math.max(largest, (long) row.channels() * row.height() * row.width() * Float.BYTES);
    }
    long available = SystemMemory.available();
    if (maps * largest > available) {
      throw ViewException.bad(
          String.format(
              Locale.ROOT,
              "an image of %d×%d pixels takes about %.1f GB here, and %.1f GB are free: choose a"
                  + " smaller working size",
              width,
              height,
              maps * largest / 1e9,
              available / 1e9));
    }
  }

  /** Keeps tensors alive beyond the scope in which they were made. */
  static Tensor held(Tensor tensor) {
    return TensorScope.detach(tensor.alias());
  }
}
