package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.gammanet.io.RgbImage;
import org.gammanet.io.SplitMix;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

/** Training and detection give the network the same numbers for the same image. */
class PreprocessingTest {
  private static final Preprocessing PREPROCESSING =
      new Preprocessing(List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225), 4);

  private static RgbImage image(int width, int height) {
    byte[] samples = new byte[3 * width * height];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (byte) (37 * i);
    }
    return new RgbImage(width, height, samples);
  }

  @Test
  void trainingSeesWhatDetectionSees() {
    RgbImage image = image(16, 16);
    Example example =
        new Example(
            "a", 16, 16, image.samples(), Example.Layers.equal(new short[16 * 16], 1, true));
    Sample sample = Augmentation.none(PREPROCESSING).apply(example, new SplitMix(1));
    try (var scope = TensorScope.open()) {
      float[] detected = PREPROCESSING.apply(List.of(image)).toFloatArray();
      float[] trained = PREPROCESSING.apply(sample).toFloatArray();
      // v / 255 is rounded to float in training before it is standardized.
      assertArrayEquals(detected, trained, 2e-7f / 0.224f);
    }
  }

  @Test
  void smallImagesArePaddedWithTheirLastRowAndColumnAndOutputsCropped() {
    RgbImage image = image(3, 2);
    try (var scope = TensorScope.open()) {
      Tensor input = PREPROCESSING.apply(List.of(image, image));
      assertArrayEquals(new long[] {2, 3, 4, 4}, input.shape());
      float[] values = input.toFloatArray();
      for (int c = 0; c < 3; c++) {
        for (int y = 0; y < 4; y++) {
          for (int x = 0; x < 4; x++) {
            int sample = image.sample(Math.min(x, 2), Math.min(y, 1), c);
            assertEquals(
                PREPROCESSING.normalize(c, sample / 255.0), values[(c * 4 + y) * 4 + x], 0f);
            assertEquals(
                sample / 255.0, PREPROCESSING.denormalize(c, values[(c * 4 + y) * 4 + x]), 1e-7);
          }
        }
      }
      assertArrayEquals(new long[] {2, 3, 2, 3}, Preprocessing.crop(input, 2, 3).shape());
      List<RgbImage> mixed = List.of(image, image(2, 3));
      assertThrows(IllegalArgumentException.class, () -> PREPROCESSING.apply(mixed));
    }
  }
}
