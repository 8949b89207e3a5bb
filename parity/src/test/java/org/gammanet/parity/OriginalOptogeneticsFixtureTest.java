package org.gammanet.parity;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.Golden;
import org.gammanet.experiments.opto.ChannelMaps;
import org.gammanet.io.Npy;
import org.junit.jupiter.api.Test;

class OriginalOptogeneticsFixtureTest {
  @Test
  void mapsAreRotatedAsInTheOriginal() {
    Npy input = Golden.npy("analysis/map_input.npy");
    JsonNode entry = Golden.entry("analysis/map_aligned.npy");
    double[] center = Golden.doubles(entry.path("centre"));
    var maps =
        new ChannelMaps(
            1, input.shape()[0], input.shape()[1], center[0], center[1], input.floats());
    List<double[]> rotated = new ArrayList<>();
    for (double angle : Golden.doubles(entry.path("angles"))) {
      rotated.add(Golden.doubles(new OriginalOptogenetics().align(maps, angle).values()));
    }
    Golden.check(
        "rotated as in the original",
        Golden.npy("analysis/map_parity_rotated.npy").doubles(),
        rotated.stream().flatMapToDouble(Arrays::stream).toArray(),
        entry.path("atol").asDouble());
  }
}
