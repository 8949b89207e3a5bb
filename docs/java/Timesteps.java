import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Image;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import javax.imageio.ImageIO;

/**
 * Edge maps after timesteps 1 to 8, and below each what changed from the timestep before: red where
 * the probability rose, blue where it fell, in full color from a change of 0.1 on. Takes what
 * {@code gammanet detect --all-timesteps} writes: java Timesteps.java OUT.png WIDTH STEM, where the
 * files are STEM-edges-t1.png to STEM-edges-t8.png and WIDTH is that of one map.
 */
class Timesteps {
  private static final int STEPS = 8;
  private static final int COLUMNS = 4;
  private static final int GAP = 6;
  private static final int TITLE = 18;
  private static final float FULL_COLOR = 0.1f * 255;

  public static void main(String[] arguments) throws IOException {
    System.setProperty("java.awt.headless", "true");
    int width = Integer.parseInt(arguments[1]);
    var maps = new BufferedImage[STEPS];
    for (int t = 1; t <= STEPS; t++) {
      maps[t - 1] = ImageIO.read(new File(arguments[2] + "-edges-t" + t + ".png"));
    }
    int height = Math.round((float) width * maps[0].getHeight() / maps[0].getWidth());
    int block = TITLE + 2 * (height + GAP);
    var all =
        new BufferedImage(
            COLUMNS * (width + GAP) - GAP,
            STEPS / COLUMNS * block - GAP,
            BufferedImage.TYPE_INT_RGB);
    Graphics2D g = all.createGraphics();
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, all.getWidth(), all.getHeight());
    g.setColor(Color.BLACK);
    for (int t = 1; t <= STEPS; t++) {
      int x = (t - 1) % COLUMNS * (width + GAP);
      int y = (t - 1) / COLUMNS * block + TITLE;
      g.drawString("t = " + t, x, y - 5);
      draw(g, maps[t - 1], x, y, width, height);
      if (t > 1) {
        draw(g, change(maps[t - 2], maps[t - 1]), x, y + height + GAP, width, height);
      }
    }
    g.dispose();
    ImageIO.write(all, "png", new File(arguments[0]));
  }

  private static void draw(Graphics2D g, BufferedImage map, int x, int y, int width, int height) {
    g.drawImage(map.getScaledInstance(width, height, Image.SCALE_AREA_AVERAGING), x, y, null);
  }

  private static BufferedImage change(BufferedImage before, BufferedImage after) {
    int width = before.getWidth();
    int height = before.getHeight();
    var picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int difference =
            after.getRaster().getSample(x, y, 0) - before.getRaster().getSample(x, y, 0);
        float amount = Math.min(1, Math.abs(difference) / FULL_COLOR);
        int other = Math.round(255 * (1 - amount));
        picture.setRGB(
            x,
            y,
            difference > 0
                ? new Color(255, other, other).getRGB()
                : new Color(other, other, 255).getRGB());
      }
    }
    return picture;
  }
}
