package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import org.gammanet.config.TrainingConfig.Schedule;
import org.gammanet.training.LearningRate.Settings;
import org.junit.jupiter.api.Test;

class LearningRateTest {
  private static double[] rates(LearningRate schedule, double base, int... epochs) {
    return IntStream.of(epochs).mapToDouble(e -> schedule.rate(base, e, 4, 1000)).toArray();
  }

  @Test
  void exponential() {
    LearningRate s = new LearningRate(new Settings(Schedule.EXPONENTIAL, 0.5, 0, 0.1, 0));
    assertArrayEquals(
        new double[] {1, 0.5, 0.25, 0.125, 0.1, 0.1}, rates(s, 1, 0, 1, 2, 3, 4, 9), 1e-15);
    // A group that starts below the floor stays where it is.
    assertArrayEquals(new double[] {0.05, 0.05}, rates(s, 0.05, 0, 5), 1e-15);
    LearningRate usual = new LearningRate(new Settings(Schedule.EXPONENTIAL, 0.997, 0, 0, 0));
    assertEquals(0.0025, usual.rate(1, 2000, 2000, 0), 5e-5);
  }

  @Test
  void cosine() {
    LearningRate s = new LearningRate(new Settings(Schedule.COSINE, 0, 0, 0.2, 0));
    assertArrayEquals(
        new double[] {1, 0.8828427124746191, 0.6, 0.3171572875253809, 0.2, 0.2},
        rates(s, 1, 0, 1, 2, 3, 4, 7),
        1e-12);
  }

  @Test
  void plateau() {
    LearningRate s = new LearningRate(new Settings(Schedule.PLATEAU, 0, 2, 0.2, 0));
    double[] metrics = {0.5, 0.6, 0.6, 0.60001, 0.59, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7};
    double[] expected = {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2};
    for (int i = 0; i < metrics.length; i++) {
      s.validated(metrics[i]);
      assertEquals(expected[i], s.rate(1, i, 10, 1000), 1e-15, "validation " + i);
      LearningRate copy = new LearningRate(new Settings(Schedule.PLATEAU, 0, 2, 0.2, 0));
      copy.restore(s.state());
      assertEquals(s.rate(1, i, 10, 0), copy.rate(1, i, 10, 0));
    }
  }

  @Test
  void warmUpIsALine() {
    LearningRate s = new LearningRate(new Settings(Schedule.NONE, 0, 0, 0, 4));
    double[] rates = IntStream.range(0, 6).mapToDouble(i -> s.rate(2, 0, 10, i)).toArray();
    assertArrayEquals(new double[] {0.5, 1, 1.5, 2, 2, 2}, rates, 1e-15);
  }
}
