package org.gammanet.training;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.config.DataConfig;
import org.gammanet.data.EdgeDataset;
import org.gammanet.data.Example;
import org.gammanet.data.Preprocessing;
import org.gammanet.io.DataException;
import org.gammanet.io.RgbImage;
import org.gammanet.torch.Tensor;

/**
 * Training images, and the images held out to choose the best network.
 *
 * @param train images that are trained on
 * @param validation images that are not
 * @param description where both come from, for people
 */
public record TrainingData(EdgeDataset train, EdgeDataset validation, String description) {

  /**
   * Opens the folders that a configuration names.
   *
   * <p>Validation images are those of {@code val}; where that split is trained on too, or does not
   * exist, a fixed tenth of the images is held out instead. {@code data.fraction} applies to the
   * images that are trained on.
   *
   * @throws DataException when no folder is configured, or one is missing or empty
   */
  public static TrainingData open(DataConfig config) {
    Path root = config.trainPath();
    if (root == null) {
      throw new DataException(
          "there is nothing to train on: name the folder that contains images and groundTruth with"
              + " --data-dir, or as data.train_path in the configuration");
    }
    List<EdgeDataset> parts =
        config.trainSplits().stream().map(split -> EdgeDataset.open(root, split)).toList();
    EdgeDataset all = EdgeDataset.concat(parts);
    Path valRoot = config.valPath() == null ? root : config.valPath();
    boolean ownSplit =
        !config.trainSplits().contains("val")
            && (Files.isDirectory(valRoot.resolve("images").resolve("val"))
                || config.valPath() != null && !config.valPath().equals(root));
    EdgeDataset train = ownSplit ? all : all.tenth(false);
    EdgeDataset validation = ownSplit ? EdgeDataset.open(valRoot, "val") : all.tenth(true);
    if (validation.size() == 0 || train.size() == 0) { // too few images to hold any out
      train = all;
      validation = all;
    }
    EdgeDataset used =
        config.fraction() < 1 ? train.subset(config.fraction(), config.fractionSeed()) : train;
    return new TrainingData(
        used,
        validation,
        "%s images of %s (%s); validation on %s %s"
            .formatted(
                used.size(),
                root,
                String.join(" and ", config.trainSplits()),
                validation.size(),
                ownSplit
                    ? "of " + valRoot + " (val)"
                    : validation == all ? "of the same" : "held out"));
  }

  /**
   * The middles of the first training images, for {@link
   * org.gammanet.model.PassThrough#unitResponses}.
   *
   * @param most how many images at most
   * @param side largest side, pixels; smaller where an image is
   * @return normalized, {@code [N, 3, H, W]} on the CPU
   */
  public Tensor middles(DataConfig config, int most, int side) {
    List<Example> examples =
        IntStream.range(0, Math.min(most, train.size())).mapToObj(train::load).toList();
    int height = side;
    int width = side;
    for (Example example : examples) {
      height = Math.min(height, example.height());
      width = Math.min(width, example.width());
    }
    List<RgbImage> crops = new ArrayList<>();
    for (Example example : examples) {
      byte[] samples = new byte[3 * height * width];
      int top = (example.height() - height) / 2;
      int left = (example.width() - width) / 2;
      for (int y = 0; y < height; y++) {
        int from = 3 * ((top + y) * example.width() + left);
        System.arraycopy(example.rgb(), from, samples, 3 * y * width, 3 * width);
      }
      crops.add(new RgbImage(width, height, samples));
    }
    return Preprocessing.of(config, 1).apply(crops);
  }
}
