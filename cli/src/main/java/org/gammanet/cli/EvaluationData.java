package org.gammanet.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.gammanet.data.DatasetIndex;
import org.gammanet.io.DataException;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * Images with their drawings.
 *
 * @param root folder with images and groundTruth
 * @param truth drawings by image
 * @param elsewhere images whose drawings are in another split
 */
record EvaluationData(Path root, String split, Map<String, Path> truth, TreeSet<String> elsewhere) {
  /**
   * Lists the files of a split.
   *
   * @throws DataException where there is no such folder, or no drawing
   */
  static EvaluationData open(Path root, String split) {
    if (!Files.isDirectory(root)) {
      throw new DataException("There is no folder " + root);
    }
    TreeSet<String> elsewhere = new TreeSet<>();
    for (String other : List.of("train", "val", "test")) {
      if (!other.equals(split) && Files.isDirectory(root.resolve("groundTruth").resolve(other))) {
        elsewhere.addAll(DatasetIndex.annotations(root, other).keySet());
      }
    }
    return new EvaluationData(root, split, DatasetIndex.annotations(root, split), elsewhere);
  }

  /** Pictures by image; none where there is no such folder. */
  Map<String, Path> images() {
    return Files.isDirectory(root.resolve("images")) ? DatasetIndex.images(root, split) : Map.of();
  }

  /** The picture of an image; null where there is none. */
  @Nullable RgbImage photo(String id) throws ImageException {
    Path file = images().get(id);
    return file == null ? null : Images.read(file);
  }

  /** SHA-256 of the drawings of images, which may have none. */
  String digest(List<String> ids) throws IOException {
    MessageDigest sha = Sha256.digest();
    for (String id : ids) {
      Path file = truth.get(id);
      if (file != null) {
        sha.update((id + " " + Sha256.of(file) + "\n").getBytes(StandardCharsets.UTF_8));
      }
    }
    return Sha256.hex(sha);
  }

  /** Whether these are, by their names, the test images that published scores are of. */
  boolean isBsds500() {
    return split.equals("test") && truth.keySet().stream().allMatch(id -> id.matches("[0-9]{4,6}"));
  }
}
