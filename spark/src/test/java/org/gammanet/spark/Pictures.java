package org.gammanet.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;

/** A small data set of random photos and drawings, in the folders of the BSDS500. */
final class Pictures {
  private Pictures() {}

  /** Writes images {@code p0.png}, … and their drawings; sizes differ. */
  static void write(Path folder, int number) throws IOException {
    var random = new Random(5);
    for (String name : List.of("images/test", "groundTruth/test")) {
      Files.createDirectories(folder.resolve(name));
    }
    for (int i = 0; i < number; i++) {
      int width = 50 + i % 4;
      int height = 40 + i % 3;
      byte[] photo = new byte[3 * width * height];
      random.nextBytes(photo);
      float[] drawn = new float[width * height];
      for (int k = 0; k < drawn.length; k++) {
        drawn[k] = random.nextInt(6) == 0 ? 1 : 0;
      }
      String name = "p" + i + ".png";
      Images.writePng(
          folder.resolve("images/test").resolve(name), new RgbImage(width, height, photo));
      Images.writePng8(
          folder.resolve("groundTruth/test").resolve(name), new EdgeMap(width, height, drawn));
    }
  }
}
