package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;

/**
 * Units of known tuning: energies E of pairs of Gabors in quadrature, divided by a semi-saturation
 * and by a suppressive field: {@code R = E / (s² + E + w F)}, where F is the contrast energy under
 * a Gaussian. Linear in E for an infinite s, of which then {@code R = E}.
 */
class EnergyBank extends TestPreparation {
  /** A unit: modulation in degrees, wavelength and window in pixels. */
  record Unit(double modulation, double wavelength, double sigma) {}

  final List<Unit> units;
  private final double saturation;
  private final double suppression;
  private final double suppressionSigma;
  private int recorded;

  EnergyBank(List<Unit> units, double saturation, double suppression, double suppressionSigma) {
    super("bank", units.size(), 2);
    this.units = units;
    this.saturation = saturation;
    this.suppression = suppression;
    this.suppressionSigma = suppressionSigma;
  }

  static EnergyBank of(int orientations, double offset, double[] wavelengths, double octaves) {
    List<Unit> units = new ArrayList<>();
    for (double w : wavelengths) {
      for (int i = 0; i < orientations; i++) {
        units.add(new Unit((offset + 180.0 * i / orientations) % 180, w, octaves * w));
      }
    }
    return new EnergyBank(units, Double.POSITIVE_INFINITY, 0, 1);
  }

  EnergyBank saturating(double s) {
    return new EnergyBank(units, s, suppression, suppressionSigma);
  }

  EnergyBank suppressed(double weight, double sigma) {
    return new EnergyBank(units, saturation, weight, sigma);
  }

  /** How many stimuli were shown. */
  int recorded() {
    return recorded;
  }

  /** A unit's response to an image when it looks at a point of it. */
  double response(Unit u, float[] image, int cy, int cx) {
    double k = 2 * Math.PI / u.wavelength();
    double cos = Math.cos(Math.toRadians(u.modulation()));
    double sin = Math.sin(Math.toRadians(u.modulation()));
    double even = 0;
    double odd = 0;
    double norm = 0;
    int reach = (int) Math.ceil(4.5 * u.sigma());
    for (int y = Math.max(0, cy - reach); y <= Math.min(SIZE - 1, cy + reach); y++) {
      for (int x = Math.max(0, cx - reach); x <= Math.min(SIZE - 1, cx + reach); x++) {
        double dx = x - cx;
        double dy = y - cy;
        double g = Math.exp(-(dx * dx + dy * dy) / (2 * u.sigma() * u.sigma()));
        double p = 2 * image[y * SIZE + x] - 1;
        double angle = k * (dx * cos + dy * sin);
        even += g * Math.cos(angle) * p;
        odd += g * Math.sin(angle) * p;
        norm += g;
      }
    }
    // 1 for a grating of contrast 1 that the unit prefers.
    double energy = 4 * (even * even + odd * odd) / (norm * norm);
    double field = 0;
    if (suppression > 0) {
      double total = 0;
      double s = 2 * suppressionSigma * suppressionSigma;
      for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
          double g = Math.exp(-((x - cx) * (x - cx) + (y - cy) * (y - cy)) / s);
          double p = 2 * image[y * SIZE + x] - 1;
          field += g * p * p;
          total += g;
        }
      }
      field *= 2 / total;
    }
    double own = Double.isInfinite(saturation) ? 1 : saturation * saturation + energy;
    return energy / (own + suppression * field);
  }

  @Override
  public Responses record(
      StimulusSet set,
      Pooling pooling,
      InputScaling scaling,
      boolean withOutput,
      IntConsumer progress) {
    List<PixelPoint> at =
        pooling instanceof Pooling.Units several
            ? several.at()
            : List.of(new PixelPoint(SIZE / 2, SIZE / 2));
    Responses out =
        new Responses(set.size(), List.of(0, 1), at.size())
            .add("bank", State.EXCITATORY, units.size() * at.size());
    IntStream.range(0, set.size())
        .parallel()
        .forEach(
            s -> {
              float[] image = set.stimuli().get(s).draw();
              float[] values = new float[units.size() * at.size()];
              for (int u = 0; u < units.size(); u++) {
                for (int p = 0; p < at.size(); p++) {
                  values[u * at.size() + p] =
                      (float) response(units.get(u), image, at.get(p).y(), at.get(p).x());
                }
              }
              out.set("bank", State.EXCITATORY, s, 0, values);
              out.set("bank", State.EXCITATORY, s, 1, values);
            });
    recorded += set.size();
    return out;
  }
}
