package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.Native;
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
  private static final Operator RELU = Operator.of("aten::relu");
  private static final Operator RELU_INPLACE = Operator.of("aten::relu_");
  private static final Operator SIGMOID = Operator.of("aten::sigmoid");
  private static final Operator SIGMOID_INPLACE = Operator.of("aten::sigmoid_");
  private static final Operator TANH = Operator.of("aten::tanh");
  private static final Operator EXP = Operator.of("aten::exp");
  private static final Operator EXPM1 = Operator.of("aten::expm1");
  private static final Operator LOG = Operator.of("aten::log");
  private static final Operator LOG1P = Operator.of("aten::log1p");
  private static final Operator SQRT = Operator.of("aten::sqrt");
  private static final Operator RSQRT = Operator.of("aten::rsqrt");
  private static final Operator SQUARE = Operator.of("aten::square");
  private static final Operator RECIPROCAL = Operator.of("aten::reciprocal");
  private static final Operator ABS = Operator.of("aten::abs");
  private static final Operator NEG = Operator.of("aten::neg");
  private static final Operator SIGN = Operator.of("aten::sign");
  private static final Operator SIN = Operator.of("aten::sin");
  private static final Operator COS = Operator.of("aten::cos");
  private static final Operator ERF = Operator.of("aten::erf");
  private static final Operator FLOOR = Operator.of("aten::floor");
  private static final Operator ISFINITE = Operator.of("aten::isfinite");
  private static final Operator LOGSIGMOID = Operator.of("aten::log_sigmoid");
  private static final Operator MUL = Operator.of("aten::mul", "Tensor");
  private static final Operator MUL_INPLACE = Operator.of("aten::mul_", "Tensor");
  private static final Operator DIV = Operator.of("aten::div", "Tensor");
  private static final Operator DIV_INPLACE = Operator.of("aten::div_", "Tensor");
  private static final Operator POW = Operator.of("aten::pow", "Tensor_Tensor");
  private static final Operator MAXIMUM = Operator.of("aten::maximum");
  private static final Operator MINIMUM = Operator.of("aten::minimum");
  private static final Operator ATAN2 = Operator.of("aten::atan2");
  private static final Operator EQ = Operator.of("aten::eq", "Tensor");
  private static final Operator GE = Operator.of("aten::ge", "Tensor");
  private static final Operator GT = Operator.of("aten::gt", "Tensor");
  private static final Operator LE = Operator.of("aten::le", "Tensor");
  private static final Operator LT = Operator.of("aten::lt", "Tensor");
  private static final Operator LOGICALAND = Operator.of("aten::logical_and");
  private static final Operator CLAMP = Operator.of("aten::clamp", "Tensor");
  private static final Operator LERP = Operator.of("aten::lerp", "Tensor");
  private static final Operator LERP_INPLACE = Operator.of("aten::lerp_", "Tensor");
  private static final Operator WHERE = Operator.of("aten::where", "self");
  private static final Operator CAT = Operator.of("aten::cat");
  private static final Operator STACK = Operator.of("aten::stack");
  private static final Operator NARROW = Operator.of("aten::narrow");
  private static final Operator SELECT = Operator.of("aten::select", "int");
  private static final Operator RESHAPE = Operator.of("aten::reshape");
  private static final Operator EXPAND = Operator.of("aten::expand");
  private static final Operator UNSQUEEZE = Operator.of("aten::unsqueeze");
  private static final Operator SQUEEZE = Operator.of("aten::squeeze", "dim");
  private static final Operator TRANSPOSE = Operator.of("aten::transpose", "int");
  private static final Operator PERMUTE = Operator.of("aten::permute");
  private static final Operator FLIP = Operator.of("aten::flip");
  private static final Operator ROT90 = Operator.of("aten::rot90");
  private static final Operator INDEX_SELECT = Operator.of("aten::index_select");
  private static final Operator CONTIGUOUS = Operator.of("aten::contiguous");
  private static final Operator CLONE = Operator.of("aten::clone");
  private static final Operator DETACH = Operator.of("aten::detach");
  private static final Operator TO_DTYPE = Operator.of("aten::to", "dtype");
  private static final Operator TO_DEVICE = Operator.of("aten::to", "device");
  private static final Operator REFLECTIONPAD2D = Operator.of("aten::reflection_pad2d");
  private static final Operator REPLICATIONPAD2D = Operator.of("aten::replication_pad2d");
  private static final Operator SUM_ALL = Operator.of("aten::sum");
  private static final Operator SUM = Operator.of("aten::sum", "dim_IntList");
  private static final Operator MEAN_ALL = Operator.of("aten::mean");
  private static final Operator MEAN = Operator.of("aten::mean", "dim");
  private static final Operator VAR = Operator.of("aten::var", "dim");
  private static final Operator AMAX = Operator.of("aten::amax");
  private static final Operator AMIN = Operator.of("aten::amin");
  private static final Operator ARGMAX = Operator.of("aten::argmax");
  private static final Operator ALL = Operator.of("aten::all");
  private static final Operator MATMUL = Operator.of("aten::matmul");
  private static final Operator LINEAR = Operator.of("aten::linear");
  private static final Operator CONV2D = Operator.of("aten::conv2d");
  private static final Operator CONV_TRANSPOSE2D = Operator.of("aten::conv_transpose2d", "input");
  private static final Operator MAX_POOL2D = Operator.of("aten::max_pool2d");
  private static final Operator UPSAMPLE = Operator.of("aten::upsample_bilinear2d");
  private static final Operator GRID_SAMPLE = Operator.of("aten::grid_sampler_2d");
  private static final Operator LAYER_NORM = Operator.of("aten::layer_norm");
  private static final Operator INSTANCE_NORM = Operator.of("aten::instance_norm");
  private static final Operator GROUP_NORM = Operator.of("aten::group_norm");
  private static final Operator BATCH_NORM = Operator.of("aten::batch_norm");
  private static final Operator BCE = Operator.of("aten::binary_cross_entropy_with_logits");
  private static final Operator LSTSQ = Operator.of("aten::linalg_lstsq");
  private static final Operator GEQRF = Operator.of("aten::geqrf");
  private static final Operator HOUSEHOLDER = Operator.of("aten::linalg_householder_product");
  private static final Operator DIAGONAL = Operator.of("aten::diagonal");

  private Ops() {}

  // ---- Elementwise, one argument: any shape, same shape out ----

  /** {@code max(x, 0)}. */
  public static Tensor relu(Tensor x) {
    return RELU.call().tensor(x).one();
  }

  /** {@code max(x, 0)} in place; returns {@code x}. */
  public static Tensor relu_(Tensor x) {
    return inPlace(RELU_INPLACE.call().tensor(x), x);
  }

  /** Logistic function {@code 1 / (1 + exp(-x))}. */
  public static Tensor sigmoid(Tensor x) {
    return SIGMOID.call().tensor(x).one();
  }

  /** Logistic function in place; returns {@code x}. */
  public static Tensor sigmoid_(Tensor x) {
    return inPlace(SIGMOID_INPLACE.call().tensor(x), x);
  }

  /** Hyperbolic tangent. */
  public static Tensor tanh(Tensor x) {
    return TANH.call().tensor(x).one();
  }

  /** {@code e^x}. */
  public static Tensor exp(Tensor x) {
    return EXP.call().tensor(x).one();
  }

  /** {@code e^x - 1}, accurate near 0. */
  public static Tensor expm1(Tensor x) {
    return EXPM1.call().tensor(x).one();
  }

  /** Natural logarithm. */
  public static Tensor log(Tensor x) {
    return LOG.call().tensor(x).one();
  }

  /** {@code log(1 + x)}, accurate near 0. */
  public static Tensor log1p(Tensor x) {
    return LOG1P.call().tensor(x).one();
  }

  /** Square root. */
  public static Tensor sqrt(Tensor x) {
    return SQRT.call().tensor(x).one();
  }

  /** {@code 1 / sqrt(x)}. */
  public static Tensor rsqrt(Tensor x) {
    return RSQRT.call().tensor(x).one();
  }

  /** {@code x * x}. */
  public static Tensor square(Tensor x) {
    return SQUARE.call().tensor(x).one();
  }

  /** {@code 1 / x}. */
  public static Tensor reciprocal(Tensor x) {
    return RECIPROCAL.call().tensor(x).one();
  }

  /** Absolute value. */
  public static Tensor abs(Tensor x) {
    return ABS.call().tensor(x).one();
  }

  /** {@code -x}. */
  public static Tensor neg(Tensor x) {
    return NEG.call().tensor(x).one();
  }

  /** -1, 0 or 1. */
  public static Tensor sign(Tensor x) {
    return SIGN.call().tensor(x).one();
  }

  /** Sine, radians. */
  public static Tensor sin(Tensor x) {
    return SIN.call().tensor(x).one();
  }

  /** Cosine, radians. */
  public static Tensor cos(Tensor x) {
    return COS.call().tensor(x).one();
  }

  /** Error function. */
  public static Tensor erf(Tensor x) {
    return ERF.call().tensor(x).one();
  }

  /** Largest integer not above. */
  public static Tensor floor(Tensor x) {
    return FLOOR.call().tensor(x).one();
  }

  /** Bool: neither infinite nor NaN. */
  public static Tensor isfinite(Tensor x) {
    return ISFINITE.call().tensor(x).one();
  }

  /** {@code log(sigmoid(x))}, accurate for large {@code |x|}. */
  public static Tensor logSigmoid(Tensor x) {
    return LOGSIGMOID.call().tensor(x).one();
  }

  /** {@code log(1 + e^x)}; PyTorch's {@code softplus} with its defaults, to float32 rounding. */
  public static Tensor softplus(Tensor x) {
    return scoped(() -> neg(logSigmoid(neg(x))));
  }

  /** {@code x} above 0, {@code e^x - 1} below. */
  public static Tensor elu(Tensor x) {
    // aten::elu takes Scalars, which the C ABI cannot pass.
    return scoped(() -> add(relu(x), expm1(minimum(x, Tensor.scalar(0)))));
  }

  /** {@code x * Phi(x)} with the exact normal distribution function. */
  public static Tensor gelu(Tensor x) {
    return scoped(() -> mul(x, mulScalar(addScalar(erf(mulScalar(x, Math.sqrt(0.5))), 1), 0.5)));
  }

  // ---- Elementwise, two arguments: shapes broadcast against each other ----

  /** {@code a + b}. */
  public static Tensor add(Tensor a, Tensor b) {
    return subtract(a, b, -1);
  }

  /** {@code a - b}. */
  public static Tensor sub(Tensor a, Tensor b) {
    return subtract(a, b, 1);
  }

  /** {@code a - alpha * b}. */
  public static Tensor subtract(Tensor a, Tensor b, double alpha) {
    LibTorch.load();
    MemorySegment first = a.handle().duplicate();
    try {
      MemorySegment second = b.handle().duplicate();
      try {
        MemorySegment out = Native.scratch();
        int status = LibTorchStable.aoti_torch_aten_subtract_Tensor(first, second, alpha, out);
        if (status != 0) {
          throw new TorchException("aten::sub(" + a + ", " + b + "): " + Native.lastError());
        }
        return new Tensor(out.get(ADDRESS, 0));
      } finally {
        LibTorchStable.aoti_torch_delete_tensor_object(second);
      }
    } finally {
      LibTorchStable.aoti_torch_delete_tensor_object(first);
    }
  }

  /** {@code a * b}. */
  public static Tensor mul(Tensor a, Tensor b) {
    return MUL.call().tensor(a).tensor(b).one();
  }

  /** {@code a *= b}; returns {@code a}. */
  public static Tensor mul_(Tensor a, Tensor b) {
    return inPlace(MUL_INPLACE.call().tensor(a).tensor(b), a);
  }

  /** {@code a / b}. */
  public static Tensor div(Tensor a, Tensor b) {
    return DIV.call().tensor(a).tensor(b).one();
  }

  /** {@code a /= b}; returns {@code a}. */
  public static Tensor div_(Tensor a, Tensor b) {
    return inPlace(DIV_INPLACE.call().tensor(a).tensor(b), a);
  }

  /** {@code a^b}. */
  public static Tensor pow(Tensor a, Tensor b) {
    return POW.call().tensor(a).tensor(b).one();
  }

  /** The larger of both; NaN where either is NaN. */
  public static Tensor maximum(Tensor a, Tensor b) {
    return MAXIMUM.call().tensor(a).tensor(b).one();
  }

  /** The smaller of both; NaN where either is NaN. */
  public static Tensor minimum(Tensor a, Tensor b) {
    return MINIMUM.call().tensor(a).tensor(b).one();
  }

  /** Angle of the point (b, a), radians. */
  public static Tensor atan2(Tensor a, Tensor b) {
    return ATAN2.call().tensor(a).tensor(b).one();
  }

  /** Bool: equal. */
  public static Tensor eq(Tensor a, Tensor b) {
    return EQ.call().tensor(a).tensor(b).one();
  }

  /** Bool: {@code a >= b}. */
  public static Tensor ge(Tensor a, Tensor b) {
    return GE.call().tensor(a).tensor(b).one();
  }

  /** Bool: {@code a > b}. */
  public static Tensor gt(Tensor a, Tensor b) {
    return GT.call().tensor(a).tensor(b).one();
  }

  /** Bool: {@code a <= b}. */
  public static Tensor le(Tensor a, Tensor b) {
    return LE.call().tensor(a).tensor(b).one();
  }

  /** Bool: {@code a < b}. */
  public static Tensor lt(Tensor a, Tensor b) {
    return LT.call().tensor(a).tensor(b).one();
  }

  /** Bool: both true. */
  public static Tensor logicalAnd(Tensor a, Tensor b) {
    return LOGICALAND.call().tensor(a).tensor(b).one();
  }

  /** {@code a * value}. */
  public static Tensor mulScalar(Tensor a, double value) {
    return withScalar(value, s -> mul(a, s));
  }

  /** {@code a *= value}; returns {@code a}. */
  public static Tensor mulScalar_(Tensor a, double value) {
    return withScalar(value, s -> mul_(a, s));
  }

  /** {@code a + value}. */
  public static Tensor addScalar(Tensor a, double value) {
    return withScalar(value, s -> add(a, s));
  }

  /** {@code value - a}. */
  public static Tensor rsubScalar(Tensor a, double value) {
    return scoped(() -> addScalar(neg(a), value));
  }

  /** {@code min(max(x, low), high)}; the gradient is 1 inside and 0 outside. */
  public static Tensor clamp(Tensor x, double low, double high) {
    return scoped(
        () ->
            CLAMP
                .call()
                .tensor(x)
                .optional(scalarLike(low, x))
                .optional(scalarLike(high, x))
                .one());
  }

  /** {@code start + weight * (end - start)}: {@code (1 - w) * start + w * end}. */
  public static Tensor lerp(Tensor start, Tensor end, Tensor weight) {
    return LERP.call().tensor(start).tensor(end).tensor(weight).one();
  }

  /** {@code start += weight * (end - start)}; returns {@code start}. */
  public static Tensor lerp_(Tensor start, Tensor end, Tensor weight) {
    return inPlace(LERP_INPLACE.call().tensor(start).tensor(end).tensor(weight), start);
  }

  /** {@code a} where {@code condition} (bool), else {@code b}. */
  public static Tensor where(Tensor condition, Tensor a, Tensor b) {
    return WHERE.call().tensor(condition).tensor(a).tensor(b).one();
  }

  // ---- Shape ----

  /** Joins along a dimension; the other sizes agree. */
  public static Tensor cat(List<Tensor> tensors, int dimension) {
    return CAT.call().tensors(tensors).integer(dimension).one();
  }

  /** Joins along a new dimension; all shapes agree. */
  public static Tensor stack(List<Tensor> tensors, int dimension) {
    return STACK.call().tensors(tensors).integer(dimension).one();
  }

  /** The part {@code start .. start + length - 1} of a dimension; shares memory. */
  public static Tensor narrow(Tensor x, int dimension, long start, long length) {
    return NARROW.call().tensor(x).integer(dimension).integer(start).integer(length).one();
  }

  /** One index of a dimension, which disappears; shares memory. */
  public static Tensor select(Tensor x, int dimension, long index) {
    return SELECT.call().tensor(x).integer(dimension).integer(index).one();
  }

  /** The same elements in another shape; one size may be -1. */
  public static Tensor reshape(Tensor x, long... shape) {
    return RESHAPE.call().tensor(x).integers(shape).one();
  }

  /** Repeats dimensions of size 1 without copying; -1 keeps a size. */
  public static Tensor expand(Tensor x, long... shape) {
    return EXPAND.call().tensor(x).integers(shape).bool(false).one();
  }

  /** Inserts a dimension of size 1; shares memory. */
  public static Tensor unsqueeze(Tensor x, int dimension) {
    return UNSQUEEZE.call().tensor(x).integer(dimension).one();
  }

  /** Removes a dimension of size 1; shares memory. */
  public static Tensor squeeze(Tensor x, int dimension) {
    return SQUEEZE.call().tensor(x).integer(dimension).one();
  }

  /** Exchanges two dimensions; shares memory. */
  public static Tensor transpose(Tensor x, int first, int second) {
    return TRANSPOSE.call().tensor(x).integer(first).integer(second).one();
  }

  /** Reorders the dimensions; shares memory. */
  public static Tensor permute(Tensor x, long... dimensions) {
    return PERMUTE.call().tensor(x).integers(dimensions).one();
  }

  /** Reverses dimensions; a copy. */
  public static Tensor flip(Tensor x, long... dimensions) {
    return FLIP.call().tensor(x).integers(dimensions).one();
  }

  /**
   * Turns the last two dimensions by {@code quarterTurns * 90} degrees, from the first towards the
   * second of them; a copy.
   */
  public static Tensor rot90(Tensor x, int quarterTurns) {
    return ROT90.call().tensor(x).integer(quarterTurns).integers(-2, -1).one();
  }

  /** The given indices (int64, one dimension) of a dimension; a copy. */
  public static Tensor indexSelect(Tensor x, int dimension, Tensor index) {
    return INDEX_SELECT.call().tensor(x).integer(dimension).tensor(index).one();
  }

  /** Row-major without gaps: another owner of {@code x}, or a copy. */
  public static Tensor contiguous(Tensor x) {
    return CONTIGUOUS
        .call()
        .tensor(x)
        .integer(LibTorchStable.aoti_torch_memory_format_contiguous_format())
        .one();
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
  public static Tensor cloneOf(Tensor x) {
    return CLONE
        .call()
        .tensor(x)
        .optionalInteger(LibTorchStable.aoti_torch_memory_format_contiguous_format())
        .one();
  }

  /** The same memory without history. */
  public static Tensor detach(Tensor x) {
    return DETACH.call().tensor(x).one();
  }

  /** Converts the elements; another owner of {@code x} when it has the type already. */
  public static Tensor to(Tensor x, DType dtype) {
    return TO_DTYPE.call().tensor(x).dtype(dtype).bool(false).bool(false).none().one();
  }

  /** Moves to a device and converts the elements. */
  public static Tensor to(Tensor x, Device device, DType dtype) {
    return TO_DEVICE
        .call()
        .tensor(x)
        .device(device)
        .dtype(dtype)
        .bool(false)
        .bool(false)
        .none()
        .one();
  }

  /**
   * Mirrors at the borders, without repeating the edge pixel: (N, C, H, W) to (N, C, top + H +
   * bottom, left + W + right).
   */
  public static Tensor reflectionPad2d(Tensor x, long left, long right, long top, long bottom) {
    return REFLECTIONPAD2D.call().tensor(x).integers(left, right, top, bottom).one();
  }

  /** Repeats the edge pixels: (N, C, H, W) to (N, C, top + H + bottom, left + W + right). */
  public static Tensor replicationPad2d(Tensor x, long left, long right, long top, long bottom) {
    return REPLICATIONPAD2D.call().tensor(x).integers(left, right, top, bottom).one();
  }

  // ---- Reductions ----

  /** Sum of all elements, 0-dimensional. */
  public static Tensor sum(Tensor x) {
    return SUM_ALL.call().tensor(x).none().one();
  }

  /** Sum over dimensions, which become size 1 ({@code keep}) or disappear. */
  public static Tensor sum(Tensor x, boolean keep, long... dimensions) {
    return SUM.call().tensor(x).optionalIntegers(dimensions).bool(keep).none().one();
  }

  /** Mean of all elements, 0-dimensional. */
  public static Tensor mean(Tensor x) {
    return MEAN_ALL.call().tensor(x).none().one();
  }

  /** Mean over dimensions, which become size 1 ({@code keep}) or disappear. */
  public static Tensor mean(Tensor x, boolean keep, long... dimensions) {
    return MEAN.call().tensor(x).optionalIntegers(dimensions).bool(keep).none().one();
  }

  /**
   * Biased variance (divided by n) over dimensions, which become size 1 ({@code keep}) or
   * disappear.
   */
  public static Tensor variance(Tensor x, boolean keep, long... dimensions) {
    return VAR.call().tensor(x).optionalIntegers(dimensions).bool(false).bool(keep).one();
  }

  /** Largest element over dimensions; equal ones share the gradient. */
  public static Tensor amax(Tensor x, boolean keep, long... dimensions) {
    return AMAX.call().tensor(x).integers(dimensions).bool(keep).one();
  }

  /** Smallest element over dimensions; equal ones share the gradient. */
  public static Tensor amin(Tensor x, boolean keep, long... dimensions) {
    return AMIN.call().tensor(x).integers(dimensions).bool(keep).one();
  }

  /** Index (int64) of the first largest element along a dimension, which disappears. */
  public static Tensor argmax(Tensor x, int dimension) {
    return ARGMAX.call().tensor(x).optionalInteger(dimension).bool(false).one();
  }

  /** Bool, 0-dimensional: all elements are true or non-zero. */
  public static Tensor all(Tensor x) {
    return ALL.call().tensor(x).one();
  }

  // ---- Products ----

  /** Matrix product (…, n, k) x (…, k, m) to (…, n, m). */
  public static Tensor matmul(Tensor a, Tensor b) {
    return MATMUL.call().tensor(a).tensor(b).one();
  }

  /** {@code x (…, in) * weight (out, in) transposed + bias (out)}. */
  public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
    return LINEAR.call().tensor(x).tensor(weight).optional(bias).one();
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
            CONV2D
                .call()
                .tensor(input)
                .tensor(kernel)
                .optional(offset)
                .integers(stride, stride)
                .integers(padding, padding)
                .integers(1, 1)
                .integer(1)
                .one(),
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
            CONV_TRANSPOSE2D
                .call()
                .tensor(input)
                .tensor(kernel)
                .optional(offset)
                .integers(stride, stride)
                .integers(padding, padding)
                .integers(0, 0)
                .integer(1)
                .integers(1, 1)
                .one(),
        x,
        weight,
        bias);
  }

  /**
   * Maximum of size x size windows at the given stride; an incomplete window at the right or bottom
   * is dropped.
   */
  public static Tensor maxPool2d(Tensor x, int size, int stride) {
    return MAX_POOL2D
        .call()
        .tensor(x)
        .integers(size, size)
        .integers(stride, stride)
        .integers(0, 0)
        .integers(1, 1)
        .bool(false)
        .one();
  }

  /** Bilinear resize to (N, C, height, width), half-pixel centres, no antialiasing. */
  public static Tensor upsampleBilinear2d(Tensor x, long height, long width) {
    return UPSAMPLE.call().tensor(x).integers(height, width).bool(false).none().none().one();
  }

  /**
   * Samples x (N, C, H, W) bilinearly at grid (N, H', W', 2), whose (x, y) run from -1 to 1 over
   * the centres of the corner pixels; zero outside.
   */
  public static Tensor gridSample(Tensor x, Tensor grid) {
    return GRID_SAMPLE.call().tensor(x).tensor(grid).integer(0).integer(0).bool(true).one();
  }

  // ---- Normalisation: biased variance, epsilon inside the square root ----

  /** Over the last dimensions, whose sizes are {@code shape}. */
  public static Tensor layerNorm(
      Tensor x, long[] shape, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return LAYER_NORM
        .call()
        .tensor(x)
        .integers(shape)
        .optional(weight)
        .optional(bias)
        .number(epsilon)
        .bool(true)
        .one();
  }

  /** Over the pixels of each sample and channel of (N, C, H, W); weight and bias (C). */
  public static Tensor instanceNorm(
      Tensor x, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return INSTANCE_NORM
        .call()
        .tensor(x)
        .optional(weight)
        .optional(bias)
        .none()
        .none()
        .bool(true)
        .number(0.1)
        .number(epsilon)
        .bool(true)
        .one();
  }

  /** Over the pixels and channels of each sample and group of C / groups consecutive channels. */
  public static Tensor groupNorm(
      Tensor x, int groups, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return GROUP_NORM
        .call()
        .tensor(x)
        .integer(groups)
        .optional(weight)
        .optional(bias)
        .number(epsilon)
        .bool(true)
        .one();
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
    return BATCH_NORM
        .call()
        .tensor(x)
        .optional(weight)
        .optional(bias)
        .optional(runningMean)
        .optional(runningVariance)
        .bool(training)
        .number(momentum)
        .number(epsilon)
        .bool(true)
        .one();
  }

  // ---- Losses ----

  /**
   * {@code max(z, 0) - z * t + log(1 + exp(-|z|))} of each element, times {@code weight} when
   * given; nothing is reduced.
   */
  public static Tensor binaryCrossEntropyWithLogits(
      Tensor logits, Tensor target, @Nullable Tensor weight) {
    return BCE.call().tensor(logits).tensor(target).optional(weight).none().integer(0).one();
  }

  // ---- Linear algebra ----

  /** Least-squares solution of {@code a (m, n) * x (n, k) = b (m, k)} for a of full rank. */
  public static Tensor leastSquares(Tensor a, Tensor b) {
    return scoped(() -> LSTSQ.call().tensor(a).tensor(b).none().none().many(4)[0]);
  }

  /**
   * Reduced QR decomposition of a (m, n) with m at least n: Q (m, n) with orthonormal columns, and
   * the diagonal of R (n).
   */
  public static Tensor[] qr(Tensor a) {
    try (var scope = TensorScope.open()) {
      Tensor[] factors = GEQRF.call().tensor(a).many(2);
      Tensor q = HOUSEHOLDER.call().tensor(factors[0]).tensor(factors[1]).one();
      Tensor diagonal =
          contiguous(DIAGONAL.call().tensor(factors[0]).integer(0).integer(0).integer(1).one());
      return new Tensor[] {scope.keep(q), scope.keep(diagonal)};
    }
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

  private static Tensor inPlace(Operator.Call call, Tensor target) {
    call.discard();
    return target;
  }
}
