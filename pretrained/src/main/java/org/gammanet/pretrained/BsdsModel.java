package org.gammanet.pretrained;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import org.gammanet.PretrainedModel;

/** The network that the model card beside this module describes. */
public final class BsdsModel implements PretrainedModel {
  private static final String FILE = "gammanet-bsds.safetensors";

  /** For {@code ServiceLoader}. */
  public BsdsModel() {}

  @Override
  public String name() {
    return FILE;
  }

  @Override
  public InputStream open() throws IOException {
    InputStream stream = BsdsModel.class.getResourceAsStream(FILE);
    if (stream == null) {
      throw new FileNotFoundException("its jar lacks it");
    }
    return stream;
  }
}
