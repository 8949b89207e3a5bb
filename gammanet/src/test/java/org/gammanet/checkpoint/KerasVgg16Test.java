package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import io.jhdf.api.WritableGroup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.gammanet.config.DataConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KerasVgg16Test {
  @TempDir Path folder;
  private final Random random = new Random(5);
  private final float[][][][] first = kernel(3, 4);
  private final float[] bias = vector(4);

  private float[][][][] kernel(int in, int out) {
    float[][][][] values = new float[3][3][in][out];
    for (float[][][] row : values) {
      for (float[][] tap : row) {
        for (float[] inputs : tap) {
          System.arraycopy(vector(out), 0, inputs, 0, out);
        }
      }
    }
    return values;
  }

  private float[] vector(int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private Path keras() {
    Path file = folder.resolve("vgg16_weights.h5");
    try (WritableHdfFile hdf = HdfFile.write(file)) {
      WritableGroup one = hdf.putGroup("block1_conv1").putGroup("block1_conv1");
      one.putDataset("kernel:0", first);
      one.putDataset("bias:0", bias);
      WritableGroup two = hdf.putGroup("block1_conv2").putGroup("block1_conv2");
      two.putDataset("kernel:0", kernel(4, 5));
      two.putDataset("bias:0", vector(5));
      hdf.putGroup("fc1").putDataset("kernel:0", vector(7));
    }
    return file;
  }

  private Path hed() {
    Path file = folder.resolve("hed.weights.h5");
    try (WritableHdfFile hdf = HdfFile.write(file)) {
      WritableGroup layers = hdf.putGroup("block1").putGroup("layers");
      WritableGroup one = layers.putGroup("conv2d").putGroup("vars");
      one.putDataset("0", first);
      one.putDataset("1", bias);
      WritableGroup two = layers.putGroup("conv2d_1").putGroup("vars");
      two.putDataset("0", kernel(4, 5));
      two.putDataset("1", vector(5));
    }
    return file;
  }

  /** A patch of one color gives what it gives in Keras, whatever the color. */
  private void firstLayerAgrees(Checkpoint checkpoint, double[] meanOfRgb) {
    StoredTensor weight = checkpoint.weights().get("features.0.weight");
    StoredTensor shift = checkpoint.weights().get("features.0.bias");
    assertArrayEquals(new long[] {4, 3, 3, 3}, weight.shape());
    double[][][] rgb = new double[3][3][3];
    for (double[][] row : rgb) {
      for (double[] pixel : row) {
        for (int c = 0; c < 3; c++) {
          pixel[c] = random.nextInt(256);
        }
      }
    }
    for (int o = 0; o < 4; o++) {
      double expected = bias[o];
      double found = (float) shift.get(o);
      double size = 0;
      for (int y = 0; y < 3; y++) {
        for (int x = 0; x < 3; x++) {
          for (int c = 0; c < 3; c++) {
            double value = rgb[y][x][c];
            expected += first[y][x][2 - c][o] * (value - meanOfRgb[c]);
            double normalized =
                (value / 255 - DataConfig.IMAGENET_MEAN.get(c)) / DataConfig.IMAGENET_STD.get(c);
            double w = weight.get(((o * 3 + c) * 3 + y) * 3 + x);
            found += w * normalized;
            size += Math.abs(w * normalized);
          }
        }
      }
      // 27 weights and a bias, each rounded to float32 once.
      assertEquals(expected, found, 28 * Math.ulp((float) size));
    }
  }

  @Test
  void layersOfKerasAreRead() {
    Checkpoint checkpoint = Checkpoint.load(keras());
    assertTrue(checkpoint.isVgg16());
    assertEquals(4, checkpoint.weights().size());
    firstLayerAgrees(checkpoint, new double[] {123.68, 116.779, 103.939});
    assertTrue(checkpoint.remarks().getFirst().contains("VGG16 of Keras"));
  }

  @Test
  void layersOfHedAreRead() {
    Checkpoint checkpoint = Checkpoint.load(hed());
    firstLayerAgrees(checkpoint, new double[] {122.67892, 116.66877, 104.00699});
    assertTrue(checkpoint.remarks().getFirst().contains("VGG16 of HED"));
    assertArrayEquals(
        new long[] {5, 4, 3, 3}, checkpoint.weights().get("features.2.weight").shape());
  }

  @Test
  void otherFilesEndInASentence() throws Exception {
    Path other = folder.resolve("other.h5");
    try (WritableHdfFile hdf = HdfFile.write(other)) {
      hdf.putGroup("dense").putDataset("kernel:0", vector(7));
    }
    Exception e = assertThrows(CheckpointException.class, () -> Checkpoint.load(other));
    assertTrue(e.getMessage().contains("has no layer block1_conv1"), e.getMessage());
    Path half = folder.resolve("half.h5");
    try (WritableHdfFile hdf = HdfFile.write(half)) {
      hdf.putGroup("block1_conv1").putDataset("kernel:0", first);
    }
    e = assertThrows(CheckpointException.class, () -> Checkpoint.load(half));
    assertTrue(e.getMessage().contains("kernel or bias is missing"), e.getMessage());
  }

  @Test
  void damagedFilesEndInASentence() throws Exception {
    byte[] bytes = Files.readAllBytes(keras());
    for (int round = 0; round < 300; round++) {
      byte[] damaged = bytes.clone();
      for (int k = 0; k <= round % 4; k++) {
        damaged[8 + random.nextInt(damaged.length - 8)] = (byte) random.nextInt(256);
      }
      if (round % 5 == 0) {
        damaged = Arrays.copyOf(damaged, 8 + random.nextInt(damaged.length - 8));
      }
      try {
        Checkpoint.load("damaged", damaged);
      } catch (CheckpointException e) {
        assertTrue(e.getMessage().startsWith("damaged "), e.getMessage());
      }
    }
  }
}
