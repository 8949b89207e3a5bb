package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShardTest {
  private static Map<String, String> array(String id, String min, String count, String step) {
    return Map.of(
        "SLURM_ARRAY_TASK_ID",
        id,
        "SLURM_ARRAY_TASK_MIN",
        min,
        "SLURM_ARRAY_TASK_COUNT",
        count,
        "SLURM_ARRAY_TASK_STEP",
        step);
  }

  @Test
  void tasksOfAnArrayAreShards() {
    assertEquals(new Shard(3, 7), Shard.parse("3/7", Map.of()));
    assertEquals(new Shard(1, 4), Shard.parse("slurm", array("0", "0", "4", "1")));
    assertEquals(new Shard(3, 4), Shard.parse("slurm", array("9", "5", "4", "2")));
    for (Map<String, String> wrong :
        List.of(
            Map.<String, String>of(),
            array("8", "1", "3", "1"),
            array("6", "5", "4", "2"),
            array("1", "2", "4", "1"),
            array("x", "1", "4", "1"),
            array("1", "1", "4", "0"))) {
      assertThrows(IllegalArgumentException.class, () -> Shard.parse("slurm", wrong));
    }
  }

  @Test
  void eachUnitIsInOneShard() {
    for (int units : new int[] {0, 1, 6, 7, 20}) {
      List<Integer> all = IntStream.range(0, units).boxed().toList();
      List<List<Integer>> every = new ArrayList<>();
      List<Integer> blocks = new ArrayList<>();
      for (int k = 1; k <= 7; k++) {
        every.add(new Shard(k, 7).every(all));
        blocks.addAll(new Shard(k, 7).block(all));
      }
      assertEquals(all, Shards.join(every));
      assertEquals(all, blocks);
    }
  }
}
