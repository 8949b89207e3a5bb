package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.protocols.PreferredStimulusExperiment.Best;
import org.gammanet.experiments.protocols.PreferredStimulusExperiment.Condition;
import org.gammanet.experiments.protocols.PreferredStimulusExperiment.Summary;
import org.gammanet.experiments.protocols.PreferredStimulusExperiment.Unit;
import org.gammanet.experiments.responses.StimulusAscent;
import org.gammanet.experiments.stimuli.Drawn;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.UnitTable;

/**
 * The figure and the report of {@link PreferredStimulusExperiment}.
 *
 * @param gratings the best one of each unit
 * @param found the preferred stimuli of the units after each timestep
 * @param gradient of the units at mid gray
 */
record PreferredStimulusFigures(
    RunContext context,
    Recording<Condition> recording,
    List<Best> gratings,
    List<StimulusAscent.Found> found,
    StimulusAscent.Found gradient) {

  Findings findings(UnitTable<Unit> units, Summary summary) {
    List<Panel> panels = new ArrayList<>();
    for (int k = 0; k < gratings.size(); k++) {
      panels.addAll(row(k, summary.measuredAfter()));
    }
    return Findings.of(summary, units)
        .figure(
            new FigureSpec(
                "preferred_stimulus",
                2.3 * (found.size() + 2),
                2.5 * gratings.size(),
                """
                Center of the images, a row per unit: the preferred stimulus after each timestep \
                t, the gradient at mid gray, and the best grating, all with the same contrast \
                energy. Numbers are responses after the last timestep less that to the blank. \
                Luminance is scaled to the range of each image.\
                """,
                false,
                panels))
        .value("Units", summary.n())
        .value("Contrast energy, sum of P² over pixels", summary.energy())
        .value("Response over that to the best grating, mean [95 %]", summary.gainOverGrating())
        .value("Response over that to the gradient, mean [95 %]", summary.gainOverGradient())
        .value(
            "Similarity (cosine) to the preferred stimulus of the last timestep, by timestep",
            String.join(
                "; ",
                Arrays.stream(summary.similarityToLast())
                    .map(i -> Format.number(i.value()))
                    .toList()))
        .note(
            "The units with the largest responses to their probe gratings are shown, so that these"
                + " means are not those of the layer.");
  }

  /** A unit's preferred stimuli, its gradient and its best grating. */
  private List<Panel> row(int k, int[] timesteps) {
    Best grating = gratings.get(k);
    double blank = recording.last().blank(grating.channel());
    int last = found.size() - 1;
    List<Panel> panels = new ArrayList<>();
    for (int i = 0; i <= last; i++) {
      String title = "unit %s, t = %s".formatted(grating.channel(), timesteps[i]);
      String response = Format.number(found.get(i).responses()[k] - blank);
      panels.add(
          picture(k, i, i < last ? title : title + ": " + response, found.get(i).patterns()[k]));
    }
    panels.add(
        picture(
            k,
            last + 1,
            "gradient: " + Format.number(gradient.responses()[k] - blank),
            gradient.patterns()[k]));
    float[] luminance = recording.design().stimulus(grating.condition()).draw();
    double[] pattern =
        IntStream.range(0, luminance.length).mapToDouble(p -> 2 * luminance[p] - 1).toArray();
    panels.add(picture(k, last + 2, "grating: " + Format.number(grating.value()), pattern));
    return panels;
  }

  /** The center of a pattern, its range stretched. */
  private Panel picture(int row, int column, String title, double[] pattern) {
    int size = context.size();
    int side = Math.min(size, 48);
    int from = (size - side) / 2;
    double largest = Math.max(1e-12, Samples.largest(pattern));
    float[] part = new float[side * side];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        part[y * side + x] = (float) (0.5 + 0.5 * pattern[(from + y) * size + from + x] / largest);
      }
    }
    return Panel.at(row, column, "unit%s_%s".formatted(row, column))
        .title(title)
        .picture(new Drawn(Frame.of(side, side), part));
  }
}
