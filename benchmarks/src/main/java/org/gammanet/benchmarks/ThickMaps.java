package org.gammanet.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.gammanet.data.DatasetIndex;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;

/**
 * Makes edge maps with the thick, soft lines of a convolutional network, without one: gradients at
 * three scales, blurred, summed and squashed. For timing the benchmark ({@code gammanet evaluate
 * --maps}); their scores mean nothing.
 *
 * <p>Arguments: the BSDS500's folder, a folder for the maps, how many of the test images.
 */
public final class ThickMaps {
  private ThickMaps() {}

  /** Writes the maps as 8-bit PNG. */
  public static void main(String[] arguments) throws IOException {
    Path out = Files.createDirectories(Path.of(arguments[1]));
    int left = Integer.parseInt(arguments[2]);
    for (Map.Entry<String, Path> image :
        DatasetIndex.images(Path.of(arguments[0]), "test").entrySet()) {
      if (left-- == 0) {
        break;
      }
      Images.writePng8(out.resolve(image.getKey() + ".png"), map(Images.read(image.getValue())));
    }
  }

  private static EdgeMap map(RgbImage image) {
    int w = image.width();
    int h = image.height();
    float[] gray = new float[w * h];
    for (int i = 0; i < gray.length; i++) {
      for (int c = 0; c < 3; c++) {
        gray[i] += (image.samples()[3 * i + c] & 0xFF) / 765f;
      }
    }
    float[] sum = new float[w * h];
    for (double sigma : new double[] {1, 2, 4}) {
      float[] smooth = blur(gray, h, w, sigma);
      float[] slope = new float[w * h];
      for (int i = 0; i < slope.length; i++) {
        int x = i % w;
        int y = i / w;
        float dx = smooth[y * w + Math.min(w - 1, x + 1)] - smooth[y * w + Math.max(0, x - 1)];
        float dy = smooth[Math.min(h - 1, y + 1) * w + x] - smooth[Math.max(0, y - 1) * w + x];
        slope[i] = (float) (Math.hypot(dx, dy) * sigma);
      }
      float[] thick = blur(slope, h, w, 1 + sigma / 2);
      for (int i = 0; i < sum.length; i++) {
        sum[i] += thick[i];
      }
    }
    for (int i = 0; i < sum.length; i++) {
      double odds = Math.pow((sum[i] + 1e-3) / 0.25, 2);
      sum[i] = (float) (odds / (1 + odds));
    }
    return new EdgeMap(w, h, sum);
  }

  private static float[] blur(float[] in, int h, int w, double sigma) {
    int reach = (int) Math.ceil(3 * sigma);
    float[] rows = new float[in.length];
    float[] out = new float[in.length];
    double total = 0;
    for (int d = -reach; d <= reach; d++) {
      total += Math.exp(-d * d / (2 * sigma * sigma));
    }
    for (int d = -reach; d <= reach; d++) {
      float weight = (float) (Math.exp(-d * d / (2 * sigma * sigma)) / total);
      for (int i = 0; i < in.length; i++) {
        rows[i] += weight * in[i / w * w + Math.clamp(i % w + d, 0, w - 1)];
      }
    }
    for (int d = -reach; d <= reach; d++) {
      float weight = (float) (Math.exp(-d * d / (2 * sigma * sigma)) / total);
      for (int i = 0; i < in.length; i++) {
        out[i] += weight * rows[Math.clamp(i / w + d, 0, h - 1) * w + i % w];
      }
    }
    return out;
  }
}
