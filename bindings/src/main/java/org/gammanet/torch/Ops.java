package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * The operators that the project needs, under PyTorch's names.
 *
 * <p>Each returns a new tensor that belongs to the current {@link TensorScope}, or to the caller
 * when there is none. A name that ends in {@code _} changes its first argument and returns it. All
 * but those with an integer or bool result are differentiable. A bad argument throws {@link
 * TorchException} with the operator, the shapes and LibTorch's reason.
 */
public final class Ops {
  private static final Operator RELU = Operator.of("aten::relu(Tensor self) -> Tensor");
  private static final Operator RELU_INPLACE =
      Operator.of("aten::relu_(Tensor(a!) self) -> Tensor(a!)");
  private static final Operator SIGMOID = Operator.of("aten::sigmoid(Tensor self) -> Tensor");
  private static final Operator SIGMOID_INPLACE =
      Operator.of("aten::sigmoid_(Tensor(a!) self) -> Tensor(a!)");
  private static final Operator TANH = Operator.of("aten::tanh(Tensor self) -> Tensor");
  private static final Operator EXP = Operator.of("aten::exp(Tensor self) -> Tensor");
  private static final Operator EXPM1 = Operator.of("aten::expm1(Tensor self) -> Tensor");
  private static final Operator LOG = Operator.of("aten::log(Tensor self) -> Tensor");
  private static final Operator LOG1P = Operator.of("aten::log1p(Tensor self) -> Tensor");
  private static final Operator SQRT = Operator.of("aten::sqrt(Tensor self) -> Tensor");
  private static final Operator RSQRT = Operator.of("aten::rsqrt(Tensor self) -> Tensor");
  private static final Operator SQUARE = Operator.of("aten::square(Tensor self) -> Tensor");
  private static final Operator RECIPROCAL = Operator.of("aten::reciprocal(Tensor self) -> Tensor");
  private static final Operator ABS = Operator.of("aten::abs(Tensor self) -> Tensor");
  private static final Operator NEG = Operator.of("aten::neg(Tensor self) -> Tensor");
  private static final Operator SIGN = Operator.of("aten::sign(Tensor self) -> Tensor");
  private static final Operator SIN = Operator.of("aten::sin(Tensor self) -> Tensor");
  private static final Operator COS = Operator.of("aten::cos(Tensor self) -> Tensor");
  private static final Operator ERF = Operator.of("aten::erf(Tensor self) -> Tensor");
  private static final Operator FLOOR = Operator.of("aten::floor(Tensor self) -> Tensor");
  private static final Operator ISFINITE = Operator.of("aten::isfinite(Tensor self) -> Tensor");
  private static final Operator LOG_SIGMOID =
      Operator.of("aten::log_sigmoid(Tensor self) -> Tensor");
  private static final Operator MUL =
      Operator.of("aten::mul.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator DIV =
      Operator.of("aten::div.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator MUL_INPLACE =
      Operator.of("aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)");
  private static final Operator POW =
      Operator.of("aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor");
  private static final Operator MAXIMUM =
      Operator.of("aten::maximum(Tensor self, Tensor other) -> Tensor");
  private static final Operator MINIMUM =
      Operator.of("aten::minimum(Tensor self, Tensor other) -> Tensor");
  private static final Operator GT =
      Operator.of("aten::gt.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator LE =
      Operator.of("aten::le.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator LT =
      Operator.of("aten::lt.Tensor(Tensor self, Tensor other) -> Tensor");
  private static final Operator CLAMP =
      Operator.of("aten::clamp.Tensor(Tensor self, Tensor? min, Tensor? max) -> Tensor");
  private static final Operator LERP =
      Operator.of("aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor");
  private static final Operator LERP_INPLACE =
      Operator.of("aten::lerp_.Tensor(Tensor(a!) self, Tensor end, Tensor weight) -> Tensor(a!)");
  private static final Operator WHERE =
      Operator.of("aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor");
  private static final Operator CAT = Operator.of("aten::cat(Tensor[] tensors, int dim) -> Tensor");
  private static final Operator STACK =
      Operator.of("aten::stack(Tensor[] tensors, int dim) -> Tensor");
  private static final Operator NARROW =
      Operator.of("aten::narrow(Tensor self, int dim, int start, int length) -> Tensor");
  private static final Operator SELECT =
      Operator.of("aten::select.int(Tensor self, int dim, int index) -> Tensor");
  private static final Operator RESHAPE =
      Operator.of("aten::reshape(Tensor self, int[] shape) -> Tensor");
  private static final Operator EXPAND =
      Operator.of("aten::expand(Tensor self, int[] size, bool implicit) -> Tensor");
  private static final Operator SQUEEZE =
      Operator.of("aten::squeeze.dim(Tensor self, int dim) -> Tensor");
  private static final Operator TRANSPOSE =
      Operator.of("aten::transpose.int(Tensor self, int dim0, int dim1) -> Tensor");
  private static final Operator PERMUTE =
      Operator.of("aten::permute(Tensor self, int[] dims) -> Tensor");
  private static final Operator FLIP = Operator.of("aten::flip(Tensor self, int[] dims) -> Tensor");
  private static final Operator ROT90 =
      Operator.of("aten::rot90(Tensor self, int k, int[] dims) -> Tensor");
  private static final Operator CONTIGUOUS =
      Operator.of("aten::contiguous(Tensor self, MemoryFormat memory_format) -> Tensor");
  private static final Operator CLONE =
      Operator.of("aten::clone(Tensor self, MemoryFormat? memory_format) -> Tensor");
  private static final Operator DETACH = Operator.of("aten::detach(Tensor self) -> Tensor");
  private static final Operator TO_DTYPE =
      Operator.of(
          "aten::to.dtype(Tensor self, ScalarType dtype, bool non_blocking, bool copy, "
              + "MemoryFormat? memory_format) -> Tensor");
  private static final Operator TO_DEVICE =
      Operator.of(
          "aten::to.device(Tensor self, Device device, ScalarType dtype, bool "
              + "non_blocking, bool copy, MemoryFormat? memory_format) -> Tensor");
  private static final Operator REPLICATION_PAD2D =
      Operator.of("aten::replication_pad2d(Tensor self, int[] padding) -> Tensor");
  private static final Operator SUM_ALL =
      Operator.of("aten::sum(Tensor self, ScalarType? dtype) -> Tensor");
  private static final Operator SUM =
      Operator.of(
          "aten::sum.dim_IntList(Tensor self, int[]? dim, bool keepdim, ScalarType? dtype) "
              + "-> Tensor");
  private static final Operator MEAN_ALL =
      Operator.of("aten::mean(Tensor self, ScalarType? dtype) -> Tensor");
  private static final Operator MEAN =
      Operator.of(
          "aten::mean.dim(Tensor self, int[]? dim, bool keepdim, ScalarType? dtype) -> "
              + "Tensor");
  private static final Operator VAR =
      Operator.of("aten::var.dim(Tensor self, int[]? dim, bool unbiased, bool keepdim) -> Tensor");
  private static final Operator AMAX =
      Operator.of("aten::amax(Tensor self, int[] dim, bool keepdim) -> Tensor");
  private static final Operator AMIN =
      Operator.of("aten::amin(Tensor self, int[] dim, bool keepdim) -> Tensor");
  private static final Operator ARGMAX =
      Operator.of("aten::argmax(Tensor self, int? dim, bool keepdim) -> Tensor");
  private static final Operator ALL = Operator.of("aten::all(Tensor self) -> Tensor");
  private static final Operator DOT =
      Operator.of("aten::dot(Tensor self, Tensor tensor) -> Tensor");
  private static final Operator MATMUL =
      Operator.of("aten::matmul(Tensor self, Tensor other) -> Tensor");
  private static final Operator LINEAR =
      Operator.of("aten::linear(Tensor input, Tensor weight, Tensor? bias) -> Tensor");
  private static final Operator CONV2D =
      Operator.of(
          "aten::conv2d(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] "
              + "padding, int[] dilation, int groups) -> Tensor");
  private static final Operator CONV_TRANSPOSE2D =
      Operator.of(
          "aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias, int[] "
              + "stride, int[] padding, int[] output_padding, int groups, int[] dilation) -> "
              + "Tensor");
  private static final Operator MAX_POOL2D =
      Operator.of(
          "aten::max_pool2d(Tensor self, int[] kernel_size, int[] stride, int[] padding, "
              + "int[] dilation, bool ceil_mode) -> Tensor");
  private static final Operator UPSAMPLE =
      Operator.of(
          "aten::upsample_bilinear2d(Tensor self, int[] output_size, bool align_corners, "
              + "float? scales_h, float? scales_w) -> Tensor");
  private static final Operator INSTANCE_NORM =
      Operator.of(
          "aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? "
              + "running_mean, Tensor? running_var, bool use_input_stats, float momentum, float "
              + "eps, bool cudnn_enabled) -> Tensor");
  private static final Operator GROUP_NORM =
      Operator.of(
          "aten::group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, "
              + "float eps, bool cudnn_enabled) -> Tensor");
  private static final Operator BATCH_NORM =
      Operator.of(
          "aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? "
              + "running_mean, Tensor? running_var, bool training, float momentum, float eps, "
              + "bool cudnn_enabled) -> Tensor");
  private static final Operator GEQRF =
      Operator.of("aten::geqrf(Tensor self) -> (Tensor a, Tensor tau)");
  private static final Operator HOUSEHOLDER_PRODUCT =
      Operator.of("aten::linalg_householder_product(Tensor input, Tensor tau) -> Tensor");
  private static final Operator TRIU =
      Operator.of("aten::triu(Tensor self, int diagonal) -> Tensor");
  private static final Operator DIAGONAL =
      Operator.of("aten::diagonal(Tensor self, int offset, int dim1, int dim2) -> Tensor");
  private static final Operator FUSED_ADAM =
      Operator.of(
          "aten::_fused_adam_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] "
              + "exp_avg_sqs, Tensor[] max_exp_avg_sqs, Tensor[] state_steps, float lr, float "
              + "beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, "
              + "Tensor? grad_scale, Tensor? found_inf) -> ()");
  private static final Operator FUSED_ADAMW =
      Operator.of(
          "aten::_fused_adamw_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] "
              + "exp_avg_sqs, Tensor[] max_exp_avg_sqs, Tensor[] state_steps, float lr, float "
              + "beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, "
              + "Tensor? grad_scale, Tensor? found_inf) -> ()");

  private Ops() {}

  // ---- Elementwise, one argument: any shape, same shape out ----

  /** {@code max(x, 0)}. */
  public static Tensor relu(Tensor x) {
    return RELU.tensor(x);
  }

  /** {@code max(x, 0)} in place; returns {@code x}. */
  public static Tensor relu_(Tensor x) {
    return RELU_INPLACE.inPlace(x);
  }

  /** Logistic function {@code 1 / (1 + exp(-x))}. */
  public static Tensor sigmoid(Tensor x) {
    return SIGMOID.tensor(x);
  }

  /** Logistic function in place; returns {@code x}. */
  public static Tensor sigmoid_(Tensor x) {
    return SIGMOID_INPLACE.inPlace(x);
  }

  /** Hyperbolic tangent. */
  public static Tensor tanh(Tensor x) {
    return TANH.tensor(x);
  }

  /** {@code e^x}. */
  public static Tensor exp(Tensor x) {
    return EXP.tensor(x);
  }

  /** {@code e^x - 1}, accurate near 0. */
  public static Tensor expm1(Tensor x) {
    return EXPM1.tensor(x);
  }

  /** Natural logarithm. */
  public static Tensor log(Tensor x) {
    return LOG.tensor(x);
  }

  /** {@code log(1 + x)}, accurate near 0. */
  public static Tensor log1p(Tensor x) {
    return LOG1P.tensor(x);
  }

  /** Square root. */
  public static Tensor sqrt(Tensor x) {
    return SQRT.tensor(x);
  }

  /** {@code 1 / sqrt(x)}. */
  public static Tensor rsqrt(Tensor x) {
    return RSQRT.tensor(x);
  }

  /** {@code x * x}. */
  public static Tensor square(Tensor x) {
    return SQUARE.tensor(x);
  }

  /** {@code 1 / x}. */
  public static Tensor reciprocal(Tensor x) {
    return RECIPROCAL.tensor(x);
  }

  /** Absolute value. */
  public static Tensor abs(Tensor x) {
    return ABS.tensor(x);
  }

  /** {@code -x}. */
  public static Tensor neg(Tensor x) {
    return NEG.tensor(x);
  }

  /** -1, 0 or 1. */
  public static Tensor sign(Tensor x) {
    return SIGN.tensor(x);
  }

  /** Sine, radians. */
  public static Tensor sin(Tensor x) {
    return SIN.tensor(x);
  }

  /** Cosine, radians. */
  public static Tensor cos(Tensor x) {
    return COS.tensor(x);
  }

  /** Error function. */
  public static Tensor erf(Tensor x) {
    return ERF.tensor(x);
  }

  /** Largest integer not above. */
  public static Tensor floor(Tensor x) {
    return FLOOR.tensor(x);
  }

  /** Bool: neither infinite nor NaN. */
  public static Tensor isfinite(Tensor x) {
    return ISFINITE.tensor(x);
  }

  /** {@code log(sigmoid(x))}, accurate for large {@code |x|}. */
  public static Tensor logsigmoid(Tensor x) {
    return LOG_SIGMOID.tensor(x);
  }

  /** {@code log(1 + e^x)}; PyTorch's {@code softplus} with its defaults, to float32 rounding. */
  public static Tensor softplus(Tensor x) {
    return scoped(() -> neg(logsigmoid(neg(x))));
  }

  /** {@code x} above 0, {@code e^x - 1} below. */
  public static Tensor elu(Tensor x) {
    // aten::elu takes Scalars, which the C ABI cannot pass.
    return scoped(() -> add(relu(x), expm1(minimum(x, Tensor.scalar(0)))));
  }

  /** {@code x * Phi(x)} with the exact normal distribution function. */
  public static Tensor gelu(Tensor x) {
    return scoped(() -> mul(x, mul(add(erf(mul(x, Math.sqrt(0.5))), 1), 0.5)));
  }

  // ---- Elementwise, two arguments: shapes broadcast against each other ----

  /** {@code a + b}. */
  public static Tensor add(Tensor a, Tensor b) {
    return subtract("aten::add.Tensor", a, b, -1);
  }

  /** {@code a - b}. */
  public static Tensor sub(Tensor a, Tensor b) {
    return subtract("aten::sub.Tensor", a, b, 1);
  }

  /** {@code a - alpha * b}; addition by the only function of the C ABI that takes a Scalar. */
  private static Tensor subtract(String name, Tensor a, Tensor b, double alpha) {
    LibTorch.load();
    try (Borrowed use = new Borrowed()) {
      MemorySegment first = use.of(a);
      MemorySegment second = use.of(b);
      MemorySegment out = Native.out();
      ThreadGradMode.apply();
      int status = LibTorchStable.aoti_torch_aten_subtract_Tensor(first, second, alpha, out);
      if (status != 0) {
        throw new TorchException(name + "(" + a + ", " + b + "): " + Native.lastError());
      }
      return Tensor.adopt(out.get(ADDRESS, 0));
    }
  }

  /** {@code a * b}. */
  public static Tensor mul(Tensor a, Tensor b) {
    return MUL.tensor(a, b);
  }

  /** {@code a *= b}; returns {@code a}. */
  public static Tensor mul_(Tensor a, Tensor b) {
    return MUL_INPLACE.inPlace(a, b);
  }

  /** {@code a / b}. */
  public static Tensor div(Tensor a, Tensor b) {
    return DIV.tensor(a, b);
  }

  /** {@code a^b}. */
  public static Tensor pow(Tensor a, Tensor b) {
    return POW.tensor(a, b);
  }

  /** The larger of both; NaN where either is NaN. */
  public static Tensor maximum(Tensor a, Tensor b) {
    return MAXIMUM.tensor(a, b);
  }

  /** The smaller of both; NaN where either is NaN. */
  public static Tensor minimum(Tensor a, Tensor b) {
    return MINIMUM.tensor(a, b);
  }

  /** Bool: {@code a > b}. */
  public static Tensor gt(Tensor a, Tensor b) {
    return GT.tensor(a, b);
  }

  /** Bool: {@code a <= b}. */
  public static Tensor le(Tensor a, Tensor b) {
    return LE.tensor(a, b);
  }

  /** Bool: {@code a < b}. */
  public static Tensor lt(Tensor a, Tensor b) {
    return LT.tensor(a, b);
  }

  /** {@code a * value}. */
  public static Tensor mul(Tensor a, double value) {
    return withScalar(value, s -> mul(a, s));
  }

  /** {@code a + value}. */
  public static Tensor add(Tensor a, double value) {
    return withScalar(value, s -> add(a, s));
  }

  /**
   * {@code min} to {@code max}, values outside replaced by the nearer one; the gradient is 1 inside
   * and 0 outside.
   */
  public static Tensor clamp(Tensor x, double min, double max) {
    return scoped(() -> CLAMP.tensor(x, scalarLike(min, x), scalarLike(max, x)));
  }

  /** {@code start + weight * (end - start)}: {@code (1 - w) * start + w * end}. */
  public static Tensor lerp(Tensor start, Tensor end, Tensor weight) {
    return LERP.tensor(start, end, weight);
  }

  /** {@code start += weight * (end - start)}; returns {@code start}. */
  public static Tensor lerp_(Tensor start, Tensor end, Tensor weight) {
    return LERP_INPLACE.inPlace(start, end, weight);
  }

  /** {@code a} where {@code condition} (bool), else {@code b}. */
  public static Tensor where(Tensor condition, Tensor a, Tensor b) {
    return WHERE.tensor(condition, a, b);
  }

  // ---- Shape ----

  /** Joins along a dimension; the other sizes agree. */
  public static Tensor cat(List<Tensor> tensors, int dim) {
    return CAT.tensor(tensors, dim);
  }

  /** Joins along a new dimension; all shapes agree. */
  public static Tensor stack(List<Tensor> tensors, int dim) {
    return STACK.tensor(tensors, dim);
  }

  /** The part {@code start .. start + length - 1} of a dimension; shares memory. */
  public static Tensor narrow(Tensor x, int dim, long start, long length) {
    return NARROW.tensor(x, dim, start, length);
  }

  /** One index of a dimension, which disappears; shares memory. */
  public static Tensor select(Tensor x, int dim, long index) {
    return SELECT.tensor(x, dim, index);
  }

  /** The same elements in another shape; one size may be -1. */
  public static Tensor reshape(Tensor x, long... shape) {
    return RESHAPE.tensor(x, shape);
  }

  /** Repeats dimensions of size 1 without copying; -1 keeps a size. */
  public static Tensor expand(Tensor x, long... shape) {
    return EXPAND.tensor(x, shape, false);
  }

  /** Removes a dimension of size 1; shares memory. */
  public static Tensor squeeze(Tensor x, int dim) {
    return SQUEEZE.tensor(x, dim);
  }

  /** Exchanges two dimensions; shares memory. */
  public static Tensor transpose(Tensor x, int dim0, int dim1) {
    return TRANSPOSE.tensor(x, dim0, dim1);
  }

  /** Reorders the dimensions; shares memory. */
  public static Tensor permute(Tensor x, long... dims) {
    return PERMUTE.tensor(x, dims);
  }

  /** Reverses dimensions; a copy. */
  public static Tensor flip(Tensor x, long... dims) {
    return FLIP.tensor(x, dims);
  }

  /**
   * Rotates by {@code k * 90} degrees in a plane, from the first of its dimensions to the second.
   */
  public static Tensor rot90(Tensor x, int k, long... dims) {
    return ROT90.tensor(x, k, dims);
  }

  /** Row-major without gaps: another owner of {@code x}, or a copy. */
  public static Tensor contiguous(Tensor x) {
    return CONTIGUOUS.tensor(x, LibTorchStable.aoti_torch_memory_format_contiguous_format());
  }

  /**
   * A map (N, C, H, W) that lies channels last, as {@link Tensor#isChannelsLast} has it: another
   * owner of {@code x}, or a copy.
   */
  public static Tensor channelsLast(Tensor x) {
    if (x.isChannelsLast()) {
      return x.alias();
    }
    return scoped(() -> permute(contiguous(permute(x, 0, 2, 3, 1)), 0, 3, 1, 2));
  }

  /** A row-major copy, differentiable. */
  public static Tensor clone(Tensor x) {
    return CLONE.tensor(x, LibTorchStable.aoti_torch_memory_format_contiguous_format());
  }

  /** The same memory without history. */
  public static Tensor detach(Tensor x) {
    return DETACH.tensor(x);
  }

  /** Converts the elements; another owner of {@code x} when it has the type already. */
  public static Tensor to(Tensor x, DType dtype) {
    return TO_DTYPE.tensor(x, dtype, false, false, null);
  }

  /** Moves to a device and converts the elements. */
  public static Tensor to(Tensor x, Device device, DType dtype) {
    return TO_DEVICE.tensor(x, device, dtype, false, false, null);
  }

  /** Repeats the edge pixels: (N, C, H, W) to (N, C, top + H + bottom, left + W + right). */
  public static Tensor replicationPad2d(Tensor x, long left, long right, long top, long bottom) {
    return REPLICATION_PAD2D.tensor(x, new long[] {left, right, top, bottom});
  }

  // ---- Reductions ----

  /** Sum of all elements, 0-dimensional. */
  public static Tensor sum(Tensor x) {
    return SUM_ALL.tensor(x, (Object) null);
  }

  /** Sum over dimensions, which disappear. */
  public static Tensor sum(Tensor x, long... dim) {
    return sum(x, dim, false);
  }

  /** Sum over dimensions, which become size 1 ({@code keepdim}) or disappear. */
  public static Tensor sum(Tensor x, long[] dim, boolean keepdim) {
    return SUM.tensor(x, dim, keepdim, null);
  }

  /** Mean of all elements, 0-dimensional. */
  public static Tensor mean(Tensor x) {
    return MEAN_ALL.tensor(x, (Object) null);
  }

  /** Mean over dimensions, which disappear. */
  public static Tensor mean(Tensor x, long... dim) {
    return mean(x, dim, false);
  }

  /** Mean over dimensions, which become size 1 ({@code keepdim}) or disappear. */
  public static Tensor mean(Tensor x, long[] dim, boolean keepdim) {
    return MEAN.tensor(x, dim, keepdim, null);
  }

  /** Largest element over dimensions, which disappear; equal ones share the gradient. */
  public static Tensor amax(Tensor x, long... dim) {
    return amax(x, dim, false);
  }

  /**
   * Largest element over dimensions, which become size 1 ({@code keepdim}) or disappear; equal ones
   * share the gradient.
   */
  public static Tensor amax(Tensor x, long[] dim, boolean keepdim) {
    return AMAX.tensor(x, dim, keepdim);
  }

  /** Smallest element over dimensions, which disappear; equal ones share the gradient. */
  public static Tensor amin(Tensor x, long... dim) {
    return amin(x, dim, false);
  }

  /**
   * Smallest element over dimensions, which become size 1 ({@code keepdim}) or disappear; equal
   * ones share the gradient.
   */
  public static Tensor amin(Tensor x, long[] dim, boolean keepdim) {
    return AMIN.tensor(x, dim, keepdim);
  }

  /**
   * Variance over dimensions, which become size 1 ({@code keepdim}) or disappear.
   *
   * @param unbiased whether the sum of squares is divided by n - 1, as by default in PyTorch, or n
   */
  public static Tensor var(Tensor x, long[] dim, boolean unbiased, boolean keepdim) {
    return VAR.tensor(x, dim, unbiased, keepdim);
  }

  /** Index (int64) of the first largest element along a dimension, which disappears. */
  public static Tensor argmax(Tensor x, int dim) {
    return ARGMAX.tensor(x, dim, false);
  }

  /** Bool, 0-dimensional: all elements are true or non-zero. */
  public static Tensor all(Tensor x) {
    return ALL.tensor(x);
  }

  // ---- Products ----

  /** Sum of the products of two vectors, 0-dimensional. */
  public static Tensor dot(Tensor a, Tensor b) {
    return DOT.tensor(a, b);
  }

  /** Matrix product (…, n, k) x (…, k, m) to (…, n, m). */
  public static Tensor matmul(Tensor a, Tensor b) {
    return MATMUL.tensor(a, b);
  }

  /** {@code x (…, in) * weight (out, in) transposed + bias (out)}. */
  public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
    return LINEAR.tensor(x, weight, bias);
  }

  // ---- Convolution and pooling: (N, C, H, W) ----

  /**
   * Cross-correlation of x (N, C, H, W) with weight (O, C, kh, kw) and bias (O): (N, O, H', W')
   * with H' = (H + 2 padding - kh) / stride + 1.
   */
  public static Tensor conv2d(
      Tensor x, Tensor weight, @Nullable Tensor bias, int stride, int padding) {
    return Autocast.run(
        (input, kernel, offset) ->
            CONV2D.tensor(input, kernel, offset, pair(stride), pair(padding), pair(1), 1),
        x,
        weight,
        bias);
  }

  /**
   * Transposed convolution of x (N, C, H, W) with weight (C, O, kh, kw) and bias (O): (N, O, H',
   * W') with H' = (H - 1) stride - 2 padding + kh.
   */
  public static Tensor convTranspose2d(
      Tensor x, Tensor weight, @Nullable Tensor bias, int stride, int padding) {
    return Autocast.run(
        (input, kernel, offset) ->
            CONV_TRANSPOSE2D.tensor(
                input, kernel, offset, pair(stride), pair(padding), pair(0), 1, pair(1)),
        x,
        weight,
        bias);
  }

  /**
   * Maximum of kernelSize x kernelSize windows at the given stride; an incomplete window at the
   * right or bottom is dropped.
   */
  public static Tensor maxPool2d(Tensor x, int kernelSize, int stride) {
    return MAX_POOL2D.tensor(x, pair(kernelSize), pair(stride), pair(0), pair(1), false);
  }

  /** Bilinear resize to (N, C, height, width), half-pixel centers, no antialiasing. */
  public static Tensor upsampleBilinear2d(Tensor x, long height, long width) {
    return UPSAMPLE.tensor(x, new long[] {height, width}, false, null, null);
  }

  // ---- Normalization: biased variance, epsilon inside the square root ----

  /** Over the pixels of each sample and channel of (N, C, H, W); weight and bias (C). */
  public static Tensor instanceNorm(
      Tensor x, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return INSTANCE_NORM.tensor(x, weight, bias, null, null, true, 0.1, epsilon, true);
  }

  /** Over the pixels and channels of each sample and group of C / groups consecutive channels. */
  public static Tensor groupNorm(
      Tensor x, int groups, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return GROUP_NORM.tensor(x, groups, weight, bias, epsilon, true);
  }

  /**
   * Over samples and pixels of each channel when training, which also updates the running mean and
   * variance (C) in place if they are given; with those, which are needed, when not.
   */
  public static Tensor batchNorm(
      Tensor x,
      @Nullable Tensor weight,
      @Nullable Tensor bias,
      @Nullable Tensor runningMean,
      @Nullable Tensor runningVariance,
      boolean training,
      double momentum,
      double epsilon) {
    return BATCH_NORM.tensor(
        x, weight, bias, runningMean, runningVariance, training, momentum, epsilon, true);
  }

  // ---- Linear algebra ----

  /**
   * Reduced QR decomposition of a (m, n) with m at least n: Q (m, n) with orthonormal columns, and
   * R (n, n), upper triangular.
   */
  public static Tensor[] qr(Tensor a) {
    try (var scope = TensorScope.open()) {
      Tensor[] factors = GEQRF.tensors(2, a);
      Tensor q = HOUSEHOLDER_PRODUCT.tensor(factors[0], factors[1]);
      Tensor r = TRIU.tensor(narrow(factors[0], 0, 0, a.size(1)), 0);
      return new Tensor[] {scope.keep(q), scope.keep(r)};
    }
  }

  /** The main diagonal of a matrix; shares memory. */
  public static Tensor diagonal(Tensor a) {
    return DIAGONAL.tensor(a, 0, 0, 1);
  }

  // ---- Optimizers ----

  /**
   * One step of Adam, or of AdamW, on all parameters.
   *
   * @param decoupled AdamW: weight decay scales the parameters instead of adding to the gradients
   * @param expAvgs running means of the gradients, updated
   * @param expAvgSqs running means of their squares, updated
   * @param steps number of this step, one element each
   * @param gradScale what the gradients are divided by; null for nothing
   */
  public static void fusedAdam_(
      boolean decoupled,
      List<Tensor> parameters,
      List<Tensor> gradients,
      List<Tensor> expAvgs,
      List<Tensor> expAvgSqs,
      List<Tensor> steps,
      double lr,
      double beta1,
      double beta2,
      double weightDecay,
      double epsilon,
      @Nullable Tensor gradScale) {
    (decoupled ? FUSED_ADAMW : FUSED_ADAM)
        .run(
            parameters,
            gradients,
            expAvgs,
            expAvgSqs,
            List.of(),
            steps,
            lr,
            beta1,
            beta2,
            weightDecay,
            epsilon,
            false,
            false,
            gradScale,
            null);
    parameters.forEach(Tensor::bumpVersion); // the operator does not count as a change
  }

  // ---- Helpers ----

  /** Runs in a scope of its own: only the result survives. */
  private static Tensor scoped(Supplier<Tensor> body) {
    try (var scope = TensorScope.open()) {
      return scope.keep(body.get());
    }
  }

  private static Tensor withScalar(double value, Function<Tensor, Tensor> body) {
    return scoped(() -> body.apply(Tensor.scalar(value)));
  }

  /** A number of x's type, for operators that do not convert. */
  private static Tensor scalarLike(double value, Tensor x) {
    return Tensor.full(value, x.dtype(), x.device());
  }

  private static long[] pair(long value) {
    return new long[] {value, value};
  }
}
