package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.Handle;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * An ATen operator, called through LibTorch's dispatcher.
 *
 * <p>The dispatcher takes one 64-bit slot per argument of the schema and believes what it is given:
 * a missing argument or a number in place of a tensor is a wild pointer. So an operator is declared
 * with its schema, and every call is checked against it. Java types: {@code Tensor} Tensor, {@code
 * Tensor[]} List, {@code int} (also enumerations) Integer or Long, {@code int[]} long[], {@code
 * float} Double, {@code bool} Boolean, {@code ScalarType} DType, {@code Device} Device; null for an
 * optional argument without a value. Defaults are given, too. {@code Scalar} arguments have no
 * slot.
 */
final class Operator {
  private static final Pattern SCHEMA =
      Pattern.compile("(aten::\\w+)(?:\\.(\\w+))?\\((.*)\\) -> (.*)");
  private static final Pattern TYPE = Pattern.compile("(\\w+)(?:\\(\\w!\\))?(\\[])?(\\?)?");

  private enum Kind {
    TENSOR("a tensor"),
    INT("an integer"),
    FLOAT("a floating-point number"),
    BOOL("a boolean"),
    SCALAR_TYPE("an element type"),
    DEVICE("a device");

    final String words;

    Kind(String words) {
      this.words = words;
    }

    static Kind of(String type) {
      return switch (type) {
        case "Tensor" -> TENSOR;
        case "int", "MemoryFormat", "Layout" -> INT;
        case "float" -> FLOAT;
        case "bool" -> BOOL;
        case "ScalarType" -> SCALAR_TYPE;
        case "Device" -> DEVICE;
        default -> throw new IllegalArgumentException("no slot for the type " + type);
      };
    }
  }

  private record Type(Kind kind, boolean list, boolean optional) {
    static Type of(String text) {
      Matcher type = TYPE.matcher(text);
      if (!type.matches()) {
        throw new IllegalArgumentException("not a type: " + text);
      }
      return new Type(Kind.of(type.group(1)), type.group(2) != null, type.group(3) != null);
    }

    @Override
    public String toString() {
      return (list ? "a list: each " : "") + kind.words + (optional ? " or null" : "");
    }
  }

  private final String name;
  private final String[] parameters;
  private final Type[] types;
  private final Type[] results;
  private final boolean onlyTensors;
  private final MemorySegment nativeName;
  private final MemorySegment nativeOverload;

  private Operator(String schema) {
    Matcher parts = SCHEMA.matcher(schema);
    if (!parts.matches()) {
      throw new IllegalArgumentException("not a schema: " + schema);
    }
    String overload = parts.group(2) == null ? "" : parts.group(2);
    name = parts.group(1) + (overload.isEmpty() ? "" : "." + overload);
    String[] arguments = split(parts.group(3));
    parameters = new String[arguments.length];
    types = new Type[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      int space = arguments[i].lastIndexOf(' ');
      types[i] = Type.of(arguments[i].substring(0, space));
      parameters[i] = arguments[i].substring(space + 1);
    }
    String result = parts.group(4);
    results =
        Arrays.stream(
                split(result.startsWith("(") ? result.substring(1, result.length() - 1) : result))
            .map(type -> Type.of(type.split(" ", 2)[0]))
            .toArray(Type[]::new);
    onlyTensors =
        Arrays.stream(results).allMatch(r -> r.kind == Kind.TENSOR && !r.list && !r.optional);
    if (Math.max(types.length, results.length) >= Native.SLOTS) {
      throw new IllegalArgumentException("too many arguments: " + schema);
    }
    nativeName = Arena.global().allocateFrom(parts.group(1));
    nativeOverload = Arena.global().allocateFrom(overload);
  }

  private static String[] split(String list) {
    return list.isEmpty() ? new String[0] : list.split(", ", -1);
  }

  /**
   * An operator by its schema, such as {@code aten::mul.Tensor(Tensor self, Tensor other) ->
   * Tensor}; keep it in a constant.
   */
  static Operator of(String schema) {
    return new Operator(schema);
  }

  @Override
  public String toString() {
    return name;
  }

  /** Runs an operator whose result is one tensor. */
  Tensor tensor(@Nullable Object... arguments) {
    return tensors(1, arguments)[0];
  }

  /** Runs an operator whose results are {@code count} tensors. */
  Tensor[] tensors(int count, @Nullable Object... arguments) {
    require(onlyTensors && results.length == count);
    MemorySegment stack = invoke(arguments);
    long[] handles = new long[count];
    MemorySegment.copy(stack, JAVA_LONG, 0, handles, 0, count);
    Tensor[] tensors = new Tensor[count];
    for (int i = 0; i < count; i++) {
      tensors[i] = Tensor.adopt(MemorySegment.ofAddress(handles[i]));
    }
    return tensors;
  }

  /** Runs an operator for its effect: results are released. */
  void run(@Nullable Object... arguments) {
    require(onlyTensors);
    MemorySegment stack = invoke(arguments);
    for (int i = 0; i < results.length; i++) {
      Handle.delete(Handle.received(MemorySegment.ofAddress(stack.getAtIndex(JAVA_LONG, i))));
    }
  }

  /** Runs an in-place operator on {@code target}, its first argument, and returns that. */
  Tensor inPlace(Tensor target, @Nullable Object... others) {
    @Nullable Object[] arguments = new @Nullable Object[others.length + 1];
    arguments[0] = target;
    System.arraycopy(others, 0, arguments, 1, others.length);
    run(arguments);
    return target;
  }

  /** Runs an operator whose result is an integer. */
  long integer(@Nullable Object... arguments) {
    require(results.length == 1 && results[0].kind == Kind.INT && !results[0].list);
    return invoke(arguments).getAtIndex(JAVA_LONG, 0);
  }

  private void require(boolean fits) {
    if (!fits) {
      throw new IllegalArgumentException(name + " returns something else");
    }
  }

  private void check(@Nullable Object[] arguments) {
    if (arguments.length != types.length) {
      throw new IllegalArgumentException(
          "%s takes %s arguments, not %s".formatted(name, types.length, arguments.length));
    }
    for (int i = 0; i < arguments.length; i++) {
      Object value = arguments[i];
      Type type = types[i];
      if (value == null ? !type.optional : !fits(type, value)) {
        throw new IllegalArgumentException(
            "%s: %s must be %s, not %s".formatted(name, parameters[i], type, describe(value)));
      }
    }
  }

  private static boolean fits(Type type, Object value) {
    if (type.list) {
      return switch (type.kind) {
        case TENSOR ->
            value instanceof List<?> list && list.stream().allMatch(Tensor.class::isInstance);
        case INT -> value instanceof long[];
        default -> false;
      };
    }
    return switch (type.kind) {
      case TENSOR -> value instanceof Tensor;
      case INT -> value instanceof Integer || value instanceof Long;
      case FLOAT -> value instanceof Double;
      case BOOL -> value instanceof Boolean;
      case SCALAR_TYPE -> value instanceof DType;
      case DEVICE -> value instanceof Device;
    };
  }

  /** Calls the dispatcher; the results stand at the front of the memory that is returned. */
  private MemorySegment invoke(@Nullable Object[] arguments) {
    check(arguments);
    LibTorch.load();
    int n = arguments.length;
    long[] slots = new long[n];
    int done = 0;
    try {
      for (; done < n; done++) {
        slots[done] = slot(types[done], arguments[done]);
      }
    } catch (RuntimeException | Error e) {
      for (int i = 0; i < done; i++) {
        release(types[i], slots[i]);
      }
      if (e instanceof IllegalStateException) {
        throw new IllegalStateException(name + ": " + e.getMessage(), e);
      }
      throw e;
    } finally {
      Reference.reachabilityFence(arguments);
    }
    MemorySegment stack = Native.scratch();
    MemorySegment.copy(slots, 0, stack, JAVA_LONG, 0, n);
    for (int i = n; i < results.length; i++) {
      stack.setAtIndex(JAVA_LONG, i, 0);
    }
    ThreadGradMode.apply();
    int status =
        LibTorchStable.torch_call_dispatcher(nativeName, nativeOverload, stack, Native.ABI_VERSION);
    int consumed = 0; // also when the call failed
    for (int i = 0; i < n; i++) {
      consumed += natives(types[i], arguments[i]);
    }
    Handle.count(-consumed);
    if (status != 0) {
      String reason = Native.lastError();
      throw new TorchException(name + describe(arguments) + ": " + reason);
    }
    return stack;
  }

  /** Number of native objects behind a slot. */
  private static int natives(Type type, @Nullable Object value) {
    if (value == null) {
      return 0;
    }
    int count = type.optional ? 1 : 0;
    if (type.list) {
      count++;
      if (type.kind == Kind.TENSOR) {
        count += ((List<?>) value).size();
      }
    } else if (type.kind == Kind.TENSOR) {
      count++;
    }
    return count;
  }

  private static long slot(Type type, @Nullable Object value) {
    if (value == null) {
      return 0;
    }
    if (!type.optional) {
      return plainSlot(type, value);
    }
    Type plain = new Type(type.kind, type.list, false);
    long slot = plainSlot(plain, value);
    try {
      return Handle.newOptional(slot).address();
    } catch (RuntimeException | Error e) {
      release(plain, slot);
      throw e;
    }
  }

  private static long plainSlot(Type type, Object value) {
    if (type.list) {
      return type.kind == Kind.TENSOR ? tensorList((List<?>) value) : integerList((long[]) value);
    }
    return switch (type.kind) {
      case TENSOR -> ((Tensor) value).duplicateHandle().address();
      case INT -> ((Number) value).longValue();
      case FLOAT -> Double.doubleToRawLongBits((Double) value);
      case BOOL -> (Boolean) value ? 1 : 0;
      case SCALAR_TYPE -> ((DType) value).code;
      case DEVICE -> (long) ((Device) value).type().code << 32 | ((Device) value).index();
    };
  }

  private static long tensorList(List<?> tensors) {
    MemorySegment list = Handle.newList(tensors.size());
    int pushed = 0;
    try {
      for (Object tensor : tensors) {
        MemorySegment handle = ((Tensor) tensor).duplicateHandle();
        try {
          Handle.push(list, handle.address());
        } catch (RuntimeException | Error e) {
          Handle.delete(handle);
          throw e;
        }
        pushed++;
      }
      return list.address();
    } catch (RuntimeException | Error e) {
      Handle.deleteTensorList(list);
      throw e;
    }
  }

  private static long integerList(long[] values) {
    MemorySegment list = Handle.newList(values.length);
    try {
      for (long value : values) {
        Handle.push(list, value);
      }
      return list.address();
    } catch (RuntimeException | Error e) {
      Handle.deleteList(list);
      throw e;
    }
  }

  /** Releases what nobody will consume. */
  private static void release(Type type, long slot) {
    if (slot == 0 && (type.optional || type.kind == Kind.TENSOR)) {
      return;
    }
    MemorySegment native_ = MemorySegment.ofAddress(slot);
    if (type.optional) {
      long inner = native_.reinterpret(Long.BYTES).get(JAVA_LONG, 0);
      Handle.deleteOptional(native_);
      release(new Type(type.kind, type.list, false), inner);
    } else if (type.list) {
      if (type.kind == Kind.TENSOR) {
        Handle.deleteTensorList(native_);
      } else {
        Handle.deleteList(native_);
      }
    } else if (type.kind == Kind.TENSOR) {
      Handle.delete(native_);
    }
  }

  private static String describe(@Nullable Object[] arguments) {
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = describe(arguments[i]);
    }
    return "(" + String.join(", ", texts) + ")";
  }

  private static String describe(@Nullable Object value) {
    return value instanceof long[] list ? Arrays.toString(list) : String.valueOf(value);
  }
}
