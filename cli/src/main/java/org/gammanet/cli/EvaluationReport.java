package org.gammanet.cli;

import static org.gammanet.experiments.study.Format.score;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Prediction;
import org.gammanet.evaluation.BoundaryBenchmark.Segmentations;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.evaluation.BoundaryBenchmark.Verdict;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.BoundaryScores.ImageScore;
import org.gammanet.evaluation.BoundaryScores.Point;
import org.gammanet.experiments.study.Csv;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.PrecisionRecall;
import org.gammanet.io.DataException;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/**
 * Shows what a benchmark run found: the precision-recall picture, a table of all images, and a page
 * with the best and the worst of them.
 */
final class EvaluationReport {
  /** Recall and precision of people against one another on the test images of the BSDS500. */
  private static final Point HUMAN = new Point(Double.NaN, 0.7235, 0.9014, 0.803);

  /**
   * Published scores on the 200 test images: method, trained on, ODS, OIS, AP, where. BSDS500 alone
   * or with PASCAL-Context (VOC); MS is testing at several scales.
   */
  private static final List<List<String>> PUBLISHED =
      List.of(
          List.of("human", "", "0.803", "", "", "Kokkinos, arXiv 1511.07386"),
          List.of(
              "gPb-owt-ucm",
              "BSDS",
              "0.726",
              "0.760",
              "0.727",
              "results that come with the BSDS500"),
          List.of("HED", "BSDS", "0.782", "0.804", "0.833", "Xie and Tu, ICCV 2015"),
          List.of("RCF", "BSDS + VOC", "0.806", "", "", "Liu et al., arXiv 1612.02103"),
          List.of("PiDiNet", "BSDS + VOC", "0.807", "0.823", "0.834", "Su et al., ICCV 2021"),
          List.of("PiDiNet-MS", "BSDS + VOC", "0.810", "0.827", "0.840", "Su et al., ICCV 2021"),
          List.of("BDCN-MS", "BSDS + VOC", "0.828", "", "", "He et al., arXiv 1902.10903"));

  /**
   * What there is to see of an image.
   *
   * @param photo null if there is none
   */
  public record Sample(@Nullable RgbImage photo, Prediction map, GroundTruth truth) {}

  /** Finds what there is to see of an image. */
  @FunctionalInterface
  public interface Samples {
    /**
     * Reads it.
     *
     * @throws IOException or {@link DataException} if that is impossible
     */
    Sample read(String id) throws IOException;
  }

  private final String name;
  private final BoundaryScores scores;
  private final Settings settings;
  private final Map<String, String> parameters;
  private final Map<String, String> failures;
  private final List<String> remarks;
  private final boolean published;

  /**
   * Collects what to show.
   *
   * @param name of the detector
   * @param parameters all that moves the score, and what tells the run apart from others
   * @param failures reasons by image for those that have no score
   * @param remarks what a reader has to know of these scores, a sentence each
   * @param published whether published results of the BSDS500's test images belong into the picture
   */
  public EvaluationReport(
      String name,
      BoundaryScores scores,
      Settings settings,
      Map<String, String> parameters,
      Map<String, String> failures,
      List<String> remarks,
      boolean published) {
    this.name = name;
    this.scores = scores;
    this.settings = settings;
    this.parameters = new LinkedHashMap<>(parameters);
    this.failures = new LinkedHashMap<>(failures);
    this.remarks = List.copyOf(remarks);
    this.published = published;
  }

  /** The precision-recall picture with lines of equal F. */
  public Figure figure() {
    var picture = new PrecisionRecall().title(name);
    picture.curve(
        new PrecisionRecall.Curve(
            "ODS",
            scores.curve().stream().mapToDouble(Point::recall).toArray(),
            scores.curve().stream().mapToDouble(Point::precision).toArray(),
            scores.ods().recall(),
            scores.ods().precision()));
    picture.point("OIS", scores.ois().recall(), scores.ois().precision());
    if (published) {
      picture.point("people", HUMAN.recall(), HUMAN.precision());
      picture.level("HED, published", 0.782);
      picture.level("gPb-owt-ucm, published", 0.726);
    }
    return picture.figure();
  }

  /** One line for each image: id, threshold, R, P, F of its best point. */
  public String csv() {
    var csv = new Csv().row(List.of("id", "threshold", "recall", "precision", "f"));
    for (ImageScore image : scores.images()) {
      Point p = image.best();
      csv.row(List.of(image.id(), p.threshold(), p.recall(), p.precision(), p.f()));
    }
    return csv.toString();
  }

  /**
   * Writes {@code pr_curve.svg}, {@code pr_curve.png}, {@code images.csv} and {@code report.html}.
   *
   * @param samples what the page shows; asked for {@code 2 * each} images at most
   * @param each how many of the best and how many of the worst images are shown
   */
  public void write(Study study, Samples samples, int each) throws IOException {
    study.write("pr_curve", figure());
    study.write("images.csv", csv());
    study.write(page(samples, each));
  }

  private static List<ImageScore> ranked(BoundaryScores scores) {
    return scores.images().stream()
        .sorted(Comparator.comparingDouble((ImageScore i) -> -i.best().f()))
        .toList();
  }

  private static int best(List<ImageScore> ranked, int each) {
    return Math.min(each, (ranked.size() + 1) / 2);
  }

  /** The images that the page shows, and those of a part that the page of the whole may show. */
  static List<String> shown(BoundaryScores scores, int each) {
    List<ImageScore> ranked = ranked(scores);
    return IntStream.range(0, ranked.size())
        .filter(i -> i < each || i >= ranked.size() - each)
        .mapToObj(i -> ranked.get(i).id())
        .toList();
  }

  private HtmlReport page(Samples samples, int each) {
    Point ods = scores.ods();
    Point ois = scores.ois();
    var page =
        new HtmlReport("Boundary benchmark: " + name)
            .lead(
                "%s images. ODS %s, OIS %s, AP %s, R50 %s."
                    .formatted(
                        scores.images().size(),
                        score(ods.f()),
                        score(ois.f()),
                        score(scores.ap()),
                        score(scores.r50())));
    page.section("Scores");
    remarks.forEach(page::warning);
    if (!failures.isEmpty()) {
      page.warning(
          failures.size() + " images have no score; they are listed at the end of this page.");
    }
    page.table(
        "Scores of the whole set. ODS: one threshold for all images; OIS: each image its own.",
        List.of("", "F", "recall", "precision", "threshold"),
        List.of(
            List.of(
                "ODS",
                score(ods.f()),
                score(ods.recall()),
                score(ods.precision()),
                score(ods.threshold())),
            List.of(
                "OIS",
                score(ois.f()),
                score(ois.recall()),
                score(ois.precision()),
                "mean " + score(ois.threshold()))));
    page.figure(
        figure(),
        "Precision and recall at %s thresholds; green lines join points of equal F."
            .formatted(scores.curve().size()));
    page.text("Protocol: " + Evaluation.protocol(settings) + ".");
    if (published) {
      page.table(
          "Published results on all 200 test images at 99 thresholds, single scale unless MS."
              + (scores.images().size() == 200 && settings.thresholds() == 99
                  ? ""
                  : " The scores above are of %s images at %s thresholds: not comparable."
                      .formatted(scores.images().size(), settings.thresholds())),
          List.of("method", "trained on", "ODS", "OIS", "AP", "source"),
          PUBLISHED);
    }
    page.section("How it was measured").values(parameters);
    List<ImageScore> ranked = ranked(scores);
    int best = best(ranked, each);
    int worst = Math.min(each, ranked.size() - best);
    page.section("Best images");
    page.text(
        "From left to right: the image, what people drew (darker: more of them), the map, and the"
            + " map cut at the threshold of ODS: green pixels are confirmed by an annotator, red"
            + " ones are not, blue ones were drawn and not found (darker: by more annotators).");
    show(page, ranked.subList(0, best), samples);
    if (worst > 0) {
      page.section("Worst images");
      List<ImageScore> last = new ArrayList<>(ranked.subList(ranked.size() - worst, ranked.size()));
      show(page, last.reversed(), samples);
    }
    page.section("All images");
    List<List<String>> rows = new ArrayList<>();
    for (ImageScore i : scores.images()) {
      Point p = i.best();
      rows.add(
          List.of(
              i.id(), score(p.f()), score(p.recall()), score(p.precision()), score(p.threshold())));
    }
    page.table(
        "Each image at its own best threshold.",
        List.of("image", "F", "recall", "precision", "threshold"),
        rows);
    if (!failures.isEmpty()) {
      page.section("Images without a score").values(failures);
    }
    return page;
  }

  private void show(HtmlReport page, List<ImageScore> images, Samples samples) {
    for (ImageScore image : images) {
      String caption =
          "%s: F %s (recall %s, precision %s) at threshold %s"
              .formatted(
                  image.id(),
                  score(image.best().f()),
                  score(image.best().recall()),
                  score(image.best().precision()),
                  score(image.best().threshold()));
      try {
        page.pictures(pictures(samples.read(image.id())), caption);
      } catch (IOException | DataException e) {
        page.warning(image.id() + " cannot be shown: " + e.getMessage());
      }
    }
  }

  private List<HtmlReport.Picture> pictures(Sample sample) {
    List<HtmlReport.Picture> pictures = new ArrayList<>();
    RgbImage photo = sample.photo;
    if (photo != null) {
      pictures.add(encoded(photo, "image", "jpeg"));
    }
    GroundTruth truth = sample.truth;
    Verdict verdict = BoundaryBenchmark.verdict(sample.map, truth, settings, nearestThreshold());
    int annotators = truth.boundaries().size();
    int width = verdict.width();
    int height = verdict.height();
    byte[] drawn = new byte[3 * width * height];
    byte[] judged = new byte[drawn.length];
    for (int i = 0; i < width * height; i++) {
      int count = 0;
      for (byte[] mask : truth.boundaries()) {
        count += mask[i] != 0 ? 1 : 0;
      }
      paint(drawn, i, 0x000000, tint(count, annotators));
      switch (verdict.detected()[i]) {
        case 1 -> paint(judged, i, 0x009E73, 1);
        case 2 -> paint(judged, i, 0xD55E00, 1);
        default -> paint(judged, i, 0x0072B2, tint(verdict.missed()[i], annotators));
      }
    }
    pictures.add(encoded(new RgbImage(width, height, drawn), "drawings", "png"));
    pictures.add(encoded(mapPicture(sample.map), "map", "png"));
    pictures.add(encoded(new RgbImage(width, height, judged), "right and wrong pixels", "png"));
    return pictures;
  }

  /** What one annotator drew has to be seen already. */
  private static double tint(int count, int annotators) {
    return count == 0 ? 0 : 0.25 + 0.75 * count / annotators;
  }

  private static void paint(byte[] samples, int pixel, int rgb, double opacity) {
    for (int c = 0; c < 3; c++) {
      int value = rgb >> (16 - 8 * c) & 0xFF;
      samples[3 * pixel + c] = (byte) Math.round(255 + (value - 255) * opacity);
    }
  }

  private int nearestThreshold() {
    int nearest = 0;
    for (int k = 1; k < scores.curve().size(); k++) {
      if (Math.abs(scores.curve().get(k).threshold() - scores.ods().threshold())
          < Math.abs(scores.curve().get(nearest).threshold() - scores.ods().threshold())) {
        nearest = k;
      }
    }
    return nearest;
  }

  private static RgbImage mapPicture(Prediction map) {
    byte[] samples = new byte[3 * map.width() * map.height()];
    for (int i = 0; i < map.width() * map.height(); i++) {
      double value =
          switch (map) {
            case Strengths s -> s.values()[i];
            case Segmentations s -> {
              double sum = 0;
              for (byte[] mask : s.masks()) {
                sum += mask[i];
              }
              yield sum / s.masks().size();
            }
          };
      paint(samples, i, 0x000000, value);
    }
    return new RgbImage(map.width(), map.height(), samples);
  }

  private static HtmlReport.Picture encoded(RgbImage image, String what, String format) {
    BufferedImage picture = image.toBufferedImage();
    var out = new ByteArrayOutputStream();
    try {
      ImageIO.write(picture, format, out);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    return new HtmlReport.Picture(out.toByteArray(), "image/" + format, what);
  }
}
