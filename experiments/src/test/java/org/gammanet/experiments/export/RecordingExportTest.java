package org.gammanet.experiments.export;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.jhdf.HdfFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.gammanet.data.MatFile;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.io.DataException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordingExportTest {
  @TempDir Path folder;

  /** 3 stimuli of 2 x 2 pixels, 2 timesteps, 2 channels at 2 places: all values differ. */
  private static RecordingExport recording() {
    var responses = new Responses(3, List.of(0, 1), 2).add("fgru_0", State.EXCITATORY, 4);
    for (int s = 0; s < 3; s++) {
      for (int t = 0; t < 2; t++) {
        float[] row = new float[4];
        for (int u = 0; u < 4; u++) {
          row[u] = 100 * s + 10 * t + u;
        }
        responses.set("fgru_0", State.EXCITATORY, s, t, row);
      }
    }
    var table =
        new StimulusTable(
            List.of("row", "kind, of", "angle"),
            List.of(
                Arrays.asList(0, "grating", 0.0),
                Arrays.asList(1, "Ångström", 30.0),
                Arrays.asList(2, null, null)));
    float[] luminance = new float[12];
    for (int i = 0; i < 12; i++) {
      luminance[i] = i / 12f;
    }
    return new RecordingExport(
        responses, table, luminance, 2, 2, Map.of("weights_sha256", "abc"), Instant.EPOCH);
  }

  @Test
  void matlabFilesAreReadBack() throws Exception {
    Path file = folder.resolve("x.mat");
    recording().write(file, RecordingExport.Format.MAT);
    Map<String, MatFile.Value> all = MatFile.read(file);
    var numbers = (MatFile.Numbers) all.get("fgru_0_excitatory");
    assertArrayEquals(new int[] {3, 2, 2, 2}, numbers.dimensions());
    // Column-major: element (s, t, c, p) is at s + 3 (t + 2 (c + 2 p)), and was 100 s + 10 t + 2 c
    // + p.
    for (int i = 0; i < 24; i++) {
      int s = i % 3;
      int t = i / 3 % 2;
      int c = i / 6 % 2;
      int p = i / 12;
      assertEquals(100 * s + 10 * t + 2 * c + p, numbers.get(i));
    }
    var columns = (MatFile.Structs) all.get("stimulus_table");
    var angle = (MatFile.Numbers) columns.elements().getFirst().get("angle");
    assertEquals(30, angle.get(1));
    assertEquals(Double.NaN, angle.get(2));
    assertEquals(
        3, ((MatFile.Cells) columns.elements().getFirst().get("kind__of")).values().size());
  }

  @Test
  void nwbFilesAreReadBack() throws Exception {
    Path file = folder.resolve("x.nwb");
    recording().write(file, RecordingExport.Format.NWB);
    try (HdfFile hdf = new HdfFile(file)) {
      assertEquals("NWBFile", hdf.getAttribute("neurodata_type").getData());
      float[][] rows =
          (float[][]) hdf.getDatasetByPath("acquisition/fgru_0_excitatory/data").getData();
      assertEquals(6, rows.length);
      assertArrayEquals(new float[] {210, 211, 212, 213}, rows[5]);
      assertArrayEquals(
          new double[] {0, 2, 4},
          (double[]) hdf.getDatasetByPath("intervals/trials/start_time").getData());
      assertArrayEquals(
          new String[] {"grating", "Ångström", ""},
          (String[]) hdf.getDatasetByPath("intervals/trials/kind__of").getData());
      float[][][] images =
          (float[][][]) hdf.getDatasetByPath("stimulus/presentation/stimuli/data").getData();
      assertEquals(7 / 12f, images[1][1][1]);
      assertArrayEquals(
          new int[] {0, 1, 2, 3}, // two channels at two places
          (int[]) hdf.getDatasetByPath("analysis/columns/id").getData());
      assertEquals("raw", hdf.getDatasetByPath("stimulus/presentation/stimuli/format").getData());
      assertTrue(hdf.getByPath("stimulus/templates").isGroup());
    }
    try (var left = Files.list(folder)) {
      assertEquals(1, left.count());
    }
  }

  /** More texts than one collection holds, and one that is larger than a collection. */
  @Test
  void manyAndLongTextsAreReadBack() throws Exception {
    Path file = folder.resolve("texts.h5");
    String[] many = new String[10_000];
    Arrays.setAll(many, i -> i % 7 == 0 ? "" : "ä".repeat(i % 5) + i);
    many[77] = "x".repeat(100_000);
    try (var writer = new HdfWriter(file)) {
      writer.root().dataset("many", many);
      writer.root().attribute("one", "äöü").group("empty");
    }
    try (HdfFile hdf = new HdfFile(file)) {
      assertArrayEquals(many, (String[]) hdf.getDatasetByPath("many").getData());
      assertEquals("äöü", hdf.getAttribute("one").getData());
    }
  }

  @Test
  void tablesAreRead() throws Exception {
    Path file = Files.writeString(folder.resolve("t.csv"), "a,b\r\n\"x, \"\"y\"\"\",2\n\n,\n");
    CsvTable table = CsvTable.read(file);
    assertEquals(List.of("a", "b"), table.columns());
    assertEquals("x, \"y\"", table.column("a").getFirst());
    assertArrayEquals(new double[] {2, Double.NaN}, table.numbers("b"));
    Files.writeString(file, "a\nwürfel\n", StandardCharsets.ISO_8859_1);
    DataException e = assertThrows(DataException.class, () -> CsvTable.read(file));
    assertEquals(file + " is not UTF-8 text", e.getMessage());
  }

  @Test
  void whatNoArrayOrFileCanHoldIsSaid() {
    var large = new Blank(Frame.of(40_000, 40_000), 0.5);
    DataException e =
        assertThrows(DataException.class, () -> StimulusTable.luminance(List.of(large, large)));
    assertEquals(
        "2 stimuli of 40000 x 40000 pixels (height x width) have 3200000000 values; an array can"
            + " hold 2147483639",
        e.getMessage());
    IllegalArgumentException i =
        assertThrows(
            IllegalArgumentException.class,
            () -> new Responses(70_000, List.of(0, 1), 1).add("fgru_0", State.EXCITATORY, 1 << 20));
    assertTrue(String.valueOf(i.getMessage()).contains("fgru_0 has 1048576 units"), i.getMessage());
    long most = 532_676_607;
    RecordingExport.Format.MAT.requireRoom(most, most);
    RecordingExport.Format.NWB.requireRoom(most, 4 * most);
    for (RecordingExport.Format format : RecordingExport.Format.values()) {
      assertThrows(DataException.class, () -> format.requireRoom(most + 1, most + 1));
    }
  }
}
