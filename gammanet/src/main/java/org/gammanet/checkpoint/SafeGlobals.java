package org.gammanet.checkpoint;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.Pickle.Bytes;
import org.gammanet.checkpoint.Pickle.Entries;
import org.gammanet.checkpoint.Pickle.Items;
import org.gammanet.checkpoint.Pickle.Placeholder;
import org.gammanet.checkpoint.Pickle.Storage;
import org.gammanet.checkpoint.Pickle.View;
import org.gammanet.checkpoint.PyValue.Bool;
import org.gammanet.checkpoint.PyValue.Float;
import org.gammanet.checkpoint.PyValue.Int;
import org.gammanet.checkpoint.PyValue.None;
import org.gammanet.checkpoint.PyValue.Sequence.Kind;
import org.gammanet.checkpoint.PyValue.Str;
import org.jspecify.annotations.Nullable;

/**
 * The names that a pickle may use, and what stands for calling them: constructors of collections,
 * scalars, paths and tensors. Objects of any other class are {@link Placeholder}s; names that only
 * an attack would use are refused.
 */
final class SafeGlobals {
  /** Values, and pieces of 16 characters, that constructors copy: a few bytes may ask for many. */
  static final int MAX_COPIED = 2_000_000;

  /** NumPy's element type, whose byte order follows later. */
  static final class NumpyType {
    final String code;
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;

    NumpyType(String code) {
      this.code = code;
    }
  }

  /** A name that a pickle may use. Storage classes are no constructors but have a type. */
  record Global(String name, @Nullable ElementType storage, @Nullable Constructor make) {}

  interface Constructor {
    Object make(SafeGlobals globals, List<Object> arguments);
  }

  private static final Map<String, Global> GLOBALS = new HashMap<>();

  private static void allow(Constructor make, String... names) {
    for (String name : names) {
      GLOBALS.put(name, new Global(name, null, make));
    }
  }

  static {
    allow(SafeGlobals::dictionary, "collections.OrderedDict", "collections.Counter");
    allow((p, a) -> new Entries(), "collections.defaultdict");
    for (String module : List.of("builtins.", "__builtin__.")) {
      allow((p, a) -> p.sequence(Kind.SET, a), module + "set", module + "frozenset");
      allow(SafeGlobals::bytearray, module + "bytearray");
      allow(SafeGlobals::complex, module + "complex");
    }
    allow((p, a) -> p.sequence(Kind.TUPLE, a), "torch.Size");
    allow(SafeGlobals::tensor, "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor");
    allow(SafeGlobals::typedTensor, "torch._utils._rebuild_tensor_v3");
    allow(
        (p, a) -> p.tensorArgument(a, 0),
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch.nn.parameter.Parameter");
    allow(SafeGlobals::ofType, "torch._tensor._rebuild_from_type_v2");
    allow(SafeGlobals::device, "torch.device");
    allow((p, a) -> p.argument(a, 0, Str.class), "torch.serialization._get_layout");
    allow(
        SafeGlobals::numpyScalar, "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar");
    allow((p, a) -> new NumpyType(p.argument(a, 0, Str.class).value()), "numpy.dtype");
    allow(SafeGlobals::encode, "_codecs.encode");
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
          ("list dict tuple int float str bool bytes object range slice long unicode type NoneType"
                  + " Exception Ellipsis NotImplemented xrange")
              .split(" "));

  private final String source;
  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private final Set<String> unknown = new TreeSet<>();
  private @Nullable String unsupported;
  private int copied;

  /** For one pickle in a file of that name. */
  SafeGlobals(String source) {
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

  private CheckpointException bad(String what) {
    return new CheckpointException(source + " " + what);
  }

  /** A text from the file for a message: at most 60 characters, none of them a control. */
  static String shortened(String text) {
    String clean = text.replaceAll("\\p{Cntrl}", "?");
    return clean.length() <= 60 ? clean : clean.substring(0, 57) + "...";
  }

  /**
   * What a name stands for.
   *
   * @throws CheckpointException for one that only an attack would use
   */
  Global find(String module, String name) {
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

  /** What stands for the call of a function or class with a tuple of arguments. */
  Object construct(Object what, Object arguments) {
    if (what instanceof Placeholder) {
      return what;
    }
    if (!(what instanceof Global global)
        || !(arguments instanceof Items tuple)
        || tuple.kind() != Kind.TUPLE) {
      throw bad("is damaged: its pickle calls something that has no name");
    }
    return global.make == null ? placeholder(global.name) : global.make.make(this, tuple.values());
  }

  /** Sets the attributes of an object, as far as they matter. */
  void build(Object object, Object state) {
    if (object instanceof Placeholder || object instanceof View) {
      return;
    }
    // Attributes of a subclass, and of an OrderedDict: every state_dict has version numbers there.
    if (object instanceof Entries || object instanceof Items) {
      return;
    }
    if (object instanceof NumpyType type && state instanceof Items items) {
      String order = argument(items.values(), 1, Str.class).value();
      type.order = order.equals(">") ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      return;
    }
    throw bad("sets attributes of an object that should have none");
  }

  /** {@code ('storage', class, key, location, count[, view])}; the location does not matter. */
  Object storage(Object id) {
    if (!(id instanceof Items tuple)
        || tuple.values().size() < 5
        || !tuple.values().get(0).equals(new Str("storage"))) {
      throw bad(
          "refers to something outside the pickle that is not a storage, such as a whole module;"
              + " save the state_dict instead");
    }
    Global storageClass = argument(tuple.values(), 1, Global.class);
    ElementType type = storageClass.storage;
    if (type == null) { // such as quantized integers
      unsupported = storageClass.name;
      return placeholder(storageClass.name);
    }
    String key = argument(tuple.values(), 2, Str.class).value();
    Storage whole = new Storage(type, key, count(tuple.values(), 4, "element count"), 0);
    Storage known = storages.putIfAbsent(key, whole);
    if (known != null && !known.equals(whole)) {
      throw bad("describes the storage '" + shortened(key) + "' in two ways");
    }
    if (tuple.values().size() > 5 && tuple.values().get(5) instanceof Items view) {
      long first = count(view.values(), 1, "storage offset");
      long count = count(view.values(), 2, "element count");
      if (first > whole.count() || count > whole.count() - first) {
        throw bad("has a view that reaches past the storage '" + shortened(key) + "'");
      }
      return new Storage(type, key, count, first);
    }
    return whole;
  }

  /** Adds pairs of key and value to a dictionary. */
  void put(Entries entries, List<Object> pairs) {
    if (pairs.size() % 2 != 0) {
      throw bad("is damaged: its pickle has a dictionary key without a value");
    }
    for (int i = 0; i < pairs.size(); i += 2) {
      Object value = pairs.get(i + 1);
      switch (pairs.get(i)) {
        case Str key -> entries.values().put(key, value);
        case Int key -> entries.values().put(key, value);
        case Bool key -> entries.values().put(key, value);
        case None key -> entries.values().put(key, value);
        // Keys of other kinds belong to something that is not read anyway.
        case Float key -> entries.values().put(new Str(Double.toString(key.value())), value);
        default -> unknown.add("dictionary keys that are neither text nor numbers");
      }
    }
  }

  // For all constructors

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

  /** An argument of a call, counted from 0. */
  <T> T argument(List<Object> arguments, int index, Class<T> type) {
    if (index < arguments.size() && type.isInstance(arguments.get(index))) {
      return type.cast(arguments.get(index));
    }
    throw bad(
        "is damaged: its pickle gives no %s as argument %s of %s"
            .formatted(type.getSimpleName().toLowerCase(Locale.ROOT), index + 1, arguments.size()));
  }

  private long[] longs(List<Object> arguments, int index) {
    Items tuple = argument(arguments, index, Items.class);
    if (tuple.values().size() > SafeTensors.MAX_DIMENSIONS) {
      throw bad("has a tensor of " + tuple.values().size() + " dimensions");
    }
    long[] numbers = new long[tuple.values().size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = count(tuple.values(), i, "size or stride");
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

  // Constructors

  private Object dictionary(List<Object> arguments) {
    Entries entries = new Entries();
    if (!arguments.isEmpty()) {
      // Python 2 gave the pairs as a list.
      if (arguments.getFirst() instanceof Entries other) { // a Counter
        copy(other.values().size());
        entries.values().putAll(other.values());
        return entries;
      }
      List<Object> pairs = argument(arguments, 0, Items.class).values();
      copy(pairs.size());
      for (Object pair : pairs) {
        if (!(pair instanceof Items items) || items.values().size() != 2) {
          throw bad("is damaged: its pickle makes a dictionary of something else than pairs");
        }
        put(entries, items.values());
      }
    }
    return entries;
  }

  private Object sequence(Kind kind, List<Object> arguments) {
    List<Object> values =
        arguments.isEmpty() ? List.of() : argument(arguments, 0, Items.class).values();
    copy(values.size());
    return Items.of(kind, values);
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
    if (type == null || bytes.type() != ElementType.U8) {
      return placeholder("a tensor of type " + dtype.name);
    }
    int size = type.bits() / 8;
    if (bytes.first() % size != 0) {
      throw bad("has a tensor that does not begin at one of its elements");
    }
    List<Object> typed = new ArrayList<>(arguments);
    typed.set(0, new Storage(type, bytes.key(), bytes.count() / size, bytes.first() / size));
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
          case Bytes b -> b.value();
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
      if (StoredTensor.byteCount(storage.type(), shape) > Integer.MAX_VALUE) {
        throw bad("has a tensor " + Arrays.toString(shape) + " of more than 2 GiB");
      }
      if (Arrays.stream(shape).noneMatch(size -> size == 0)) {
        long last = offset;
        for (int i = 0; i < shape.length; i++) {
          last = Math.addExact(last, Math.multiplyExact(shape[i] - 1, strides[i]));
        }
        if (last >= storage.count()) {
          throw bad(
              "has a tensor %s at %s with strides %s, which reaches past its storage of %s elements"
                  .formatted(
                      Arrays.toString(shape), offset, Arrays.toString(strides), storage.count()));
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
}
