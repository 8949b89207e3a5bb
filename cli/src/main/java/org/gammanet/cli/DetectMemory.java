package org.gammanet.cli;

import org.gammanet.GammaNet;
import org.gammanet.io.RgbImage;
import org.gammanet.io.SystemMemory;
import org.gammanet.model.Network;
import org.gammanet.torch.Device;

/** The memory that detection takes, against what there is. */
final class DetectMemory {
  private DetectMemory() {}

  /** How many images of this size can pass at once; any number on a GPU, whose allocator says no. */
  static long fitting(GammaNet net, RgbImage image) {
    return net.network().device().type() == Device.Type.CPU
        ? SystemMemory.available() / bytes(net.network(), image.height(), image.width())
        : Long.MAX_VALUE;
  }

  /** What is said of an image that does not fit, after its name. */
  static String refusal(GammaNet net, RgbImage image) {
    return "has %d×%d pixels, for which this network needs about %s, but %s are available: --max-side shrinks it"
        .formatted(
            image.width(),
            image.height(),
            Terminal.bytes(bytes(net.network(), image.height(), image.width())),
            Terminal.bytes(SystemMemory.available()));
  }

  /** Bytes that an image takes on its way: maps of the pass, and the pictures before and after. */
  static long bytes(Network network, int height, int width) {
    int smallest = network.minimumSize();
    long largest =
        network.summary(Math.max(smallest, height), Math.max(smallest, width)).stream()
            .mapToLong(row -> (long) row.channels() * row.height() * row.width() * Float.BYTES)
            .max()
            .orElse(1);
    return 12 * largest;
  }
}
