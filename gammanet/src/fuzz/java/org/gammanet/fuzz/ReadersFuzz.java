package org.gammanet.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;

/**
 * Coverage-guided fuzzing of every reader by Jazzer, one at a time: {@code mvn -Pfuzz -pl gammanet
 * -am test -Dtest=ReadersFuzz#png -Dsurefire.failIfNoSpecifiedTests=false}. What Jazzer finds is
 * kept in {@code .cifuzz-corpus} and as a seed beside this class.
 */
class ReadersFuzz {
  private static final String DURATION = "10m";

  @FuzzTest(maxDuration = DURATION)
  void png(byte[] input) throws IOException {
    Reader.PNG.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void jpeg(byte[] input) throws IOException {
    Reader.JPEG.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void gif(byte[] input) throws IOException {
    Reader.GIF.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void bmp(byte[] input) throws IOException {
    Reader.BMP.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void tiff(byte[] input) throws IOException {
    Reader.TIFF.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void webp(byte[] input) throws IOException {
    Reader.WEBP.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void npy(byte[] input) throws IOException {
    Reader.NPY.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void npyMap(byte[] input) throws IOException {
    Reader.NPY_MAP.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void mat(byte[] input) throws IOException {
    Reader.MAT.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void matMap(byte[] input) throws IOException {
    Reader.MAT_MAP.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void safetensors(byte[] input) throws IOException {
    Reader.SAFETENSORS.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void torch(byte[] input) throws IOException {
    Reader.TORCH.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void torchLegacy(byte[] input) throws IOException {
    Reader.TORCH_LEGACY.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void keras(byte[] input) throws IOException {
    Reader.KERAS.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void yaml(byte[] input) throws IOException {
    Reader.YAML.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void storedConfig(byte[] input) throws IOException {
    Reader.STORED_CONFIG.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void override(byte[] input) throws IOException {
    Reader.OVERRIDE.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void counts(byte[] input) throws IOException {
    Reader.COUNTS.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void metrics(byte[] input) throws IOException {
    Reader.METRICS.read(input);
  }

  @FuzzTest(maxDuration = DURATION)
  void trainerState(byte[] input) throws IOException {
    Reader.TRAINER_STATE.read(input);
  }
}
