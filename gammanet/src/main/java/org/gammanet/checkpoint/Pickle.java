package org.gammanet.checkpoint;

import java.math.BigInteger;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import org.gammanet.checkpoint.PyValue.None;
import org.gammanet.checkpoint.PyValue.Real;
import org.gammanet.checkpoint.PyValue.Sequence.Kind;
import org.gammanet.checkpoint.PyValue.Text;
import org.gammanet.checkpoint.PyValue.Truth;
import org.gammanet.checkpoint.PyValue.Whole;
import org.jspecify.annotations.Nullable;

/**
 * Reads Python's pickle format, protocols 0 to 5, as far as {@code torch.save} uses it.
 *
 * <p>A pickle is a program for a stack machine that may name any function and have it called. Here
 * nothing is called: the few names that a checkpoint needs stand for constructors of our own, and
 * every other name is refused. The stack is a list, so nesting costs no call stack, and the work is
 * bounded: no more than {@link #MAX_STEPS} instructions, {@link #MAX_VALUES} values in the result
 * (which counts shared ones each time, so that a few bytes cannot describe an endless tree), and
 * {@link #MAX_DEPTH} levels.
 */
final class Pickle {
  static final int MAX_STEPS = 4_000_000;
  static final int MAX_VALUES = 2_000_000;
  static final int MAX_DEPTH = 100;
  private static final int MAX_INTEGER_BYTES = 256;

  /** Elements of one type that lie in the container under a key. */
  record Storage(ElementType type, String key, long count, long first) {}

  /** A tensor: a view of a storage, in elements. */
  record View(Storage storage, long offset, long[] shape, long[] strides) {}

  /** A list, tuple or set while it grows. */
  private record Items(Kind kind, ArrayList<Object> values) {}

  /** A dictionary while it grows. */
  private record Entries(LinkedHashMap<PyValue, Object> values) {}

  /** A byte string. */
  private record Bytes(byte[] value) {}

  /** NumPy's element type, whose byte order follows later. */
  private static final class NumpyType {
    final String code;
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;

    NumpyType(String code) {
      this.code = code;
    }
  }

  /** A name that a pickle may use. Storage classes are no constructors but have a type. */
  private record Global(String name, @Nullable ElementType storage, @Nullable Constructor make) {}

  private interface Constructor {
    Object make(Pickle pickle, List<Object> arguments);
  }

  private static final Map<String, Global> GLOBALS = new HashMap<>();

  private static void allow(Constructor make, String... names) {
    for (String name : names) {
      GLOBALS.put(name, new Global(name, null, make));
    }
  }

  static {
    allow(Pickle::dictionary, "collections.OrderedDict");
    allow((p, a) -> p.sequence(Kind.SET, a), "builtins.set", "__builtin__.set");
    allow((p, a) -> p.sequence(Kind.TUPLE, a), "torch.Size");
    allow(Pickle::tensor, "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor");
    allow((p, a) -> p.argument(a, 0, View.class), "torch._utils._rebuild_parameter");
    allow(Pickle::device, "torch.device");
    allow(Pickle::numpyScalar, "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar");
    allow((p, a) -> new NumpyType(p.argument(a, 0, Text.class).value()), "numpy.dtype");
    allow(Pickle::encode, "_codecs.encode");
    for (String module : List.of("pathlib.", "pathlib._local.")) { // moved in Python 3.13
      allow((p, a) -> p.path(a, "/"), module + "PosixPath", module + "PurePosixPath");
      allow((p, a) -> p.path(a, "\\"), module + "WindowsPath", module + "PureWindowsPath");
    }
    for (ElementType type : ElementType.values()) {
      String name = "torch." + type.torchName() + "Storage";
      GLOBALS.put(name, new Global(name, type, null));
    }
  }

  private final ByteBuffer in;
  private final String source;
  private final ArrayList<Object> stack = new ArrayList<>();
  private final ArrayList<Integer> marks = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private int values;

  /**
   * A reader.
   *
   * @param in the pickle at its position
   * @param source name of the file for messages
   */
  Pickle(ByteBuffer in, String source) {
    this.in = in.order(ByteOrder.LITTLE_ENDIAN);
    this.source = source;
  }

  /** Where a storage's elements are to be found, by key, in order of appearance. */
  Map<String, Storage> storages() {
    return storages;
  }

  /**
   * Runs the pickle up to its end and leaves the buffer behind it.
   *
   * @return what {@link #freeze} takes
   * @throws CheckpointException for anything damaged or not allowed
   */
  Object run() {
    int start = in.position();
    try {
      for (int step = 0; step < MAX_STEPS; step++) {
        int code = in.get() & 0xFF;
        if (code == '.') {
          return pop();
        }
        execute(code);
      }
    } catch (BufferUnderflowException e) {
      throw new CheckpointException(source + " is cut off: its pickle does not end", e);
    }
    throw bad(
        "has a pickle of more than %d instructions (the first %d bytes), more than any checkpoint"
            .formatted(MAX_STEPS, in.position() - start));
  }

  private void execute(int code) {
    switch (code) {
      case 0x80 -> protocol(in.get() & 0xFF);
      case 0x95 -> in.getLong(); // a frame's length: a hint for readers of streams
      case '(' -> marks.add(stack.size());
      case '0' -> popOrUnmark();
      case '1' -> popToMark();
      case '2' -> push(peek());

      case 'N' -> push(None.NONE);
      case 0x88 -> push(new Truth(true));
      case 0x89 -> push(new Truth(false));
      case 'J' -> push(new Whole(in.getInt()));
      case 'K' -> push(new Whole(in.get() & 0xFF));
      case 'M' -> push(new Whole(in.getShort() & 0xFFFF));
      case 0x8A -> push(new Whole(integer(in.get() & 0xFF)));
      case 0x8B -> push(new Whole(integer(in.getInt())));
      case 'I' -> push(oldInteger(line()));
      case 'L' -> push(decimal(line().replaceFirst("L$", "")));
      case 'G' -> push(new Real(Double.longBitsToDouble(Long.reverseBytes(in.getLong()))));
      case 'F' -> push(real(line()));

      case 'X' -> push(new Text(utf8(bytes(in.getInt() & 0xFFFFFFFFL))));
      case 0x8C -> push(new Text(utf8(bytes(in.get() & 0xFF))));
      case 0x8D -> push(new Text(utf8(bytes(in.getLong()))));
      // Python 2 did not tell texts from bytes.
      case 'T' -> push(new Text(utf8OrLatin1(bytes(in.getInt() & 0xFFFFFFFFL))));
      case 'U' -> push(new Text(utf8OrLatin1(bytes(in.get() & 0xFF))));
      case 'B' -> push(new Bytes(bytes(in.getInt() & 0xFFFFFFFFL)));
      case 'C' -> push(new Bytes(bytes(in.get() & 0xFF)));
      case 0x8E -> push(new Bytes(bytes(in.getLong())));

      case ')' -> push(items(Kind.TUPLE, List.of()));
      case 0x85 -> push(items(Kind.TUPLE, popLast(1)));
      case 0x86 -> push(items(Kind.TUPLE, popLast(2)));
      case 0x87 -> push(items(Kind.TUPLE, popLast(3)));
      case 't' -> push(items(Kind.TUPLE, popToMark()));
      case ']' -> push(items(Kind.LIST, List.of()));
      case 'l' -> push(items(Kind.LIST, popToMark()));
      case 'a' -> append(popLast(1), Kind.LIST);
      case 'e' -> append(popToMark(), Kind.LIST);
      case 0x8F -> push(items(Kind.SET, List.of()));
      case 0x90 -> append(popToMark(), Kind.SET);
      case 0x91 -> push(items(Kind.SET, popToMark()));
      case '}' -> push(new Entries(new LinkedHashMap<>()));
      case 'd' -> {
        List<Object> pairs = popToMark();
        Entries entries = new Entries(new LinkedHashMap<>());
        put(entries, pairs);
        push(entries);
      }
      case 's' -> put(popLast(2));
      case 'u' -> put(popToMark());

      case 'g' -> push(remembered(decimal(line()).value().longValue()));
      case 'h' -> push(remembered(in.get() & 0xFF));
      case 'j' -> push(remembered(in.getInt() & 0xFFFFFFFFL));
      case 'p' -> remember(decimal(line()).value().longValue());
      case 'q' -> remember(in.get() & 0xFF);
      case 'r' -> remember(in.getInt() & 0xFFFFFFFFL);
      case 0x94 -> remember(memo.size());

      case 'c' -> push(global(line(), line()));
      case 0x93 -> {
        List<Object> name = popLast(2);
        push(global(argument(name, 0, Text.class).value(), argument(name, 1, Text.class).value()));
      }
      case 'R', 0x81 -> {
        List<Object> call = popLast(2);
        push(construct(call.get(0), call.get(1)));
      }
      case 'b' -> {
        Object state = pop();
        build(peek(), state);
      }
      case 'Q' -> push(storage(pop()));
      default ->
          throw bad(
              "uses the pickle instruction 0x%02X at byte %d, which checkpoints do not need"
                  .formatted(code, in.position() - 1));
    }
  }

  // The machine

  private CheckpointException bad(String what) {
    return new CheckpointException(source + " " + what);
  }

  private void protocol(int version) {
    if (version > 5) {
      throw bad("uses version " + version + " of the pickle format; up to 5 is read");
    }
  }

  private void push(Object value) {
    stack.add(value);
  }

  /** The lowest place that an instruction without a mark may touch. */
  private int floor() {
    return marks.isEmpty() ? 0 : marks.getLast();
  }

  private CheckpointException underflow() {
    return bad("is damaged: its pickle takes more values than it made");
  }

  private Object peek() {
    if (stack.size() <= floor()) {
      throw underflow();
    }
    return stack.getLast();
  }

  private Object pop() {
    Object top = peek();
    stack.removeLast();
    return top;
  }

  private void popOrUnmark() {
    if (!marks.isEmpty() && stack.size() == marks.getLast()) {
      marks.removeLast();
    } else {
      pop();
    }
  }

  private List<Object> popLast(int count) {
    if (stack.size() - floor() < count) {
      throw underflow();
    }
    return cut(stack.size() - count);
  }

  private List<Object> popToMark() {
    if (marks.isEmpty()) {
      throw bad("is damaged: its pickle ends a group that it did not begin");
    }
    return cut(marks.removeLast());
  }

  private List<Object> cut(int from) {
    List<Object> tail = stack.subList(from, stack.size());
    List<Object> values = new ArrayList<>(tail);
    tail.clear();
    return values;
  }

  private void remember(long index) {
    memo.put(memoIndex(index), peek());
  }

  private Object remembered(long index) {
    Object value = memo.get(memoIndex(index));
    if (value == null) {
      throw bad("is damaged: its pickle recalls the value " + index + ", which it did not store");
    }
    return value;
  }

  private int memoIndex(long index) {
    if (index < 0 || index > Integer.MAX_VALUE) {
      throw bad("is damaged: its pickle numbers a value " + index);
    }
    return (int) index;
  }

  // Scalars

  private byte[] bytes(long length) {
    if (length < 0 || length > in.remaining()) {
      throw bad(
          "is damaged: its pickle has a text of %s bytes where %d are left"
              .formatted(Long.toUnsignedString(length), in.remaining()));
    }
    byte[] bytes = new byte[(int) length];
    in.get(bytes);
    return bytes;
  }

  /** The rest of a line, as protocol 0 writes its arguments. */
  private String line() {
    int start = in.position();
    int length = 0;
    while (in.get() != '\n') {
      length++;
    }
    byte[] bytes = new byte[length];
    in.get(start, bytes);
    return utf8OrLatin1(bytes);
  }

  private static String utf8(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static String utf8OrLatin1(byte[] bytes) {
    try {
      CharBuffer text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      return text.toString();
    } catch (CharacterCodingException e) {
      return new String(bytes, StandardCharsets.ISO_8859_1);
    }
  }

  /** A little-endian two's complement integer. */
  private BigInteger integer(int length) {
    if (length < 0 || length > MAX_INTEGER_BYTES) {
      throw bad("is damaged: its pickle has an integer of " + length + " bytes");
    }
    byte[] bytes = bytes(length);
    for (int i = 0; i < length / 2; i++) {
      byte swapped = bytes[i];
      bytes[i] = bytes[length - 1 - i];
      bytes[length - 1 - i] = swapped;
    }
    return length == 0 ? BigInteger.ZERO : new BigInteger(bytes);
  }

  private PyValue oldInteger(String text) {
    return switch (text) {
      case "00" -> new Truth(false);
      case "01" -> new Truth(true);
      default -> decimal(text);
    };
  }

  private Whole decimal(String text) {
    if (!text.matches("[+-]?[0-9]{1,600}")) {
      throw bad("is damaged: its pickle has '" + shortened(text) + "' where a number should be");
    }
    return new Whole(new BigInteger(text));
  }

  private Real real(String text) {
    return switch (text) {
      case "nan" -> new Real(Double.NaN);
      case "inf" -> new Real(Double.POSITIVE_INFINITY);
      case "-inf" -> new Real(Double.NEGATIVE_INFINITY);
      default -> {
        if (text.length() > 600 || !text.matches("[+-]?[0-9.]+([eE][+-]?[0-9]+)?")) {
          throw bad("is damaged: its pickle has '" + shortened(text) + "' instead of a number");
        }
        try {
          yield new Real(Double.parseDouble(text));
        } catch (NumberFormatException e) {
          throw new CheckpointException(source + " is damaged: its pickle has a bad number", e);
        }
      }
    };
  }

  private static String shortened(String text) {
    String clean = text.replaceAll("\\p{Cntrl}", "?");
    return clean.length() <= 60 ? clean : clean.substring(0, 57) + "...";
  }

  // Collections

  private static Items items(Kind kind, List<Object> values) {
    return new Items(kind, new ArrayList<>(values));
  }

  private void append(List<Object> values, Kind kind) {
    if (!(peek() instanceof Items list) || list.kind != kind) {
      throw bad("is damaged: its pickle appends to something that is not a list");
    }
    list.values.addAll(values);
  }

  private void put(List<Object> pairs) {
    if (!(peek() instanceof Entries entries)) {
      throw bad("is damaged: its pickle sets an entry of something that is not a dictionary");
    }
    put(entries, pairs);
  }

  private void put(Entries entries, List<Object> pairs) {
    if (pairs.size() % 2 != 0) {
      throw bad("is damaged: its pickle has a dictionary key without a value");
    }
    for (int i = 0; i < pairs.size(); i += 2) {
      switch (pairs.get(i)) {
        case Text key -> entries.values.put(key, pairs.get(i + 1));
        case Whole key -> entries.values.put(key, pairs.get(i + 1));
        case Truth key -> entries.values.put(key, pairs.get(i + 1));
        case None key -> entries.values.put(key, pairs.get(i + 1));
        default -> throw bad("has a dictionary key that is neither a text nor a whole number");
      }
    }
  }

  // What stands for calls

  private Global global(String module, String name) {
    Global global = GLOBALS.get(module + "." + name);
    if (global == null) {
      throw bad(
          "asks for %s, which has no place in a checkpoint; nothing was executed"
              .formatted(shortened(module + "." + name)));
    }
    return global;
  }

  private Object construct(Object what, Object arguments) {
    if (!(what instanceof Global global)
        || !(arguments instanceof Items tuple)
        || tuple.kind != Kind.TUPLE) {
      throw bad("is damaged: its pickle calls something that has no name");
    }
    if (global.make == null) {
      throw bad("asks to make a " + global.name + " by itself, which has no place here");
    }
    return global.make.make(this, tuple.values);
  }

  private void build(Object object, Object state) {
    // Attributes of an OrderedDict: every state_dict has version numbers there.
    if (object instanceof Entries && state instanceof Entries attributes) {
      Text metadata = new Text("_metadata");
      if (attributes.values.keySet().stream().allMatch(metadata::equals)) {
        return;
      }
    }
    if (object instanceof NumpyType type && state instanceof Items items) {
      String order = argument(items.values, 1, Text.class).value();
      type.order = order.equals(">") ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      return;
    }
    throw bad("sets attributes of an object that should have none");
  }

  private <T> T argument(List<Object> arguments, int index, Class<T> type) {
    if (index < arguments.size() && type.isInstance(arguments.get(index))) {
      return type.cast(arguments.get(index));
    }
    throw bad(
        "is damaged: its pickle gives no %s as argument %d of %d"
            .formatted(type.getSimpleName().toLowerCase(), index + 1, arguments.size()));
  }

  private long[] longs(List<Object> arguments, int index) {
    Items tuple = argument(arguments, index, Items.class);
    if (tuple.values.size() > SafeTensors.MAX_DIMENSIONS) {
      throw bad("has a tensor of " + tuple.values.size() + " dimensions");
    }
    long[] numbers = new long[tuple.values.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = count(tuple.values, i, "size or stride");
    }
    return numbers;
  }

  /** A number from 0 to 2^63 - 1. */
  private long count(List<Object> arguments, int index, String what) {
    BigInteger value = argument(arguments, index, Whole.class).value();
    if (value.signum() < 0 || value.bitLength() >= Long.SIZE) {
      throw bad("has a tensor with the " + what + " " + shortened(value.toString()));
    }
    return value.longValue();
  }

  private Object dictionary(List<Object> arguments) {
    Entries entries = new Entries(new LinkedHashMap<>());
    if (!arguments.isEmpty()) {
      // Python 2 gave the pairs as a list.
      for (Object pair : argument(arguments, 0, Items.class).values) {
        if (!(pair instanceof Items items) || items.values.size() != 2) {
          throw bad("is damaged: its pickle makes a dictionary of something else than pairs");
        }
        put(entries, items.values);
      }
    }
    return entries;
  }

  private Object sequence(Kind kind, List<Object> arguments) {
    return items(
        kind, arguments.isEmpty() ? List.of() : argument(arguments, 0, Items.class).values);
  }

  private Object device(List<Object> arguments) {
    String type = argument(arguments, 0, Text.class).value();
    return new Text(
        arguments.size() < 2 ? type : type + ":" + argument(arguments, 1, Whole.class).value());
  }

  private Object path(List<Object> arguments, String separator) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < arguments.size(); i++) {
      boolean joined = path.isEmpty() || path.substring(path.length() - 1).equals(separator);
      path.append(joined ? "" : separator).append(argument(arguments, i, Text.class).value());
    }
    return new PyValue.Filename(path.isEmpty() ? "." : path.toString());
  }

  /** {@code _codecs.encode(text, 'latin1')}: how protocol 2 writes bytes. */
  private Object encode(List<Object> arguments) {
    String text = argument(arguments, 0, Text.class).value();
    String encoding = argument(arguments, 1, Text.class).value();
    if (!encoding.equals("latin1") && !encoding.equals("latin-1")) {
      throw bad("encodes a text as " + shortened(encoding) + ", which has no place here");
    }
    return new Bytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private Object numpyScalar(List<Object> arguments) {
    NumpyType type = argument(arguments, 0, NumpyType.class);
    Object data = arguments.size() > 1 ? arguments.get(1) : None.NONE;
    byte[] bytes =
        switch (data) {
          case Bytes b -> b.value;
          case Text text -> text.value().getBytes(StandardCharsets.ISO_8859_1); // Python 2
          default -> throw bad("has a NumPy number without a value");
        };
    String code = type.code;
    if (!code.matches("[bui]1|[ui][248]|f[248]") || bytes.length != code.charAt(1) - '0') {
      throw bad(
          "has a NumPy value of type '%s' and %d bytes; only plain numbers are read"
              .formatted(shortened(code), bytes.length));
    }
    ByteBuffer value = ByteBuffer.wrap(bytes).order(type.order);
    return switch (code) {
      case "b1" -> new Truth(bytes[0] != 0);
      case "u1" -> new Whole(bytes[0] & 0xFF);
      case "u2" -> new Whole(value.getShort() & 0xFFFF);
      case "u4" -> new Whole(value.getInt() & 0xFFFFFFFFL);
      case "u8" -> new Whole(new BigInteger(Long.toUnsignedString(value.getLong())));
      case "i1" -> new Whole(bytes[0]);
      case "i2" -> new Whole(value.getShort());
      case "i4" -> new Whole(value.getInt());
      case "i8" -> new Whole(value.getLong());
      case "f2" -> new Real(Float.float16ToFloat(value.getShort()));
      case "f4" -> new Real(value.getFloat());
      default -> new Real(value.getDouble());
    };
  }

  /** {@code ('storage', class, key, location, count[, view])}; the location does not matter. */
  private Storage storage(Object id) {
    if (!(id instanceof Items tuple)
        || tuple.values.size() < 5
        || !tuple.values.get(0).equals(new Text("storage"))) {
      throw bad(
          "refers to something outside the pickle that is not a storage, such as a whole module;"
              + " save the state_dict instead");
    }
    ElementType type = argument(tuple.values, 1, Global.class).storage;
    if (type == null) {
      throw bad("has a storage of a type that is none");
    }
    String key = argument(tuple.values, 2, Text.class).value();
    Storage whole = new Storage(type, key, count(tuple.values, 4, "element count"), 0);
    Storage known = storages.putIfAbsent(key, whole);
    if (known != null && !known.equals(whole)) {
      throw bad("describes the storage '" + shortened(key) + "' in two ways");
    }
    if (tuple.values.size() > 5 && tuple.values.get(5) instanceof Items view) {
      long first = count(view.values, 1, "storage offset");
      long count = count(view.values, 2, "element count");
      if (first > whole.count || count > whole.count - first) {
        throw bad("has a view that reaches past the storage '" + shortened(key) + "'");
      }
      return new Storage(type, key, count, first);
    }
    return whole;
  }

  private Object tensor(List<Object> arguments) {
    Storage storage = argument(arguments, 0, Storage.class);
    long offset = count(arguments, 1, "offset");
    long[] shape = longs(arguments, 2);
    long[] strides = longs(arguments, 3);
    if (shape.length != strides.length) {
      throw bad(
          "has a tensor with %d sizes and %d strides".formatted(shape.length, strides.length));
    }
    try {
      if (StoredTensor.byteCount(storage.type, shape) > Integer.MAX_VALUE) {
        throw bad("has a tensor " + Arrays.toString(shape) + " of more than 2 GiB");
      }
      if (Arrays.stream(shape).noneMatch(size -> size == 0)) {
        long last = offset;
        for (int i = 0; i < shape.length; i++) {
          last = Math.addExact(last, Math.multiplyExact(shape[i] - 1, strides[i]));
        }
        if (last >= storage.count) {
          throw bad(
              "has a tensor %s at %d with strides %s, which reaches past its storage of %d elements"
                  .formatted(
                      Arrays.toString(shape), offset, Arrays.toString(strides), storage.count));
        }
      }
    } catch (ArithmeticException e) {
      throw new CheckpointException(
          "%s has a tensor of the impossible shape %s with strides %s"
              .formatted(source, Arrays.toString(shape), Arrays.toString(strides)),
          e);
    }
    return new View(storage, offset, shape, strides);
  }

  // The result

  /**
   * Plain data of what {@link #run} returned.
   *
   * @param tensors gives a view its bytes
   */
  PyValue freeze(Object value, Function<View, StoredTensor> tensors) {
    values = 0;
    return freeze(value, tensors, 0);
  }

  private PyValue freeze(Object value, Function<View, StoredTensor> tensors, int depth) {
    if (depth > MAX_DEPTH) {
      throw bad("nests values deeper than " + MAX_DEPTH + ", or inside themselves");
    }
    count(1);
    return switch (value) {
      case Text text -> {
        count(text.value().length() / 16);
        yield text;
      }
      case PyValue scalar -> scalar;
      case Items items -> {
        List<PyValue> frozen = new ArrayList<>();
        for (Object item : items.values) {
          frozen.add(freeze(item, tensors, depth + 1));
        }
        yield new PyValue.Sequence(items.kind, Collections.unmodifiableList(frozen));
      }
      case Entries entries -> {
        SequencedMap<PyValue, PyValue> frozen = new LinkedHashMap<>();
        entries.values.forEach((k, v) -> frozen.put(k, freeze(v, tensors, depth + 1)));
        yield new PyValue.Dictionary(Collections.unmodifiableSequencedMap(frozen));
      }
      case View view -> new PyValue.Array(tensors.apply(view));
      case Global global -> throw bad("stores " + global.name + " itself, which has no place here");
      default ->
          throw bad("stores a " + value.getClass().getSimpleName() + ", which has no place here");
    };
  }

  private void count(int more) {
    values += more;
    if (values > MAX_VALUES) {
      throw bad("describes more than " + MAX_VALUES + " values, more than any checkpoint");
    }
  }
}
