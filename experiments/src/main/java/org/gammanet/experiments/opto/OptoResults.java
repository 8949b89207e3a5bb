package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.gammanet.io.Npy;

/** The numbers of an optimization, as they are written to JSON, arrays and tables. */
final class OptoResults {
  private OptoResults() {}

  /**
   * An optimization without its maps.
   *
   * @param reach of the horizontal connections, pixels
   * @param averagedMapMean of the mean of channels
   * @param averagedMapMax of the largest of channels
   */
  record Optimization(
      String layer,
      double factor,
      Injection injection,
      int reach,
      List<Rescue> orientations,
      Maps averagedMapMean,
      Maps averagedMapMax) {
    static Optimization of(MultiOrientationResult result) {
      return new Optimization(
          result.layer(),
          result.factor(),
          result.injection(),
          result.reach(),
          result.rescues().stream().map(Rescue::of).toList(),
          Maps.of(result, Aggregation.MEAN),
          Maps.of(result, Aggregation.MAX));
    }
  }

  /** One grating; angles in degrees, readings are decoded [sin 2θ, cos 2θ]. */
  record Rescue(
      double orientation,
      double initialLoss,
      double finalLoss,
      double rescue,
      double angleBefore,
      double anglePerturbed,
      double angleRescued,
      double[] readingBefore,
      double[] readingPerturbed,
      double[] readingRescued,
      double[] losses) {
    static Rescue of(OrientationRescue r) {
      return new Rescue(
          r.orientation(),
          r.initialLoss(),
          r.finalLoss(),
          r.rescue(),
          OrientationDecoder.angle(r.target()),
          OrientationDecoder.angle(r.perturbed()),
          OrientationDecoder.angle(r.rescued()),
          r.target(),
          r.perturbed(),
          r.rescued(),
          r.losses());
    }
  }

  /** The averaged maps A_E, A_I and A_E - A_I. */
  record Maps(Numbers excitatory, Numbers inhibitory, Numbers balance) {
    static Maps of(MultiOrientationResult result, Aggregation how) {
      SurroundMap e = result.averagedExcitatory().aggregate(how);
      SurroundMap i = result.averagedInhibitory().aggregate(how);
      return new Maps(Numbers.of(e, result), Numbers.of(i, result), Numbers.of(e.minus(i), result));
    }
  }

  /** A map; statistics over the pixels whose states may change. */
  record Numbers(
      double mean,
      double sd,
      double min,
      double max,
      double elongationIndex,
      double elongationAxis,
      double alongToAcross,
      double[] radialMean,
      double[] angularMean) {
    static Numbers of(SurroundMap map, MultiOrientationResult result) {
      double[] inside = map.within(result.patchSize() / 2, result.radius());
      double mean = DoubleStream.of(inside).average().orElse(Double.NaN);
      double square =
          DoubleStream.of(inside).map(v -> (v - mean) * (v - mean)).average().orElse(Double.NaN);
      return new Numbers(
          mean,
          Math.sqrt(square),
          DoubleStream.of(inside).min().orElse(Double.NaN),
          DoubleStream.of(inside).max().orElse(Double.NaN),
          map.elongation().index(),
          map.elongation().axis(),
          map.alongToAcross(MultiOrientationResult.COLLINEAR_AXIS),
          map.radialMean(),
          map.angularMean(result.patchSize() / 2, result.radius(), 12));
    }
  }

  /** Adds the maps of a result: each orientation's as optimized, and the averages. */
  static void addMaps(Map<String, Npy> arrays, String prefix, MultiOrientationResult result) {
    int n = result.rescues().size();
    ChannelMaps first = result.rescues().getFirst().excitatory();
    int each = first.values().length;
    for (String name : new String[] {"excitatory", "inhibitory"}) {
      boolean e = name.equals("excitatory");
      float[] all = new float[Math.multiplyExact(n, each)];
      for (int k = 0; k < n; k++) {
        OrientationRescue rescue = result.rescues().get(k);
        ChannelMaps maps = e ? rescue.excitatory() : rescue.inhibitory();
        System.arraycopy(maps.values(), 0, all, k * each, each);
      }
      arrays.put(prefix + name, Npy.of(all, n, first.channels(), first.height(), first.width()));
      ChannelMaps averaged = e ? result.averagedExcitatory() : result.averagedInhibitory();
      arrays.put(
          prefix + name + "_averaged",
          Npy.of(averaged.values(), first.channels(), first.height(), first.width()));
    }
    arrays.put(
        prefix + "orientations",
        Npy.of(result.rescues().stream().mapToDouble(OrientationRescue::orientation).toArray(), n));
    arrays.put(prefix + "center", Npy.of(new double[] {first.centerY(), first.centerX()}, 2));
    double[] losses =
        result.rescues().stream().flatMapToDouble(r -> DoubleStream.of(r.losses())).toArray();
    arrays.put(prefix + "losses", Npy.of(losses, n, losses.length / n));
  }

  /** Rows of one length as an array of two dimensions. */
  static Npy matrix(double[][] rows) {
    double[] flat = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    return Npy.of(flat, rows.length, rows.length == 0 ? 0 : rows[0].length);
  }
}
