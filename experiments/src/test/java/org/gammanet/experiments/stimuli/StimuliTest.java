package org.gammanet.experiments.stimuli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class StimuliTest {
  private static double count(double[] mask) {
    return Arrays.stream(mask).sum();
  }

  @Test
  void apertureRulesHoldTheNumberOfPixelsTheySay() {
    Frame f = Frame.of(64, 64);
    assertEquals(13, count(Patterns.disc(f, ApertureRule.FLOOR_RADIUS.radius(5))));
    assertEquals(1009, count(Patterns.disc(f, ApertureRule.FLOOR_RADIUS.radius(37))));
    assertEquals(1009, count(Patterns.disc(f, ApertureRule.FLOOR_RADIUS.radius(36))));
    assertEquals(21, count(Patterns.disc(f, ApertureRule.EXACT_DIAMETER.radius(5))));
    assertEquals(1085, count(Patterns.disc(f, ApertureRule.EXACT_DIAMETER.radius(37))));
  }

  @Test
  void orientationsNameTheirConvention() {
    Orientation grating = Orientation.ofModulation(0);
    assertEquals(90, grating.axis());
    assertEquals(grating, Orientation.ofAxis(90));
    assertEquals(grating, Orientation.ofModulation(-360));
    assertEquals(15, Orientation.difference(5, 170));
    assertEquals(-90, Orientation.difference(90, 0));
    assertEquals(0, Orientation.wrap(-1e-20));
    assertThrows(IllegalArgumentException.class, () -> Orientation.ofAxis(Double.NaN));
  }

  @Test
  void stripesAndBarsOfOneAxisRunTheSameWay() {
    Frame f = Frame.of(65, 65);
    // Stripes of modulation 0 are vertical: a column has one luminance.
    float[] grating = new Grating(f, Sine.of(0, 5).phase(0.3), null).draw();
    for (int y = 1; y < 65; y++) {
      assertEquals(grating[7], grating[y * 65 + 7], 1e-6);
    }
    double[] bar = Patterns.bar(f, 0, 0, 20, 3, Orientation.ofModulation(0).axis());
    assertEquals(1, bar[(32 - 9) * 65 + 32]);
    assertEquals(0, bar[32 * 65 + 32 - 9]);
  }

  @Test
  void exampleSetHas36Entries() {
    StimulusSet set =
        GratingStimuli.builder()
            .size(256, 256)
            .orientations(0, 30, 60, 90, 120, 150)
            .spatialFrequencies(20.0, 30.0, 40.0)
            .contrasts(0.5, 1.0)
            .diameter(37)
            .build()
            .generate();
    assertEquals(36, set.size());
    assertEquals(37, set.meta(0).height());
    assertEquals(12.8, set.meta(0).number("wavelength_px"));
    assertTrue(set.warnings().isEmpty());
    assertEquals(6, set.filter(m -> m.orientation().modulation() == 30).size());
    int n = 0;
    for (StimulusImage image : set) {
      assertArrayEquals(image.values(), set.get(n++).values());
    }
    assertEquals(36, n);
  }

  @Test
  void wavelengthsBelowFourPixelsAreWarnedOf() {
    StimulusSet set =
        GratingStimuli.builder()
            .size(64, 64)
            .orientations(0)
            .spatialFrequencies(20)
            .build()
            .generate();
    assertEquals(1, set.warnings().size());
    assertTrue(set.warnings().get(0).contains("3.20 px"), set.warnings().get(0));
  }

  @Test
  void stimuliMoveWithTheirCenter() {
    Frame moved = new Frame(48, 64, new PixelPoint(20, 40));
    for (boolean elements : new boolean[] {false, true}) {
      Stimulus[] at = new Stimulus[2];
      for (int i = 0; i < 2; i++) {
        Frame frame = i == 0 ? Frame.of(48, 64) : moved;
        at[i] =
            elements
                ? new FlankedBars(
                    frame, 30, FlankedBars.Element.bar(6, 2), 0.4, FlankedBars.Flankers.at(10, 0.8))
                : new Grating(frame, Sine.of(40, 6).phase(1), Aperture.disc(9).softEdge(2));
      }
      float[] x = at[0].draw();
      float[] y = at[1].draw();
      for (int r = 8; r < 40; r++) {
        for (int c = 8; c < 50; c++) {
          assertEquals(x[r * 64 + c], y[(r - 4) * 64 + c + 8], 1e-6);
        }
      }
    }
  }

  static Stream<Runnable> refused() {
    Frame f = Frame.of(64, 64);
    return Stream.of(
        () -> GratingStimuli.builder().build(),
        () -> GratingStimuli.builder().size(64, 64).orientations(0).diameter(130).build(),
        () -> GratingStimuli.builder().size(64, 64).orientations(0).contrasts(1.5).build(),
        () -> GratingStimuli.builder().size(64, 64).orientations(Double.NaN).build(),
        () -> GratingStimuli.builder().size(64, 64).orientations(0).spatialFrequencies(0).build(),
        () -> GratingStimuli.builder().size(0, 64),
        () -> bars(f, 30, false),
        () -> new FlankedBars(f, 0, FlankedBars.Element.bar(6, 2), null, null),
        () -> new CenterSurround(f, CenterSurround.Disc.of(Sine.of(0, 4), 40), null),
        () -> new CenterSurround(f, null, null),
        () -> Sine.of(0, 4).contrast(1.5),
        () -> new CenterSurround.Ring(Sine.of(0, 4), 30, 20),
        () -> StimulusSet.of(List.of()),
        () -> StimulusSet.of(List.of(new Blank(f, 0.5), new Blank(Frame.of(32, 64), 0.5))));
  }

  @ParameterizedTest
  @MethodSource("refused")
  void refusesWhatCannotBeDrawn(Runnable make) {
    var e = assertThrows(IllegalArgumentException.class, make::run);
    System.out.println(e.getMessage());
    assertFalse(e.getMessage().isEmpty());
  }

  private static FlankedBars bars(Frame frame, double distance, boolean clip) {
    return new FlankedBars(
        frame,
        0,
        new FlankedBars.Element(20, 5, null, clip),
        0.2,
        FlankedBars.Flankers.at(distance, 0.6));
  }

  @Test
  void clippedFlankersAreDrawnWhenAllowed() {
    Frame f = Frame.of(64, 64);
    assertThrows(IllegalArgumentException.class, () -> bars(f, 30, false));
    assertEquals(64 * 64, bars(f, 30, true).draw().length);
  }

  @Test
  void oneFlankerOppositeSignAndGaborElements() {
    Frame f = Frame.of(96, 96);
    var element = FlankedBars.Element.bar(12, 3);
    var both = FlankedBars.Flankers.at(24, -0.6);
    float[] two = new FlankedBars(f, 0, element, 0.2, both).draw();
    assertEquals(0.2f, two[48 * 96 + 48 + 24], 1e-6);
    assertEquals(0.2f, two[48 * 96 + 48 - 24], 1e-6);
    var single = new FlankedBars.Flankers(-0.6, 24, 0, 0, true);
    float[] one = new FlankedBars(f, 0, element, 0.2, single).draw();
    assertEquals(0.2f, one[48 * 96 + 48 + 24], 1e-6);
    assertEquals(0.5f, one[48 * 96 + 48 - 24], 1e-6);
    var patch = new FlankedBars.Element(12, 3, 16.0, false);
    float[] gabor = new FlankedBars(f, 0, patch, 0.2, null).draw();
    assertEquals(0.6f, gabor[48 * 96 + 48], 1e-6);
    // A wavelength is 6 px; its trough lies across the axis.
    assertTrue(gabor[51 * 96 + 48] < 0.47);
  }

  @Test
  void elementTexturesDependOnTheirSeedOnly() {
    Stimulus[] s = new Stimulus[3];
    for (int i = 0; i < 3; i++) {
      s[i] =
          new ElementTexture(
              Frame.of(64, 80),
              0,
              90,
              1,
              TextureBoundary.Boundary.VERTICAL,
              0,
              new ElementTexture.Grid(6, 2, 8, 1, 4),
              i == 2 ? 8 : 7);
    }
    assertArrayEquals(s[0].draw(), s[1].draw());
    assertNotEquals(Arrays.hashCode(s[0].draw()), Arrays.hashCode(s[2].draw()));
    // Bars on the left are vertical, on the right horizontal: neighbors along them are alike.
    float[] v = s[0].draw();
    double[] along = new double[4];
    for (int y = 8; y < 55; y++) {
      for (int x = 4; x < 75; x++) {
        int side = x < 36 ? 0 : x > 44 ? 1 : -1;
        if (side >= 0) {
          along[2 * side] += Math.abs(v[y * 80 + x] - v[(y + 1) * 80 + x]);
          along[2 * side + 1] += Math.abs(v[y * 80 + x] - v[y * 80 + x + 1]);
        }
      }
    }
    assertTrue(along[0] < 0.6 * along[1] && along[3] < 0.6 * along[2], Arrays.toString(along));
  }

  @ParameterizedTest
  @CsvSource({"0.01", "1"})
  void zScoringRemovesContrast(double contrast) {
    StimulusSet set =
        GratingStimuli.builder()
            .size(64, 64)
            .orientations(30)
            .spatialFrequencies(8)
            .contrasts(contrast, 0.5)
            .build()
            .generate();
    float[] in = set.toInput(InputScaling.ZSCORE);
    int n = 3 * 64 * 64;
    for (int i = 0; i < n; i++) {
      assertEquals(in[i], in[n + i], 1e-4);
    }
  }

  @Test
  void contactSheetShowsEverything() {
    StimulusSet set =
        GratingStimuli.builder()
            .size(200, 180)
            .orientations(0, 30, 60, 90, 120, 150)
            .spatialFrequencies(4, 8)
            .contrasts(0.2, 0.5, 1)
            .build()
            .generate();
    String svg = ContactSheet.of(set, 20).svg();
    assertTrue(svg.contains("20 of 36 stimuli"), "title");
    assertEquals(20, svg.split("<image").length - 1);
  }
}
