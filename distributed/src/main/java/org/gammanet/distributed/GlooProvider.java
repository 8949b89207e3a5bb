package org.gammanet.distributed;

import org.gammanet.training.ProcessGroup;
import org.gammanet.training.ProcessGroupProvider;
import org.gammanet.training.Rendezvous;

/** Makes groups of processes that exchange tensors by Gloo, over TCP. */
public final class GlooProvider implements ProcessGroupProvider {
  /** For the service loader. */
  public GlooProvider() {}

  @Override
  public ProcessGroup join(Rendezvous rendezvous) {
    return GlooGroup.join(rendezvous);
  }
}
