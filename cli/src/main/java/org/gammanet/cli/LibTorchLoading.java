package org.gammanet.cli;

import org.gammanet.torch.LibTorch;
import org.gammanet.torch.TorchException;

/**
 * LibTorch being loaded on a thread of its own, which takes a third of a second, while weights,
 * configuration and images are read.
 */
final class LibTorchLoading implements AutoCloseable {
  private final Thread thread;

  private LibTorchLoading(Thread thread) {
    this.thread = thread;
  }

  static LibTorchLoading begin() {
    return new LibTorchLoading(
        Thread.ofPlatform().daemon().name("loading LibTorch").start(LibTorchLoading::load));
  }

  private static void load() {
    try {
      LibTorch.load();
    } catch (TorchException e) {
      // Whoever needs it first is told the same.
    }
  }

  /** Waits until it is loaded: the program must not end in the middle of that. */
  @Override
  public void close() {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
