package org.gammanet.cli;

import java.util.concurrent.CancellationException;
import org.gammanet.GammaNet;
import org.gammanet.detection.DetectionMemory;
import org.gammanet.detection.Detector;
import org.gammanet.detection.DetectorOptions;

/**
 * The network that images and frames pass through until a signal comes, and the memory they take.
 */
final class DetectNetwork {
  final GammaNet net;
  final Detector detector;
  final DetectionMemory memory;
  private final Interrupt interrupt;

  DetectNetwork(GammaNet net, DetectorOptions options, Interrupt interrupt) {
    this.net = net;
    this.interrupt = interrupt;
    detector = new Detector(net, options);
    detector.onProgress(done -> requireNoSignal());
    memory = new DetectionMemory(net.network());
  }

  /** Whether a signal has come: no further image is begun. */
  boolean isStopped() {
    return interrupt.happened();
  }

  /**
   * Ends the image at hand after a signal.
   *
   * @throws CancellationException if one has come
   */
  void requireNoSignal() {
    if (isStopped()) {
      throw new CancellationException();
    }
  }

  /**
   * Why an image for which the memory is too small cannot pass: a predicate to the image's name.
   */
  String refusal(int height, int width) {
    return "has %s×%s pixels, for which this network needs %s, but %s are available: a smaller --max-side shrinks it"
        .formatted(
            width,
            height,
            Terminal.bytes(memory.bytes(height, width)),
            Terminal.bytes(memory.available()));
  }
}
