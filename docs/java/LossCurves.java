import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Style;

/**
 * The training losses of two runs over each other, and the relative difference: java -cp
 * figures/target/classes LossCurves.java OUT RUN NAME RUN NAME
 */
class LossCurves {
  private static final Pattern LOSS = Pattern.compile("\"train_loss\":([-0-9.eE]+)");

  public static void main(String[] arguments) throws IOException {
    double[] one = losses(arguments[1]);
    double[] other = losses(arguments[3]);
    double[] steps = new double[one.length];
    double[] difference = new double[one.length];
    for (int i = 0; i < steps.length; i++) {
      steps[i] = i + 1;
      difference[i] = 1e9 * (other[i] - one[i]) / one[i];
    }
    var figure = new Figure(10, 4);
    figure
        .panel(0, 0)
        .x(Axis.linear("Update"))
        .y(Axis.linear("Loss"))
        .line(steps, one, Style.series(0).width(3).label(arguments[2]))
        .line(steps, other, Style.series(1).dash(Style.Dash.DASHED).label(arguments[4]));
    figure
        .panel(0, 1)
        .x(Axis.linear("Update"))
        .y(Axis.linear("Relative difference (10^{−9})"))
        .horizontal(0, Style.GUIDE)
        .line(steps, difference, Style.BLACK);
    figure.write(Path.of(arguments[0]));
  }

  private static double[] losses(String run) throws IOException {
    List<String> found =
        LOSS.matcher(Files.readString(Path.of(run, "metrics.jsonl")))
            .results()
            .map((MatchResult match) -> match.group(1))
            .toList();
    return found.stream().mapToDouble(Double::parseDouble).toArray();
  }
}
