package org.gammanet.experiments.study;

import java.util.List;
import org.gammanet.figures.Figure;

/**
 * A figure as data.
 *
 * @param name of its files
 * @param width inches
 * @param height inches
 * @param caption a sentence per panel
 * @param letters whether panels are lettered
 * @param panels its panels
 */
public record FigureSpec(
    String name, double width, double height, String caption, boolean letters, List<Panel> panels) {

  /** A figure of panels, which are lettered where there are several. */
  public static FigureSpec of(
      String name, double width, double height, String caption, Panel... panels) {
    return new FigureSpec(name, width, height, caption, panels.length > 1, List.of(panels));
  }

  /**
   * A panel by its key.
   *
   * @throws IllegalArgumentException where there is none
   */
  public Panel panel(String key) {
    return panels.stream()
        .filter(p -> p.key().equals(key))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("the figure %s has no %s".formatted(name, key)));
  }

  /**
   * Draws it.
   *
   * @param footer below the panels; may be empty
   */
  Figure draw(String footer) {
    var figure = new Figure(width, height);
    if (letters) {
      figure.letters();
    }
    if (!footer.isEmpty()) {
      figure.footer(footer);
    }
    panels.forEach(p -> p.drawIn(figure));
    return figure;
  }
}
