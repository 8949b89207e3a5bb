package org.gammanet.fuzz;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.PickleBytes;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.ConfigException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.GroundTruth;
import org.gammanet.io.DataException;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.TiffBytes;
import org.gammanet.testing.MatWriter;

/**
 * The readers of files from outside. Whatever a file holds, reading it works or ends in the one
 * exception that is documented; anything else that {@link #read} throws is a fault.
 */
public enum Reader {
  PNG {
    @Override
    List<byte[]> seeds() {
      return List.of(
          image("png", BufferedImage.TYPE_INT_ARGB),
          image("png", BufferedImage.TYPE_USHORT_GRAY),
          image("png", BufferedImage.TYPE_BYTE_INDEXED));
    }
  },
  JPEG {
    @Override
    List<byte[]> seeds() {
      return List.of(
          image("jpg", BufferedImage.TYPE_INT_RGB), image("jpg", BufferedImage.TYPE_BYTE_GRAY));
    }
  },
  GIF {
    @Override
    List<byte[]> seeds() {
      return List.of(image("gif", BufferedImage.TYPE_BYTE_INDEXED));
    }
  },
  BMP {
    @Override
    List<byte[]> seeds() {
      return List.of(
          image("bmp", BufferedImage.TYPE_INT_RGB),
          image("bmp", BufferedImage.TYPE_BYTE_INDEXED),
          image("bmp", BufferedImage.TYPE_BYTE_BINARY));
    }
  },
  TIFF {
    @Override
    List<byte[]> seeds() {
      List<byte[]> seeds = new ArrayList<>();
      for (int photometric : new int[] {0, 1, 2, 3, 5, 6}) {
        int samples = photometric < 2 || photometric == 3 ? 1 : photometric == 5 ? 4 : 3;
        for (int bits : new int[] {8, 16, 32}) {
          TiffBytes tiff = new TiffBytes(4, 3, samples, bits, photometric);
          seeds.add(
              tiff.tag(339, bits == 32 ? 3 : 1)
                  .tag(320, 0, 0, 0)
                  .bytes(new byte[12 * samples * bits / 8]));
        }
      }
      for (String compression : List.of("LZW", "ZLib", "JPEG", "PackBits", "Deflate")) {
        seeds.add(tiff(BufferedImage.TYPE_INT_RGB, compression));
      }
      for (String compression : List.of("CCITT T.4", "CCITT T.6", "CCITT RLE")) {
        seeds.add(tiff(BufferedImage.TYPE_BYTE_BINARY, compression));
      }
      return seeds;
    }
  },
  WEBP {
    @Override
    List<byte[]> seeds() {
      // Made by Pillow: 5 × 4 pixels, lossless with opacity, and lossy with opacity.
      return List.of(
          Base64.getDecoder().decode(WEBP_LOSSLESS), Base64.getDecoder().decode(WEBP_LOSSY));
    }
  },
  NPY {
    @Override
    List<byte[]> seeds() {
      return List.of(
          written(file -> Npy.write(file, new float[] {0, 1, 0.5f, 1}, 2, 2)),
          written(file -> Npy.write(file, new double[] {0, 1, 0.5, 1}, 1, 4)));
    }

    @Override
    void read(byte[] bytes) throws IOException {
      try {
        GroundTruth.read(file(bytes, ".npy"));
      } catch (DataException e) {
        // documented
      }
    }
  },
  MAT {
    @Override
    List<byte[]> seeds() {
      byte[] map = MatWriter.matrix("", 2, 2, 0, 1, 1, 0);
      byte[] one = MatWriter.struct(List.of("Boundaries", "Segmentation"), List.of(map, map));
      byte[] cells = MatWriter.cells("groundTruth", List.of(one, one));
      byte[] sparse = MatWriter.sparse("", 2, 3, new int[] {1, 0}, new int[] {0, 1, 1, 2}, 1, 1);
      byte[] two = MatWriter.struct(List.of("Boundaries"), List.of(sparse));
      byte[] other = MatWriter.cells("groundTruth", List.of(two));
      return List.of(
          written(file -> MatWriter.write(file, cells)),
          written(file -> MatWriter.write(file, MatWriter.compressed(cells))),
          written(file -> MatWriter.write(file, MatWriter.complex("x"), other)));
    }

    @Override
    void read(byte[] bytes) throws IOException {
      try {
        GroundTruth.read(file(bytes, ".mat"));
      } catch (DataException e) {
        // documented
      }
    }
  },
  SAFETENSORS {
    @Override
    List<byte[]> seeds() {
      return List.of(written(file -> checkpoint().save(file)));
    }

    @Override
    void read(byte[] bytes) {
      readCheckpoint(bytes);
    }
  },
  TORCH {
    @Override
    List<byte[]> seeds() {
      return List.of(
          written(file -> checkpoint().saveTorch(file)),
          new PickleBytes(8).weights("a.weight", "a.bias").zip(),
          new PickleBytes(8)
              .raw('}')
              .text("x")
              .global("my", "Thing")
              .raw(')', 0x81, '}', 'b', 's')
              .text("state_dict")
              .weights("a")
              .raw('s')
              .zip());
    }

    @Override
    void read(byte[] bytes) {
      readCheckpoint(bytes);
    }
  },
  YAML {
    @Override
    List<byte[]> seeds() {
      return List.of(
          GammaNetConfig.defaults().toYaml().getBytes(StandardCharsets.UTF_8),
          "model: {timesteps: 3}\ndata:\n  train_splits: [train, val]\n"
              .getBytes(StandardCharsets.UTF_8));
    }

    @Override
    void read(byte[] bytes) throws IOException {
      try {
        GammaNetConfig.load(file(bytes, ".yaml"), List.of(), note -> {});
      } catch (ConfigException e) {
        // documented
      }
    }
  },
  STORED_CONFIG {
    @Override
    List<byte[]> seeds() {
      return List.of(GammaNetConfig.defaults().toJson().getBytes(StandardCharsets.UTF_8));
    }

    @Override
    void read(byte[] bytes) {
      try {
        GammaNetConfig.parseStored(new String(bytes, StandardCharsets.UTF_8), "a", note -> {});
      } catch (ConfigException e) {
        // documented
      }
    }
  };

  private static final String WEBP_LOSSLESS =
      "UklGRrAAAABXRUJQVlA4TKQAAAAvBMAAEJ+gNJKthoxKCp+pCclQPC47hkLURLLVVKQKASj4JtCRVScB"
          + "GUqGEgq2kWynEeWUqQIqTAWyzM5diFOGyKO02nYq/eff5f9Hcb9ljU0soEmqI9rFGrIWXH5bTNdYOFeF"
          + "//632oeWpIWHzjpEyo7LaXdblVzEPFc+4Qn7g6ulIpe8iQb5DymO+TNBYdtGaugYnz+i/zHW+510zAMY"
          + "S/adCg==";
  private static final String WEBP_LOSSY =
      "UklGRmwAAABXRUJQVlA4WAoAAAAQAAAABAAAAwAAQUxQSBUAAAAAgxVrlZSO2r9aYfursDH0AHS4rlUA"
          + "VlA4IDAAAACwAQCdASoFAAQABABoJQBOgB6Q/3nAAMpB6RAglvEeJsOAxEE5wwyxHnv7npzngAA=";

  /** Good files to begin with. */
  abstract List<byte[]> seeds();

  /** Reads bytes; for image formats unless a reader says otherwise. */
  void read(byte[] bytes) throws IOException {
    try {
      Images.decode(bytes, "a");
    } catch (ImageException e) {
      // documented
    }
  }

  private static void readCheckpoint(byte[] bytes) {
    try {
      Checkpoint checkpoint = Checkpoint.load("a", bytes);
      for (StoredTensor tensor : checkpoint.weights().values()) {
        if (tensor.data().remaining() != tensor.byteCount()) {
          throw new AssertionError(tensor + " has " + tensor.data().remaining() + " bytes");
        }
      }
      checkpoint.metadataJson();
    } catch (CheckpointException e) {
      // documented
    }
  }

  private static Checkpoint checkpoint() {
    ByteBuffer data = ByteBuffer.allocate(16);
    Map<String, StoredTensor> weights =
        Map.of("a.weight", new StoredTensor(ElementType.F32, new long[] {2, 2}, data));
    return Checkpoint.of(weights, Map.of(), Map.of("epoch", "3", "config", "{\"a\":[1,2.5]}"));
  }

  private static byte[] image(String format, int type) {
    try {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      if (!ImageIO.write(picture(type), format, out)) {
        throw new AssertionError(format);
      }
      return out.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static BufferedImage picture(int type) {
    BufferedImage image = new BufferedImage(5, 4, type);
    for (int i = 0; i < 20; i++) {
      image.setRGB(i % 5, i / 5, 0x81234567 * (i + 1));
    }
    return image;
  }

  private static byte[] tiff(int type, String compression) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    // The JDK's writer: the other one knows no fax compression.
    for (var it = ImageIO.getImageWritersByFormatName("tiff"); it.hasNext(); ) {
      var writer = it.next();
      if (writer.getClass().getModule() != ImageIO.class.getModule()) {
        continue;
      }
      try (var stream = ImageIO.createImageOutputStream(out)) {
        var parameters = writer.getDefaultWriteParam();
        parameters.setCompressionMode(javax.imageio.ImageWriteParam.MODE_EXPLICIT);
        parameters.setCompressionType(compression);
        writer.setOutput(stream);
        writer.write(null, new javax.imageio.IIOImage(picture(type), null, null), parameters);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } finally {
        writer.dispose();
      }
    }
    return out.toByteArray();
  }

  private interface Writing {
    void to(Path file) throws IOException;
  }

  private static byte[] written(Writing writing) {
    try {
      Path file = Files.createTempFile("gammanet-seed", ".bin");
      writing.to(file);
      byte[] bytes = Files.readAllBytes(file);
      Files.delete(file);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path file(byte[] bytes, String ending) throws IOException {
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    Path file = folder.resolve("gammanet-fuzz-" + ProcessHandle.current().pid() + ending);
    file.toFile().deleteOnExit();
    return Files.write(file, bytes);
  }
}
