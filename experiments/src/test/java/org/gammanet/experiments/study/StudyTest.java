package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The engine of runs: what is kept, what continues, what is refused. */
class StudyTest {
  enum Kind {
    SIMPLE_CELL
  }

  record Settings(double contrast, int f1F0, String note) {}

  record Found(double halfWidthDeg, double[] curve, Kind kind, String text) {}

  private static Study open(Path folder, double contrast, Study.Existing existing)
      throws IOException {
    return Study.open(
        folder,
        "run_{time}.json",
        new Study.Identity("test", new Settings(contrast, 2, ""), "abc"),
        Map.of("version", "1"),
        existing,
        Progress.NONE);
  }

  @Test
  void recordsAreJsonAndComeBackWithNaN(@TempDir Path folder) throws IOException {
    Study study = open(folder, 0.5, Study.Existing.CONTINUE);
    var found = new Found(Double.NaN, new double[] {1, Double.NaN}, Kind.SIMPLE_CELL, "x");
    study.put("tuning", found);
    String text = Files.readString(study.file());
    assertTrue(text.contains("\"half_width_deg\" : null"), text);
    assertTrue(text.contains("\"simple_cell\""), text);
    assertTrue(text.contains("\"f1_f0\" : 2"), text);
    Study again = open(folder, 0.5, Study.Existing.CONTINUE);
    assertEquals(study.file(), again.file());
    Found back = again.result("tuning", Found.class);
    assertEquals(Double.NaN, back.halfWidthDeg());
    assertArrayEquals(found.curve(), back.curve());
    assertEquals(Kind.SIMPLE_CELL, back.kind());
    assertThrows(IllegalStateException.class, () -> again.result("other", Found.class));
  }

  @Test
  void anotherRunsFolderIsRefusedUnlessItIsReplaced(@TempDir Path folder) throws IOException {
    Study study = open(folder, 0.5, Study.Existing.CONTINUE);
    Path written = study.write("sub/table.csv", "a\n");
    study.put("tuning", new Found(1, new double[0], Kind.SIMPLE_CELL, ""));
    Path foreign = Files.writeString(folder.resolve("foreign.txt"), "stays");
    Exception e =
        assertThrows(IllegalStateException.class, () -> open(folder, 0.9, Study.Existing.CONTINUE));
    assertTrue(String.valueOf(e.getMessage()).contains("contrast 0.5, not 0.9"), e.getMessage());
    Study other = open(folder, 0.9, Study.Existing.REPLACE);
    assertFalse(Files.exists(written) || Files.exists(study.file()));
    assertTrue(Files.exists(foreign));
    other.save();
    Path outside = Files.writeString(folder.resolveSibling("outside"), "stays");
    other.metadata().withArray("files").add("../outside");
    other.save();
    Study.discard(folder, "run_{time}.json");
    assertTrue(Files.exists(outside), "only files below the folder are deleted");
  }

  @Test
  void aRunThatFailedBeforeItFoundAnythingRefusesNobody(@TempDir Path folder) throws IOException {
    open(folder, 0.5, Study.Existing.CONTINUE).save();
    Study corrected = open(folder, 0.9, Study.Existing.CONTINUE);
    corrected.save();
    corrected.partial("tuning", 1).put("at", 2).save();
    assertThrows(IllegalStateException.class, () -> open(folder, 0.5, Study.Existing.CONTINUE));
  }

  @Test
  void partialWorkIsKeptUntilTheStepIsDone(@TempDir Path folder) throws IOException {
    Study study = open(folder, 0.5, Study.Existing.CONTINUE);
    Partial part = study.partial("tuning", "stimuli 0 to 31", 3);
    assertTrue(part.isEmpty());
    part.put("responses", new float[] {1, 2}, 2).put("losses", 0.1, Double.NaN).save();
    study.partial("other", 1).put("x", 1).save();
    study.save();
    List<String> notes = new ArrayList<>();
    Study again =
        Study.open(
            folder,
            "run_{time}.json",
            new Study.Identity("test", new Settings(0.5, 2, ""), "abc"),
            Map.of(),
            Study.Existing.CONTINUE,
            new Progress() {
              @Override
              public void note(String sentence) {
                notes.add(sentence);
              }

              @Override
              public boolean canceled() {
                return true;
              }
            });
    Partial kept = again.partial("tuning", "stimuli 0 to 31", 3);
    assertArrayEquals(new float[] {1, 2}, kept.floats("responses"));
    assertArrayEquals(new double[] {0.1, Double.NaN}, kept.doubles("losses"));
    assertTrue(again.partial("tuning", "stimuli 32 to 63", 3).isEmpty(), "another key");
    assertThrows(CancellationException.class, again::checkCanceled);
    again.put("tuning", new Found(1, new double[0], Kind.SIMPLE_CELL, ""));
    assertTrue(again.partial("tuning", "stimuli 0 to 31", 3).isEmpty(), "deleted");
    assertFalse(again.partial("other", 1).isEmpty(), "of another step");
    try (var files = Files.list(folder.resolve(".partial"))) {
      Files.writeString(files.findFirst().orElseThrow(), "damaged");
    }
    assertTrue(again.partial("other", 1).isEmpty());
    assertTrue(notes.getFirst().contains("computed again"), notes.toString());
  }

  @Test
  void damagedResultsAreNamed(@TempDir Path folder) throws IOException {
    assertThrows(IOException.class, () -> Study.read(folder, "run_{time}.json"));
    Path file = Files.writeString(folder.resolve("run_1.json"), "{\"metadata\"");
    Exception e = assertThrows(IOException.class, () -> open(folder, 0.5, Study.Existing.CONTINUE));
    assertTrue(String.valueOf(e.getMessage()).contains("damaged"), e.getMessage());
    Files.writeString(file, "[]");
    e = assertThrows(IOException.class, () -> Study.read(folder, "run_{time}.json"));
    assertTrue(String.valueOf(e.getMessage()).contains("no settings"), e.getMessage());
    open(folder, 0.5, Study.Existing.REPLACE).save();
    assertFalse(Files.exists(file));
  }
}
