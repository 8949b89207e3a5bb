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
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.PyValue.Bool;
import org.gammanet.checkpoint.PyValue.Float;
import org.gammanet.checkpoint.PyValue.Int;
import org.gammanet.checkpoint.PyValue.None;
import org.gammanet.checkpoint.PyValue.Sequence.Kind;
import org.gammanet.checkpoint.PyValue.Str;
import org.jspecify.annotations.Nullable;

/**
 * Reads Python's pickle format, protocols 0 to 5, as far as {@code torch.save} uses it.
 *
 * <p>A pickle is a program for a stack machine that may name any function and have it called. Here
 * nothing is called: the names that PyTorch's own {@code weights_only} reader admits stand for
 * constructors of our own, and every other one makes an inert {@link Placeholder}, so that a
 * checkpoint can be read whatever else its author stored beside the weights. Names that only an
 * attack would use are refused.
 *
 * <p>The stack is a list, so nesting costs no call stack, and the work is bounded: no more than
 * {@link #MAX_STEPS} instructions, {@link #MAX_COPIED} copied values, {@link #MAX_VALUES} values in
 * the result (which counts shared ones each time, so that a few bytes cannot describe an endless
 * tree), and {@link #MAX_DEPTH} levels.
 */
final class Pickle {
  static final int MAX_STEPS = 4_000_000;
  static final int MAX_VALUES = 2_000_000;
  static final int MAX_DEPTH = 100;

  /** Values, and pieces of 16 characters, that constructors copy: a few bytes may ask for many. */
  static final int MAX_COPIED = 2_000_000;

  private static final int MAX_INTEGER_BYTES = 256;

  /** Elements of one type that lie in the container under a key. */
  record Storage(ElementType type, String key, long count, long first) {}

  /** A tensor: a view of a storage, in elements. */
  record View(Storage storage, long offset, long[] shape, long[] strides) {}

  /** A list, tuple or set while it grows. */
  private record Items(Kind kind, ArrayList<Object> values) {}

  /** A dictionary while it grows. */
  private record Entries(LinkedHashMap<PyValue, Object> values) {}

  private record Bytes(byte[] value) {}

  /** An object of a class that is not known; whatever is done with it has no effect. */
  private record Placeholder(String name) {}

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
    allow(Pickle::dictionary, "collections.OrderedDict", "collections.Counter");
    allow((p, a) -> new Entries(new LinkedHashMap<>()), "collections.defaultdict");
    for (String module : List.of("builtins.", "__builtin__.")) {
      allow((p, a) -> p.sequence(Kind.SET, a), module + "set", module + "frozenset");
      allow(Pickle::bytearray, module + "bytearray");
      allow(Pickle::complex, module + "complex");
    }
    allow((p, a) -> p.sequence(Kind.TUPLE, a), "torch.Size");
    allow(Pickle::tensor, "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor");
    allow(Pickle::typedTensor, "torch._utils._rebuild_tensor_v3");
    allow(
        (p, a) -> p.tensorArgument(a, 0),
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch.nn.parameter.Parameter");
    allow(Pickle::ofType, "torch._tensor._rebuild_from_type_v2");
    allow(Pickle::device, "torch.device");
    allow((p, a) -> p.argument(a, 0, Str.class), "torch.serialization._get_layout");
    allow(Pickle::numpyScalar, "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar");
    allow((p, a) -> new NumpyType(p.argument(a, 0, Str.class).value()), "numpy.dtype");
    allow(Pickle::encode, "_codecs.encode");
    for (String module : List.of("pathlib.", "pathlib._local.")) { // moved in Python 3.13
      allow((p, a) -> p.path(a, "/"), module + "PosixPath", module + "PurePosixPath");
      allow((p, a) -> p.path(a, "\\"), module + "WindowsPath", module + "PureWindowsPath");
    }
    for (ElementType type : ElementType.values()) {
      if (type.torchName() != null) {
        String name = "torch." + type.torchName() + "Storage";
        GLOBALS.put(name, new Global(name, type, null));
      }
    }
    for (String name : List.of("torch.UntypedStorage", "torch.storage.UntypedStorage")) {
      GLOBALS.put(name, new Global(name, ElementType.U8, null)); // counts bytes
    }
  }

  /** PyTorch's names of element types. */
  private static final Map<String, ElementType> DTYPES =
      Map.ofEntries(
          Map.entry("torch.float64", ElementType.F64),
          Map.entry("torch.float32", ElementType.F32),
          Map.entry("torch.float16", ElementType.F16),
          Map.entry("torch.bfloat16", ElementType.BF16),
          Map.entry("torch.int64", ElementType.I64),
          Map.entry("torch.int32", ElementType.I32),
          Map.entry("torch.int16", ElementType.I16),
          Map.entry("torch.int8", ElementType.I8),
          Map.entry("torch.uint8", ElementType.U8),
          Map.entry("torch.uint16", ElementType.U16),
          Map.entry("torch.uint32", ElementType.U32),
          Map.entry("torch.uint64", ElementType.U64),
          Map.entry("torch.bool", ElementType.BOOL),
          Map.entry("torch.complex64", ElementType.C64),
          Map.entry("torch.float8_e4m3fn", ElementType.F8_E4M3),
          Map.entry("torch.float8_e5m2", ElementType.F8_E5M2));

  /** Modules whose functions do something to the machine: no program stores them by accident. */
  private static final Pattern HOSTILE =
      Pattern.compile(
          "(os|posix|nt|sys|subprocess|shutil|socket|importlib|runpy|pty|code|codeop|ctypes|webbrowser"
              + "|multiprocessing|threading|signal|imp|pdb|timeit|commands|pip|asyncio|tempfile"
              + "|torch\\.hub|torch\\._dynamo|torch\\.jit|operator|pickle|_pickle|marshal|types)"
              + "(\\..*)?");

  /** What is harmless among Python's builtins. */
  private static final Set<String> PLAIN =
      Set.of(
          "list",
          "dict",
          "tuple",
          "int",
          "float",
          "str",
          "bool",
          "bytes",
          "object",
          "range",
          "slice",
          "long",
          "unicode",
          "type",
          "NoneType",
          "Exception",
          "Ellipsis",
          "NotImplemented",
          "xrange");

  private final ByteBuffer in;
  private final String source;
  private final ArrayList<Object> stack = new ArrayList<>();
  private final ArrayList<Integer> marks = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private @Nullable String unsupported;
  private final Set<String> unknown = new TreeSet<>();
  private int values;
  private int copied;

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

  /** A class of storages that cannot be read; null where all can. */
  @Nullable String unsupported() {
    return unsupported;
  }

  /** Where a storage's elements are to be found, by key, in order of appearance. */
  Map<String, Storage> storages() {
    return storages;
  }

  /** Names of classes whose objects are left out, in alphabetical order. */
  Set<String> unknown() {
    return unknown;
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
        "has a pickle of more than %s instructions (the first %s bytes), more than any checkpoint"
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
      case 0x88 -> push(new Bool(true));
      case 0x89 -> push(new Bool(false));
      case 'J' -> push(new Int(in.getInt()));
      case 'K' -> push(new Int(in.get() & 0xFF));
      case 'M' -> push(new Int(in.getShort() & 0xFFFF));
      case 0x8A -> push(new Int(integer(in.get() & 0xFF)));
      case 0x8B -> push(new Int(integer(in.getInt())));
      case 'I' -> push(oldInteger(line()));
      case 'L' -> push(decimal(line().replaceFirst("L$", "")));
      case 'G' -> push(new Float(Double.longBitsToDouble(Long.reverseBytes(in.getLong()))));
      case 'F' -> push(real(line()));

      case 'X' -> push(new Str(utf8(bytes(in.getInt() & 0xFFFFFFFFL))));
      case 0x8C -> push(new Str(utf8(bytes(in.get() & 0xFF))));
      case 0x8D -> push(new Str(utf8(bytes(in.getLong()))));
      // Python 2 did not tell texts from bytes.
      case 'T' -> push(new Str(utf8OrLatin1(bytes(in.getInt() & 0xFFFFFFFFL))));
      case 'U' -> push(new Str(utf8OrLatin1(bytes(in.get() & 0xFF))));
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
        push(global(argument(name, 0, Str.class).value(), argument(name, 1, Str.class).value()));
      }
      case 'R', 0x81 -> {
        List<Object> call = popLast(2);
        push(construct(call.get(0), call.get(1)));
      }
      case 0x92 -> { // with arguments by name, which nothing here takes
        List<Object> call = popLast(3);
        push(construct(call.get(0), call.get(1)));
      }
      case 'i' -> {
        Global global = global(line(), line());
        push(construct(global, items(Kind.TUPLE, popToMark())));
      }
      case 'o' -> {
        List<Object> call = popToMark();
        if (call.isEmpty()) {
          throw underflow();
        }
        push(construct(call.getFirst(), items(Kind.TUPLE, call.subList(1, call.size()))));
      }
      case 0x96 -> push(new Bytes(bytes(in.getLong()))); // bytearray
      case 'b' -> {
        Object state = pop();
        build(peek(), state);
      }
      case 'Q' -> push(storage(pop()));
      default ->
          throw bad(
              "uses the pickle instruction 0x%02X at byte %s, which checkpoints do not need"
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
          "is damaged: its pickle has a text of %s bytes where %s are left"
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
      case "00" -> new Bool(false);
      case "01" -> new Bool(true);
      default -> decimal(text);
    };
  }

  private Int decimal(String text) {
    if (!text.matches("[+-]?[0-9]{1,600}")) {
      throw bad("is damaged: its pickle has '" + shortened(text) + "' where a number should be");
    }
    return new Int(new BigInteger(text));
  }

  private Float real(String text) {
    return switch (text) {
      case "nan" -> new Float(Double.NaN);
      case "inf" -> new Float(Double.POSITIVE_INFINITY);
      case "-inf" -> new Float(Double.NEGATIVE_INFINITY);
      default -> {
        if (text.length() > 600 || !text.matches("[+-]?[0-9.]+([eE][+-]?[0-9]+)?")) {
          throw bad("is damaged: its pickle has '" + shortened(text) + "' instead of a number");
        }
        try {
          yield new Float(Double.parseDouble(text));
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
    if (peek() instanceof Placeholder) {
      return;
    }
    if (!(peek() instanceof Items list) || list.kind != kind) {
      throw bad("is damaged: its pickle appends to something that is not a list");
    }
    list.values.addAll(values);
  }

  private void put(List<Object> pairs) {
    if (peek() instanceof Placeholder) {
      return;
    }
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
        case Str key -> entries.values.put(key, pairs.get(i + 1));
        case Int key -> entries.values.put(key, pairs.get(i + 1));
        case Bool key -> entries.values.put(key, pairs.get(i + 1));
        case None key -> entries.values.put(key, pairs.get(i + 1));
        // Keys of other kinds belong to something that is not read anyway.
        case Float key ->
            entries.values.put(new Str(Double.toString(key.value())), pairs.get(i + 1));
        default -> unknown.add("dictionary keys that are neither text nor numbers");
      }
    }
  }

  // What stands for calls

  private Global global(String module, String name) {
    String whole = module + "." + name;
    Global global = GLOBALS.get(whole);
    if (global != null) {
      return global;
    }
    boolean builtin = module.equals("builtins") || module.equals("__builtin__");
    boolean hostile = HOSTILE.matcher(module).matches() && !whole.equals("types.SimpleNamespace");
    if (hostile || builtin && !PLAIN.contains(name)) {
      throw bad(
          "asks for %s, which only an attack would put into a checkpoint; nothing was executed"
              .formatted(shortened(whole)));
    }
    return new Global(shortened(whole), null, null);
  }

  private Object construct(Object what, Object arguments) {
    if (what instanceof Placeholder) {
      return what;
    }
    if (!(what instanceof Global global)
        || !(arguments instanceof Items tuple)
        || tuple.kind != Kind.TUPLE) {
      throw bad("is damaged: its pickle calls something that has no name");
    }
    return global.make == null ? placeholder(global.name) : global.make.make(this, tuple.values);
  }

  private Placeholder placeholder(String name) {
    if (unknown.size() < 100) {
      unknown.add(name);
    }
    return new Placeholder(name);
  }

  /** Counts what a constructor is about to copy. */
  private void copy(long more) {
    copied = (int) Math.min(Integer.MAX_VALUE, copied + more);
    if (copied > MAX_COPIED) {
      throw bad("copies more than " + MAX_COPIED + " values, more than any checkpoint");
    }
  }

  private void build(Object object, Object state) {
    if (object instanceof Placeholder || object instanceof View) {
      return;
    }
    // Attributes of an OrderedDict: every state_dict has version numbers there.
    if (object instanceof Entries && state instanceof Entries attributes) {
      Str metadata = new Str("_metadata");
      if (attributes.values.keySet().stream().allMatch(metadata::equals)) {
        return;
      }
    }
    if (object instanceof Entries || object instanceof Items) { // attributes of a subclass
      return;
    }
    if (object instanceof NumpyType type && state instanceof Items items) {
      String order = argument(items.values, 1, Str.class).value();
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
        "is damaged: its pickle gives no %s as argument %s of %s"
            .formatted(type.getSimpleName().toLowerCase(Locale.ROOT), index + 1, arguments.size()));
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
    BigInteger value = argument(arguments, index, Int.class).value();
    if (value.signum() < 0 || value.bitLength() >= Long.SIZE) {
      throw bad("has a tensor with the " + what + " " + shortened(value.toString()));
    }
    return value.longValue();
  }

  private Object dictionary(List<Object> arguments) {
    Entries entries = new Entries(new LinkedHashMap<>());
    if (!arguments.isEmpty()) {
      // Python 2 gave the pairs as a list.
      if (arguments.getFirst() instanceof Entries other) { // a Counter
        copy(other.values.size());
        entries.values.putAll(other.values);
        return entries;
      }
      List<Object> pairs = argument(arguments, 0, Items.class).values;
      copy(pairs.size());
      for (Object pair : pairs) {
        if (!(pair instanceof Items items) || items.values.size() != 2) {
          throw bad("is damaged: its pickle makes a dictionary of something else than pairs");
        }
        put(entries, items.values);
      }
    }
    return entries;
  }

  private Object sequence(Kind kind, List<Object> arguments) {
    List<Object> values =
        arguments.isEmpty() ? List.of() : argument(arguments, 0, Items.class).values;
    copy(values.size());
    return items(kind, values);
  }

  private Object device(List<Object> arguments) {
    String type = argument(arguments, 0, Str.class).value();
    copy(type.length() / 16);
    return new Str(
        arguments.size() < 2 ? type : type + ":" + argument(arguments, 1, Int.class).value());
  }

  private Object path(List<Object> arguments, String separator) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < arguments.size(); i++) {
      copy(1 + argument(arguments, i, Str.class).value().length() / 16);
      boolean joined = path.isEmpty() || path.substring(path.length() - 1).equals(separator);
      path.append(joined ? "" : separator).append(argument(arguments, i, Str.class).value());
    }
    return new PyValue.PathName(path.isEmpty() ? "." : path.toString());
  }

  /** {@code _codecs.encode(text, 'latin1')}: how protocol 2 writes bytes. */
  private Object encode(List<Object> arguments) {
    String text = argument(arguments, 0, Str.class).value();
    String encoding = argument(arguments, 1, Str.class).value();
    if (!encoding.equals("latin1") && !encoding.equals("latin-1")) {
      throw bad("encodes a text as " + shortened(encoding) + ", which is not supported");
    }
    copy(1 + text.length() / 16);
    return new Bytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private Object bytearray(List<Object> arguments) {
    return arguments.isEmpty() || !(arguments.getFirst() instanceof Bytes bytes)
        ? placeholder("builtins.bytearray")
        : bytes;
  }

  private Object complex(List<Object> arguments) {
    return new Str(
        "(%s, %s)"
            .formatted(
                argument(arguments, 0, Float.class).value(),
                argument(arguments, 1, Float.class).value()));
  }

  /** A tensor, or what stands for one of a kind that is not read. */
  private Object tensorArgument(List<Object> arguments, int index) {
    return index < arguments.size() && arguments.get(index) instanceof Placeholder unknown
        ? unknown
        : argument(arguments, index, View.class);
  }

  /** {@code _rebuild_tensor_v3(storage of bytes, offset, size, stride, …, …, dtype, …)}. */
  private Object typedTensor(List<Object> arguments) {
    Storage bytes = argument(arguments, 0, Storage.class);
    Global dtype = argument(arguments, 6, Global.class);
    ElementType type = DTYPES.get(dtype.name);
    if (type == null || bytes.type != ElementType.U8) {
      return placeholder("a tensor of type " + dtype.name);
    }
    int size = type.bits() / 8;
    if (bytes.first % size != 0) {
      throw bad("has a tensor that does not begin at one of its elements");
    }
    List<Object> typed = new ArrayList<>(arguments);
    typed.set(0, new Storage(type, bytes.key, bytes.count / size, bytes.first / size));
    return tensor(typed);
  }

  /** {@code _rebuild_from_type_v2(function, type, arguments, state)}: a subclass of Tensor. */
  private Object ofType(List<Object> arguments) {
    return construct(argument(arguments, 0, Global.class), argument(arguments, 2, Items.class));
  }

  private Object numpyScalar(List<Object> arguments) {
    NumpyType type = argument(arguments, 0, NumpyType.class);
    Object data = arguments.size() > 1 ? arguments.get(1) : None.NONE;
    byte[] bytes =
        switch (data) {
          case Bytes b -> b.value;
          case Str text -> text.value().getBytes(StandardCharsets.ISO_8859_1); // Python 2
          default -> throw bad("has a NumPy number without a value");
        };
    String code = type.code;
    if (!code.matches("[bui]1|[ui][248]|f[248]") || bytes.length != code.charAt(1) - '0') {
      return placeholder("a NumPy value of type " + shortened(code));
    }
    ByteBuffer value = ByteBuffer.wrap(bytes).order(type.order);
    return switch (code) {
      case "b1" -> new Bool(bytes[0] != 0);
      case "u1" -> new Int(bytes[0] & 0xFF);
      case "u2" -> new Int(value.getShort() & 0xFFFF);
      case "u4" -> new Int(value.getInt() & 0xFFFFFFFFL);
      case "u8" -> new Int(new BigInteger(Long.toUnsignedString(value.getLong())));
      case "i1" -> new Int(bytes[0]);
      case "i2" -> new Int(value.getShort());
      case "i4" -> new Int(value.getInt());
      case "i8" -> new Int(value.getLong());
      case "f2" -> new Float(java.lang.Float.float16ToFloat(value.getShort()));
      case "f4" -> new Float(value.getFloat());
      default -> new Float(value.getDouble());
    };
  }

  /** {@code ('storage', class, key, location, count[, view])}; the location does not matter. */
  private Object storage(Object id) {
    if (!(id instanceof Items tuple)
        || tuple.values.size() < 5
        || !tuple.values.get(0).equals(new Str("storage"))) {
      throw bad(
          "refers to something outside the pickle that is not a storage, such as a whole module;"
              + " save the state_dict instead");
    }
    Global storageClass = argument(tuple.values, 1, Global.class);
    ElementType type = storageClass.storage;
    if (type == null) { // such as quantized integers
      unsupported = storageClass.name;
      return placeholder(storageClass.name);
    }
    String key = argument(tuple.values, 2, Str.class).value();
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
    if (!arguments.isEmpty() && arguments.getFirst() instanceof Placeholder unknown) {
      return unknown;
    }
    Storage storage = argument(arguments, 0, Storage.class);
    long offset = count(arguments, 1, "offset");
    long[] shape = longs(arguments, 2);
    long[] strides = longs(arguments, 3);
    if (shape.length != strides.length) {
      throw bad(
          "has a tensor with %s sizes and %s strides".formatted(shape.length, strides.length));
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
              "has a tensor %s at %s with strides %s, which reaches past its storage of %s elements"
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
      case Str text -> {
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
      case Global global -> new PyValue.Unknown(global.name);
      case Placeholder unknown -> new PyValue.Unknown(unknown.name);
      case Bytes bytes -> new PyValue.Unknown(bytes.value.length + " bytes");
      case Storage storage -> new PyValue.Unknown("a storage");
      case NumpyType type -> new PyValue.Unknown("numpy.dtype");
      default -> throw new AssertionError(value.getClass());
    };
  }

  private void count(int more) {
    values += more;
    if (values > MAX_VALUES) {
      throw bad("describes more than " + MAX_VALUES + " values, more than any checkpoint");
    }
  }
}
