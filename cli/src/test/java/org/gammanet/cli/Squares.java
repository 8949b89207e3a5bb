package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;

/** A small data set: pictures of a bright rectangle, people's drawings of it, and maps of it. */
final class Squares {
  static final int WIDTH = 48;
  static final int HEIGHT = 40;

  private Squares() {}

  /** Writes three images {@code p0} to {@code p2} of a split, and {@code maps}. */
  static void write(Path folder, String split) throws IOException {
    for (String name : List.of("images/" + split, "groundTruth/" + split, "maps")) {
      Files.createDirectories(folder.resolve(name));
    }
    for (int i = 0; i < 3; i++) {
      int left = 10 + 3 * i;
      byte[] photo = new byte[3 * WIDTH * HEIGHT];
      float[] drawing = new float[WIDTH * HEIGHT];
      for (int k = 0; k < drawing.length; k++) {
        int x = k % WIDTH;
        int y = k / WIDTH;
        boolean inside = x >= left && x <= left + 15 && y >= 8 && y <= 30;
        boolean border = inside && (x == left || x == left + 15 || y == 8 || y == 30);
        Arrays.fill(photo, 3 * k, 3 * k + 3, (byte) (inside ? 230 : 20));
        drawing[k] = border ? 1 : 0;
      }
      String name = "p" + i + ".png";
      Images.writePng(
          folder.resolve("images").resolve(split).resolve(name),
          new RgbImage(WIDTH, HEIGHT, photo));
      EdgeMap map = new EdgeMap(WIDTH, HEIGHT, drawing);
      Images.writePng8(folder.resolve("groundTruth").resolve(split).resolve(name), map);
      Images.writePng8(folder.resolve("maps").resolve(name), map);
    }
  }

  /** Writes responses of two units to twelve small images, {@code X.npy} and {@code stimuli}. */
  static void writeRecording(Path folder) throws IOException {
    var random = new SplittableRandom(1);
    float[] luminance = new float[12 * 32 * 32];
    float[] responses = new float[12 * 2];
    for (int i = 0; i < responses.length; i++) {
      responses[i] = (float) random.nextDouble();
    }
    for (int i = 0; i < luminance.length; i++) {
      luminance[i] = (float) random.nextDouble();
    }
    Npy.write(folder.resolve("stimuli.npy"), luminance, 12, 32, 32);
    Npy.write(folder.resolve("X.npy"), responses, 12, 2);
    Files.writeString(folder.resolve("stimuli.csv"), "row\n" + "0\n".repeat(12));
  }
}
