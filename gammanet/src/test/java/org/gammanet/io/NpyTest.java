package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NpyTest {
  @TempDir Path folder;

  private Path file(String header, byte... data) throws IOException {
    Path file = folder.resolve("a.npy");
    ByteBuffer out =
        ByteBuffer.allocate(10 + header.length() + data.length).order(ByteOrder.LITTLE_ENDIAN);
    out.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
    out.putShort((short) header.length()).put(header.getBytes(StandardCharsets.US_ASCII)).put(data);
    return Files.write(file, out.array());
  }

  @Test
  void whatIsWrittenReadsBack() throws IOException {
    Path file = folder.resolve("x.npy");
    float[] values = {1, -2.5f, Float.NaN, 3e30f, 0, 6};
    Npy.write(file, values, 2, 3);
    assertArrayEquals(values, Npy.read(file).floats());
    assertArrayEquals(new int[] {2, 3}, Npy.read(file).shape());
    double[] one = {Math.PI};
    Npy.write(file, one, 1);
    assertArrayEquals(one, Npy.read(file).doubles());
    assertTrue(Files.readString(file, StandardCharsets.ISO_8859_1).contains("'shape': (1,), }"));
    Npy.write(file, one);
    assertArrayEquals(new int[0], Npy.read(file).shape());
    assertEquals(0, (Files.size(file) - 8) % 64);
  }

  /** The bytes of a long array are never in memory all at once. */
  @Test
  void longArraysAreWrittenInParts() throws IOException {
    Path file = folder.resolve("x.npy");
    float[] singles = new float[600_001];
    double[] doubles = new double[300_001];
    Arrays.setAll(doubles, i -> i / 3.0);
    for (int i = 0; i < singles.length; i++) {
      singles[i] = i / 3f;
    }
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    Npy.write(file, singles, singles.length);
    long taken = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(taken < 1_000_000, taken + " bytes");
    assertArrayEquals(singles, Npy.read(file).floats());
    Npy.write(file, doubles, doubles.length);
    assertArrayEquals(doubles, Npy.read(file).doubles());
  }

  @Test
  void whatIsTooLongToBeReadIsSaid() throws IOException {
    Path file = folder.resolve("x.npy");
    Npy.write(file, new float[4], 4);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[1]), (1L << 31) + 127); // a hole in between
    }
    DataException e = assertThrows(DataException.class, () -> Npy.read(file));
    assertEquals(
        file + " has 2147483648 bytes of data; at most 2147483631 are read", e.getMessage());
  }

  @Test
  void aResultIsMarkedAndReadsBack() throws IOException {
    float[] values = new float[100];
    values[99] = 1;
    Path file = folder.resolve("x.npy");
    for (int rows : new int[] {1, 10, 100}) { // headers of several lengths
      Npy.write(file, values, rows, 100 / rows);
      assertFalse(Npy.isResult(file));
      Files.write(file, Npy.result(values, rows, 100 / rows).array());
      assertTrue(Npy.isResult(file));
      assertArrayEquals(values, Npy.read(file).floats());
      assertEquals(0, (Files.size(file) - 400) % 64);
    }
    assertFalse(Npy.isResult(Files.writeString(file, "'}\t ' in a text")));
    assertFalse(Npy.isResult(folder.resolve("none.npy")));
  }

  @ParameterizedTest
  @CsvSource({
    "|u1, 200 7, 200 7",
    "|i1, 200 7, -56 7",
    "|b1, 1 0, 1 0",
    "<u2, 1 2 3 4, 513 1027",
    ">u2, 1 2 3 4, 258 772",
    "<f2, 0 60 0 192, 1 -2",
    "<i4, 255 255 255 255 2 0 0 0, -1 2",
    "<u4, 255 255 255 255 2 0 0 0, 4294967295 2",
    ">f4, 63 128 0 0 192 0 0 0, 1 -2"
  })
  void elementTypes(String type, String bytes, String values) throws IOException {
    String[] texts = bytes.split(" ");
    byte[] data = new byte[texts.length];
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) Integer.parseInt(texts[i]);
    }
    Path file =
        file("{'descr': '%s', 'fortran_order': False, 'shape': (2,), }".formatted(type), data);
    double[] read = Npy.read(file).doubles();
    assertEquals(values, "%.0f %.0f".formatted(read[0], read[1]));
  }

  @Test
  void fortranOrderIsTurned() throws IOException {
    Path file =
        file(
            "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}",
            new byte[] {1, 2, 3, 4, 5, 6});
    assertArrayEquals(new double[] {1, 3, 5, 2, 4, 6}, Npy.read(file).doubles());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,)}; of type '|O'",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}; without type",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}; has 2 bytes",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1 2,)}; truncated or damaged",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}; has 2 bytes",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (65536, 65536, 65536, 65536)}; 2 bytes",
        "{'descr': '|u1', 'shape': (2,)}; without type"
      })
  void othersAreRefused(String header, String reason) throws IOException {
    Path file = file(header, new byte[] {1, 2});
    DataException e = assertThrows(DataException.class, () -> Npy.read(file));
    assertTrue(e.getMessage().contains(reason) && e.getMessage().contains("a.npy"), e.getMessage());
  }

  @Test
  void damageEndsInOneSentence() throws IOException {
    Path file = folder.resolve("damaged.npy");
    Npy.write(file, new float[12], 3, 4);
    byte[] good = Files.readAllBytes(file);
    Random random = new Random(3);
    int refused = 0;
    for (int round = 0; round < 500; round++) {
      byte[] bad = Arrays.copyOf(good, round % 2 == 0 ? good.length : random.nextInt(140));
      if (bad.length > 0) {
        bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(file, bad);
      try {
        Npy.read(file).doubles();
      } catch (DataException e) {
        assertTrue(e.getMessage().contains("damaged.npy"), e.getMessage());
        refused++;
      }
    }
    // Every file that is cut off, and some of those with a changed bit, but not those in numbers.
    assertTrue(refused > 250 && refused < 450, "refused: " + refused);
  }
}
