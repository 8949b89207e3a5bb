package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.torch.gen.LibTorchStable;
import org.gammanet.torch.internal.Native;
import org.jspecify.annotations.Nullable;

/**
 * An ATen operator by name, for calls that {@link Ops} does not have.
 *
 * <pre>{@code
 * private static final Operator ROT90 = Operator.of("aten::rot90");
 * Tensor turned = ROT90.call().tensor(x).integer(1).integers(2, 3).one();
 * }</pre>
 *
 * <p>Every argument of the operator's schema must be given, defaults included, in its order.
 * Arguments of type {@code Scalar} cannot be passed: LibTorch's C ABI has no form for them.
 */
public final class Operator {
  private final String name;
  private final MemorySegment nativeName;
  private final MemorySegment nativeOverload;

  private Operator(String name, String overload) {
    this.name = overload.isEmpty() ? name : name + "." + overload;
    nativeName = Arena.global().allocateFrom(name);
    nativeOverload = Arena.global().allocateFrom(overload);
  }

  /** The operator without an overload name, such as {@code aten::relu}; keep it in a constant. */
  public static Operator of(String name) {
    return new Operator(name, "");
  }

  /** An overload, such as {@code aten::mul} and {@code Tensor}; keep it in a constant. */
  public static Operator of(String name, String overload) {
    return new Operator(name, overload);
  }

  /** Begins a call: add all arguments, then ask for the results. */
  public Call call() {
    LibTorch.load();
    return new Call(this);
  }

  @Override
  public String toString() {
    return name;
  }

  private enum Kind {
    SLOT,
    TENSOR,
    TENSORS,
    INTEGERS,
    OPTIONAL_SLOT,
    OPTIONAL_TENSOR,
    OPTIONAL_INTEGERS,
    STRING,
    NONE
  }

  /** The arguments of one call. Not for use by several threads. */
  public static final class Call {
    private final Operator operator;
    private final ArrayList<Kind> kinds = new ArrayList<>(12);
    private final ArrayList<Object> values = new ArrayList<>(12);

    private Call(Operator operator) {
      this.operator = operator;
    }

    private Call add(Kind kind, Object value) {
      kinds.add(kind);
      values.add(value);
      return this;
    }

    /** A {@code Tensor} argument; stays the caller's. */
    public Call tensor(Tensor tensor) {
      return add(Kind.TENSOR, tensor);
    }

    /** A {@code Tensor?} argument. */
    public Call optional(@Nullable Tensor tensor) {
      return tensor == null ? none() : add(Kind.OPTIONAL_TENSOR, tensor);
    }

    /** A {@code Tensor[]} argument. */
    public Call tensors(List<Tensor> tensors) {
      return add(Kind.TENSORS, tensors);
    }

    /** An {@code int}, {@code SymInt} or {@code MemoryFormat} argument. */
    public Call integer(long value) {
      return add(Kind.SLOT, value);
    }

    /** An {@code int[]} or {@code SymInt[]} argument. */
    public Call integers(long... value) {
      return add(Kind.INTEGERS, value);
    }

    /** A {@code bool[]} argument. */
    public Call booleans(boolean... value) {
      long[] slots = new long[value.length];
      for (int i = 0; i < slots.length; i++) {
        slots[i] = value[i] ? 1 : 0;
      }
      return add(Kind.INTEGERS, slots);
    }

    /** An {@code int[]?} argument with a value. */
    public Call optionalIntegers(long... value) {
      return add(Kind.OPTIONAL_INTEGERS, value);
    }

    /** An {@code int?} argument with a value. */
    public Call optionalInteger(long value) {
      return add(Kind.OPTIONAL_SLOT, value);
    }

    /** A {@code bool?} argument with a value. */
    public Call optionalBool(boolean value) {
      return add(Kind.OPTIONAL_SLOT, value ? 1L : 0L);
    }

    /** A {@code float} argument. */
    public Call number(double value) {
      return add(Kind.SLOT, Double.doubleToRawLongBits(value));
    }

    /** A {@code bool} argument. */
    public Call bool(boolean value) {
      return add(Kind.SLOT, value ? 1L : 0L);
    }

    /** A {@code ScalarType} argument. */
    public Call dtype(DType value) {
      return add(Kind.SLOT, (long) value.code);
    }

    /** A {@code Device} argument. */
    public Call device(Device value) {
      return add(Kind.SLOT, (long) value.type().code << 32 | value.index());
    }

    /** A {@code str} argument. */
    public Call string(String value) {
      return add(Kind.STRING, value);
    }

    /** An optional argument without a value. */
    public Call none() {
      return add(Kind.NONE, "none");
    }

    /**
     * Runs an operator that returns nothing.
     *
     * @throws TorchException when LibTorch refuses, with its reason
     */
    public void run() {
      invoke();
    }

    /** Runs an in-place operator: its result is another handle to its first argument. */
    void discard() {
      MemorySegment alias = MemorySegment.ofAddress(invoke().getAtIndex(JAVA_LONG, 0));
      Native.check(LibTorchStable.aoti_torch_delete_tensor_object(alias), "releasing a result");
    }

    /**
     * Runs an operator with one result.
     *
     * @throws TorchException when LibTorch refuses, with its reason
     */
    public Tensor one() {
      return new Tensor(MemorySegment.ofAddress(invoke().getAtIndex(JAVA_LONG, 0)));
    }

    /** Runs an operator whose result is a whole number. */
    long integerResult() {
      return invoke().getAtIndex(JAVA_LONG, 0);
    }

    /**
     * Runs an operator with {@code n} results.
     *
     * @throws TorchException when LibTorch refuses, with its reason
     */
    public Tensor[] many(int n) {
      long[] results = invoke().asSlice(0, n * 8L).toArray(JAVA_LONG);
      Tensor[] tensors = new Tensor[n];
      for (int i = 0; i < n; i++) {
        tensors[i] = new Tensor(MemorySegment.ofAddress(results[i]));
      }
      return tensors;
    }

    /**
     * Runs an operator with {@code n} results of which some may be undefined: those are null.
     *
     * @throws TorchException when LibTorch refuses, with its reason
     */
    public @Nullable Tensor[] optionals(int n) {
      long[] results = invoke().asSlice(0, n * 8L).toArray(JAVA_LONG);
      @Nullable Tensor[] tensors = new @Nullable Tensor[n];
      for (int i = 0; i < n; i++) {
        MemorySegment native_ = MemorySegment.ofAddress(results[i]);
        MemorySegment out = Native.out();
        boolean defined =
            results[i] != 0
                && LibTorchStable.aoti_torch_is_defined(native_, out) == 0
                && out.get(JAVA_BOOLEAN, 0);
        if (defined) {
          tensors[i] = new Tensor(native_);
        } else if (results[i] != 0) {
          Native.check(LibTorchStable.aoti_torch_delete_tensor_object(native_), "releasing");
        }
      }
      return tensors;
    }

    private MemorySegment invoke() {
      int n = kinds.size();
      long[] slots = new long[n];
      int done = 0;
      try {
        for (; done < n; done++) {
          slots[done] = slot(kinds.get(done), values.get(done));
        }
      } catch (RuntimeException e) {
        // Handles that nobody will consume now; lists are small and left to the process.
        for (int i = 0; i < done; i++) {
          if (kinds.get(i) == Kind.TENSOR) {
            LibTorchStable.aoti_torch_delete_tensor_object(MemorySegment.ofAddress(slots[i]));
          }
        }
        if (e instanceof IllegalStateException) {
          throw new IllegalStateException(operator + ": " + e.getMessage(), e);
        }
        throw e;
      }
      MemorySegment stack = Native.scratch();
      MemorySegment.copy(slots, 0, stack, JAVA_LONG, 0, n);
      int status =
          LibTorchStable.torch_call_dispatcher(
              operator.nativeName, operator.nativeOverload, stack, Native.ABI_VERSION);
      if (status != 0) {
        throw new TorchException(operator + describe() + ": " + Native.lastError());
      }
      return stack;
    }

    private static long slot(Kind kind, Object value) {
      return switch (kind) {
        case SLOT -> (Long) value;
        case TENSOR -> ((Tensor) value).handle().duplicate().address();
        case TENSORS -> {
          List<?> tensors = (List<?>) value;
          MemorySegment list = newList(tensors.size());
          for (Object tensor : tensors) {
            push(list, ((Tensor) tensor).handle().duplicate().address());
          }
          yield list.address();
        }
        case INTEGERS -> integerList((long[]) value).address();
        case OPTIONAL_SLOT -> Native.newOptional((Long) value).address();
        case OPTIONAL_TENSOR ->
            Native.newOptional(((Tensor) value).handle().duplicate().address()).address();
        case OPTIONAL_INTEGERS ->
            Native.newOptional(integerList((long[]) value).address()).address();
        case STRING -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom((String) value);
            MemorySegment out = Native.out();
            Native.check(
                LibTorchStable.torch_new_string_handle(text, text.byteSize() - 1, out),
                "making a string argument");
            yield out.get(ADDRESS, 0).address();
          }
        }
        case NONE -> 0;
      };
    }

    private static MemorySegment newList(int size) {
      MemorySegment out = Native.out();
      Native.check(LibTorchStable.torch_new_list_reserve_size(size, out), "making a list");
      return out.get(ADDRESS, 0);
    }

    private static void push(MemorySegment list, long element) {
      Native.check(LibTorchStable.torch_list_push_back(list, element), "filling a list");
    }

    private static MemorySegment integerList(long[] values) {
      MemorySegment list = newList(values.length);
      for (long value : values) {
        push(list, value);
      }
      return list;
    }

    /** Tensors and shapes of the call, for error messages. */
    private String describe() {
      List<String> parts = new ArrayList<>();
      for (int i = 0; i < kinds.size(); i++) {
        switch (kinds.get(i)) {
          case TENSOR, OPTIONAL_TENSOR, TENSORS, STRING -> parts.add(values.get(i).toString());
          case INTEGERS, OPTIONAL_INTEGERS -> parts.add(Arrays.toString((long[]) values.get(i)));
          default -> {}
        }
      }
      return "(" + String.join(", ", parts) + ")";
    }
  }
}
