package org.gammanet.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Samples of equal size, stacked.
 *
 * @param epoch counted from 0
 * @param index of the batch within its epoch
 * @param ids of the images
 * @param height rows
 * @param width columns
 * @param images normalized colors, {@code [B, 3, height, width]}
 * @param targets consensus in [0, 1], {@code [B, 1, height, width]}
 * @param valid where targets count, {@code [B, 1, height, width]}
 */
public record Batch(
    int epoch,
    int index,
    List<String> ids,
    int height,
    int width,
    float[] images,
    float[] targets,
    boolean[] valid) {

  /** Number of samples. */
  public int size() {
    return ids.size();
  }

  /** Its samples as batches of one. */
  public List<Batch> singles() {
    int n = height * width;
    List<Batch> singles = new ArrayList<>();
    for (int i = 0; i < size(); i++) {
      singles.add(
          new Batch(
              epoch,
              index,
              List.of(ids.get(i)),
              height,
              width,
              Arrays.copyOfRange(images, i * 3 * n, (i + 1) * 3 * n),
              Arrays.copyOfRange(targets, i * n, (i + 1) * n),
              Arrays.copyOfRange(valid, i * n, (i + 1) * n)));
    }
    return singles;
  }

  /**
   * Stacks samples.
   *
   * @throws IllegalArgumentException if their sizes differ
   */
  public static Batch of(int epoch, int index, List<Sample> samples) {
    Sample first = samples.getFirst();
    int n = first.height() * first.width();
    float[] images = new float[samples.size() * 3 * n];
    float[] targets = new float[samples.size() * n];
    boolean[] valid = new boolean[samples.size() * n];
    for (int i = 0; i < samples.size(); i++) {
      Sample s = samples.get(i);
      if (s.height() != first.height() || s.width() != first.width()) {
        throw new IllegalArgumentException(
            "%s is %sx%s and %s is %sx%s: whole images of different sizes cannot share a batch; "
                    .formatted(
                        first.id(), first.width(), first.height(), s.id(), s.width(), s.height())
                + "set training.batch_size to 1 or data.augmentation.random_crop to a size");
      }
      System.arraycopy(s.image(), 0, images, i * 3 * n, 3 * n);
      System.arraycopy(s.target(), 0, targets, i * n, n);
      System.arraycopy(s.valid(), 0, valid, i * n, n);
    }
    return new Batch(
        epoch,
        index,
        samples.stream().map(Sample::id).toList(),
        first.height(),
        first.width(),
        images,
        targets,
        valid);
  }
}
