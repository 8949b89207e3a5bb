package org.gammanet.pretrained.full;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import org.gammanet.PretrainedModel;

/** The network that the model card beside this module describes. */
public final class FullModel implements PretrainedModel {
  private static final String FILE = "gammanet-full.safetensors";

  /** For {@code ServiceLoader}. */
  public FullModel() {}

  @Override
  public String name() {
    return FILE;
  }

  @Override
  public String word() {
    return FULL;
  }

  @Override
  public InputStream open() throws IOException {
    InputStream stream = FullModel.class.getResourceAsStream(FILE);
    if (stream == null) {
      throw new FileNotFoundException("its jar lacks it");
    }
    return stream;
  }
}
