import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Style;

/**
 * ODS and OIS on the test images over the hours of training, from the log in a model card: java -cp
 * figures/target/classes OdsOverHours.java OUT CARD.md
 */
class OdsOverHours {
  public static void main(String[] arguments) throws IOException {
    List<List<String>> rows =
        Files.readAllLines(Path.of(arguments[1])).stream()
            .map(line -> Arrays.stream(line.split("\\|")).map(String::strip).toList())
            .toList();
    List<String> header =
        rows.stream().filter(row -> row.contains("hours in all")).findFirst().orElseThrow();
    List<List<String>> log =
        rows.subList(rows.indexOf(header) + 2, rows.size()).stream()
            .takeWhile(row -> row.size() == header.size())
            .toList();
    double[] hours = column(log, header.indexOf("hours in all"));
    var figure = new Figure(5.5, 3.5);
    figure
        .panel(0, 0)
        .x(Axis.linear("Hours of training"))
        .y(Axis.linear("Score on the test images"))
        .line(hours, column(log, header.indexOf("OIS")), Style.series(1).label("OIS"))
        .line(hours, column(log, header.indexOf("ODS")), Style.series(0).label("ODS"));
    figure.write(Path.of(arguments[0]));
  }

  private static double[] column(List<List<String>> rows, int column) {
    return rows.stream().mapToDouble(row -> Double.parseDouble(row.get(column))).toArray();
  }
}
