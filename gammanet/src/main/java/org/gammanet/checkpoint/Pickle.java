package org.gammanet.checkpoint;

import java.math.BigInteger;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
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
 * constructors of our own ({@link SafeGlobals}), and every other one makes an inert {@link
 * Placeholder}, so that a checkpoint can be read whatever else its author stored beside the
 * weights.
 *
 * <p>The stack is a list, so nesting costs no call stack, and the work is bounded: no more than
 * {@link #MAX_STEPS} instructions, {@link SafeGlobals#MAX_COPIED} copied values, {@link
 * #MAX_VALUES} values in the result (which counts shared ones each time, so that a few bytes cannot
 * describe an endless tree), and {@link #MAX_DEPTH} levels.
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
  record Items(Kind kind, ArrayList<Object> values) {
    static Items of(Kind kind, List<Object> values) {
      return new Items(kind, new ArrayList<>(values));
    }
  }

  /** A dictionary while it grows. */
  record Entries(LinkedHashMap<PyValue, Object> values) {
    Entries() {
      this(new LinkedHashMap<>());
    }
  }

  record Bytes(byte[] value) {}

  /** An object of a class that is not known; whatever is done with it has no effect. */
  record Placeholder(String name) {}

  private final ByteBuffer in;
  private final String source;
  private final ArrayList<Object> stack = new ArrayList<>();
  private final ArrayList<Integer> marks = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private final SafeGlobals globals;
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
    this.globals = new SafeGlobals(source);
  }

  /** A class of storages that cannot be read; null where all can. */
  @Nullable String unsupported() {
    return globals.unsupported();
  }

  /** Where a storage's elements are to be found, by key, in order of appearance. */
  Map<String, Storage> storages() {
    return globals.storages();
  }

  /** Names of classes whose objects are left out, in alphabetical order. */
  Set<String> unknown() {
    return globals.unknown();
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

      case ')' -> push(Items.of(Kind.TUPLE, List.of()));
      case 0x85 -> push(Items.of(Kind.TUPLE, popLast(1)));
      case 0x86 -> push(Items.of(Kind.TUPLE, popLast(2)));
      case 0x87 -> push(Items.of(Kind.TUPLE, popLast(3)));
      case 't' -> push(Items.of(Kind.TUPLE, popToMark()));
      case ']' -> push(Items.of(Kind.LIST, List.of()));
      case 'l' -> push(Items.of(Kind.LIST, popToMark()));
      case 'a' -> append(popLast(1), Kind.LIST);
      case 'e' -> append(popToMark(), Kind.LIST);
      case 0x8F -> push(Items.of(Kind.SET, List.of()));
      case 0x90 -> append(popToMark(), Kind.SET);
      case 0x91 -> push(Items.of(Kind.SET, popToMark()));
      case '}' -> push(new Entries());
      case 'd' -> {
        List<Object> pairs = popToMark();
        Entries entries = new Entries();
        globals.put(entries, pairs);
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

      case 'c' -> push(globals.find(line(), line()));
      case 0x93 -> {
        List<Object> name = popLast(2);
        Str module = globals.argument(name, 0, Str.class);
        push(globals.find(module.value(), globals.argument(name, 1, Str.class).value()));
      }
      case 'R', 0x81 -> {
        List<Object> call = popLast(2);
        push(globals.construct(call.get(0), call.get(1)));
      }
      case 0x92 -> { // with arguments by name, which nothing here takes
        List<Object> call = popLast(3);
        push(globals.construct(call.get(0), call.get(1)));
      }
      case 'i' -> {
        SafeGlobals.Global global = globals.find(line(), line());
        push(globals.construct(global, Items.of(Kind.TUPLE, popToMark())));
      }
      case 'o' -> {
        List<Object> call = popToMark();
        if (call.isEmpty()) {
          throw underflow();
        }
        push(
            globals.construct(call.getFirst(), Items.of(Kind.TUPLE, call.subList(1, call.size()))));
      }
      case 0x96 -> push(new Bytes(bytes(in.getLong()))); // bytearray
      case 'b' -> {
        Object state = pop();
        globals.build(peek(), state);
      }
      case 'Q' -> push(globals.storage(pop()));
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
      throw bad(
          "is damaged: its pickle has '"
              + SafeGlobals.shortened(text)
              + "' where a number should be");
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
          throw bad(
              "is damaged: its pickle has '"
                  + SafeGlobals.shortened(text)
                  + "' instead of a number");
        }
        try {
          yield new Float(Double.parseDouble(text));
        } catch (NumberFormatException e) {
          throw new CheckpointException(source + " is damaged: its pickle has a bad number", e);
        }
      }
    };
  }

  // Collections

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
    globals.put(entries, pairs);
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
      case SafeGlobals.Global global -> new PyValue.Unknown(global.name());
      case Placeholder unknown -> new PyValue.Unknown(unknown.name);
      case Bytes bytes -> new PyValue.Unknown(bytes.value.length + " bytes");
      case Storage storage -> new PyValue.Unknown("a storage");
      case SafeGlobals.NumpyType type -> new PyValue.Unknown("numpy.dtype");
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
