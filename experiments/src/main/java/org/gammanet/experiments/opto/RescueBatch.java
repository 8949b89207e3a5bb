package org.gammanet.experiments.opto;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.experiments.responses.Light;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Partial;
import org.gammanet.experiments.study.Progress;
import org.gammanet.io.SplitMix;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** Gratings that are optimized at once, from the start of their states to the results. */
final class RescueBatch {
  private static final long SAVE_EVERY_NANOS = 30_000_000_000L;

  /**
   * What all batches of an optimization share.
   *
   * @param gratings one per orientation
   * @param at the perturbed site, in the layer's map
   * @param size height and width of that map
   */
  record Task(
      Simulation simulation,
      StimulusSet gratings,
      double[] orientations,
      RescueOptions options,
      StateOptimization.Setup setup,
      PixelPoint at,
      int[] size) {}

  private final StimulusSet gratings;
  private final double[] orientations;
  private final RescueOptions options;
  private final StateOptimization.Setup setup;
  private final Simulation simulation;
  private final PixelPoint at;
  private final int[] size;
  private final Window window;
  private final int from;
  private final int to;
  private final @Nullable Partial partial;
  private final Progress progress;
  private final String what;

  /**
   * Gratings {@code from} to {@code to - 1}.
   *
   * @param partial keeps their work; null for none
   */
  RescueBatch(Task task, int from, int to, @Nullable Partial partial) {
    this.from = from;
    this.to = to;
    this.partial = partial;
    gratings = task.gratings;
    orientations = task.orientations;
    options = task.options;
    setup = task.setup;
    simulation = task.simulation;
    progress = simulation.progress();
    at = task.at;
    size = task.size;
    window = window(options.ecrfRadius());
    what =
        Arrays.stream(orientations, from, to)
            .mapToObj(o -> Format.label(o) + "°")
            .collect(
                Collectors.joining(
                    ", ", "rescue ", options.draw() == 0 ? "" : ", start " + (options.draw() + 1)));
  }

  /** The part of the map that is kept: the radius about the site with a margin, or everything. */
  private record Window(int top, int left, int height, int width) {}

  private Window window(double radius) {
    int height = size[0];
    int width = size[1];
    if (simulation.definitions().wholeMaps()) {
      return new Window(0, 0, height, width);
    }
    int reach = (int) Math.ceil(radius) + 8;
    int top = Math.max(0, at.y() - reach);
    int left = Math.max(0, at.x() - reach);
    return new Window(
        top,
        left,
        Math.min(height, at.y() + reach + 1) - top,
        Math.min(width, at.x() + reach + 1) - left);
  }

  /**
   * The results, from the study where they are known.
   *
   * @throws CancellationException when the run is canceled; finished work is kept
   */
  List<OrientationRescue> rescue() {
    if (partial != null && !partial.isEmpty() && !partial.has("step")) {
      progress.advance(what, options.steps(), options.steps(), "");
      if (progress.canceled()) {
        throw new CancellationException("canceled after " + what);
      }
      List<OrientationRescue> done = new ArrayList<>();
      for (int i = from; i < to; i++) {
        done.add(finished(partial, i));
      }
      return done;
    }
    try (var scope = TensorScope.open()) {
      Tensor images = simulation.input(gratings, from, to);
      try (var optimization =
          new StateOptimization(setup, images, mask(), options.learningRate())) {
        List<OrientationRescue> rescues = optimize(optimization);
        if (partial != null) {
          partial.clear();
          for (int i = from; i < to; i++) {
            keep(partial, rescues.get(i - from), i);
          }
          Simulation.save(partial);
        }
        return rescues;
      }
    }
  }

  /** 1 where a stimulus covers the pixel of the image that a pixel of the map stands for. */
  private static float[] covered(StimulusMeta meta, StimulusSet set, int height, int width) {
    float[] out = new float[height * width];
    double radius = Math.max(meta.height(), meta.width()) / 2;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int imageY = y * set.height() / height;
        int imageX = x * set.width() / width;
        if (Math.hypot(imageY - meta.center().y(), imageX - meta.center().x()) <= radius) {
          out[y * width + x] = 1;
        }
      }
    }
    return out;
  }

  /** Where states may change: (N, 1, h, w). */
  private Tensor mask() {
    float[] patch = Light.disc(size[0], size[1], at, simulation.patchSize() / 2);
    float[] surround = Light.disc(size[0], size[1], at, options.ecrfRadius());
    float[] all = new float[(to - from) * patch.length];
    for (int i = from; i < to; i++) {
      float[] stimulus =
          options.withinStimulus()
              ? covered(gratings.meta(i), gratings, size[0], size[1])
              : surround;
      for (int p = 0; p < patch.length; p++) {
        all[(i - from) * patch.length + p] = surround[p] * (1 - patch[p]) * stimulus[p];
      }
    }
    return Tensor.of(all, to - from, 1, size[0], size[1]).to(simulation.network().device());
  }

  private List<OrientationRescue> optimize(StateOptimization optimization) {
    int batch = to - from;
    double[][] losses = new double[batch][options.steps()];
    double[][] targets = optimization.baseline();
    StateOptimization.Evaluation perturbed = optimization.evaluate();
    requireFinite(perturbed.losses(), 0);
    int start = restore(optimization, losses);
    if (start == 0) {
      long[] seeds = new long[batch];
      Arrays.setAll(
          seeds, i -> new SplitMix(simulation.seed(), options.draw(), from + i, 0x0A17).nextLong());
      optimization.randomStart(seeds);
    }
    long saved = System.nanoTime();
    for (int step = start; step < options.steps(); step++) {
      double[] now = optimization.step().losses();
      requireFinite(now, step);
      for (int i = 0; i < batch; i++) {
        losses[i][step] = now[i];
      }
      progress.advance(
          what,
          step + 1,
          options.steps(),
          String.format(Locale.ROOT, "loss %.4g", Arrays.stream(now).average().orElse(0)));
      boolean canceled = progress.canceled();
      if (canceled || System.nanoTime() - saved > SAVE_EVERY_NANOS) {
        save(optimization, step + 1, losses);
        saved = System.nanoTime();
      }
      if (canceled) {
        throw new CancellationException("canceled during " + what);
      }
    }
    StateOptimization.Evaluation rescued = optimization.evaluate();
    requireFinite(rescued.losses(), options.steps());
    List<OrientationRescue> results = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      results.add(
          new OrientationRescue(
              orientations[from + i],
              targets[i],
              perturbed.decoded()[i],
              rescued.decoded()[i],
              perturbed.losses()[i],
              losses[i],
              rescued.losses()[i],
              maps(optimization.excitatory(), i),
              maps(optimization.inhibitory(), i)));
    }
    return results;
  }

  private void requireFinite(double[] losses, int step) {
    for (int i = 0; i < losses.length; i++) {
      if (!Double.isFinite(losses[i])) {
        throw new IllegalStateException(
            String.format(
                Locale.ROOT,
                "the loss of the grating at %s° is not finite after %d steps: its states make"
                    + " the recurrence diverge; try a lower learning rate",
                Format.label(orientations[from + i]),
                step));
      }
    }
  }

  /** The window of one grating's maps. */
  private ChannelMaps maps(Tensor states, int index) {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      return channelMaps(
          crop(Ops.narrow(states.detach(), 0, index, 1)).contiguous().toFloatArray());
    }
  }

  private ChannelMaps channelMaps(float[] values) {
    return new ChannelMaps(
        setup.site().cell().channels(),
        window.height,
        window.width,
        at.y() - window.top,
        at.x() - window.left,
        values);
  }

  private Tensor crop(Tensor states) {
    return Ops.narrow(
        Ops.narrow(states, 2, window.top, window.height), 3, window.left, window.width);
  }

  private void keep(Partial file, OrientationRescue rescue, int index) {
    long[] shape = {rescue.excitatory().channels(), window.height, window.width};
    file.put("target" + index, rescue.target())
        .put("perturbed" + index, rescue.perturbed())
        .put("rescued" + index, rescue.rescued())
        .put("initialLoss" + index, rescue.initialLoss())
        .put("losses" + index, rescue.losses())
        .put("finalLoss" + index, rescue.finalLoss())
        .put("excitatory" + index, rescue.excitatory().values(), shape)
        .put("inhibitory" + index, rescue.inhibitory().values(), shape);
  }

  private OrientationRescue finished(Partial file, int index) {
    return new OrientationRescue(
        orientations[index],
        file.doubles("target" + index),
        file.doubles("perturbed" + index),
        file.doubles("rescued" + index),
        file.doubles("initialLoss" + index)[0],
        file.doubles("losses" + index),
        file.doubles("finalLoss" + index)[0],
        channelMaps(file.floats("excitatory" + index)),
        channelMaps(file.floats("inhibitory" + index)));
  }

  /** Writes A and Adam's moments; all are zero outside the window. */
  private void save(StateOptimization optimization, int step, double[][] losses) {
    Partial file = partial;
    if (file == null) {
      return;
    }
    file.put("step", step);
    for (int i = 0; i < losses.length; i++) {
      file.put("losses" + i, losses[i]);
    }
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      file.put("A.excitatory", stored(optimization.excitatory()));
      file.put("A.inhibitory", stored(optimization.inhibitory()));
      optimization.optimizer().state().forEach((name, m) -> file.put(name, stored(m)));
      Simulation.save(file);
    }
  }

  private StoredTensor stored(Tensor whole) {
    return StoredTensor.of(crop(whole.detach()).contiguous());
  }

  /** Continues an unfinished batch; returns the steps that are done. */
  private int restore(StateOptimization optimization, double[][] losses) {
    if (partial == null || !partial.has("step")) {
      return 0;
    }
    int step = (int) partial.doubles("step")[0];
    for (int i = 0; i < losses.length; i++) {
      double[] known = partial.doubles("losses" + i);
      if (known.length != losses[i].length || step < 1 || step > known.length) {
        throw new CheckpointException("the kept work of " + what + " is damaged");
      }
      System.arraycopy(known, 0, losses[i], 0, known.length);
    }
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      crop(optimization.excitatory()).copy_(partial.tensor("A.excitatory").toTensor());
      crop(optimization.inhibitory()).copy_(partial.tensor("A.inhibitory").toTensor());
      Map<String, Tensor> moments = new LinkedHashMap<>();
      Map<String, Long> steps = new LinkedHashMap<>();
      for (String unknown : List.of("excitatory", "inhibitory")) {
        for (String name : List.of("exp_avg." + unknown, "exp_avg_sq." + unknown)) {
          Tensor whole =
              Tensor.zeros(
                  optimization.excitatory().dtype(),
                  simulation.network().device(),
                  optimization.excitatory().shape());
          crop(whole).copy_(partial.tensor(name).toTensor());
          moments.put(name, whole);
        }
        steps.put(unknown, (long) step);
      }
      optimization.optimizer().restore(moments, steps);
    }
    return step;
  }
}
