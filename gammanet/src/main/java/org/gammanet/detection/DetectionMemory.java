package org.gammanet.detection;

import org.gammanet.io.SystemMemory;
import org.gammanet.model.Network;
import org.gammanet.torch.Device;

/** The memory that detection takes, against what there is. */
public final class DetectionMemory {
  /** Largest maps that are in memory at once: states of the finest level, drives, read-out. */
  private static final double MAPS = 14.5;

  /** Bytes per pixel of the decoded image, its copies and the edge map. */
  private static final long PICTURES = 40;

  private final Network network;

  /** What the process keeps from earlier passes, for the next ones to use. */
  private long kept;

  /** The memory that this network takes. */
  public DetectionMemory(Network network) {
    this.network = network;
  }

  /** How many images of this size can pass at once; any number on a GPU, which reports its own. */
  public long fitting(int height, int width) {
    return network.device().type() == Device.Type.CPU
        ? available() / bytes(height, width)
        : Long.MAX_VALUE;
  }

  /** Bytes that there are, less the packed weights of the first pass. */
  public long available() {
    long packed = kept == 0 ? Float.BYTES * network.parameterCount() : 0;
    return Math.max(0, SystemMemory.available() + kept - packed);
  }

  /** Notes a pass, whose memory stays in the process. */
  public void passed(int images, int height, int width) {
    kept = Math.max(kept, images * bytes(height, width));
  }

  /**
   * Bytes that a pass adds to those of the JVM, LibTorch and the weights: within 20 percent of
   * measured peaks, of the bundled network at 512 to 1600 pixels a side (870 bytes per pixel) and
   * of the default one at 512 (4250).
   */
  public long bytes(int height, int width) {
    int smallest = network.minimumSize();
    long largest =
        network.summary(Math.max(smallest, height), Math.max(smallest, width)).stream()
            .mapToLong(row -> (long) row.channels() * row.height() * row.width() * Float.BYTES)
            .max()
            .orElse(1);
    return (long) (MAPS * largest) + PICTURES * height * width;
  }
}
