package org.example;

import java.nio.file.Path;
import org.gammanet.GammaNet;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.torch.Device;

/** Finds the edges of an image with the bundled network: {@code FindEdges PHOTO RESULT.png}. */
public final class FindEdges {
  private FindEdges() {}

  public static void main(String[] arguments) throws Exception {
    System.out.println("kernels: " + NativeKernels.describe());
    try (GammaNet model = GammaNet.pretrained(Device.CPU)) {
      EdgeMap edges = model.detect(Images.read(Path.of(arguments[0])));
      Images.writePng8(Path.of(arguments[1]), edges);
      System.out.println("edges: " + edges.width() + "x" + edges.height() + " " + arguments[1]);
    }
  }
}
