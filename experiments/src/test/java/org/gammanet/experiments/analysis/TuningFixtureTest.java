package org.gammanet.experiments.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.gammanet.experiments.Golden;
import org.gammanet.experiments.stimuli.Orientation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tuning, context, population and dynamics against golden values. */
class TuningFixtureTest {
  private static double[] evenly(int count, double period) {
    double[] out = new double[count];
    for (int i = 0; i < count; i++) {
      out[i] = i * period / count;
    }
    return out;
  }

  private static <T> double[] each(
      double[][] rows, java.util.function.Function<double[], T> f, ToDoubleFunction<T> of) {
    double[] out = new double[rows.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = of.applyAsDouble(f.apply(rows[i]));
    }
    return out;
  }

  @ParameterizedTest
  @CsvSource({"rectified, false", "blank_subtracted, true"})
  void orientationMeasures(String name, boolean subtract) {
    String file = "analysis/tuning_expected_" + name + ".npy";
    double[][] responses = Golden.matrix(Golden.npy("analysis/tuning_responses.npy"));
    double[] blank = Golden.npy("analysis/tuning_blank.npy").doubles();
    double[] thetas = evenly(responses[0].length, 180);
    double[][] actual = new double[responses.length][];
    for (int u = 0; u < responses.length; u++) {
      OrientationMeasures m = OrientationMeasures.of(thetas, responses[u], subtract ? blank[u] : 0);
      actual[u] =
          new double[] {
            m.globalOsi(),
            m.circularVariance(),
            m.preferredVector(),
            m.preferredMaximum(),
            m.osi(),
            m.modulationIndex(),
            m.halfWidth(),
            m.halfWidthRoot2()
          };
    }
    double[][] expected = Golden.matrix(Golden.npy(file));
    JsonNode entry = Golden.entry(file);
    for (int c = 0; c < expected[0].length; c++) {
      int column = c;
      Golden.check(
          name + " " + entry.path("columns").path(c).asText(),
          each(expected, r -> r, r -> r[column]),
          each(actual, r -> r, r -> r[column]),
          entry.path("atol").asDouble());
    }
  }

  @Test
  void vonMisesFits() {
    JsonNode fits = Golden.json("analysis/tuning_fits.json");
    double[][] responses = Golden.matrix(Golden.npy("analysis/tuning_responses.npy"));
    double[] thetas = evenly(responses[0].length, 180);
    fits.path("units")
        .fields()
        .forEachRemaining(
            unit -> {
              JsonNode e = unit.getValue();
              JsonNode tolerance = fits.path("tolerance");
              TuningCurve fit =
                  new OrientationTuning().fit(thetas, responses[Integer.parseInt(unit.getKey())]);
              double sse = e.path("sse").asDouble();
              System.out.printf(
                  "unit %s: SSE %.10f of %.10f, κ %.6f of %.6f, μ %.5f of %.5f%n",
                  unit.getKey(),
                  fit.sse(),
                  sse,
                  fit.kappa(),
                  e.path("kappa").asDouble(),
                  fit.preferred(),
                  e.path("mu").asDouble());
              assertTrue(fit.sse() <= sse * 1.001 + 1e-9, "SSE " + fit.sse());
              assertEquals(
                  0,
                  Orientation.difference(fit.preferred(), e.path("mu").asDouble()),
                  tolerance.path("mu_deg").asDouble());
              assertEquals(
                  1,
                  fit.kappa() / e.path("kappa").asDouble(),
                  tolerance.path("kappa_rel").asDouble());
              assertEquals(
                  e.path("hwhm").asDouble(),
                  fit.halfWidth(),
                  tolerance.path("hwhm_deg").asDouble());
              assertEquals(e.path("r2").asDouble(), fit.rSquared(), 1e-4);
            });
  }

  @Test
  void unevenCountsDirectionsAndPhases() {
    JsonNode f = Golden.json("analysis/tuning_extra.json");
    double atol = f.path("atol").asDouble();
    JsonNode seven = f.path("seven_orientations");
    double[] thetas = Golden.doubles(seven.path("theta"));
    double[][] r = Golden.matrix(seven.path("responses"));
    Golden.check(
        "OSI of seven orientations",
        Golden.doubles(seven.path("osi_pref_orth")),
        each(r, x -> OrientationMeasures.of(thetas, x, 0), OrientationMeasures::osi),
        atol);
    Golden.check(
        "half width of seven orientations",
        Golden.doubles(seven.path("half_width_half")),
        each(r, x -> OrientationMeasures.of(thetas, x, 0), OrientationMeasures::halfWidth),
        atol);
    JsonNode directions = f.path("directions");
    double[] phi = Golden.doubles(directions.path("phi"));
    double[][] d = Golden.matrix(directions.path("responses"));
    Golden.check(
        "DSI",
        Golden.doubles(directions.path("dsi_pref_null")),
        each(d, x -> DirectionMeasures.of(phi, x, 0), DirectionMeasures::dsi),
        atol);
    Golden.check(
        "global DSI",
        Golden.doubles(directions.path("global_dsi")),
        each(d, x -> DirectionMeasures.of(phi, x, 0), DirectionMeasures::globalDsi),
        atol);
    Golden.check(
        "preferred direction",
        Golden.doubles(directions.path("preferred_direction")),
        each(d, x -> DirectionMeasures.of(phi, x, 0), DirectionMeasures::preferredDirection),
        1e-8);
    JsonNode phases = f.path("phases");
    double[][] p = Golden.matrix(phases.path("responses"));
    Golden.check(
        "F0",
        Golden.doubles(phases.path("f0")),
        each(p, PhaseModulation::of, PhaseModulation::f0),
        atol);
    Golden.check(
        "F1",
        Golden.doubles(phases.path("f1")),
        each(p, PhaseModulation::of, PhaseModulation::f1),
        atol);
    Golden.check(
        "F1/F0",
        Golden.doubles(phases.path("f1_over_f0")),
        each(p, PhaseModulation::of, PhaseModulation::ratio),
        atol);
  }

  @Test
  void contrastResponses() {
    JsonNode f = Golden.json("analysis/contrast_response.json");
    double[] contrasts = Golden.doubles(f.path("contrasts"));
    double relative = f.path("tolerance").path("params_rel").asDouble();
    for (JsonNode unit : f.path("units")) {
      JsonNode e = unit.path("fit");
      ContrastResponse fit =
          ContrastResponse.fit(contrasts, Golden.doubles(unit.path("responses")));
      System.out.printf("Naka-Rushton SSE %.10f of %.10f%n", fit.sse(), e.path("sse").asDouble());
      assertTrue(fit.sse() <= e.path("sse").asDouble() * 1.001 + 1e-9);
      for (String name : List.of("rmax", "c50", "n", "baseline", "gain_at_c50", "r2")) {
        double actual =
            switch (name) {
              case "rmax" -> fit.rMax();
              case "c50" -> fit.c50();
              case "n" -> fit.exponent();
              case "baseline" -> fit.baseline();
              case "r2" -> fit.rSquared();
              default -> fit.gain();
            };
        double expected = e.path(name).asDouble();
        assertEquals(expected, actual, relative * Math.abs(expected), name);
      }
      Golden.check(
          "saturation index",
          unit.path("saturation_index").asDouble(),
          fit.saturationIndex(),
          f.path("tolerance").path("closed_form").asDouble());
    }
  }

  @Test
  void sizeTuning() {
    JsonNode f = Golden.json("analysis/size_tuning.json");
    double[] diameters = Golden.doubles(f.path("diameters"));
    double atol = f.path("tolerance").path("measures").asDouble();
    for (JsonNode unit : f.path("units")) {
      double[] r = Golden.doubles(unit.path("responses"));
      SizeTuning actual = SizeTuning.of(diameters, r, 0);
      JsonNode e = unit.path("measures");
      for (String name :
          List.of(
              "suppression_index", "preferred_diameter", "summation_field", "surround_diameter")) {
        double value =
            switch (name) {
              case "suppression_index" -> actual.suppressionIndex();
              case "preferred_diameter" -> actual.preferredDiameter();
              case "summation_field" -> actual.summationField();
              default -> actual.surroundDiameter();
            };
        Golden.check(name, Golden.doubles(e.path(name)), new double[] {value}, atol);
      }
      if (!unit.has("fit")) {
        continue;
      }
      SizeTuning.Model model =
          unit.path("model").asText().equals("rog")
              ? SizeTuning.Model.RATIO_OF_GAUSSIANS
              : SizeTuning.Model.DIFFERENCE_OF_GAUSSIANS;
      SizeTuning.Fit fit = SizeTuning.fit(diameters, r, model);
      double sse = unit.path("fit").path("sse").asDouble();
      System.out.printf("%s SSE %.8f of %.8f%n", model, fit.sse(), sse);
      assertTrue(fit.sse() <= sse * 1.02 + 1e-6, "SSE " + fit.sse() + " of " + sse);
    }
  }

  @Test
  void contextIndices() {
    JsonNode f = Golden.json("analysis/context_indices.json");
    double atol = f.path("atol").asDouble();
    JsonNode s = f.path("surround");
    double[] center = Golden.doubles(s.path("centre"));
    double[][] with = Golden.matrix(s.path("centre_surround"));
    int n = with[0].length;
    double[] suppression = new double[center.length * n];
    double[] modulation = new double[suppression.length];
    double[] normalized = new double[suppression.length];
    double[] isoCross = new double[center.length];
    for (int u = 0; u < center.length; u++) {
      for (int d = 0; d < n; d++) {
        suppression[u * n + d] = Context.suppression(center[u], with[u][d]);
        modulation[u * n + d] = Context.modulation(center[u], with[u][d]);
        normalized[u * n + d] = Context.normalized(center[u], with[u][d]);
      }
      isoCross[u] = Context.isoCross(with[u][0], with[u][n - 1]);
    }
    Golden.check("suppression", Golden.doubles(s.path("suppression_index")), suppression, atol);
    Golden.check(
        "modulation", Golden.doubles(s.path("surround_modulation_index")), modulation, atol);
    Golden.check("normalised", Golden.doubles(s.path("normalised")), normalized, atol);
    Golden.check("iso/cross", Golden.doubles(s.path("iso_cross")), isoCross, atol);

    JsonNode k = f.path("flankers");
    double[] target = Golden.doubles(k.path("target"));
    double[] flankers = Golden.doubles(k.path("flankers"));
    double[] both = Golden.doubles(k.path("both"));
    double[] blank = Golden.doubles(k.path("blank"));
    double[] facilitation = new double[target.length];
    double[] superadditivity = new double[target.length];
    for (int i = 0; i < target.length; i++) {
      facilitation[i] = Context.facilitation(target[i], both[i]);
      superadditivity[i] = Context.superadditivity(target[i], flankers[i], both[i], blank[i]);
    }
    Golden.check("facilitation", Golden.doubles(k.path("facilitation")), facilitation, atol);
    Golden.check(
        "superadditivity", Golden.doubles(k.path("superadditivity")), superadditivity, atol);

    JsonNode b = f.path("boundary");
    double[] boundary = Golden.doubles(b.path("boundary"));
    double[] uniform = Golden.doubles(b.path("uniform"));
    Golden.check("d'", b.path("dprime").asDouble(), Context.dPrime(boundary, uniform), atol);
    Golden.check(
        "boundary modulation",
        b.path("boundary_modulation").asDouble(),
        Context.boundary(Curves.mean(boundary), Curves.mean(uniform)),
        atol);

    JsonNode t = f.path("tilt");
    double[] differences = Golden.doubles(t.path("surround_minus_centre"));
    double[] alone = Golden.doubles(t.path("alone"));
    double[] together = Golden.doubles(t.path("together"));
    double[] bias = new double[alone.length];
    for (int i = 0; i < bias.length; i++) {
      bias[i] = Context.tiltBias(differences[i], alone[i], together[i]);
    }
    Golden.check("tilt bias", Golden.doubles(t.path("bias")), bias, atol);
  }

  @Test
  void dynamics() {
    JsonNode f = Golden.json("analysis/dynamics.json");
    double atol = f.path("atol").asDouble();
    double[][] e = Golden.matrix(f.path("excitatory"));
    double[][] i = Golden.matrix(f.path("inhibitory"));
    double[][] balance = Golden.matrix(f.path("balance"));
    double[] correlation = new double[e.length];
    for (int u = 0; u < e.length; u++) {
      Golden.check("E/I balance", balance[u], Dynamics.balance(e[u], i[u]), atol);
      correlation[u] = Statistics.pearson(e[u], i[u]);
    }
    Golden.check("E/I correlation", Golden.doubles(f.path("correlation")), correlation, atol);
    double[][] traces = Golden.matrix(f.path("traces"));
    for (int u = 0; u < traces.length; u++) {
      JsonNode m = f.path("measures").path(u);
      Dynamics d = Dynamics.of(traces[u]);
      assertEquals(m.path("peak_step").asInt(), d.peakStep());
      Golden.check("half rise", m.path("half_rise_step").asDouble(), d.halfRiseStep(), atol);
      Golden.check("transience", m.path("transience").asDouble(), d.transience(), atol);
    }
  }

  @Test
  void populations() {
    JsonNode f = Golden.json("analysis/population.json");
    double atol = f.path("atol").asDouble();
    double[][] responses = Golden.matrix(f.path("responses"));
    double[] preferences = Golden.doubles(f.path("preferences"));
    Golden.check(
        "population vector",
        Golden.doubles(f.path("vector_decode")),
        each(responses, r -> r, r -> Population.vector(r, preferences)),
        atol);
    Golden.check(
        "population sparseness",
        Golden.doubles(f.path("population_sparseness")),
        each(responses, r -> r, Population::sparseness),
        atol);
    double[] lifetime = Golden.doubles(f.path("lifetime_sparseness"));
    double[] actual = new double[lifetime.length];
    for (int u = 0; u < lifetime.length; u++) {
      int unit = u;
      actual[u] = Population.sparseness(each(responses, r -> r, r -> r[unit]));
    }
    Golden.check("lifetime sparseness", lifetime, actual, atol);
    JsonNode t = f.path("tuning");
    double[] amplitude = Golden.doubles(t.path("amplitude"));
    double[] kappa = Golden.doubles(t.path("kappa"));
    double[] mu = Golden.doubles(t.path("mu"));
    double[] baseline = Golden.doubles(t.path("baseline"));
    List<TuningCurve> curves = new ArrayList<>();
    for (int u = 0; u < amplitude.length; u++) {
      curves.add(TuningCurve.vonMises(amplitude[u], kappa[u], mu[u], baseline[u]));
    }
    f.path("fisher_per_deg2")
        .fields()
        .forEachRemaining(
            e ->
                Golden.check(
                    "Fisher information at " + e.getKey(),
                    e.getValue().asDouble(),
                    Population.fisherInformation(curves, Double.parseDouble(e.getKey())),
                    atol));
  }
}
