package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.protocols.TextureExperiment.Summary;
import org.gammanet.experiments.protocols.TextureExperiment.Unit;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;

/** The figure and the report of {@link TextureExperiment}. */
record TextureFigures(BoundaryResponses responses, UnitTable<Unit> units, Summary summary) {

  Findings findings() {
    Probed<TextureExperiment.Condition> probed = responses.probed();
    double[] all = summary.orientationDifferences();
    double[] differences = Arrays.copyOfRange(all, 1, all.length);
    double widest = differences[differences.length - 1];
    List<Series> dynamics = units.dynamics(m -> m.differenceDeg() == 90, Unit::boundaryModulation);
    List<Series> profiles = new ArrayList<>();
    List<Series> outputs = new ArrayList<>();
    for (double d : new double[] {0, widest}) {
      profiles.add(responses.profile(d));
      if (probed.recording().hasOutput()) {
        outputs.add(responses.output(d));
      }
    }
    Axis difference = Axis.linear("Orientation difference (deg)").range(0, 95).ticks(0, 30, 60, 90);
    Axis distance = Axis.linear("Distance from the boundary (px)");
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "texture_boundary",
                12,
                8,
                """
                A: (R_{boundary} − R_{uniform})/(R_{boundary} + R_{uniform}) of the units left of \
                the boundary, mean and bootstrap interval of 95 % over units and textures. B: \
                responses at distances from the boundary, relative to the uniform texture, of \
                units that respond to it with at least a tenth of their largest response to a \
                grating. C: d′ of boundary against uniform texture. D: logit of the network's \
                output. E: modulation after each timestep. F: a stimulus.\
                """,
                Panel.at(0, 0, "modulation")
                    .title("Modulation beside the boundary", summary.n())
                    .axes(difference, "Boundary modulation")
                    .horizontal(0)
                    .add(
                        units.curves(
                            differences,
                            d -> m -> m.differenceDeg() == d,
                            Unit::boundaryModulation)),
                Panel.at(0, 1, "profile")
                    .title("Profile across the boundary")
                    .axes(distance, "Response / uniform texture")
                    .vertical(0)
                    .add(Charts.colored(profiles)),
                Panel.at(0, 2, "d′")
                    .title("Discriminability")
                    .axes(difference, "d′")
                    .horizontal(0)
                    .add(
                        Charts.colored(
                            List.of(
                                dPrime("stripes along the boundary", 0, differences),
                                dPrime("stripes across the boundary", 90, differences)))),
                Panel.at(1, 0, "output")
                    .title("Output of the network")
                    .axes(distance, "Contour logit")
                    .vertical(0)
                    .add(Charts.colored(outputs)),
                Charts.dynamics(
                        1,
                        1,
                        probed.context(),
                        "Modulation at 90° over time",
                        "Boundary modulation")
                    .add(dynamics),
                Panel.at(1, 2, "stimulus")
                    .title("Stripes along | across the boundary")
                    .picture(
                        probed
                            .recording()
                            .design()
                            .stimulus(new TextureExperiment.Condition(0, widest, 0)))))
        .value("Units", summary.n())
        .value("Modulation at 90°, mean [95 %]", summary.modulationAt90())
        .value("… stripes along the boundary", summary.modulationParallel())
        .value("… stripes across the boundary", summary.modulationOrthogonal())
        .overviewDynamics("boundary modulation", dynamics.getFirst())
        .overviewValue("boundary modulation", Format.number(summary.modulationAt90().value()));
  }

  private Series dPrime(String name, double texture, double[] differences) {
    return units.curve(name, differences, d -> m -> m.is(texture, d), Unit::dPrime);
  }
}
