package org.gammanet.torch;

import java.util.Locale;

/**
 * Device of a tensor's memory.
 *
 * @param type CPU or CUDA
 * @param index number of the CUDA device; 0 for the CPU
 */
public record Device(Type type, int index) {
  /** Kinds of device, with LibTorch's numbers. */
  public enum Type {
    CPU(0),
    CUDA(1);

    final int code;

    Type(int code) {
      this.code = code;
    }
  }

  public static final Device CPU = new Device(Type.CPU, 0);

  /** A device; {@code index} must not be negative, and is 0 for the CPU. */
  public Device {
    if (index < 0 || (type == Type.CPU && index != 0)) {
      throw new IllegalArgumentException("there is no device " + type + ":" + index);
    }
  }

  /** The CUDA device with this number, counted from 0. */
  public static Device cuda(int index) {
    return new Device(Type.CUDA, index);
  }

  /** The first CUDA device when LibTorch finds one, else the CPU. */
  public static Device best() {
    return LibTorch.cudaDeviceCount() > 0 ? cuda(0) : CPU;
  }

  /**
   * Reads {@code auto}, {@code cpu}, {@code cuda} or {@code cuda:N}.
   *
   * @throws IllegalArgumentException for another word, or a CUDA device that is not there
   */
  public static Device parse(String text) {
    String word = text.strip().toLowerCase(Locale.ROOT);
    if (word.equals("auto")) {
      return best();
    }
    if (word.equals("cpu")) {
      return CPU;
    }
    if (!word.matches("cuda(:\\d{1,3})?")) {
      throw new IllegalArgumentException(
          "unknown device '" + text + "': use auto, cpu, cuda or cuda:N");
    }
    int index = word.equals("cuda") ? 0 : Integer.parseInt(word.substring("cuda:".length()));
    int count = LibTorch.cudaDeviceCount();
    if (index >= count) {
      throw new IllegalArgumentException(
          count == 0
              ? "no CUDA device: the LibTorch in use ("
                  + LibTorch.source()
                  + ") finds none; set GAMMANET_LIBTORCH to a CUDA build, or use --device cpu"
              : "no device " + word + ": LibTorch finds " + count + " CUDA device(s)");
    }
    return cuda(index);
  }

  static Device ofCode(int type, int index) {
    if (type == Type.CPU.code) {
      return CPU;
    }
    if (type == Type.CUDA.code) {
      return cuda(Math.max(index, 0));
    }
    throw new TorchException("LibTorch device type number " + type + " is not supported");
  }

  @Override
  public String toString() {
    return type == Type.CPU ? "cpu" : "cuda:" + index;
  }
}
