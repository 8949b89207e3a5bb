import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Image;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;

/** Pictures below one another, of one width, as a JPEG: java Stack.java OUT.jpg WIDTH IN… */
class Stack {
  private static final int GAP = 3;
  private static final float QUALITY = 0.88f;

  public static void main(String[] arguments) throws IOException {
    System.setProperty("java.awt.headless", "true");
    int width = Integer.parseInt(arguments[1]);
    List<Image> rows = new ArrayList<>();
    int height = -GAP;
    for (String name : List.of(arguments).subList(2, arguments.length)) {
      BufferedImage picture = ImageIO.read(new File(name));
      int h = Math.round((float) width * picture.getHeight() / picture.getWidth());
      rows.add(picture.getScaledInstance(width, h, Image.SCALE_AREA_AVERAGING));
      height += h + GAP;
    }
    var all = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = all.createGraphics();
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, width, height);
    int y = 0;
    for (Image row : rows) {
      g.drawImage(row, 0, y, null);
      y += row.getHeight(null) + GAP;
    }
    g.dispose();
    var writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ImageWriteParam parameters = writer.getDefaultWriteParam();
    parameters.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
    parameters.setCompressionQuality(QUALITY);
    new File(arguments[0]).delete(); // a shorter file would keep the end of a longer one
    try (var out = ImageIO.createImageOutputStream(new File(arguments[0]))) {
      writer.setOutput(out);
      writer.write(null, new IIOImage(all, null, null), parameters);
    }
  }
}
