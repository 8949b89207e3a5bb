package org.gammanet.training;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Stage;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;

/**
 * The stages of a run.
 *
 * @param stages in their order; a run without stages has one
 */
record Curriculum(List<Part> stages) {
  /**
   * A stage with every value filled in.
   *
   * @param firstEpoch from 0
   * @param epochs its length
   * @param fewest timesteps of a batch
   * @param most timesteps of a batch
   * @param crop side of the crops in pixels
   * @param rateFactor on the learning rates of all groups
   * @param stabilityPenalty weight of the penalty
   */
  record Part(
      int firstEpoch,
      int epochs,
      int fewest,
      int most,
      int crop,
      double rateFactor,
      double stabilityPenalty) {
    /** Cost of a sample in arbitrary units: pixels times timesteps. */
    double cost() {
      return (double) crop * crop * (fewest + most) / 2;
    }

    /** Multiply-accumulates of a sample's forward pass, on average over its timesteps' number. */
    double macs(Network network) {
      List<LayerSummary> layers = network.summary(crop, crop);
      return (LayerSummary.macs(layers, fewest) + LayerSummary.macs(layers, most)) / 2.0;
    }

    /** In a few words; {@code updates} are those of an epoch, {@code crops} those of an update. */
    String describe(int updates, int crops) {
      return "%s epochs of %s updates, %s crops of %sx%s each, T = %s"
          .formatted(
              epochs,
              updates,
              crops,
              crop,
              crop,
              fewest == most ? "" + most : fewest + " to " + most);
    }
  }

  /** The stages of a configuration. */
  static Curriculum of(GammaNetConfig config) {
    TrainingConfig training = config.training();
    List<Stage> stages =
        training.stages().isEmpty()
            ? List.of(new Stage(training.numEpochs(), null, null, null, null))
            : training.stages();
    List<Part> parts = new ArrayList<>();
    int first = 0;
    for (Stage stage : stages) {
      List<Integer> range = stage.timesteps() == null ? training.timesteps() : stage.timesteps();
      int own = config.model().timesteps();
      Integer crop = stage.randomCrop();
      Double rate = stage.learningRate();
      Double penalty = stage.stabilityPenalty();
      parts.add(
          new Part(
              first,
              stage.epochs(),
              range.isEmpty() ? own : range.getFirst(),
              range.isEmpty() ? own : range.getLast(),
              crop == null ? config.data().augmentation().randomCrop() : crop,
              rate == null ? 1 : rate / training.learningRate(),
              penalty == null ? training.stabilityPenalty() : penalty));
      first += stage.epochs();
    }
    return new Curriculum(List.copyOf(parts));
  }

  /** The stage of an epoch; the last one's for epochs after the end. */
  Part at(int epoch) {
    Part found = stages.getFirst();
    for (Part part : stages) {
      if (part.firstEpoch <= epoch) {
        found = part;
      }
    }
    return found;
  }

  /** Cost of a sample in each of some epochs, summed; {@code to} is excluded. */
  double cost(int from, int to) {
    return IntStream.range(from, to).mapToDouble(epoch -> at(epoch).cost()).sum();
  }

  /** Largest crop of the run. */
  int largestCrop() {
    return stages.stream().mapToInt(Part::crop).max().orElseThrow();
  }

  /** Most timesteps of the run. */
  int mostTimesteps() {
    return stages.stream().mapToInt(Part::most).max().orElseThrow();
  }
}
