package org.gammanet.fuzz;

import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import io.jhdf.api.WritableGroup;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.PickleBytes;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.ConfigException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.GroundTruth;
import org.gammanet.data.MatFile;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryFiles;
import org.gammanet.io.DataException;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.TiffBytes;
import org.gammanet.testing.MatWriter;
import org.gammanet.testing.Mutations;
import org.gammanet.training.RunFiles;
import org.w3c.dom.Element;

/**
 * The readers of files from outside. Whatever a file holds, reading it works or ends in the one
 * exception that is documented; anything else that {@link #read} throws is a fault.
 */
public enum Reader implements Mutations.Target {
  PNG {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          image("png", BufferedImage.TYPE_INT_ARGB),
          image("png", BufferedImage.TYPE_USHORT_GRAY),
          image("png", BufferedImage.TYPE_BYTE_INDEXED));
    }
  },
  JPEG {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          image("jpg", BufferedImage.TYPE_INT_RGB), image("jpg", BufferedImage.TYPE_BYTE_GRAY));
    }
  },
  GIF {
    @Override
    public List<byte[]> seeds() {
      return List.of(image("gif", BufferedImage.TYPE_BYTE_INDEXED));
    }
  },
  BMP {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          image("bmp", BufferedImage.TYPE_INT_RGB),
          image("bmp", BufferedImage.TYPE_BYTE_INDEXED),
          image("bmp", BufferedImage.TYPE_BYTE_BINARY));
    }
  },
  TIFF {
    @Override
    public List<byte[]> seeds() {
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
    public List<byte[]> seeds() {
      // Made by Pillow: 5 × 4 pixels, lossless with opacity, and lossy with opacity.
      return List.of(
          Base64.getDecoder().decode(WEBP_LOSSLESS), Base64.getDecoder().decode(WEBP_LOSSY));
    }
  },
  NPY {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          Mutations.written(file -> Npy.write(file, new float[] {0, 1, 0.5f, 1}, 2, 2)),
          Mutations.written(file -> Npy.write(file, new double[] {0, 1, 0.5, 1}, 1, 4)));
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      try {
        GroundTruth.read(Mutations.file(bytes, ".npy"));
      } catch (DataException e) {
        // documented
      }
    }
  },
  MAT {
    @Override
    public List<byte[]> seeds() {
      byte[] map = MatWriter.matrix("", 2, 2, 0, 1, 1, 0);
      byte[] one = MatWriter.struct(List.of("Boundaries", "Segmentation"), List.of(map, map));
      byte[] cells = MatWriter.cells("groundTruth", List.of(one, one));
      byte[] sparse = MatWriter.sparse("", 2, 3, new int[] {1, 0}, new int[] {0, 1, 1, 2}, 1, 1);
      byte[] two = MatWriter.struct(List.of("Boundaries"), List.of(sparse));
      byte[] other = MatWriter.cells("groundTruth", List.of(two));
      return List.of(
          Mutations.written(file -> MatWriter.write(file, cells)),
          Mutations.written(file -> MatWriter.write(file, MatWriter.compressed(cells))),
          Mutations.written(file -> MatWriter.write(file, MatWriter.complex("x"), other)));
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      try {
        GroundTruth.read(Mutations.file(bytes, ".mat"));
      } catch (DataException e) {
        // documented
      }
    }

    @Override
    public Mutations.Declared declared(byte[] bytes) {
      return numbersIn(bytes);
    }
  },
  SAFETENSORS {
    @Override
    public List<byte[]> seeds() {
      return List.of(Mutations.written(file -> checkpoint().save(file)));
    }

    @Override
    public void read(byte[] bytes) {
      readCheckpoint(bytes);
    }
  },
  KERAS {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          Mutations.written(
              file -> {
                try (WritableHdfFile hdf = HdfFile.write(file)) {
                  WritableGroup layer = hdf.putGroup("block1_conv1").putGroup("block1_conv1");
                  layer.putDataset("kernel:0", new float[3][3][3][2]);
                  layer.putDataset("bias:0", new float[2]);
                }
              }));
    }

    @Override
    public void read(byte[] bytes) {
      readCheckpoint(bytes);
    }
  },
  TORCH {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          Mutations.written(file -> checkpoint().saveTorch(file)),
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
    public void read(byte[] bytes) {
      readCheckpoint(bytes);
    }

    @Override
    public Mutations.Declared declared(byte[] bytes) {
      return tensorsIn(bytes);
    }
  },
  /** torch.save before 1.6. */
  TORCH_LEGACY {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          new PickleBytes(8).weights("a.weight", "a.bias").legacy(),
          new PickleBytes(24)
              .raw('}')
              .text("a")
              .tensor(6, new int[] {3, 2}, 1, 3)
              .raw('s')
              .legacy());
    }

    @Override
    public void read(byte[] bytes) {
      readCheckpoint(bytes);
    }

    @Override
    public Mutations.Declared declared(byte[] bytes) {
      return tensorsIn(bytes);
    }
  },
  YAML {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          GammaNetConfig.defaults().toYaml().getBytes(StandardCharsets.UTF_8),
          "model: {timesteps: 3}\ndata:\n  train_splits: [train, val]\n"
              .getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      try {
        GammaNetConfig.load(Mutations.file(bytes, ".yaml"), List.of(), note -> {});
      } catch (ConfigException e) {
        // documented
      }
    }
  },
  STORED_CONFIG {
    @Override
    public List<byte[]> seeds() {
      return List.of(GammaNetConfig.defaults().toJson().getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void read(byte[] bytes) {
      try {
        GammaNetConfig.parseStored(new String(bytes, StandardCharsets.UTF_8), "a", note -> {});
      } catch (ConfigException e) {
        // documented
      }
    }
  },
  /** Values of {@code --set}. */
  OVERRIDE {
    @Override
    public List<byte[]> seeds() {
      return Stream.of(
              "model.timesteps=3",
              "data.train_splits=[train, val]",
              "training.stages=[{epochs: 62, timesteps: [2, 3]}, {epochs: 14, timesteps: 6}]",
              "data.augmentation.scales=[0.5, 1.0e0, 0x1]")
          .map(text -> text.getBytes(StandardCharsets.UTF_8))
          .toList();
    }

    @Override
    public void read(byte[] bytes) {
      try {
        GammaNetConfig.shipped("default", List.of(new String(bytes, StandardCharsets.UTF_8)));
      } catch (ConfigException e) {
        // documented
      }
    }
  },
  /** A detector's map as an array. */
  NPY_MAP {
    @Override
    public List<byte[]> seeds() {
      return NPY.seeds();
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      readMap(bytes, ".npy");
    }
  },
  /** A detector's map, contours or segmentations. */
  MAT_MAP {
    @Override
    public List<byte[]> seeds() {
      byte[] map = MatWriter.matrix("map", 2, 3, 0, 0.5, 1, 1, 0.25, 0);
      byte[] ucm = MatWriter.matrix("ucm2", 5, 5, new double[25]);
      byte[] segs = MatWriter.cells("segs", List.of(MatWriter.matrix("", 2, 2, 1, 1, 2, 2)));
      byte[] sparse = MatWriter.sparse("x", 2, 3, new int[] {1, 0}, new int[] {0, 1, 1, 2}, 1, 1);
      return List.of(
          Mutations.written(file -> MatWriter.write(file, map)),
          Mutations.written(file -> MatWriter.write(file, ucm)),
          Mutations.written(file -> MatWriter.write(file, segs)),
          Mutations.written(file -> MatWriter.write(file, MatWriter.compressed(ucm))),
          Mutations.written(file -> MatWriter.write(file, sparse)));
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      readMap(bytes, ".mat");
    }

    @Override
    public Mutations.Declared declared(byte[] bytes) {
      return numbersIn(bytes);
    }
  },
  /** {@code ID_ev1.txt}. */
  COUNTS {
    @Override
    public List<byte[]> seeds() {
      long[] n = {30, 20, 10};
      double[] thresholds = {0.25, 0.5, 0.75};
      return List.of(
          BoundaryFiles.counts(new BoundaryCounts("a", thresholds, n, n, n, n))
              .getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      try {
        BoundaryFiles.readCounts(Mutations.file(bytes, ".txt"), "a");
      } catch (DataException e) {
        // documented
      }
    }
  },
  /** {@code metrics.jsonl} of a run that goes on. */
  METRICS {
    @Override
    public List<byte[]> seeds() {
      return List.of(RunFiles.metrics());
    }

    @Override
    public void read(byte[] bytes) throws IOException {
      RunFiles.readMetrics(bytes);
    }
  },
  /** Where a checkpoint stands in its run. */
  TRAINER_STATE {
    @Override
    public List<byte[]> seeds() {
      return List.of(RunFiles.state());
    }

    @Override
    public void read(byte[] bytes) {
      RunFiles.readState(bytes);
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

  /** Reads an image, unless a reader says otherwise. */
  @Override
  public void read(byte[] bytes) throws IOException {
    try {
      Images.decode(bytes, "a");
    } catch (ImageException e) {
      // documented
    }
  }

  @Override
  public Mutations.Declared declared(byte[] bytes) {
    Mutations.Declared most = new Mutations.Declared(0, 0);
    for (String format : List.of("png", "jpeg", "gif", "bmp", "tiff", "webp")) {
      for (var it = ImageIO.getImageReadersByFormatName(format); it.hasNext(); ) {
        ImageReader reader = it.next();
        try (var in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
          if (reader.getOriginatingProvider().canDecodeInput(in)) {
            reader.setInput(in, true, false);
            long width = reader.getWidth(0);
            long height = reader.getHeight(0);
            if (format.equals("gif")) { // the screen reaches to the end of its first frame
              Element tree =
                  (Element) reader.getImageMetadata(0).getAsTree("javax_imageio_gif_image_1.0");
              Element frame = (Element) tree.getElementsByTagName("ImageDescriptor").item(0);
              width += Integer.parseInt(frame.getAttribute("imageLeftPosition"));
              height += Integer.parseInt(frame.getAttribute("imageTopPosition"));
              width = Math.max(width, (bytes[6] & 0xFF) + 256 * (bytes[7] & 0xFF));
              height = Math.max(height, (bytes[8] & 0xFF) + 256 * (bytes[9] & 0xFF));
            }
            long pixels = width * height;
            var model = reader.getImageTypes(0).next().getSampleModel();
            // A screen has transparent parts, which take a fourth sample.
            int least = format.equals("gif") ? 32 : 24;
            long bits = Math.max(least, IntStream.of(model.getSampleSize()).sum());
            if (pixels > most.pixels()) {
              most = new Mutations.Declared(pixels, pixels * bits / 8);
            }
          }
        } catch (IOException | RuntimeException e) {
          continue; // it declares nothing
        } finally {
          reader.dispose();
        }
      }
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long screen = 0; // of an animation, in which the first picture has its place
    if (this == WEBP && bytes.length >= 30 && bytes[15] == 'X') {
      screen = (1L + (in.getInt(24) & 0xFFFFFF)) * (1L + (in.getInt(26) >>> 8));
    }
    return screen > most.pixels() ? new Mutations.Declared(screen, 4 * screen) : most;
  }

  /** The numbers of a MAT file, unpacked. */
  private static Mutations.Declared numbersIn(byte[] bytes) {
    try {
      return new Mutations.Declared(
          0, numbers(MatFile.read(Mutations.file(bytes, ".mat")).values()));
    } catch (IOException | DataException e) {
      return new Mutations.Declared(0, 0);
    }
  }

  private static long numbers(Collection<MatFile.Value> values) {
    long bytes = 0;
    for (MatFile.Value value : values) {
      bytes +=
          switch (value) {
            case MatFile.Numbers n -> 8L * n.count();
            case MatFile.Cells c -> numbers(c.values());
            case MatFile.Structs s ->
                s.elements().stream().mapToLong(e -> numbers(e.values())).sum();
            case MatFile.Other o -> 0;
          };
    }
    return bytes;
  }

  private static void readMap(byte[] bytes, String ending) throws IOException {
    try {
      BoundaryFiles.read(Mutations.file(bytes, ending));
    } catch (DataException | ImageException e) {
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

  /** The tensors of a checkpoint: strides of 0 let a file stand for more than it has. */
  private static Mutations.Declared tensorsIn(byte[] bytes) {
    try {
      return new Mutations.Declared(
          0,
          Checkpoint.load("a", bytes).weights().values().stream()
              .mapToLong(StoredTensor::byteCount)
              .sum());
    } catch (CheckpointException e) {
      return new Mutations.Declared(0, 0);
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
}
