package org.gammanet.pretrained.full;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.config.Architecture;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;

class FullModelTest {
  private static final int LARGEST = 90_000_000;

  @Test
  void theFileIsTheOneThatTheCardDescribes() throws IOException, GeneralSecurityException {
    byte[] file;
    try (InputStream stream = PretrainedModel.get(PretrainedModel.FULL).open()) {
      file = stream.readAllBytes();
    }
    assertTrue(file.length <= LARGEST, file.length + " bytes");
    String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(file));
    String card = Files.readString(Path.of("README.md"));
    assertTrue(card.contains(digest), "the model card does not name " + digest);
  }

  /** Bounded circuit parameters keep the states finite however many timesteps there are. */
  @Test
  void fortyTimestepsStayFinite() throws IOException {
    RgbImage photo = Images.read(Path.of("../samples/chelsea.png")).resize(113, 75);
    try (GammaNet net = GammaNet.full(Device.CPU)) {
      assertEquals(Architecture.VGG16_GAMMANET_V2, net.config().model().architecture());
      assertEquals(64, net.config().model().baseChannels());
      for (EdgeMap map :
          net.detect(photo, ForwardOptions.DEFAULTS.withTimesteps(40).withEveryTimestep())) {
        for (float p : map.values()) {
          assertTrue(Float.isFinite(p), "a probability is " + p);
        }
      }
    }
  }
}
