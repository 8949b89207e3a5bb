package org.gammanet.figures;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HtmlReportTest {
  @Test
  void nothingIsLoadedFromElsewhereAndIdsAreUnique() {
    String html = Gallery.report().html();
    assertFalse(html.contains("<script"));
    var references = Pattern.compile("(?:src|href)=\"([^\"]*)\"|url\\(([^)]*)\\)").matcher(html);
    while (references.find()) {
      String target = references.group(1) == null ? references.group(2) : references.group(1);
      assertTrue(target.startsWith("#") || target.startsWith("data:"), target);
    }
    var ids = Pattern.compile(" id=\"([^\"]*)\"").matcher(html);
    var seen = new HashSet<String>();
    while (ids.find()) {
      assertTrue(seen.add(ids.group(1)), "id " + ids.group(1) + " twice");
    }
    assertEquals(html, Gallery.report().html());
  }

  @Test
  void textIsEscapedAndNumbersStandToTheRight() {
    String html = Gallery.report().html();
    assertTrue(html.contains("<h1>Tuning &amp; context: made-up numbers</h1>"));
    assertTrue(html.contains("Figure &lt;tuning&gt;"));
    assertTrue(html.contains("R<sup>2</sup> and c<sub>50</sub>"));
    assertTrue(
        html.contains("<td class=\"number\">n/a</td><td class=\"number\">−3.0 [−4, 5]</td>"));
    assertTrue(html.contains("<td>left out, 3 of 5</td>"));
    assertTrue(html.contains("<td class=\"hash\">abab"));
  }

  @Test
  void aShortRowIsAnErrorAndFoldersAreMade(@TempDir Path folder) throws Exception {
    var report = new HtmlReport("t");
    var wrong =
        assertThrows(
            IllegalArgumentException.class,
            () -> report.table("c", List.of("a", "b"), List.of(List.of("1"))));
    assertEquals("a row of the table 'c' has 1 cells for 2 columns", wrong.getMessage());
    report.write(folder.resolve("x/y.html"));
    assertTrue(Files.readString(folder.resolve("x/y.html")).startsWith("<!DOCTYPE html>"));
  }
}
