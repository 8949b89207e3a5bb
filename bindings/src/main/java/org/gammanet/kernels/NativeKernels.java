package org.gammanet.kernels;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.gammanet.torch.Device;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.torch.TorchException;
import org.gammanet.torch.gen.GammanetNative;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.Shim;

/**
 * GammaNet's own native kernels, an addition to LibTorch: loaded on first use, once.
 *
 * <p>They come from the class path (the {@code gammanet-native} artifact). The system property
 * {@code gammanet.native} or the environment variable {@code GAMMANET_NATIVE} names the file of
 * another build, or is {@code off}. Where there are none for the machine, {@link #available} is
 * false and all that they do can be computed with {@link Ops}, more slowly.
 */
public final class NativeKernels {
  private static final System.Logger LOG = System.getLogger(NativeKernels.class.getName());
  private static final Map<Precision, Boolean> SUPPORTED = new EnumMap<>(Precision.class);

  static final Cleaner CLEANER = Cleaner.create();

  private NativeKernels() {}

  /**
   * Returns whether native kernels are loaded; loads them on the first call.
   *
   * @throws TorchException when a build that the user names, or the one on the class path, cannot
   *     be loaded: one sentence with the file and what to do
   */
  public static boolean available() {
    return loaded().active();
  }

  /** Why {@link #available} is false, in a few words. */
  public static String fallbackReason() {
    return loaded().reason();
  }

  /** Instruction set and origin of the kernels, or why there are none; one sentence. */
  public static String describe() {
    Shim.State found = loaded();
    return found.active()
        ? "native, %s (%s)".formatted(instructionSet(), found.reason())
        : "none (%s); everything is composed of LibTorch's operators".formatted(found.reason());
  }

  /**
   * Name of the instruction set in use: {@code portable}, {@code avx2}, {@code avx512}, {@code
   * avx512-bf16} or {@code amx}.
   *
   * @throws TorchException when the kernels are not there
   */
  public static String instructionSet() {
    require();
    return Native.text(GammanetNative.gammanet_instruction_set());
  }

  /** Returns whether native kernels are loaded and this processor supports a precision. */
  public static boolean supports(Precision precision) {
    if (!available()) {
      return false;
    }
    synchronized (SUPPORTED) {
      return SUPPORTED.computeIfAbsent(precision, NativeKernels::canPack);
    }
  }

  private static boolean canPack(Precision precision) {
    try (Tensor weight = TensorScope.detach(Tensor.zeros(1, 1, 1, 1));
        NativeConv conv = NativeConv.pack(weight, null, NativeConv.Algorithm.AUTO, precision)) {
      return true;
    } catch (UnsupportedOperationException e) {
      return false;
    }
  }

  /** Returns whether native kernels can compute on a device. */
  public static boolean supports(Device device) {
    return available() && (device.type() == Device.Type.CPU || Cuda.AVAILABLE);
  }

  /**
   * A feature map (N, C, H, W) in channels-last layout, float32, uninitialized. On the CPU, where
   * there are native kernels, the memory of closed maps is used again.
   */
  public static Tensor emptyChannelsLast(Device device, long n, long c, long h, long w) {
    if (device.type() != Device.Type.CPU || !available() || n * c * h * w <= 0) {
      return Tensor.emptyChannelsLast(device, n, c, h, w);
    }
    MemorySegment out = Native.scratch();
    int status = GammanetNative.gammanet_map_new(n, c, h, w, out);
    if (status != GammanetNative.GAMMANET_OK()) {
      check(status, "allocating a map of ", List.of(n, c, h, w));
    }
    return Tensor.adopt(out.get(ADDRESS, 0));
  }

  private static Shim.State loaded() {
    LibTorch.load();
    try {
      return Shim.state();
    } catch (IOException e) {
      throw new TorchException(String.valueOf(e.getMessage()), e);
    }
  }

  static void require() {
    Shim.State found = loaded();
    if (!found.active()) {
      throw new TorchException("there are no native kernels: " + found.reason());
    }
  }

  /** CUDA is connected when first asked for. */
  private static final class Cuda {
    static final boolean AVAILABLE = connect();

    private static boolean connect() {
      if (LibTorch.cudaDeviceCount() == 0) {
        return false;
      }
      String name = System.mapLibraryName("gammanet_cuda");
      try (Arena arena = Arena.ofConfined()) {
        Path file = Shim.unpack(name);
        Path folder = loaded().folder();
        if (file == null && folder != null) {
          file = folder.resolve(name); // beside a build that the user names
        }
        if (file == null || !Files.isReadable(file)) {
          LOG.log(System.Logger.Level.INFO, "no CUDA kernels: this build has none");
          return false;
        }
        check(
            GammanetNative.gammanet_native_init_cuda(arena.allocateFrom(file.toString())),
            "loading ",
            file);
        return true;
      } catch (IOException | UnsupportedOperationException | TorchException e) {
        LOG.log(System.Logger.Level.WARNING, "no CUDA kernels: {0}", e.getMessage());
        return false;
      }
    }
  }

  /**
   * Throws when {@code status} is not 0.
   *
   * @throws UnsupportedOperationException when the machine or the build lacks what was asked for
   * @throws TorchException for everything else
   */
  static void check(int status, String what, Object operands) {
    if (status == GammanetNative.GAMMANET_OK()) {
      return;
    }
    String message =
        what + operands + " failed: " + Native.text(GammanetNative.gammanet_last_error());
    if (status == GammanetNative.GAMMANET_UNAVAILABLE()) {
      throw new UnsupportedOperationException(message);
    }
    throw new TorchException(message);
  }

  /** A native object that is freed once: by its owner, or after a garbage collection. */
  static final class Packed {
    private interface Free {
      int free(MemorySegment object);
    }

    private record Release(MemorySegment object, Free free) implements Runnable {
      @Override
      public void run() {
        int status = free.free(object);
        assert status == 0 : "freeing packed weights";
      }
    }

    private final MemorySegment object;
    private final Cleaner.Cleanable cleanable;
    private int users;
    private boolean closed;

    private Packed(Object owner, MemorySegment object, Free free) {
      this.object = object;
      cleanable = CLEANER.register(owner, new Release(object, free));
    }

    static Packed conv(Object owner, MemorySegment out) {
      return new Packed(owner, out.get(ADDRESS, 0), GammanetNative::gammanet_conv_free);
    }

    static Packed cell(Object owner, MemorySegment out) {
      return new Packed(owner, out.get(ADDRESS, 0), GammanetNative::gammanet_cell_free);
    }

    synchronized MemorySegment acquire() {
      if (closed) {
        throw new IllegalStateException("the packed weights are closed");
      }
      users++;
      return object;
    }

    synchronized void release() {
      users--;
    }

    synchronized void close() {
      if (users > 0) {
        throw new IllegalStateException("the packed weights are in use by another thread");
      }
      closed = true;
      cleanable.clean();
    }
  }
}
