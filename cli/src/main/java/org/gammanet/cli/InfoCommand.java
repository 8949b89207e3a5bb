package org.gammanet.cli;

import java.util.concurrent.Callable;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.torch.LibTorch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What this installation consists of. */
@Command(
    name = "info",
    header = "Show versions, libraries and devices in use.",
    footer = {"Example:", "  gammanet info"})
final class InfoCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  InfoCommand() {}

  @Override
  public Integer call() {
    line("gammanet", GammanetCommand.Version.program());
    line("java", Runtime.version() + " in " + System.getProperty("java.home"));
    line("libtorch", LibTorch.version() + " (" + LibTorch.source() + ")");
    int cuda = LibTorch.cudaDeviceCount();
    line("devices", cuda == 0 ? "cpu" : "cpu, cuda:0" + (cuda > 1 ? " to cuda:" + (cuda - 1) : ""));
    line("threads", Integer.toString(LibTorch.threads()));
    line("kernels", NativeKernels.describe());
    String arenas = System.getenv("MALLOC_ARENA_MAX");
    line(
        "memory",
        (LibTorch.keepsFreedMemory() ? "freed memory is kept" : "freed memory is given back")
            + ("1".equals(arenas) ? ", one arena" : ", MALLOC_ARENA_MAX is not 1: slower"));
    line("cache", LibTorch.cacheFolder().toString());
    return 0;
  }

  private void line(String name, String value) {
    new Console(spec).printf("%-11s %s%n", name, value);
  }
}
