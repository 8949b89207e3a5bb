package org.gammanet.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.data.AtomicFile;

/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header with type, shape and
 * byte range of each tensor, then the bytes. Nothing in it can be executed.
 */
public final class SafeTensors {
  /** The format's own limit on the header, which keeps a hostile file from filling memory. */
  private static final long MAX_HEADER = 100_000_000;

  private static final String METADATA = "__metadata__";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private SafeTensors() {}

  /**
   * What a file holds.
   *
   * @param tensors by name, in the order of their bytes
   * @param metadata the header's texts by name
   */
  public record Contents(Map<String, StoredTensor> tensors, Map<String, String> metadata) {}

  /**
   * Reads a file; the tensors' bytes stay mapped and are read when they are used.
   *
   * @throws CheckpointException when the file is not a whole safetensors file
   */
  public static Contents read(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size < 8) {
        throw bad(file, size == 0 ? "is empty" : "is too short for a safetensors file");
      }
      ByteBuffer prefix = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      readFully(channel, prefix, 0, file);
      long length = prefix.getLong(0);
      if (length < 2 || length > size - 8 || length > MAX_HEADER) {
        throw bad(file, "has a header length of " + length + ", which does not fit the file");
      }
      ByteBuffer header = ByteBuffer.allocate((int) length);
      readFully(channel, header, 8, file);
      return parse(file, channel, header.array(), 8 + length, size - 8 - length);
    } catch (IOException e) {
      throw new CheckpointException("cannot read " + file + ": " + reason(e), e);
    }
  }

  private record Entry(String name, ElementType type, long[] shape, long begin, long end) {}

  private static Contents parse(
      Path file, FileChannel channel, byte[] header, long start, long available)
      throws IOException {
    JsonNode root;
    try {
      root = JSON.readTree(header);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          file
              + " is not a safetensors file: its header is not JSON ("
              + e.getOriginalMessage()
              + ")",
          e);
    }
    if (!root.isObject()) {
      throw bad(file, "has a header that is not a JSON object");
    }
    Map<String, String> metadata = new LinkedHashMap<>();
    List<Entry> entries = new ArrayList<>();
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        for (Map.Entry<String, JsonNode> text : field.getValue().properties()) {
          if (!text.getValue().isTextual()) {
            throw bad(file, "has metadata '" + text.getKey() + "' that is not a text");
          }
          metadata.put(text.getKey(), text.getValue().textValue());
        }
      } else {
        entries.add(entry(file, field.getKey(), field.getValue()));
      }
    }
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    long at = 0;
    for (Entry entry : entries) {
      if (entry.begin != at) {
        throw bad(
            file,
            "has a tensor '"
                + entry.name
                + "' at byte "
                + entry.begin
                + " where "
                + at
                + " is next");
      }
      at = entry.end;
      if (at > available) {
        throw bad(
            file,
            "is cut off: the tensor '"
                + entry.name
                + "' ends at byte "
                + at
                + " of the data, which has "
                + available);
      }
      long bytes = entry.end - entry.begin;
      if (bytes > Integer.MAX_VALUE) {
        throw bad(file, "has a tensor '" + entry.name + "' of more than 2 GiB");
      }
      ByteBuffer data =
          bytes == 0
              ? ByteBuffer.allocate(0)
              : channel.map(FileChannel.MapMode.READ_ONLY, start + entry.begin, bytes);
      tensors.put(entry.name, new StoredTensor(entry.type, entry.shape, data));
    }
    if (at != available) {
      throw bad(file, "has " + (available - at) + " bytes after its last tensor");
    }
    return new Contents(tensors, metadata);
  }

  private static Entry entry(Path file, String name, JsonNode node) {
    JsonNode shapeNode = node.path("shape");
    JsonNode offsets = node.path("data_offsets");
    boolean formed =
        node.path("dtype").isTextual()
            && shapeNode.isArray()
            && offsets.isArray()
            && offsets.size() == 2
            && offsets.get(0).isIntegralNumber()
            && offsets.get(0).canConvertToLong()
            && offsets.get(1).isIntegralNumber()
            && offsets.get(1).canConvertToLong();
    if (!formed) {
      throw bad(file, "describes the tensor '" + name + "' without dtype, shape and data_offsets");
    }
    ElementType type;
    try {
      type = ElementType.valueOf(node.get("dtype").textValue());
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          file
              + ": the tensor '"
              + name
              + "' has the element type "
              + node.get("dtype").textValue()
              + ", which is not supported",
          e);
    }
    long[] shape = new long[shapeNode.size()];
    for (int i = 0; i < shape.length; i++) {
      if (!shapeNode.get(i).isIntegralNumber() || !shapeNode.get(i).canConvertToLong()) {
        throw bad(file, "gives the tensor '" + name + "' a size that is not a whole number");
      }
      shape[i] = shapeNode.get(i).longValue();
    }
    long begin = offsets.get(0).longValue();
    long end = offsets.get(1).longValue();
    try {
      if (begin < 0 || end - begin != StoredTensor.byteCount(type, shape)) {
        throw bad(file, "gives the tensor '" + name + "' a byte range that does not fit its shape");
      }
    } catch (ArithmeticException e) {
      throw new CheckpointException(
          file + ": the tensor '" + name + "' has an impossible shape", e);
    }
    return new Entry(name, type, shape, begin, end);
  }

  /**
   * Writes a file that is either whole or absent: an existing one survives a failure.
   *
   * @throws CheckpointException when it cannot be written
   */
  public static void write(
      Path file, Map<String, StoredTensor> tensors, Map<String, String> metadata) {
    ObjectNode header = JSON.createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode texts = header.putObject(METADATA);
      metadata.forEach(texts::put);
    }
    long at = 0;
    for (Map.Entry<String, StoredTensor> tensor : tensors.entrySet()) {
      StoredTensor value = tensor.getValue();
      ObjectNode node = header.putObject(tensor.getKey());
      node.put("dtype", value.type().name());
      var shape = node.putArray("shape");
      for (long size : value.shape()) {
        shape.add(size);
      }
      long end = at + value.data().remaining();
      node.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    try {
      byte[] json = JSON.writeValueAsBytes(header);
      int padded = (json.length + 7) / 8 * 8;
      ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
      head.putLong(padded).put(json);
      while (head.hasRemaining()) {
        head.put((byte) ' ');
      }
      head.flip();
      AtomicFile.write(
          file,
          channel -> {
            writeFully(channel, head);
            for (StoredTensor tensor : tensors.values()) {
              writeFully(channel, tensor.data());
            }
          });
    } catch (IOException e) {
      throw new CheckpointException("cannot write " + file + ": " + reason(e), e);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer data) throws IOException {
    while (data.hasRemaining()) {
      channel.write(data);
    }
  }

  private static void readFully(FileChannel channel, ByteBuffer target, long position, Path file)
      throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target, position + target.position()) < 0) {
        throw bad(file, "ends early");
      }
    }
  }

  static String reason(IOException e) {
    if (e instanceof java.nio.file.NoSuchFileException) {
      return "there is no such file";
    }
    if (e instanceof java.nio.file.AccessDeniedException) {
      return "access is denied";
    }
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static CheckpointException bad(Path file, String what) {
    return new CheckpointException(file + " " + what);
  }
}
