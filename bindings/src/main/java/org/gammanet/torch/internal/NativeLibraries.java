package org.gammanet.torch.internal;

import java.util.List;
import java.util.Locale;

/**
 * The native libraries of each platform, in load order: a library comes after those that it depends
 * on, so that the system's loader finds them loaded and searches nowhere else.
 */
final class NativeLibraries {
  private NativeLibraries() {}

  /**
   * A library of LibTorch or of what it needs.
   *
   * @param project the artifact {@code org.bytedeco:PROJECT} that holds it
   * @param inArtifact whether that artifact must hold it; else it is taken where it is found
   */
  record Library(String project, String file, boolean inArtifact) {
    /** Whether a folder of LibTorch must hold it; the rest may come from the system. */
    boolean inFolder() {
      return inArtifact && file.matches("(lib)?(c10|torch_cpu)\\.\\w+");
    }
  }

  private static Library needed(String project, String file) {
    return new Library(project, file, true);
  }

  private static Library optional(String file) {
    return new Library("pytorch", file, false);
  }

  static List<Library> of(String platform) {
    return switch (platform.substring(0, platform.indexOf('-'))) {
      case "linux" ->
          List.of(
              needed("openblas", "libquadmath.so.0"),
              needed("openblas", "libgfortran.so.5"),
              needed("openblas", "libopenblas.so.0"),
              needed("pytorch", "libgomp.so.1"),
              needed("pytorch", "libc10.so"),
              needed("pytorch", "libtorch_cpu.so"),
              optional("libc10_cuda.so"),
              optional("libtorch_cuda.so"));
      case "macosx" ->
          List.of(
              needed("openblas", "libopenblas.0.dylib"),
              needed("pytorch", "libomp.dylib"),
              needed("pytorch", "libc10.dylib"),
              needed("pytorch", "libtorch_cpu.dylib"));
      default ->
          List.of(
              needed("javacpp", "vcruntime140.dll"),
              needed("javacpp", "vcruntime140_1.dll"),
              needed("javacpp", "msvcp140.dll"),
              needed("javacpp", "vcomp140.dll"),
              needed("openblas", "libopenblas.dll"),
              optional("asmjit.dll"),
              optional("fbgemm.dll"),
              optional("libiomp5md.dll"),
              needed("pytorch", "uv.dll"),
              needed("pytorch", "c10.dll"),
              needed("pytorch", "torch_cpu.dll"),
              optional("c10_cuda.dll"),
              optional("torch_cuda.dll"));
    };
  }

  /** Platforms for which the artifacts exist. */
  static final List<String> PLATFORMS = List.of("linux-x86_64", "macosx-arm64", "windows-x86_64");

  static String os() {
    String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    if (name.contains("linux")) {
      return "linux";
    }
    return name.contains("mac") ? "macosx" : "windows";
  }

  /** This platform in the artifacts' spelling, such as {@code linux-x86_64}. */
  static String platform() {
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return os()
        + "-"
        + switch (arch) {
          case "amd64", "x86_64" -> "x86_64";
          case "aarch64", "arm64" -> "arm64";
          default -> arch;
        };
  }
}
