package org.gammanet.data;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.io.DataException;
import org.gammanet.io.SplitMix;

/**
 * Which samples training sees, in which order: a pure function of the seed and the position, so
 * neither the number of threads nor an interruption changes it.
 *
 * <p>An epoch runs through random orders of the data set until {@code samplesPerEpoch} samples are
 * drawn; a last incomplete batch is dropped.
 *
 * @param data images
 * @param augmentation of each sample
 * @param seed of order and augmentation
 * @param samplesPerEpoch at least {@code batchSize}
 * @param batchSize samples in a batch
 */
public record BatchSource(
    EdgeDataset data, Augmentation augmentation, long seed, int samplesPerEpoch, int batchSize) {
  public BatchSource {
    if (batchSize < 1 || samplesPerEpoch < batchSize) {
      throw new IllegalArgumentException(
          "A batch of %s needs an epoch of at least as many samples, found %s"
              .formatted(batchSize, samplesPerEpoch));
    }
  }

  /** Whole batches in an epoch. */
  public int batchesPerEpoch() {
    return samplesPerEpoch / batchSize;
  }

  /**
   * The batch at a position counted over all epochs: {@code epoch * batchesPerEpoch() + index}.
   *
   * @throws DataException if an image or its annotation cannot be read
   */
  public Batch batch(long position) {
    return batch(position, 0, batchSize);
  }

  /**
   * A part of the batch at a position, the same samples as in the whole.
   *
   * @param from first sample
   * @param to the sample after the last
   */
  public Batch batch(long position, int from, int to) {
    int epoch = (int) (position / batchesPerEpoch());
    int index = (int) (position % batchesPerEpoch());
    List<Sample> samples = new ArrayList<>();
    int round = -1;
    int[] order = {};
    for (int i = index * batchSize + from; i < index * batchSize + to; i++) {
      if (i / data.size() != round) {
        round = i / data.size();
        order = new SplitMix(seed, epoch, round, 'o').permutation(data.size());
      }
      Example example = data.load(order[i % data.size()]);
      samples.add(augmentation.apply(example, new SplitMix(seed, epoch, i, 's')));
    }
    return Batch.of(epoch, index, samples);
  }
}
