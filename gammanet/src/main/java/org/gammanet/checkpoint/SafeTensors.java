package org.gammanet.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.io.AtomicFile;
import org.jspecify.annotations.Nullable;

/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header with type, shape and
 * byte range of each tensor, then the bytes. Nothing in it can be executed.
 */
public final class SafeTensors {
  /** The format's own limit on the header, which keeps a hostile file from filling memory. */
  private static final long MAX_HEADER = 100_000_000;

  /** PyTorch's limit on the number of dimensions. */
  static final int MAX_DIMENSIONS = 64;

  private static final String METADATA = "__metadata__";

  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private SafeTensors() {}

  /**
   * What a file holds; both maps are unmodifiable.
   *
   * @param tensors by name, in the order of their bytes
   * @param metadata the header's texts by name
   */
  public record Contents(
      SequencedMap<String, StoredTensor> tensors, SequencedMap<String, String> metadata) {}

  /**
   * Reads a file; the tensors' bytes stay mapped and are read when they are used.
   *
   * @throws CheckpointException when the file is not a whole safetensors file
   */
  public static Contents read(Path file) {
    return MappedFile.read(file, SafeTensors::read);
  }

  static Contents read(MappedFile file) throws IOException {
    if (file.size() < 8) {
      throw new CheckpointException(file + " is too short for a safetensors file");
    }
    long length = file.slice(0, 8).getLong();
    if (length < 2 || length > file.size() - 8 || length > MAX_HEADER) {
      throw new CheckpointException(
          "%s is cut off or no safetensors file: its header should have %s bytes, but %s are left"
              .formatted(file, Long.toUnsignedString(length), file.size() - 8));
    }
    byte[] header = new byte[(int) length];
    file.slice(8, length).get(header);
    return new HeaderReader(file, header).read();
  }

  private record Entry(String name, ElementType type, long[] shape, long begin, long end) {}

  /** Reads the header token by token: a tree of a hostile one would take much more memory. */
  private static final class HeaderReader {
    private final MappedFile file;
    private final byte[] header;
    private final List<Entry> entries = new ArrayList<>();
    private final SequencedMap<String, String> metadata = new LinkedHashMap<>();

    HeaderReader(MappedFile file, byte[] header) {
      this.file = file;
      this.header = header;
    }

    Contents read() throws IOException {
      try (JsonParser json = JSON.createParser(header)) {
        require(header[0] == '{' && json.nextToken() == JsonToken.START_OBJECT, "is no JSON map");
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          JsonToken value = json.nextToken();
          if (name.equals(METADATA) && value == JsonToken.VALUE_NULL) {
            continue; // the same as none
          }
          require(value == JsonToken.START_OBJECT, "has no map under '" + name + "'");
          if (name.equals(METADATA)) {
            readMetadata(json);
          } else {
            entries.add(readEntry(json, name));
          }
        }
        require(json.nextToken() == null, "goes on after its end");
      } catch (JsonProcessingException e) {
        throw new CheckpointException(
            "%s is not a safetensors file: its header is not JSON (%s)"
                .formatted(file, e.getOriginalMessage()),
            e);
      }
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      return new Contents(
          Collections.unmodifiableSequencedMap(map()),
          Collections.unmodifiableSequencedMap(metadata));
    }

    private void readMetadata(JsonParser json) throws IOException {
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        require(
            json.nextToken() == JsonToken.VALUE_STRING,
            "has metadata '" + name + "' that is not a text");
        metadata.put(name, json.getText());
      }
    }

    private Entry readEntry(JsonParser json, String name) throws IOException {
      ElementType type = null;
      long[] shape = null;
      long[] range = null;
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String key = json.currentName();
        json.nextToken();
        switch (key) {
          case "dtype" -> type = elementType(name, json);
          case "shape" -> shape = wholeNumbers(json, MAX_DIMENSIONS);
          case "data_offsets" -> range = wholeNumbers(json, 2);
          default -> json.skipChildren();
        }
      }
      if (type == null || shape == null || range == null || range.length != 2) {
        throw bad("describes '" + name + "' without proper dtype, shape and data_offsets");
      }
      require(range[0] <= range[1], "lets '" + name + "' end before it begins");
      long needed;
      try {
        needed = StoredTensor.byteCount(type, shape);
      } catch (ArithmeticException e) {
        throw new CheckpointException(
            file + ": the tensor '" + name + "' has an impossible shape", e);
      }
      require(
          range[1] - range[0] == needed,
          "gives '%s' %s bytes, but %s%s takes %s"
              .formatted(name, range[1] - range[0], type, Arrays.toString(shape), needed));
      return new Entry(name, type, shape, range[0], range[1]);
    }

    private ElementType elementType(String name, JsonParser json) throws IOException {
      String text = json.currentToken() == JsonToken.VALUE_STRING ? json.getText() : "";
      for (ElementType type : ElementType.values()) {
        if (type.name().equals(text)) {
          return type;
        }
      }
      throw new CheckpointException(
          "%s: the tensor '%s' has the element type '%s', which is not supported"
              .formatted(file, name, text.substring(0, Math.min(20, text.length()))));
    }

    /** A list of numbers from 0 on; null for anything else. */
    private static long @Nullable [] wholeNumbers(JsonParser json, int most) throws IOException {
      if (json.currentToken() != JsonToken.START_ARRAY) {
        json.skipChildren();
        return null;
      }
      long[] values = new long[most];
      int count = 0;
      boolean good = true;
      while (json.nextToken() != JsonToken.END_ARRAY) {
        good &=
            count < most
                && json.currentToken() == JsonToken.VALUE_NUMBER_INT
                && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                && json.getLongValue() >= 0;
        if (good) {
          values[count++] = json.getLongValue();
        }
        json.skipChildren();
      }
      return good ? Arrays.copyOf(values, count) : null;
    }

    /** The tensors in the order of their bytes, which must follow each other without gaps. */
    private SequencedMap<String, StoredTensor> map() throws IOException {
      SequencedMap<String, StoredTensor> tensors = new LinkedHashMap<>();
      long start = 8 + (long) header.length;
      long available = file.size() - start;
      long at = 0;
      for (Entry entry : entries) {
        require(
            entry.begin == at,
            "puts '%s' at byte %s where %s is next".formatted(entry.name, entry.begin, at));
        at = entry.end;
        if (at > available) {
          throw new CheckpointException(
              "%s is cut off: the tensor '%s' ends at byte %s of the data, which has %s"
                  .formatted(file, entry.name, at, available));
        }
        ByteBuffer data = file.slice(start + entry.begin, entry.end - entry.begin);
        tensors.put(entry.name, new StoredTensor(entry.type, entry.shape, data));
      }
      require(at == available, "leaves %s bytes of the file unused".formatted(available - at));
      return tensors;
    }

    private void require(boolean condition, String otherwise) {
      if (!condition) {
        throw bad(otherwise);
      }
    }

    private CheckpointException bad(String what) {
      return new CheckpointException(
          file + " is not a proper safetensors file: its header " + what);
    }
  }

  /**
   * Writes a file that is either whole or absent: an existing one survives a failure.
   *
   * @param tensors by name; their bytes are asked for one after the other
   * @param metadata texts by name
   * @throws CheckpointException when it cannot be written, for instance because the disk is full
   * @throws IllegalArgumentException for a tensor called {@code __metadata__}
   */
  public static void write(
      Path file, Map<String, StoredTensor> tensors, Map<String, String> metadata) {
    if (tensors.containsKey(METADATA)) {
      throw new IllegalArgumentException("a tensor cannot be called " + METADATA);
    }
    try {
      byte[] json = header(tensors, metadata);
      // Padding with spaces is part of the format: the data begin at a multiple of 8.
      int padded = (json.length + 7) / 8 * 8;
      byte[] spaces = new byte[padded - json.length];
      Arrays.fill(spaces, (byte) ' ');
      ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
      head.putLong(padded).put(json).put(spaces).flip();
      AtomicFile.write(
          file,
          channel -> {
            writeFully(channel, head);
            for (StoredTensor tensor : tensors.values()) {
              writeFully(channel, tensor.data());
            }
          });
    } catch (IOException e) {
      throw MappedFile.failure("write", file, e);
    }
  }

  private static byte[] header(Map<String, StoredTensor> tensors, Map<String, String> metadata)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(METADATA);
        for (Map.Entry<String, String> text : metadata.entrySet()) {
          json.writeStringField(text.getKey(), text.getValue());
        }
        json.writeEndObject();
      }
      long at = 0;
      for (Map.Entry<String, StoredTensor> entry : tensors.entrySet()) {
        StoredTensor tensor = entry.getValue();
        long end = at + tensor.byteCount();
        long[] shape = tensor.shape();
        json.writeObjectFieldStart(entry.getKey());
        json.writeStringField("dtype", tensor.type().name());
        json.writeFieldName("shape");
        json.writeArray(shape, 0, shape.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {at, end}, 0, 2);
        json.writeEndObject();
        at = end;
      }
      json.writeEndObject();
    }
    return bytes.toByteArray();
  }

  static void writeFully(FileChannel channel, ByteBuffer data) throws IOException {
    while (data.hasRemaining()) {
      channel.write(data);
    }
  }
}
