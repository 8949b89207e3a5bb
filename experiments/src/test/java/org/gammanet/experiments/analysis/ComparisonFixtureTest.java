package org.gammanet.experiments.analysis;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import org.gammanet.experiments.Golden;
import org.junit.jupiter.api.Test;

/** Comparison with recordings, and tests, against golden values. */
class ComparisonFixtureTest {
  private static float[][] recording(String name) {
    double[][] m = Golden.matrix(Golden.npy(name));
    float[][] out = new float[m.length][m[0].length];
    for (int i = 0; i < m.length; i++) {
      for (int j = 0; j < m[0].length; j++) {
        out[i][j] = (float) m[i][j];
      }
    }
    return out;
  }

  private static double[] flat(double[][] m) {
    return Arrays.stream(m).flatMapToDouble(Arrays::stream).toArray();
  }

  @Test
  void populations() {
    JsonNode f = Golden.json("analysis/comparison.json");
    double atol = f.path("atol").asDouble();
    float[][] model = recording("analysis/comparison_model.npy");
    float[][] neural = recording("analysis/comparison_neural.npy");
    double[][] rdm = RepresentationalComparison.rdm(model);
    Golden.check(
        "RDM",
        Golden.npy("analysis/comparison_model_rdm.npy").doubles(),
        flat(rdm),
        Golden.entry("analysis/comparison_model_rdm.npy").path("atol").asDouble());
    var s =
        RepresentationalComparison.RdmSimilarity.of(rdm, RepresentationalComparison.rdm(neural));
    Golden.check("Spearman", f.path("spearman").asDouble(), s.spearman(), atol);
    Golden.check("Pearson", f.path("pearson").asDouble(), s.pearson(), atol);
    Golden.check("Kendall", f.path("kendall_tau_a").asDouble(), s.kendallTauA(), atol);
    Golden.check(
        "CKA",
        f.path("cka_linear").asDouble(),
        RepresentationalComparison.cka(model, neural, false),
        atol);
    Golden.check(
        "unbiased CKA",
        f.path("cka_unbiased").asDouble(),
        RepresentationalComparison.cka(model, neural, true),
        atol);
    JsonNode r = f.path("ridge");
    var ridge =
        RepresentationalComparison.ridge(
            model, neural, r.path("folds").asInt(), r.path("penalty").asDouble());
    Golden.check(
        "ridge predictions",
        Golden.npy("analysis/comparison_ridge_predictions.npy").doubles(),
        flat(ridge.predictions()),
        Golden.entry("analysis/comparison_ridge_predictions.npy").path("atol").asDouble());
    Golden.check("ridge r", Golden.doubles(r.path("pearson")), ridge.pearson(), atol);
    Golden.check("ridge R²", Golden.doubles(r.path("r2")), ridge.rSquared(), atol);
    double[][] halves = Golden.matrix(f.path("split_halves"));
    var reliability = RepresentationalComparison.Reliability.of(halves[0], halves[1]);
    Golden.check("split half", f.path("split_half").path("r").asDouble(), reliability.r(), atol);
    Golden.check(
        "Spearman-Brown",
        f.path("split_half").path("spearman_brown").asDouble(),
        reliability.spearmanBrown(),
        atol);
    var ceiling = RepresentationalComparison.NoiseCeiling.of(Golden.matrix(f.path("subject_rdms")));
    Golden.check(
        "ceiling, lower", f.path("rsa_ceiling").path("lower").asDouble(), ceiling.lower(), atol);
    Golden.check(
        "ceiling, upper", f.path("rsa_ceiling").path("upper").asDouble(), ceiling.upper(), atol);
  }

  @Test
  void curves() {
    JsonNode f = Golden.json("analysis/similarity.json");
    double atol = f.path("atol").asDouble();
    JsonNode e = f.path("expected");
    CurveSimilarity s =
        CurveSimilarity.of(
            Golden.doubles(f.path("model")),
            Golden.doubles(f.path("neural")),
            Golden.doubles(f.path("standard_error")),
            1);
    Golden.check("r", e.path("correlation").asDouble(), s.correlation(), atol);
    Golden.check("p", e.path("p_value").asDouble(), s.p(), atol);
    Golden.check("R²", e.path("r_squared").asDouble(), s.rSquared(), atol);
    Golden.check("RMSE", e.path("rmse").asDouble(), s.rmse(), atol);
    Golden.check("MAE", e.path("mae").asDouble(), s.mae(), atol);
    Golden.check("χ²", e.path("chi_squared").asDouble(), s.chiSquared(), atol);
    Golden.check("χ²/(n-1)", e.path("reduced_chi_squared").asDouble(), s.reducedChiSquared(), atol);
  }

  @Test
  void tests() {
    JsonNode f = Golden.json("analysis/statistics.json");
    double atol = f.path("atol").asDouble();
    JsonNode p = f.path("paired");
    double[] a = Golden.doubles(p.path("a"));
    double[] b = Golden.doubles(p.path("b"));
    Golden.check("t", p.path("t").asDouble(), Statistics.pairedT(a, b).statistic(), atol);
    Golden.check("p of t", p.path("t_p").asDouble(), Statistics.pairedT(a, b).p(), atol);
    Statistics.Test w = Statistics.wilcoxon(a, b);
    Golden.check("W", p.path("wilcoxon_w").asDouble(), w.statistic(), atol);
    Golden.check("p of W", p.path("wilcoxon_exact_p").asDouble(), w.p(), atol);
    Golden.check(
        "sign flips",
        p.path("sign_flip_exact_p").asDouble(),
        Statistics.signFlip(a, b, 1, 1).p(),
        atol);
    JsonNode i = f.path("independent");
    double[] x = Golden.doubles(i.path("a"));
    double[] y = Golden.doubles(i.path("b"));
    Statistics.Test u = Statistics.mannWhitney(x, y);
    Golden.check("U", i.path("mannwhitney_u").asDouble(), u.statistic(), atol);
    Golden.check("p of U", i.path("mannwhitney_p").asDouble(), u.p(), atol);
    Golden.check(
        "Kolmogorov-Smirnov", i.path("ks").asDouble(), Statistics.kolmogorovSmirnov(x, y), atol);
    JsonNode d = f.path("false_discovery");
    Golden.check(
        "q",
        Golden.doubles(d.path("q")),
        Statistics.falseDiscovery(Golden.doubles(d.path("p"))),
        atol);
  }
}
