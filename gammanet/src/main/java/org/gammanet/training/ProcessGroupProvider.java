package org.gammanet.training;

/** Makes process groups; a service, of the artifact {@code gammanet-distributed}. */
public interface ProcessGroupProvider {
  /**
   * Meets the other ranks.
   *
   * @throws TrainingException where they do not come, or this LibTorch has no process groups
   */
  ProcessGroup join(Rendezvous rendezvous);
}
