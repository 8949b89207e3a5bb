package org.gammanet.training;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.data.Augmentation;
import org.gammanet.data.Batch;
import org.gammanet.data.BatchSource;
import org.gammanet.data.EdgeDataset;
import org.gammanet.data.Prefetcher;

/**
 * The batches of a run: a source for each stage of the curriculum, of whose batches this rank gets
 * its part.
 */
final class TrainingBatches {
  private static final int BATCHES_AHEAD = 4;

  private final TrainingConfig training;
  private final Curriculum curriculum;
  private final ProcessGroup group;

  /** In the order of the stages. */
  private final List<BatchSource> sources = new ArrayList<>();

  /**
   * Checks sizes; images are loaded later.
   *
   * @param minimumSize side in pixels of the smallest image that the network takes
   * @throws TrainingException where an epoch has no batch, a rank no sample, or crops are too small
   */
  TrainingBatches(
      GammaNetConfig config,
      Curriculum curriculum,
      EdgeDataset images,
      int minimumSize,
      ProcessGroup group) {
    this.training = config.training();
    this.curriculum = curriculum;
    this.group = group;
    if (training.samplesPerEpoch() < training.batchSize()) {
      throw new TrainingException(
          "training.samples_per_epoch is %s, less than one batch of %s"
              .formatted(training.samplesPerEpoch(), training.batchSize()));
    }
    if (training.batchSize() < group.size()) {
      throw new TrainingException(
          "a batch of %s cannot be divided among %s processes"
              .formatted(training.batchSize(), group.size()));
    }
    for (Curriculum.Part part : curriculum.stages()) {
      if (part.crop() < minimumSize) {
        throw new TrainingException(
            "random_crop is %s, but the network needs images of at least %s pixels"
                .formatted(part.crop(), minimumSize));
      }
      GammaNetConfig cropped = config.with(List.of("data.augmentation.random_crop=" + part.crop()));
      sources.add(
          new BatchSource(
              images,
              Augmentation.of(cropped.data()),
              config.seed(),
              training.samplesPerEpoch(),
              training.batchSize()));
    }
  }

  /** Whole batches in an epoch of any stage. */
  int perEpoch() {
    return sources.getFirst().batchesPerEpoch();
  }

  /** Updates in an epoch; the last one may have fewer batches. */
  int updatesPerEpoch() {
    return Math.ceilDiv(perEpoch(), training.gradientAccumulation());
  }

  /** Batches of an epoch from an update on. */
  int left(int update) {
    return Math.max(0, perEpoch() - update * training.gradientAccumulation());
  }

  /** Loads batches ahead of time, from those of an update to the end of the run. */
  Prefetcher<Batch> loader(int epoch, int update) {
    int batches = perEpoch();
    return new Prefetcher<>(
        (epoch + 1L) * batches - left(update),
        (long) training.numEpochs() * batches,
        Math.max(1, training.numWorkers()),
        Math.max(BATCHES_AHEAD, 2 * training.gradientAccumulation()),
        this::batch);
  }

  /** The next batches of a loader that make an update, numbered from 0 in its epoch. */
  List<Batch> next(Prefetcher<Batch> loader, int update) throws InterruptedException {
    int wanted = Math.min(training.gradientAccumulation(), left(update));
    List<Batch> batches = new ArrayList<>();
    while (batches.size() < wanted) {
      batches.add(loader.next());
    }
    return batches;
  }

  private Batch batch(long position) {
    Curriculum.Part part = curriculum.at((int) (position / perEpoch()));
    int size = training.batchSize();
    return sources
        .get(curriculum.stages().indexOf(part))
        .batch(
            position, size * group.rank() / group.size(), size * (group.rank() + 1) / group.size());
  }
}
