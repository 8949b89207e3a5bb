package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.gammanet.experiments.protocols.TiltExperiment.Alone;
import org.gammanet.experiments.protocols.TiltExperiment.Condition;
import org.gammanet.experiments.protocols.TiltExperiment.Plain;
import org.gammanet.experiments.protocols.TiltExperiment.Ringed;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;
import org.jspecify.annotations.Nullable;

/** The gratings and the rings of {@link TiltExperiment} in a run, drawn at random. */
record TiltStimuli(RunContext context) {
  private static final double[] DIFFERENCES = {-75, -50, -30, -15, 0, 15, 30, 50, 75};

  /** Ranges that centers are drawn from, pixels. */
  private static final double[] WAVELENGTHS = {8, 24};

  private static final double[] RADII = {16, 30};

  private boolean full() {
    return context.settings().full();
  }

  /** Differences between the orientations of ring and center, degrees. */
  double[] differences() {
    return full() ? Samples.fill(36, i -> -90 + 5 * i) : DIFFERENCES;
  }

  /** Centers for the decoder. */
  Design<Condition> gratings() {
    var design = new Design<Condition>();
    var random = new SplittableRandom(context.seed());
    int training = full() ? 1600 : 200;
    for (int i = 0; i < training + training / 4; i++) {
      double theta = 180 * ((i % 20 + random.nextDouble()) / 20); // even over orientations
      design.add(new Plain(i, theta, i >= training), center(theta, random).in(null));
    }
    return design;
  }

  /** Other centers without and within rings. */
  Design<Condition> rings(double[] differences) {
    var random = new SplittableRandom(context.seed()).split();
    var design = new Design<Condition>();
    int centers = full() ? 36 : 16;
    for (int c = 0; c < centers; c++) {
      var center = center(180 * (c + random.nextDouble()) / centers, random);
      var alone = new Alone(c);
      design.add(alone, center.in(null));
      for (double gap : context.pixels(full() ? new double[] {0, 5} : new double[] {0})) {
        for (double d : differences) {
          design.add(new Ringed(alone, gap, d), center.in(d, gap, random));
        }
      }
    }
    return design;
  }

  Design<Condition> rings() {
    return rings(differences());
  }

  /** Centers for the decoder, and rings at differences of either sign. */
  Design<Condition> all(double[] differences) {
    double[] both =
        Arrays.stream(differences)
            .flatMap(d -> Arrays.stream(new double[] {-d, d}))
            .map(d -> d + 0.0) // -0 is 0
            .distinct()
            .toArray();
    Design<Condition> all = gratings();
    Design<Condition> rings = rings(both);
    rings.conditions().forEach(c -> all.add(c, rings.stimulus(c)));
    return all;
  }

  private Center center(double theta, SplittableRandom random) {
    double wavelength = between(WAVELENGTHS, random);
    double radius = context.pixels(between(RADII, random));
    double phase = 2 * Math.PI * random.nextDouble();
    var sine = new Sine(theta, context.cycles(wavelength), phase, context.settings().contrast());
    return new Center(context, sine, Math.min(radius, context.frame().largestRadius() / 2));
  }

  private static double between(double[] range, SplittableRandom random) {
    return range[0] + (range[1] - range[0]) * random.nextDouble();
  }

  private record Center(RunContext context, Sine sine, double radius) {
    CenterSurround in(CenterSurround.@Nullable Ring ring) {
      return new CenterSurround(context.frame(), CenterSurround.Disc.of(sine, radius), ring);
    }

    CenterSurround in(double difference, double gap, SplittableRandom random) {
      Sine other = sine.rotated(difference).phase(2 * Math.PI * random.nextDouble());
      return in(new CenterSurround.Ring(other, radius + gap, 2 * radius));
    }
  }
}
