package org.gammanet.config;

/** Whether a gate's normalization stands before or after its 1×1 convolution. */
public enum GatePosition implements Word {
  PRE,
  POST
}
