package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.GammaNet;
import org.gammanet.TestTimeAugmentation;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.ClassicDetector;
import org.gammanet.experiments.study.Json;
import org.gammanet.io.DataException;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.TorchException;

/** A detector that looks at the images. */
final class ImageDetector implements Evaluation.Detector {
  /** Finds edges. */
  @FunctionalInterface
  interface Method {
    List<EdgeMap> detect(RgbImage image);
  }

  private final String name;
  private final Map<String, String> settings;
  private final Map<String, String> about;
  private final String digest;
  private final Map<String, Path> images;
  private final Method method;
  private final List<Path> saved;

  /**
   * @param saved folders that the maps are written to, one for each; none if they are not
   */
  ImageDetector(
      String name,
      Map<String, String> settings,
      Map<String, String> about,
      String digest,
      Map<String, Path> images,
      Method method,
      List<Path> saved) {
    this.name = name;
    this.settings = settings;
    this.about = about;
    this.digest = digest;
    this.images = images;
    this.method = method;
    this.saved = saved;
  }

  /** A network; {@code model} and {@code compute} are the options that it was opened with. */
  static ImageDetector of(
      GammaNet net,
      NetworkOptions model,
      ComputeOptions.Inference compute,
      EvaluationData data,
      EvaluateCommand.Passes passes,
      ForwardOptions options,
      List<Path> saved) {
    var augmentation = new TestTimeAugmentation(passes.tta, passes.multiscale);
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("network", net.config().model().name());
    settings.put("timesteps", Integer.toString(net.config().model().timesteps()));
    settings.put("tta", passes.tta ? "on" : "off");
    settings.put("multiscale", passes.multiscale ? "on" : "off");
    settings.put("precision", Json.name(compute.precision));
    Map<String, String> about = new LinkedHashMap<>();
    about.put("checkpoint", model.name());
    about.put("device", net.network().device().toString());
    return new ImageDetector(
        net.config().model().name() + ", " + model.title(),
        settings,
        about,
        net.network().digest(),
        data.images(),
        image -> augmentation.detectAll(image, i -> net.detect(i, options)),
        saved);
  }

  /** A classic detector; {@code sigma} of its smoothing in pixels. */
  static ImageDetector of(
      ClassicDetector baseline, double sigma, EvaluationData data, List<Path> saved) {
    return new ImageDetector(
        baseline.name().toLowerCase(Locale.ROOT) + " baseline",
        Map.of("sigma", sigma + " pixels"),
        Map.of(),
        "",
        data.images(),
        image -> List.of(baseline.detect(image, sigma)),
        saved);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Map<String, String> settings() {
    return settings;
  }

  @Override
  public Map<String, String> about() {
    return about;
  }

  @Override
  public String digest() {
    return digest;
  }

  @Override
  public Iterable<String> ids() {
    return images.keySet();
  }

  @Override
  public List<Path> inputs(String id) {
    return List.of(images.getOrDefault(id, Path.of(id)));
  }

  @Override
  public boolean isWanted(String id) {
    return saved.stream().anyMatch(folder -> !Files.exists(folder.resolve(id + ".png")));
  }

  @Override
  public List<BoundaryBenchmark.Strengths> maps(String id) throws IOException {
    Path file = images.get(id);
    if (file == null) {
      throw new DataException("there is no image " + id);
    }
    List<EdgeMap> maps;
    try {
      maps = method.detect(Images.read(file));
    } catch (TorchException | IllegalStateException e) {
      throw new DataException(file + ": " + e.getMessage(), e);
    }
    for (int i = 0; i < saved.size(); i++) {
      Files.createDirectories(saved.get(i));
      Images.writePng16(saved.get(i).resolve(id + ".png"), maps.get(i));
    }
    return maps.stream()
        .map(m -> BoundaryBenchmark.Strengths.of(m.values(), m.height(), m.width()))
        .toList();
  }
}
