package org.gammanet.experiments.stimuli;

/** Stimuli that have been described completely and are only to be made. */
@FunctionalInterface
public interface StimulusGenerator {
  /** The stimuli; always the same ones. */
  StimulusSet generate();
}
