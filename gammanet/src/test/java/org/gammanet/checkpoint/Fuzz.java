package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/** Damages a file in many ways: reading must succeed or end in the one checked-for exception. */
final class Fuzz {
  private Fuzz() {}

  static void run(byte[] whole) throws IOException {
    Path file = Files.createTempFile("gammanet-fuzz", ".bin");
    try {
      Random random = new Random(7);
      int refused = 0;
      int rounds = 1500;
      long start = System.nanoTime();
      for (int round = 0; round < rounds; round++) {
        byte[] bad = whole.clone();
        switch (round % 3) {
          case 0 -> bad = Arrays.copyOf(bad, random.nextInt(bad.length));
          case 1 -> bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
          default -> {
            for (int i = 0; i < 4; i++) {
              byte[] interesting = {0, 1, -1, 0x7F, (byte) 0x80, '(', '.', 'R', 'h', 'q'};
              bad[random.nextInt(bad.length)] = interesting[random.nextInt(interesting.length)];
            }
          }
        }
        Files.write(file, bad);
        try {
          for (StoredTensor tensor : Checkpoint.load(file).weights().values()) {
            ByteBuffer data = tensor.data();
            assertTrue(data.remaining() == tensor.byteCount());
          }
        } catch (CheckpointException e) {
          assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
          refused++;
        }
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      System.out.printf("%d of %d damaged files refused in %.1f s%n", refused, rounds, seconds);
      assertTrue(refused > rounds / 3);
    } finally {
      Files.delete(file);
    }
  }
}
