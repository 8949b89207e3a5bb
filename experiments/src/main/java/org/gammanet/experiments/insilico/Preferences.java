package org.gammanet.experiments.insilico;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What units prefer, and the probe stimuli with which they are tested further. Testing each unit
 * with its very best grating would take as many series as there are gratings; a few probes, chosen
 * one after the other so that the mean share of a unit's largest response that its best probe
 * evokes grows most, come close to it.
 *
 * @param preferred orientation of each unit, degrees of modulation; NaN where it has none
 * @param probe of each unit: the one that drives it best
 * @param drive the share of its largest response that this probe evokes
 * @param tested whether the unit responds at all, and its probe evokes at least half of its largest
 *     response
 * @param probes the probe stimuli
 */
record Preferences(
    double[] preferred, int[] probe, double[] drive, boolean[] tested, List<Probe> probes) {

  /** A grating. */
  record Probe(double modulation, double cycles, double phase) {}

  /** Share of its largest response below which a unit is not tested with a probe. */
  static final double LEAST_DRIVE = 0.5;

  /**
   * Chooses probes.
   *
   * @param evoked a row per grating, in each one response per unit
   */
  static Preferences choose(
      double[][] evoked, List<Probe> gratings, double[] preferred, int count) {
    int units = preferred.length;
    double[] largest = new double[units];
    for (double[] row : evoked) {
      for (int u = 0; u < units; u++) {
        largest[u] = Math.max(largest[u], row[u]);
      }
    }
    double[] drive = new double[units];
    int[] probe = new int[units];
    List<Probe> chosen = new ArrayList<>();
    for (int p = 0; p < Math.min(count, gratings.size()); p++) {
      int best = -1;
      double most = 0;
      for (int s = 0; s < evoked.length; s++) {
        double gain = 0;
        for (int u = 0; u < units; u++) {
          if (largest[u] > 1e-12) {
            gain += Math.max(0, evoked[s][u] / largest[u] - drive[u]);
          }
        }
        if (gain > most + 1e-9) {
          most = gain;
          best = s;
        }
      }
      if (best < 0) {
        break;
      }
      for (int u = 0; u < units; u++) {
        double share = largest[u] > 1e-12 ? evoked[best][u] / largest[u] : 0;
        if (share > drive[u]) {
          drive[u] = share;
          probe[u] = p;
        }
      }
      chosen.add(gratings.get(best));
    }
    boolean[] tested = new boolean[units];
    for (int u = 0; u < units; u++) {
      tested[u] = drive[u] >= LEAST_DRIVE;
    }
    if (chosen.isEmpty()) {
      chosen.add(gratings.get(0)); // nothing responds: the series are made all the same
    }
    return new Preferences(preferred, probe, drive, tested, chosen);
  }

  void write(Result result) {
    ObjectNode node = result.json().putObject("probes");
    ArrayNode list = node.putArray("gratings");
    for (Probe p : probes) {
      list.addObject()
          .put("orientation_modulation_deg", p.modulation)
          .put("orientation_axis_deg", (p.modulation + 90) % 180)
          .put("cycles_per_image", p.cycles)
          .put("phase_rad", p.phase);
    }
    node.set("preferred_orientation", Result.array(preferred));
    node.set("probe_of_unit", Result.array(Arrays.stream(probe).asDoubleStream().toArray()));
    node.set("drive_of_unit", Result.array(drive));
  }

  static Preferences of(Result orientation) {
    JsonNode node = orientation.json().path("probes");
    List<Probe> probes = new ArrayList<>();
    for (JsonNode p : node.path("gratings")) {
      probes.add(
          new Probe(
              p.path("orientation_modulation_deg").asDouble(),
              p.path("cycles_per_image").asDouble(),
              p.path("phase_rad").asDouble()));
    }
    double[] drive = Result.numbers(node.path("drive_of_unit"));
    double[] probe = Result.numbers(node.path("probe_of_unit"));
    boolean[] tested = new boolean[drive.length];
    for (int u = 0; u < drive.length; u++) {
      tested[u] = drive[u] >= LEAST_DRIVE;
    }
    return new Preferences(
        Result.numbers(node.path("preferred_orientation")),
        Arrays.stream(probe).mapToInt(v -> (int) v).toArray(),
        drive,
        tested,
        probes);
  }

  int units() {
    return preferred.length;
  }

  /** Units that are tested. */
  int[] testedUnits() {
    return IntStream.range(0, units()).filter(u -> tested[u]).toArray();
  }

  /** Tested units of a probe. */
  int[] unitsOf(int which) {
    return IntStream.range(0, units()).filter(u -> tested[u] && probe[u] == which).toArray();
  }

  /** The frequency of the probes that most tested units have, cycles per image height. */
  double commonFrequency() {
    double best = probes.get(0).cycles;
    long most = 0;
    for (Probe p : probes) {
      long n =
          Arrays.stream(testedUnits()).filter(u -> probes.get(probe[u]).cycles == p.cycles).count();
      if (n > most) {
        most = n;
        best = p.cycles;
      }
    }
    return best;
  }
}
