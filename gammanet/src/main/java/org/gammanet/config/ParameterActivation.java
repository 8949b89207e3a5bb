package org.gammanet.config;

/** What keeps dynamic circuit parameters positive. */
public enum ParameterActivation implements Word {
  SOFTPLUS,
  SIGMOID
}
