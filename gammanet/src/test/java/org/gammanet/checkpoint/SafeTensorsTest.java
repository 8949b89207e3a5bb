package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafeTensorsTest {
  @TempDir Path folder;

  private static StoredTensor bytes(ElementType type, long... shape) {
    byte[] data = new byte[(int) StoredTensor.byteCount(type, shape)];
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) (i * 7 + 1);
    }
    return new StoredTensor(type, shape, ByteBuffer.wrap(data));
  }

  private static Map<String, StoredTensor> everyType() {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (ElementType type : ElementType.values()) {
      tensors.put("a." + type, bytes(type, 2, 3));
    }
    tensors.put("empty", bytes(ElementType.F32, 0, 4));
    tensors.put("naïve \"quoted\" 日本", bytes(ElementType.U8, 3));
    tensors.put("scalar", bytes(ElementType.I64));
    return tensors;
  }

  private Path write(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(json.length).put(json);
    return Files.write(folder.resolve("made.safetensors"), file.array());
  }

  @Test
  void whatIsWrittenReadsBack() throws IOException {
    Path file = folder.resolve("all.safetensors");
    Map<String, String> metadata = Map.of("config", "{\"model\": 1}", "ключ", "café\n");
    SafeTensors.write(file, everyType(), metadata);
    SafeTensors.Contents read = SafeTensors.read(file);
    assertEquals(metadata, read.metadata());
    assertEquals(everyType().keySet(), read.tensors().keySet());
    everyType()
        .forEach(
            (name, tensor) -> {
              StoredTensor other = read.tensors().get(name);
              assertEquals(tensor.type(), other.type());
              assertArrayEquals(tensor.shape(), other.shape());
              assertEquals(tensor.data(), other.data());
            });
    ByteBuffer prefix = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(0, prefix.getLong(0) % 8);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "[1]                                                               | 0 | no JSON map",
        "~ {}~                                                            | 0 | no JSON map",
        "{} {}                                                             | 0 | goes on after",
        "{\"a\":                                                           | 0 | not JSON",
        "{\"a\":1}                                                         | 0 | no map under 'a'",
        "{\"a\":{}}                                                        | 0 | describes 'a'"
            + " without",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}    | 4 | describes 'a'"
            + " without",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}| 4 | describes 'a'"
            + " without",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}} | 4 | describes 'a'"
            + " without",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}| 4 | describes 'a'"
            + " without",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}| 4 |"
            + " describes 'a'",
        "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}  | 4 | type 'F31'",
        "{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}        | 4 | type ''",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}  | 4 | F32[2] takes 8",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}  | 4 | before it begins",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}|4|"
            + " impossible shape",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}  | 8 | at byte 4 where 0",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  | 2 | cut off",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  | 6 | leaves 2 bytes",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}|8|Duplicate",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}|6|at"
            + " byte 2 where 4",
        "{\"__metadata__\":[]}                                             | 0 | no map under",
        "{\"__metadata__\":{\"a\":1}}                                      | 0 | not a text",
      })
  void othersAreRefused(String header, int data, String reason) throws IOException {
    Path file = write(header, data);
    CheckpointException e = assertThrows(CheckpointException.class, () -> SafeTensors.read(file));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  @Test
  void impossibleHeaderLengths() throws IOException {
    Path file = folder.resolve("lengths.safetensors");
    for (long length : new long[] {-1, 0, 1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, 100}) {
      ByteBuffer bytes = ByteBuffer.allocate(20).order(ByteOrder.LITTLE_ENDIAN);
      Files.write(file, bytes.putLong(length).array());
      assertThrows(CheckpointException.class, () -> SafeTensors.read(file));
    }
    for (int size = 0; size < 10; size++) {
      Files.write(file, new byte[size]);
      assertThrows(CheckpointException.class, () -> SafeTensors.read(file));
    }
    // Longer than any header, in a file that has the bytes (but not on the disk).
    try (FileChannel sparse = FileChannel.open(file, StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN);
      sparse.write(length.putLong(100_000_001).put((byte) '{').flip());
      sparse.write(ByteBuffer.allocate(1), 200_000_000);
    }
    assertThrows(CheckpointException.class, () -> SafeTensors.read(file));
  }

  @Test
  void damageEndsInOneError() throws IOException {
    Path file = folder.resolve("whole.safetensors");
    SafeTensors.write(file, everyType(), Map.of("config", "{}"));
    Fuzz.run(Files.readAllBytes(file));
  }

  /** Tensors on both sides of 2 GiB and across the border of two windows, in a sparse file. */
  @Test
  void filesLargerThanTwoGiB() throws IOException {
    long gap = 2_000_000_000L;
    String header =
        ("{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                + "\"b\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]},"
                + "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[%d,%d]}}")
            .formatted(gap, gap, gap, gap, 2 * gap, 2 * gap, 2 * gap + 8);
    Path file = write(header, 0);
    long start = Files.size(file);
    try (FileChannel sparse = FileChannel.open(file, StandardOpenOption.WRITE)) {
      sparse.write(ByteBuffer.wrap(new byte[] {5}), start + gap);
      ByteBuffer last = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(42).flip();
      sparse.write(last, start + 2 * gap);
    }
    Map<String, StoredTensor> tensors = SafeTensors.read(file).tensors();
    assertEquals(0, tensors.get("a").get((int) gap - 1));
    assertEquals(5, tensors.get("b").get(0));
    assertEquals(42, tensors.get("c").get(0));
  }

  @Test
  void aFullDiskIsNamed() {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "no device that is always full");
    CheckpointException e =
        assertThrows(
            CheckpointException.class,
            () -> SafeTensors.write(full, Map.of("a", bytes(ElementType.F32, 9)), Map.of()));
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertTrue(Files.exists(full) && !Files.isRegularFile(full), "the device is still there");
  }

  @Test
  void aFailureWhileWritingLeavesNothingBehind() throws IOException {
    Path file = folder.resolve("full.safetensors");
    Files.writeString(file, "old");
    StoredTensor failing =
        StoredTensor.deferred(
            ElementType.U8,
            new long[] {1},
            () -> {
              throw new java.io.UncheckedIOException(new IOException("No space left on device"));
            });
    assertThrows(
        java.io.UncheckedIOException.class,
        () ->
            SafeTensors.write(
                file, Map.of("a", bytes(ElementType.F32, 9), "b", failing), Map.of()));
    assertEquals("old", Files.readString(file));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList());
    }
    CheckpointException e =
        assertThrows(
            CheckpointException.class,
            () -> SafeTensors.write(folder.resolve("no/folder.st"), Map.of(), Map.of()));
    assertTrue(e.getMessage().contains("there is no folder for it"), e.getMessage());
  }

  /** Nearest numbers, ties to even, from the type's own spacing. */
  @ParameterizedTest
  @CsvSource({"F16, 10, -14", "BF16, 7, -126"})
  void numbersAreRoundedToSixteenBits(ElementType type, int fraction, int least) {
    Random random = new Random(3);
    float[] values = new float[2000];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.scalb(random.nextGaussian(), random.nextInt(24) - 18);
    }
    values[0] = 0f;
    values[1] = -0f;
    values[2] = Float.POSITIVE_INFINITY;
    values[3] = Float.NaN;
    values[4] = (float) (1 + Math.scalb(1.0, -fraction - 1)); // a tie, to the even 1
    values[5] = (float) (1 + 3 * Math.scalb(1.0, -fraction - 1)); // a tie, to the even one above
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    StoredTensor exact = new StoredTensor(ElementType.F32, new long[] {values.length}, bytes);
    StoredTensor rounded = exact.rounded(type);
    assertEquals(type, rounded.type());
    assertEquals(2L * values.length, rounded.byteCount());
    for (int i = 0; i < values.length; i++) {
      double value = values[i];
      int exponent = Math.max(least, value == 0 ? least : Math.getExponent(value));
      double spacing = Math.scalb(1.0, exponent - fraction);
      double expected = Math.rint(value / spacing) * spacing;
      assertEquals(Double.isFinite(value) ? expected : value, rounded.get(i), "of " + value);
    }
    StoredTensor large = exact(ElementType.F64, Float.MAX_VALUE);
    assertThrows(CheckpointException.class, () -> large.rounded(type).data());
    StoredTensor counter = bytes(ElementType.I64, 2);
    assertSame(counter, counter.rounded(type));
  }

  private static StoredTensor exact(ElementType type, double value) {
    ByteBuffer data = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putDouble(0, value);
    return new StoredTensor(type, new long[] {1}, data);
  }
}
