import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/**
 * ODS on the test images of networks with two levels and of their feed-forward controls, trained on
 * a twentieth of the images and on all, one point for each seed that was run: java -cp
 * figures/target/classes SampleEfficiency.java OUT FOLDER, where FOLDER is that of
 * benchmarks/networks.
 */
class SampleEfficiency {
  private static final List<String> SEEDS = List.of("", "-seed2", "-seed3");

  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[1]);
    var figure = new Figure(4.2, 3.5);
    Plot plot =
        figure
            .panel(0, 0)
            .x(Axis.names("Training images", List.of("5 %", "100 %")))
            .y(Axis.linear("ODS on the test images"))
            .legend(Plot.Legend.OUTSIDE);
    draw(plot, folder, "levels2", Style.series(0), "recurrent", -0.04);
    draw(plot, folder, "levels2-control", Style.series(1), "control", 0.04);
    figure.write(Path.of(arguments[0]));
  }

  private static void draw(
      Plot plot, Path folder, String name, Style style, String label, double aside)
      throws IOException {
    double[] means = new double[2];
    List<Double> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      List<Double> each = new ArrayList<>();
      for (String seed : SEEDS) {
        Path scores = folder.resolve(name + seed + (i == 0 ? "-few" : "") + "/test/eval_bdry.txt");
        if (Files.exists(scores)) {
          each.add(ods(scores));
          x.add(i + aside);
        }
      }
      means[i] = each.stream().mapToDouble(v -> v).average().orElse(Double.NaN);
      y.addAll(each);
    }
    plot.line(new double[] {aside, 1 + aside}, means, style.plain().label(label));
    plot.points(values(x), values(y), style);
  }

  private static double ods(Path scores) throws IOException {
    String line = Files.readString(scores).strip();
    return Double.parseDouble(line.split("\\s+")[3]);
  }

  private static double[] values(List<Double> list) {
    return list.stream().mapToDouble(v -> v).toArray();
  }
}
