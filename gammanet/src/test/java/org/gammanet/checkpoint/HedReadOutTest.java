package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import io.jhdf.api.WritableGroup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.DataConfig;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * HED's edge map of an image (Xie and Tu 2015): a 1x1 convolution of each block's features, resized
 * to the image, and a weighted sum of the five. Computed from the file itself in double precision,
 * and from the weights that are read from it. {@code benchmarks/hed_maps.py} does the same with the
 * published file.
 */
class HedReadOutTest {
  private static final int[] CONVOLUTIONS = {2, 2, 3, 3, 3};
  private static final int[] WIDTHS = {4, 5, 6, 7, 7};
  private static final int[] NUMBERS = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
  private static final double[] MEAN_OF_BGR = {104.00699, 116.66877, 122.67892};
  private static final int SIDE = 32;

  private final Random random = new Random(8);

  /** A convolution as the file has it: kernels {@code [y][x][in][out]} and biases. */
  private record Conv(float[][][][] kernel, float[] bias) {}

  private final List<Conv> convs = new ArrayList<>();
  private final List<double[]> readOuts = new ArrayList<>();

  private Conv conv(int in, int out, double size) {
    float[][][][] kernel = new float[3][3][in][out];
    float[] bias = new float[out];
    double scale = size * Math.sqrt(2.0 / (9 * in));
    for (int o = 0; o < out; o++) {
      bias[o] = (float) (0.1 * random.nextGaussian());
      for (int i = 0; i < in; i++) {
        for (int tap = 0; tap < 9; tap++) {
          kernel[tap / 3][tap % 3][i][o] = (float) (scale * random.nextGaussian());
        }
      }
    }
    return new Conv(kernel, bias);
  }

  private Path write(Path folder) {
    Path file = folder.resolve("hed.weights.h5");
    int in = 3;
    try (WritableHdfFile hdf = HdfFile.write(file)) {
      for (int block = 0; block < CONVOLUTIONS.length; block++) {
        WritableGroup layers = hdf.putGroup("block" + (block + 1)).putGroup("layers");
        for (int k = 0; k < CONVOLUTIONS[block]; k++) {
          Conv conv = conv(in, WIDTHS[block], in == 3 ? 1 / 60.0 : 1);
          WritableGroup vars = layers.putGroup("conv2d" + (k == 0 ? "" : "_" + k)).putGroup("vars");
          vars.putDataset("0", conv.kernel);
          vars.putDataset("1", conv.bias);
          convs.add(conv);
          in = WIDTHS[block];
        }
        readOuts.add(random.doubles(in, -1, 1).toArray());
      }
    }
    return file;
  }

  @Test
  void mapsAreThoseOfTheFile(@TempDir Path folder) {
    Map<String, StoredTensor> weights = Checkpoint.load(write(folder)).weights();
    int[][][] rgb = new int[3][SIDE][SIDE];
    for (int[][] channel : rgb) {
      for (int[] row : channel) {
        for (int x = 0; x < SIDE; x++) {
          row[x] = random.nextInt(256);
        }
      }
    }
    double[][] expected = expected(rgb);
    float[] found = found(rgb, weights);
    double largest = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(found[i] - expected[i / SIDE][i % SIDE]));
    }
    System.out.printf("largest difference of HED's maps: %.2g%n", largest);
    assertEquals(0, largest, 1e-4);
  }

  // From the weights that were read

  private float[] found(int[][][] rgb, Map<String, StoredTensor> weights) {
    float[] image = new float[3 * SIDE * SIDE];
    for (int i = 0; i < image.length; i++) {
      int c = i / (SIDE * SIDE);
      double value = rgb[c][i / SIDE % SIDE][i % SIDE] / 255.0;
      image[i] =
          (float) ((value - DataConfig.IMAGENET_MEAN.get(c)) / DataConfig.IMAGENET_STD.get(c));
    }
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor x = Tensor.of(image, 1, 3, SIDE, SIDE);
      Tensor sum = Tensor.zeros(1, 1, SIDE, SIDE);
      int k = 0;
      for (int block = 0; block < CONVOLUTIONS.length; block++) {
        x = block == 0 ? x : Ops.maxPool2d(x, 2, 2);
        for (int c = 0; c < CONVOLUTIONS[block]; c++, k++) {
          String name = "features." + NUMBERS[k];
          Tensor weight = weights.get(name + ".weight").toTensor();
          x = Ops.relu(Ops.conv2d(x, weight, weights.get(name + ".bias").toTensor(), 1, 1));
        }
        double[] readOut = readOuts.get(block);
        float[] w = new float[readOut.length];
        for (int c = 0; c < w.length; c++) {
          w[c] = (float) readOut[c];
        }
        Tensor side = Ops.conv2d(x, Tensor.of(w, 1, w.length, 1, 1), null, 1, 0);
        sum = Ops.add(sum, Ops.mul(Ops.upsampleBilinear2d(side, SIDE, SIDE), 0.2));
      }
      return Ops.sigmoid(sum).toFloatArray();
    }
  }

  // From the file

  private double[][] expected(int[][][] rgb) {
    double[][][] x = new double[3][SIDE][SIDE]; // BGR less the mean
    double[] outside = new double[3];
    for (int c = 0; c < 3; c++) {
      // Zeros around a normalized image stand for ImageNet's mean color.
      outside[c] = 255 * DataConfig.IMAGENET_MEAN.get(2 - c) - MEAN_OF_BGR[c];
      for (int y = 0; y < SIDE; y++) {
        for (int k = 0; k < SIDE; k++) {
          x[c][y][k] = rgb[2 - c][y][k] - MEAN_OF_BGR[c];
        }
      }
    }
    double[][] sum = new double[SIDE][SIDE];
    int k = 0;
    for (int block = 0; block < CONVOLUTIONS.length; block++) {
      x = block == 0 ? x : pooled(x);
      for (int c = 0; c < CONVOLUTIONS[block]; c++) {
        x = convolved(x, convs.get(k++), outside);
        outside = new double[x.length];
      }
      addResized(sum, x, readOuts.get(block));
    }
    for (double[] row : sum) {
      for (int c = 0; c < SIDE; c++) {
        row[c] = 1 / (1 + Math.exp(-row[c]));
      }
    }
    return sum;
  }

  private static double[][][] convolved(double[][][] x, Conv conv, double[] outside) {
    int side = x[0].length;
    int out = conv.bias.length;
    double[][][] y = new double[out][side][side];
    for (int o = 0; o < out; o++) {
      for (int r = 0; r < side; r++) {
        for (int c = 0; c < side; c++) {
          double value = conv.bias[o];
          for (int tap = 0; tap < 9; tap++) {
            int row = r + tap / 3 - 1;
            int column = c + tap % 3 - 1;
            boolean inside = row >= 0 && row < side && column >= 0 && column < side;
            for (int i = 0; i < x.length; i++) {
              value +=
                  conv.kernel[tap / 3][tap % 3][i][o] * (inside ? x[i][row][column] : outside[i]);
            }
          }
          y[o][r][c] = Math.max(0, value);
        }
      }
    }
    return y;
  }

  private static double[][][] pooled(double[][][] x) {
    int side = x[0].length / 2;
    double[][][] y = new double[x.length][side][side];
    for (int i = 0; i < x.length; i++) {
      for (int r = 0; r < side; r++) {
        for (int c = 0; c < side; c++) {
          y[i][r][c] =
              Math.max(
                  Math.max(x[i][2 * r][2 * c], x[i][2 * r][2 * c + 1]),
                  Math.max(x[i][2 * r + 1][2 * c], x[i][2 * r + 1][2 * c + 1]));
        }
      }
    }
    return y;
  }

  /** Adds a fifth of the read-out of some features, resized bilinearly between pixel centers. */
  private static void addResized(double[][] sum, double[][][] x, double[] readOut) {
    int side = x[0].length;
    for (int r = 0; r < SIDE; r++) {
      double v = Math.max(0, (r + 0.5) * side / SIDE - 0.5);
      int top = (int) v;
      int bottom = Math.min(top + 1, side - 1);
      for (int c = 0; c < SIDE; c++) {
        double u = Math.max(0, (c + 0.5) * side / SIDE - 0.5);
        int left = (int) u;
        int right = Math.min(left + 1, side - 1);
        for (int i = 0; i < x.length; i++) {
          double above = x[i][top][left] + (u - left) * (x[i][top][right] - x[i][top][left]);
          double below =
              x[i][bottom][left] + (u - left) * (x[i][bottom][right] - x[i][bottom][left]);
          sum[r][c] += 0.2 * readOut[i] * (above + (v - top) * (below - above));
        }
      }
    }
  }
}
