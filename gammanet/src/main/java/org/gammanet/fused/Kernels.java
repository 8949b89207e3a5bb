package org.gammanet.fused;

import java.util.Arrays;
import java.util.List;
import org.gammanet.config.Attention;
import org.gammanet.config.Normalization;
import org.gammanet.kernels.NativeCell;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.FgruV2Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** Whether native kernels compute a segment, and why not. */
public final class Kernels {
  private Kernels() {}

  /** Why this machine has no kernels for tensors like these; null when it has. */
  public static @Nullable String fallbackReason(Device device, DType dtype) {
    if (dtype != DType.FLOAT32) {
      return "native kernels work in float32 only";
    }
    if (!NativeKernels.supports(Precision.FLOAT32)) {
      return NativeKernels.fallbackReason();
    }
    return NativeKernels.supports(device) ? null : "there are no native kernels for " + device;
  }

  /** Why there is no kernel for a cell of this kind; null when there is one. */
  public static @Nullable String fallbackReason(FgruCell cell) {
    if (!(cell instanceof FgruV2Cell)) {
      return "cells with a single state as in version 1 have no native kernels";
    }
    if (cell.config().attention() != Attention.NONE) {
      return "cells with attention have no native kernels";
    }
    Normalization norm = cell.config().normalizationType();
    if (Arrays.stream(NativeCell.Norm.values()).noneMatch(n -> n.name().equals(norm.name()))) {
      return "cells with %s normalization have no native kernels".formatted(norm.word());
    }
    return null;
  }

  /**
   * The segment with a native kernel in front of it, or the segment itself where there is none. A
   * cell's new inputs are drive and states without the kernels of the composed one. Where the
   * native kernel does not apply to a call, the composed segment runs.
   */
  public static Segment lower(Segment segment) {
    return switch (segment) {
      case FgruV2Cell cell when fallbackReason(cell) == null -> new FusedCell(cell);
      case Segments.ConvBlock block -> new FusedConvBlock(block);
      case Segments.AlignPool pool -> new FusedAlignPool(pool);
      case Segments.ProjectUp up -> new FusedProjectUp(up);
      default -> segment;
    };
  }

  /**
   * A lowered cell whose new first state is added to a map in the same kernel: inputs and outputs
   * are the cell's, then the map. Null where there is no such kernel.
   */
  public static @Nullable Segment withSum(Segment lowered) {
    return lowered instanceof FusedCell cell && cell.inPlace() ? cell.new WithSum() : null;
  }

  /** Whether a kernel applies to these inputs. */
  static boolean take(ForwardContext context, Tensor... inputs) {
    if (context.composedOnly()) {
      return false;
    }
    for (Tensor input : inputs) {
      if (fallbackReason(input.device(), input.dtype()) != null) {
        return false;
      }
    }
    return true;
  }

  /** The same, for kernels that only the CPU has. */
  static boolean takeOnCpu(ForwardContext context, Tensor... inputs) {
    return inputs[0].device().type() == Device.Type.CPU && take(context, inputs);
  }

  /**
   * The same for a forward pass: automatic differentiation must not need what a kernel leaves out.
   */
  static boolean compute(ForwardContext context, List<Parameter> parameters, Tensor... inputs) {
    if (!take(context, inputs)) {
      return false;
    }
    if (Autograd.isEnabled()) {
      for (Tensor input : inputs) {
        if (input.requiresGrad()) {
          return false;
        }
      }
      for (Parameter parameter : parameters) {
        if (parameter.tensor().requiresGrad()) {
          return false;
        }
      }
    }
    return true;
  }
}
