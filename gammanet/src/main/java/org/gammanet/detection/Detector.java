package org.gammanet.detection;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.gammanet.GammaNet;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.nn.MapStatistics;
import org.gammanet.nn.Tile;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;

/**
 * A network applied to images of any size. Large images are shrunk to a working size, or cut into
 * tiles that overlap, whose maps are those of the whole image but for rounding and distant context.
 *
 * <pre>{@code
 * try (var net = GammaNet.pretrained(Device.best())) {
 *   var detector = new Detector(net, DetectorOptions.NATIVE_SIZE);
 *   EdgeMap edges = detector.detect(Images.read(file));
 *   try (var sequence = detector.sequence()) { // the states carry over from frame to frame
 *     for (RgbImage frame : frames) {
 *       EdgeMap map = sequence.next(frame);
 *     }
 *   }
 * }
 * }</pre>
 */
public final class Detector {
  /**
   * Context around the core of a tile, in pixels. The states of a pixel depend on others as far as
   * this through few timesteps, and hardly on more distant ones.
   */
  private static final int MARGIN = 96;

  /**
   * Sweeps over the tiles collect statistics of the whole image, until none of them changes by more
   * than this, in standard deviations.
   */
  private static final double SETTLED = 0.02;

  private static final int MOST_SWEEPS = 6;

  /** For the progress. */
  private static final int USUAL_SWEEPS = 3;

  /** About how many tiles the statistics of an image are taken from that has many more. */
  private static final int SAMPLED_TILES = 16;

  /** Memory that an image may take that passes whole. */
  private static final long WHOLE_BYTES = 1L << 30;

  /**
   * Memory of the pass of a tile whose side is chosen: the image and its maps are there as well.
   */
  private static final long TILE_BYTES = 3 * WHOLE_BYTES / 4;

  /** Tiles of networks that take more memory still are not smaller than this. */
  private static final int SMALLEST_TILE = 3 * MARGIN;

  private final GammaNet net;
  private final DetectorOptions options;
  private final DetectionMemory memory;
  private Consumer<Double> progress = done -> {};

  /**
   * A detector.
   *
   * @param net stays the caller's, who closes it after the last use of the detector
   */
  public Detector(GammaNet net, DetectorOptions options) {
    this.net = net;
    this.options = options;
    memory = new DetectionMemory(net.network());
  }

  /** How the network is applied. */
  public DetectorOptions options() {
    return options;
  }

  /**
   * Receives which part of an image is done, 0 to 1, after each of its tiles. What it throws ends
   * the detection and reaches the caller: so work is called off between tiles.
   */
  public Detector onProgress(Consumer<Double> listener) {
    progress = listener;
    return this;
  }

  /** Edge probabilities of an image, of its size. */
  public EdgeMap detect(RgbImage image) {
    return detectTimesteps(image).getLast();
  }

  /**
   * Edge probabilities of an image, of its size: after each timestep with {@link
   * DetectorOptions#everyTimestep}, otherwise after the last only.
   *
   * @throws DivergenceException for logits that are not finite
   */
  public List<EdgeMap> detectTimesteps(RgbImage image) {
    return enlarged(atWorkingSize(shrunk(image)), image.width(), image.height());
  }

  /**
   * Edge probabilities of an image file, of the image's size. It is decoded at the working size,
   * which takes less memory than a whole image.
   *
   * @param name what errors call it
   * @throws ImageException if it cannot be read
   * @throws DivergenceException for logits that are not finite
   */
  public EdgeMap detect(byte[] file, String name) throws ImageException {
    Images.Shrunk read = Images.decode(file, name, options.maxSide());
    return enlarged(atWorkingSize(shrunk(read.image())), read.width(), read.height()).getLast();
  }

  /** The image at the working size: itself if it is not larger. */
  public RgbImage shrunk(RgbImage image) {
    return image.shrink(options.maxSide());
  }

  /**
   * Edge probabilities of an image as it is, whatever the working size: for images that have been
   * read at the working size.
   */
  public List<EdgeMap> atWorkingSize(RgbImage image) {
    int side = tileSide(image.height(), image.width());
    return side == 0 ? net.detect(image, forward()) : byTiles(image, side);
  }

  /** The maps in a size in pixels, bilinearly between pixel centers. */
  public static List<EdgeMap> enlarged(List<EdgeMap> maps, int width, int height) {
    return maps.stream().map(map -> map.resize(width, height)).toList();
  }

  private ForwardOptions forward() {
    return options.everyTimestep()
        ? ForwardOptions.DEFAULTS.withEveryTimestep()
        : ForwardOptions.DEFAULTS;
  }

  /** Whether an image of this size passes in tiles. */
  public boolean isCut(int height, int width) {
    return tileSide(height, width) > 0;
  }

  /** Side of the tiles, with their margins, that an image passes in; 0 if it passes whole. */
  private int tileSide(int height, int width) {
    if (options.tileSide() == DetectorOptions.WHOLE || net.network().tilingObstacle() != null) {
      return 0;
    }
    int side = options.tileSide();
    if (side == 0) {
      // On the CPU half of the memory that there is, and not more than is good for anything.
      boolean cpu = net.network().device().type() == Device.Type.CPU;
      double whole = cpu ? Math.min(WHOLE_BYTES, memory.available() / 2.0) : 4.0 * WHOLE_BYTES;
      if (memory.bytes(height, width) <= whole) {
        return 0;
      }
      double tile = cpu ? Math.min(TILE_BYTES, whole) : whole;
      side = (int) (1024 * Math.sqrt(tile / memory.bytes(1024, 1024)));
    }
    side = Math.max(side, SMALLEST_TILE);
    return Math.max(height, width) > side ? side : 0;
  }

  /** A tile and its size. */
  private record Part(Tile tile, int height, int width) {}

  private List<EdgeMap> byTiles(RgbImage image, int side) {
    int height = image.height();
    int width = image.width();
    int timesteps = options.everyTimestep() ? net.config().model().timesteps() : 1;
    List<float[]> maps = new ArrayList<>();
    for (int t = 0; t < timesteps; t++) {
      maps.add(new float[Math.multiplyExact(width, height)]);
    }
    var statistics = new MapStatistics();
    List<Part> parts = parts(height, width, side, statistics);
    List<Part> swept = sampled(parts);
    boolean all = swept.size() == parts.size();
    double work = USUAL_SWEEPS * swept.size() + (all ? 0 : parts.size());
    int done = 0;
    double change = Double.POSITIVE_INFINITY;
    for (int sweep = 0; sweep < MOST_SWEEPS && change > SETTLED; sweep++) {
      // The statistics of the first timestep come first: all others depend on them.
      boolean first = sweep == 0;
      ForwardOptions pass = first ? forward().withTimesteps(1) : forward();
      for (Part part : swept) {
        pass(image, part, pass, first || !all ? List.of() : maps);
        progress.accept(Math.min(1, ++done / work));
      }
      change = statistics.finishSweep();
    }
    if (!all) {
      statistics.freeze();
      done = USUAL_SWEEPS * swept.size();
      for (Part part : parts) {
        pass(image, part, forward(), maps);
        progress.accept(Math.min(1, ++done / work));
      }
    }
    return maps.stream().map(values -> new EdgeMap(width, height, values)).toList();
  }

  /**
   * The tiles that the statistics are collected from: all, or of very many every k-th along both
   * axes.
   */
  private static List<Part> sampled(List<Part> parts) {
    int step = (int) Math.sqrt((double) parts.size() / SAMPLED_TILES);
    if (step < 2) {
      return parts;
    }
    List<Integer> tops = parts.stream().map(part -> part.tile.coreTop()).distinct().toList();
    List<Integer> lefts = parts.stream().map(part -> part.tile.coreLeft()).distinct().toList();
    int row = Math.min(step, tops.size()) / 2;
    int column = Math.min(step, lefts.size()) / 2;
    return parts.stream()
        .filter(part -> tops.indexOf(part.tile.coreTop()) % step == row)
        .filter(part -> lefts.indexOf(part.tile.coreLeft()) % step == column)
        .toList();
  }

  /** Passes a tile, and copies its core into the maps if there are any. */
  private void pass(RgbImage image, Part part, ForwardOptions pass, List<float[]> maps) {
    Tile tile = part.tile;
    RgbImage pixels = image.crop(tile.left(), tile.top(), part.width, part.height);
    List<EdgeMap> found = net.detect(pixels, pass.withTile(tile));
    for (int t = 0; t < maps.size(); t++) {
      for (int y = tile.coreTop(); y < tile.coreBottom(); y++) {
        System.arraycopy(
            found.get(t).values(),
            (y - tile.top()) * part.width + tile.coreLeft() - tile.left(),
            maps.get(t),
            y * image.width() + tile.coreLeft(),
            tile.coreRight() - tile.coreLeft());
      }
    }
  }

  /** Tiles whose cores cover an image. */
  private List<Part> parts(int height, int width, int side, MapStatistics statistics) {
    List<Part> parts = new ArrayList<>();
    for (Span y : spans(height, side)) {
      for (Span x : spans(width, side)) {
        Tile tile =
            new Tile(
                height,
                width,
                y.begin,
                x.begin,
                y.coreBegin,
                x.coreBegin,
                y.coreEnd,
                x.coreEnd,
                statistics);
        parts.add(new Part(tile, y.end - y.begin, x.end - x.begin));
      }
    }
    return parts;
  }

  /** A tile along one axis. */
  private record Span(int begin, int coreBegin, int coreEnd, int end) {}

  private List<Span> spans(int size, int side) {
    if (size <= side) {
      return List.of(new Span(0, 0, size, size));
    }
    int unit = net.network().minimumSize();
    int margin = Math.ceilDiv(MARGIN, unit) * unit;
    // As many as are needed, all of nearly one size; the first and the last have one margin only.
    int inner = size - 2 * margin;
    int count = Math.ceilDiv(inner, side - 2 * margin);
    List<Span> spans = new ArrayList<>();
    int core = 0;
    for (int i = 1; i <= count; i++) {
      int end = i == count ? size : margin + (int) ((long) inner * i / count) / unit * unit;
      spans.add(new Span(Math.max(0, core - margin), core, end, Math.min(size, end + margin)));
      core = end;
    }
    return spans;
  }

  /** A sequence of frames, the states of each starting from those of the frame before. */
  public Sequence sequence() {
    return new Sequence();
  }

  /** Frames one after the other; the states carry over. To be closed. */
  public final class Sequence implements AutoCloseable {
    private Map<String, Tensor> states = Map.of();
    private int width;
    private int height;
    private int timestep;

    private Sequence() {}

    /**
     * Edge probabilities of the next frame, of its size.
     *
     * @throws IllegalArgumentException for a frame of another size than those before
     * @throws DivergenceException for logits that are not finite
     */
    public EdgeMap next(RgbImage frame) {
      return nextTimesteps(frame).getLast();
    }

    /** The same after each timestep with {@link DetectorOptions#everyTimestep}. */
    public List<EdgeMap> nextTimesteps(RgbImage frame) {
      if (width != 0 && (frame.width() != width || frame.height() != height)) {
        throw new IllegalArgumentException(
            "a frame of %s×%s pixels follows frames of %s×%s: states carry over between frames of one size only"
                .formatted(frame.width(), frame.height(), width, height));
      }
      width = frame.width();
      height = frame.height();
      ForwardOptions pass = forward().withInitialStates(states).withFirstTimestep(timestep);
      GammaNet.Detection found = net.detectFrom(shrunk(frame), pass);
      states.values().forEach(Tensor::close);
      states = found.states();
      timestep += net.config().model().timesteps();
      return enlarged(found.maps(), width, height);
    }

    /** Forgets the states: the next frame starts at rest. */
    @Override
    public void close() {
      states.values().forEach(Tensor::close);
      states = Map.of();
      timestep = 0;
    }
  }
}
