package org.gammanet.experiments.responses;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.stimuli.Occluded;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.io.SplitMix;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Measures which pixels of the image a unit depends on: by the gradient of its response to noise,
 * and by covering parts of a stimulus that it prefers.
 *
 * <p>Gradients go through all timesteps with every connection in place: a field after one timestep
 * is that of the feed-forward convolutions and the cell's excitatory kernel, later ones are widened
 * by horizontal and top-down connections. Normalization over the whole map makes every pixel count
 * a little, which the threshold of {@link ReceptiveField#SHARE} leaves out.
 *
 * <pre>{@code
 * ReceptiveField field = ReceptiveFieldMapper.forModel(model).timesteps(8).gradient("fgru_0", 128);
 * System.out.println(field.extent() + " px");
 * }</pre>
 */
public final class ReceptiveFieldMapper {
  private final Network network;
  private int draws = 8;
  private long seed = 1;
  private int timesteps;
  private State state = State.EXCITATORY;
  private @Nullable Integer channel;
  private @Nullable PixelPoint location;
  private IntConsumer progress = done -> {};

  private ReceptiveFieldMapper(Network network) {
    this.network = network;
  }

  /** Maps units of a detector's network. */
  public static ReceptiveFieldMapper forModel(GammaNet model) {
    return new ReceptiveFieldMapper(model.network());
  }

  /** Maps units of a network, which stays the caller's. */
  public static ReceptiveFieldMapper forNetwork(Network network) {
    return new ReceptiveFieldMapper(network);
  }

  /** How many images of noise the gradient is averaged over; default 8. */
  public ReceptiveFieldMapper draws(int count) {
    if (count < 1) {
      throw new IllegalArgumentException("at least 1 image of noise is needed, not " + count);
    }
    draws = count;
    return this;
  }

  /** Seed of the noise; default 1. */
  public ReceptiveFieldMapper seed(long value) {
    seed = value;
    return this;
  }

  /** After how many timesteps the response is taken; default the network's number. */
  public ReceptiveFieldMapper timesteps(int count) {
    if (count < 1) {
      throw new IllegalArgumentException("a response needs at least 1 timestep, not " + count);
    }
    timesteps = count;
    return this;
  }

  /** Excitatory (default) or inhibitory. */
  public ReceptiveFieldMapper state(State value) {
    if (value != State.EXCITATORY && value != State.INHIBITORY) {
      throw new IllegalArgumentException(
          "receptive fields are those of the excitatory or inhibitory state, not " + value.word());
    }
    state = value;
    return this;
  }

  /** One channel in place of the mean over all of them. */
  public ReceptiveFieldMapper channel(int index) {
    channel = index;
    return this;
  }

  /** The unit that looks at this pixel; default at the center of the image. */
  public ReceptiveFieldMapper location(PixelPoint pixel) {
    location = pixel;
    return this;
  }

  /** Receives the number of images of noise that are done. */
  public ReceptiveFieldMapper progress(IntConsumer listener) {
    progress = listener;
    return this;
  }

  /**
   * Mean absolute gradient of the unit's response with respect to standard normal noise at the
   * network's input, over colors and images.
   *
   * @param layer a cell, such as {@code fgru_0}
   * @param size height and width of the noise, pixels
   * @throws IllegalArgumentException for an unknown cell, channel, state or location, and for noise
   *     that is too small for the network
   */
  public ReceptiveField gradient(String layer, int size) {
    CellSite place =
        network
            .site(layer)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "there is no cell %s to map; this network has %s"
                            .formatted(
                                layer,
                                String.join(
                                    ", ", network.sites().stream().map(CellSite::name).toList()))));
    int which = state == State.EXCITATORY ? 0 : 1;
    if (which >= place.cell().states()) {
      throw new IllegalArgumentException(layer + " has no inhibitory state");
    }
    int channels = place.cell().channels();
    if (channel != null && (channel < 0 || channel >= channels)) {
      throw new IllegalArgumentException(
          "%s has channels 0 to %s, not %s".formatted(layer, channels - 1, channel));
    }
    if (size < network.minimumSize()) {
      throw new IllegalArgumentException(
          "images of %s x %s pixels are too small for this network, which needs %s x %s"
              .formatted(size, size, network.minimumSize(), network.minimumSize()));
    }
    PixelPoint at = location == null ? new PixelPoint(size / 2, size / 2) : location;
    if (at.y() < 0 || at.x() < 0 || at.y() >= size || at.x() >= size) {
      throw new IllegalArgumentException(
          "the location (y %s, x %s) lies outside of an image of %s x %s pixels"
              .formatted(at.y(), at.x(), size, size));
    }
    double[] sum = new double[size * size];
    for (int draw = 0; draw < draws; draw++) {
      float[] gradient = gradient(layer, which, channels, size, at, draw);
      for (int i = 0; i < sum.length; i++) {
        for (int c = 0; c < 3; c++) {
          sum[i] += Math.abs(gradient[c * sum.length + i]) / (3.0 * draws);
        }
      }
      progress.accept(draw + 1);
    }
    if (!Arrays.stream(sum).allMatch(Double::isFinite)) {
      throw new IllegalStateException(
          "the gradient of %s is not finite: the network's weights make the recurrence diverge"
              .formatted(layer));
    }
    return new ReceptiveField(size, size, sum, 1, new PixelPoint(0, 0));
  }

  private float[] gradient(
      String layer, int which, int channels, int size, PixelPoint at, int draw) {
    float[] noise = new float[3 * size * size];
    new SplitMix(seed, draw).fillNormal(noise, 0, noise.length, 1);
    try (var scope = TensorScope.open();
        var tape = new Tape(Recompute.CELLS);
        var silent = Autograd.noGrad()) {
      Tensor image =
          Tensor.of(noise, 1, 3, size, size).to(network.device()).detach().requiresGrad(true);
      Tensor[] states =
          network
              .respond(
                  image,
                  List.of(layer),
                  ForwardOptions.DEFAULTS.withTimesteps(timesteps).withExecutor(tape))
              .get(layer);
      if (states == null) {
        throw new AssertionError(layer + " did not respond");
      }
      Tensor response = states[which];
      float[] one = new float[channels];
      for (int c = 0; c < channels; c++) {
        one[c] = channel == null ? 1f / channels : channel == c ? 1 : 0;
      }
      Tensor seedOf = Tensor.zeros(response.dtype(), response.device(), response.shape());
      int row = (int) (at.y() * response.size(2) / size);
      int column = (int) (at.x() * response.size(3) / size);
      Ops.narrow(Ops.narrow(seedOf, 2, row, 1), 3, column, 1)
          .copy_(Tensor.of(one, 1, channels, 1, 1).to(response.device()));
      tape.backward(response, seedOf);
      Tensor gradient = image.grad();
      return gradient == null ? new float[noise.length] : gradient.toFloatArray();
    }
  }

  /**
   * By how much each channel's response falls when a gray square covers a part of a stimulus, as a
   * fraction of the response to the whole stimulus less that to a blank.
   *
   * @param layer any layer
   * @param stimulus which the units should prefer
   * @param side of the square, pixels
   * @param reach how far squares lie from the center at most, pixels
   * @param step distance of neighboring squares, pixels
   * @return a map per channel, whose cells are the squares' centers; all NaN for a channel that the
   *     stimulus does not excite
   */
  public List<ReceptiveField> occlusion(
      String layer, Stimulus stimulus, int side, int reach, int step) {
    StimulusSet set = Occluded.grid(stimulus, side, reach, step);
    ResponseExtractor extractor = ResponseExtractor.forNetwork(network).progress(progress).build();
    LayerInfo info = extractor.layer(layer);
    State signal = info.states().size() == 1 ? info.states().iterator().next() : state;
    RecordingPlan plan = RecordingPlan.layer(layer).states(signal);
    plan = timesteps > 0 ? plan.timesteps(timesteps) : plan;
    plan = location == null ? plan : plan.pooling(Pooling.unit(location));
    return occlusion(extractor.extract(set, plan).last(layer, signal), set);
  }

  /**
   * The same from responses that are known.
   *
   * @param responses a row per stimulus of {@link Occluded#grid}
   */
  public static List<ReceptiveField> occlusion(float[][] responses, StimulusSet grid) {
    int squares = grid.size() - 2;
    int side = (int) Math.round(Math.sqrt(squares));
    Occluded first = (Occluded) grid.stimuli().get(2);
    int step = side == 1 ? 1 : ((Occluded) grid.stimuli().get(3)).square().x() - first.square().x();
    float[] whole = responses[0];
    float[] blank = responses[1];
    ReceptiveField[] out = new ReceptiveField[whole.length];
    for (int u = 0; u < out.length; u++) {
      double evoked = whole[u] - blank[u];
      double[] map = new double[squares];
      for (int i = 0; i < squares; i++) {
        map[i] = evoked > 1e-12 ? (whole[u] - responses[i + 2][u]) / evoked : Double.NaN;
      }
      out[u] = new ReceptiveField(side, side, map, step, first.square());
    }
    return List.of(out);
  }
}
