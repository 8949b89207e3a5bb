package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Stimuli of one image size in a fixed order, which is the order of responses to them. They are
 * drawn when they are asked for.
 */
public final class StimulusSet implements Iterable<StimulusImage> {
  /** Shortest wavelength, in pixels, that is drawn without a warning. */
  public static final double SHORTEST_WAVELENGTH = 4;

  private static final System.Logger LOG = System.getLogger(StimulusSet.class.getName());

  private final List<Stimulus> stimuli;

  private StimulusSet(List<Stimulus> stimuli) {
    this.stimuli = stimuli;
  }

  /**
   * A set of stimuli. Wavelengths below {@value #SHORTEST_WAVELENGTH} pixels are logged as a
   * warning: sampled so coarsely, orientation and contrast are no longer what they are said to be.
   *
   * @throws IllegalArgumentException when there are none, or when their image sizes differ
   */
  public static StimulusSet of(List<? extends Stimulus> stimuli) {
    if (stimuli.isEmpty()) {
      throw new IllegalArgumentException("a set of stimuli needs at least one");
    }
    Frame first = stimuli.get(0).frame();
    for (Stimulus s : stimuli) {
      if (s.frame().height() != first.height() || s.frame().width() != first.width()) {
        throw new IllegalArgumentException(
            "stimuli of one set must have one image size, not %s x %s and %s x %s"
                .formatted(first.height(), first.width(), s.frame().height(), s.frame().width()));
      }
    }
    StimulusSet set = new StimulusSet(List.copyOf(stimuli));
    set.warnings().forEach(w -> LOG.log(System.Logger.Level.WARNING, w));
    return set;
  }

  /** A sentence for each spatial frequency that is too high for the image. */
  public List<String> warnings() {
    return stimuli.stream()
        .map(s -> s.frame().wavelength(s.meta().cyclesPerImage()))
        .filter(w -> w < SHORTEST_WAVELENGTH)
        .distinct()
        .sorted()
        .map(
            w ->
                String.format(
                    Locale.ROOT,
                    "a wavelength of %.3g px is below %.0f px: the grating is sampled too coarsely",
                    w,
                    SHORTEST_WAVELENGTH))
        .toList();
  }

  /** Number of stimuli. */
  public int size() {
    return stimuli.size();
  }

  /** Height of each image. */
  public int height() {
    return stimuli.get(0).frame().height();
  }

  /** Width of each image. */
  public int width() {
    return stimuli.get(0).frame().width();
  }

  /** The stimuli as descriptions, in order. */
  public List<Stimulus> stimuli() {
    return stimuli;
  }

  /** What stimulus number {@code index} is. */
  public StimulusMeta meta(int index) {
    return stimuli.get(index).meta();
  }

  /** What the stimuli are, in order. */
  public List<StimulusMeta> metas() {
    return stimuli.stream().map(Stimulus::meta).toList();
  }

  /** Draws stimulus number {@code index}, from 0. */
  public StimulusImage get(int index) {
    Stimulus s = stimuli.get(index);
    return new StimulusImage(s.draw(), s.frame().height(), s.frame().width(), s.meta());
  }

  /**
   * The stimuli that fulfill a condition, in their order.
   *
   * @throws IllegalArgumentException when none does
   */
  public StimulusSet filter(Predicate<StimulusMeta> condition) {
    List<Stimulus> kept = stimuli.stream().filter(s -> condition.test(s.meta())).toList();
    if (kept.isEmpty()) {
      throw new IllegalArgumentException("no stimulus of the set fulfills the condition");
    }
    return new StimulusSet(kept);
  }

  /** This set followed by another of the same image size. */
  public StimulusSet plus(StimulusSet other) {
    List<Stimulus> all = new ArrayList<>(stimuli);
    all.addAll(other.stimuli);
    return of(all);
  }

  /**
   * Some stimuli as network input.
   *
   * @param from first stimulus
   * @param to after the last stimulus
   * @return (to - from) x 3 x H x W values
   */
  public float[] toInput(InputScaling scaling, int from, int to) {
    int plane = height() * width();
    float[] out = new float[Math.multiplyExact(to - from, 3 * plane)];
    IntStream.range(from, to)
        .parallel()
        .forEach(
            i -> {
              float[] colors = stimuli.get(i).colors();
              int at = (i - from) * 3 * plane;
              if (colors == null) {
                scaling.apply(stimuli.get(i).draw(), out, at);
              } else {
                scaling.applyToColors(colors, out, at);
              }
            });
    return out;
  }

  /** All stimuli as network input: N x 3 x H x W values. */
  public float[] toInput(InputScaling scaling) {
    return toInput(scaling, 0, size());
  }

  /** Draws one stimulus after the other. */
  @Override
  public Iterator<StimulusImage> iterator() {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < size();
      }

      @Override
      public StimulusImage next() {
        if (next >= size()) {
          throw new NoSuchElementException();
        }
        return get(next++);
      }
    };
  }
}
