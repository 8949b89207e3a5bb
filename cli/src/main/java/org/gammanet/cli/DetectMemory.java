package org.gammanet.cli;

import org.gammanet.io.SystemMemory;
import org.gammanet.model.Network;
import org.gammanet.torch.Device;

/** The memory that detection takes, against what there is. */
final class DetectMemory {
  /** Largest maps that are in memory at once: states of the finest level, drives, read-out. */
  private static final double MAPS = 14.5;

  /** Bytes per pixel of the decoded image, its copies and the edge map. */
  private static final long PICTURES = 40;

  private final Network network;

  /** What the process keeps from earlier passes, for the next ones to use. */
  private long kept;

  DetectMemory(Network network) {
    this.network = network;
  }

  /** How many images of this size can pass at once; any number on a GPU, which reports its own. */
  long fitting(int height, int width) {
    return network.device().type() == Device.Type.CPU
        ? available() / bytes(height, width)
        : Long.MAX_VALUE;
  }

  /** What there is, less the packed weights of the first pass. */
  private long available() {
    long packed = kept == 0 ? Float.BYTES * network.parameterCount() : 0;
    return Math.max(0, SystemMemory.available() + kept - packed);
  }

  /** Notes a pass, whose memory stays in the process. */
  void passed(int images, int height, int width) {
    kept = Math.max(kept, images * bytes(height, width));
  }

  /** What is said of an image that does not fit, after its name. */
  String refusal(int height, int width) {
    return "has %d×%d pixels, for which this network needs %s, but %s are available: --max-side shrinks it"
        .formatted(
            width, height, Terminal.bytes(bytes(height, width)), Terminal.bytes(available()));
  }

  /**
   * Bytes that a pass adds to those of the JVM, LibTorch and the weights: within 20 percent of
   * measured peaks, of the bundled network at 512 to 1600 pixels a side (870 bytes per pixel) and
   * of the default one at 512 (4250).
   */
  long bytes(int height, int width) {
    int smallest = network.minimumSize();
    long largest =
        network.summary(Math.max(smallest, height), Math.max(smallest, width)).stream()
            .mapToLong(row -> (long) row.channels() * row.height() * row.width() * Float.BYTES)
            .max()
            .orElse(1);
    return (long) (MAPS * largest) + PICTURES * height * width;
  }
}
