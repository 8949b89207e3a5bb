package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.io.DataException;

/** Maps that are there already. */
final class MapFolder implements Evaluation.Detector {
  private final Path folder;

  MapFolder(Path folder) {
    this.folder = folder;
  }

  @Override
  public String name() {
    return "maps in " + folder.toAbsolutePath().normalize().getFileName();
  }

  @Override
  public Map<String, String> settings() {
    return Map.of();
  }

  @Override
  public Map<String, String> about() {
    return Map.of("folder", folder.toString());
  }

  @Override
  public Iterable<String> ids() {
    var ids = new TreeSet<String>();
    try (Stream<Path> files = Files.list(folder)) {
      files.map(BoundaryFiles::idOf).filter(Objects::nonNull).forEach(ids::add);
    } catch (IOException e) {
      throw new DataException("Cannot list " + folder + ": " + e.getMessage(), e);
    }
    return ids;
  }

  @Override
  public List<Path> inputs(String id) {
    try {
      return List.of(BoundaryFiles.find(folder, id));
    } catch (DataException e) {
      return List.of(folder.resolve(id + ".png")); // its absence is reported when it is read
    }
  }

  @Override
  public List<BoundaryBenchmark.Prediction> maps(String id) throws IOException {
    return List.of(BoundaryFiles.read(BoundaryFiles.find(folder, id)));
  }
}
