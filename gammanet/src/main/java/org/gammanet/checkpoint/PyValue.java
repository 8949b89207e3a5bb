package org.gammanet.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/** A value that a Python program stored, as plain immutable data. */
sealed interface PyValue {
  /** Python's {@code None}. */
  enum None implements PyValue {
    NONE
  }

  /** {@code True} or {@code False}. */
  record Bool(boolean value) implements PyValue {}

  /** An integer, Python's or NumPy's. */
  record Int(BigInteger value) implements PyValue, Comparable<Int> {
    Int(long value) {
      this(BigInteger.valueOf(value));
    }

    // Map keys with equal hashes, which a hostile file may consist of, are looked up by order.
    @Override
    public int compareTo(Int other) {
      return value.compareTo(other.value);
    }
  }

  /** A floating-point number, Python's or NumPy's. */
  record Float(double value) implements PyValue {}

  record Str(String value) implements PyValue, Comparable<Str> {
    @Override
    public int compareTo(Str other) {
      return value.compareTo(other.value);
    }
  }

  /** A path object. */
  record PathName(String value) implements PyValue {}

  /** A list, tuple or set. */
  record Sequence(Kind kind, List<PyValue> items) implements PyValue {
    enum Kind {
      LIST,
      TUPLE,
      SET
    }
  }

  /** A dictionary in its order; keys are {@link Str}, {@link Int}, {@link Bool} or None. */
  record Dictionary(SequencedMap<PyValue, PyValue> entries) implements PyValue {
    /** The value under a text key. */
    @Nullable PyValue get(String key) {
      return entries.get(new Str(key));
    }
  }

  /** Something that is not read, such as an object of a class of the author's own. */
  record Unknown(String name) implements PyValue {}

  record Array(StoredTensor tensor) implements PyValue {}

  /**
   * The same in JSON's terms: tuples and sets become lists, paths and keys texts, tensors of one
   * element a number and others a text with type and shape.
   */
  default JsonNode toJson() {
    JsonNodeFactory json = JsonNodeFactory.instance;
    return switch (this) {
      case None none -> json.nullNode();
      case Bool truth -> json.booleanNode(truth.value);
      case Int whole ->
          whole.value.bitLength() < Long.SIZE
              ? json.numberNode(whole.value.longValue())
              : json.numberNode(whole.value);
      case Float real -> json.numberNode(real.value);
      case Str text -> json.textNode(text.value);
      case PathName path -> json.textNode(path.value);
      case Unknown unknown -> json.textNode("<" + unknown.name + ">");
      case Sequence sequence -> {
        ArrayNode array = json.arrayNode();
        sequence.items.forEach(item -> array.add(item.toJson()));
        yield array;
      }
      case Dictionary dictionary -> {
        ObjectNode object = json.objectNode();
        dictionary.entries.forEach(
            (key, value) -> object.set(key.toJson().asText(), value.toJson()));
        yield object;
      }
      case Array(StoredTensor tensor) -> {
        if (tensor.numel() != 1) {
          yield json.textNode("tensor " + tensor);
        }
        double value = tensor.get(0);
        yield switch (tensor.type()) {
          case BOOL -> json.booleanNode(value != 0);
          case I64 -> json.numberNode(tensor.data().getLong());
          case I32, I16, I8, U32, U16, U8 -> json.numberNode((long) value);
          default -> json.numberNode(value);
        };
      }
    };
  }
}
