package org.gammanet.config;

import java.util.List;

/** The plan of VGG16 (Simonyan and Zisserman 2015, configuration D). */
public final class Vgg16 {
  /** Width of its first block. */
  public static final int WIDTH = 64;

  /** Index of each convolution in torchvision's {@code features}, by block. */
  public static final List<List<Integer>> CONVOLUTIONS =
      List.of(
          List.of(0, 2),
          List.of(5, 7),
          List.of(10, 12, 14),
          List.of(17, 19, 21),
          List.of(24, 26, 28));

  private Vgg16() {}
}
