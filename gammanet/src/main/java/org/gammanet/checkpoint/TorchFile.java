package org.gammanet.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import org.gammanet.checkpoint.Pickle.Storage;
import org.gammanet.checkpoint.Pickle.View;
import org.gammanet.checkpoint.PyValue.None;
import org.gammanet.checkpoint.PyValue.Sequence.Kind;
import org.gammanet.io.AtomicFile;

/**
 * What {@code torch.save} writes: since PyTorch 1.6 a zip archive of uncompressed records (a pickle
 * and one record per storage), before that a row of pickles with the storages behind them.
 *
 * <p>The archive is read here and not by a library because its records are mapped, not copied, and
 * because every position in it is checked first.
 */
final class TorchFile {
  /** More than any description of tensors needs. */
  private static final int MAX_PICKLE = 1 << 26;

  private static final int PROTOCOL = 1001;
  private static final BigInteger MAGIC = new BigInteger("1950A86A20F9469CFC6C", 16);

  private static final int LOCAL_HEADER = 0x04034B50;
  private static final int CENTRAL_HEADER = 0x02014B50;
  private static final int END = 0x06054B50;
  private static final int END_64 = 0x06064B50;
  private static final int LOCATOR_64 = 0x07064B50;
  private static final int LOCAL_HEADER_BYTES = 30;
  private static final int CENTRAL_HEADER_BYTES = 46;
  private static final int END_BYTES = 22;
  private static final int UTF8_NAMES = 0x800;

  private TorchFile() {}

  /** Whether a file begins as a zip archive does. */
  static boolean isZip(MappedFile file) throws IOException {
    return file.size() >= 4 && file.slice(0, 4).getInt() == LOCAL_HEADER;
  }

  /** Whether a file begins as a pickle of protocol 2 or later does. */
  static boolean isPickle(MappedFile file) throws IOException {
    ByteBuffer start = file.slice(0, Math.min(2, file.size()));
    return file.size() >= 2 && (start.get() & 0xFF) == 0x80 && start.get() <= 5;
  }

  // The container since PyTorch 1.6

  /** A record of the archive: where its bytes are. */
  private record Entry(long header, long size, boolean stored) {}

  /**
   * What a file holds.
   *
   * @param unknown names of classes whose objects are left out
   */
  record Contents(PyValue root, Set<String> unknown) {}

  static Contents readZip(MappedFile file) throws IOException {
    Map<String, Entry> entries = entries(file);
    if (entries.keySet().stream()
        .anyMatch(name -> name.matches("[^/]+/(constants\\.pkl|code/.*)"))) {
      throw new CheckpointException(
          file + " is a TorchScript archive, which holds a program: save the state_dict instead");
    }
    List<String> pickles =
        entries.keySet().stream().filter(name -> name.matches("[^/]+/data\\.pkl")).toList();
    if (pickles.size() != 1) {
      throw new CheckpointException(
          file
              + (pickles.isEmpty()
                  ? " is a zip archive, but not one of torch.save: it has no data.pkl in a folder"
                  : " is damaged: it has more than one data.pkl"));
    }
    String folder = pickles.getFirst().replaceFirst("data\\.pkl$", "");
    Pickle pickle =
        new Pickle(content(file, entries, pickles.getFirst(), MAX_PICKLE), file.toString());
    Object root = pickle.run();
    ByteOrder order = byteOrder(file, entries, folder + "byteorder");
    for (Storage storage : pickle.storages().values()) {
      Entry entry = entries.get(folder + "data/" + storage.key());
      // Divided, because a hostile count overflows when multiplied.
      if (entry == null || !entry.stored || entry.size / storage.type().bytes() < storage.count()) {
        throw new CheckpointException(
            "%s is damaged: its storage '%s' of %s %s elements %s"
                .formatted(
                    file,
                    storage.key(),
                    storage.count(),
                    storage.type(),
                    entry == null ? "is missing" : "has " + entry.size + " bytes only"));
      }
    }
    Map<String, Long> starts = new HashMap<>();
    for (String key : pickle.storages().keySet()) {
      starts.put(key, dataStart(file, get(entries, folder + "data/" + key)));
    }
    Budget budget = new Budget(file);
    return new Contents(
        pickle.freeze(root, view -> tensor(file, budget.charge(view), starts, order)),
        pickle.unknown());
  }

  private static Entry get(Map<String, Entry> entries, String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new AssertionError(name);
    }
    return entry;
  }

  private static ByteOrder byteOrder(MappedFile file, Map<String, Entry> entries, String name)
      throws IOException {
    if (!entries.containsKey(name)) {
      return ByteOrder.LITTLE_ENDIAN;
    }
    String text =
        StandardCharsets.US_ASCII.decode(content(file, entries, name, MAX_PICKLE)).toString();
    return switch (text.strip()) {
      case "little" -> ByteOrder.LITTLE_ENDIAN;
      case "big" -> ByteOrder.BIG_ENDIAN;
      default ->
          throw new CheckpointException(
              file + " is damaged: its byteorder is neither little nor big");
    };
  }

  private static ByteBuffer content(
      MappedFile file, Map<String, Entry> entries, String name, int most) throws IOException {
    Entry entry = get(entries, name);
    if (!entry.stored) {
      throw new CheckpointException(
          file + " has compressed or encrypted records, which torch.save does not write");
    }
    if (entry.size > most) {
      throw new CheckpointException(
          "%s has a record %s of %s bytes, more than any checkpoint"
              .formatted(file, name, entry.size));
    }
    return file.slice(dataStart(file, entry), entry.size);
  }

  /** Where a record's bytes begin: behind a header whose length only the header knows. */
  private static long dataStart(MappedFile file, Entry entry) throws IOException {
    ByteBuffer header = file.slice(entry.header, LOCAL_HEADER_BYTES);
    if (header.getInt(0) != LOCAL_HEADER) {
      throw new CheckpointException(
          file + " is damaged: no zip record begins at byte " + entry.header);
    }
    long start =
        entry.header
            + LOCAL_HEADER_BYTES
            + (header.getShort(26) & 0xFFFF)
            + (header.getShort(28) & 0xFFFF);
    file.slice(start, Math.min(entry.size, Integer.MAX_VALUE)); // complains if it is not there
    if (entry.size > file.size() - start) {
      throw new CheckpointException(file + " is cut off inside a record");
    }
    return start;
  }

  /** The archive's records, from the directory at its end. */
  private static Map<String, Entry> entries(MappedFile file) throws IOException {
    long[] directory = findDirectory(file);
    long count = directory[0];
    long at = directory[2];
    Map<String, Entry> entries = new HashMap<>();
    long end = at + directory[1];
    for (long i = 0; i < count; i++) {
      ByteBuffer header = file.slice(at, CENTRAL_HEADER_BYTES);
      if (header.getInt(0) != CENTRAL_HEADER) {
        throw new CheckpointException(file + " is damaged: its zip directory is corrupt");
      }
      int nameBytes = header.getShort(28) & 0xFFFF;
      int extraBytes = header.getShort(30) & 0xFFFF;
      int commentBytes = header.getShort(32) & 0xFFFF;
      ByteBuffer rest = file.slice(at + CENTRAL_HEADER_BYTES, nameBytes + extraBytes);
      String name = StandardCharsets.UTF_8.decode(rest.slice(0, nameBytes)).toString();
      long[] sizes = {
        header.getInt(24) & 0xFFFFFFFFL,
        header.getInt(20) & 0xFFFFFFFFL,
        header.getInt(42) & 0xFFFFFFFFL
      };
      zip64(rest.slice(nameBytes, extraBytes).order(ByteOrder.LITTLE_ENDIAN), sizes);
      boolean stored =
          header.getShort(10) == 0 && sizes[0] == sizes[1] && (header.getShort(8) & 1) == 0;
      if (entries.put(name, new Entry(sizes[2], sizes[0], stored)) != null) {
        throw new CheckpointException(file + " is damaged: it has two records " + name);
      }
      at += CENTRAL_HEADER_BYTES + nameBytes + extraBytes + commentBytes;
      if (at > end) {
        throw new CheckpointException(file + " is damaged: its zip directory is too short");
      }
    }
    return entries;
  }

  /** Replaces sizes that did not fit into 32 bits by those of the extra field for them. */
  private static void zip64(ByteBuffer extra, long[] sizes) {
    while (extra.remaining() >= 4) {
      int id = extra.getShort() & 0xFFFF;
      int length = Math.min(extra.getShort() & 0xFFFF, extra.remaining());
      ByteBuffer field = extra.slice(extra.position(), length).order(ByteOrder.LITTLE_ENDIAN);
      extra.position(extra.position() + length);
      for (int i = 0; i < sizes.length && id == 1; i++) {
        if (sizes[i] == 0xFFFFFFFFL && field.remaining() >= 8) {
          sizes[i] = field.getLong();
        }
      }
    }
  }

  /** Number of records, bytes and position of the zip directory. */
  private static long[] findDirectory(MappedFile file) throws IOException {
    // It ends the file, but for a comment of up to 64 KiB.
    int tail = (int) Math.min(file.size(), END_BYTES + 0xFFFF);
    long tailStart = file.size() - tail;
    ByteBuffer bytes = file.slice(tailStart, tail);
    int end = tail - END_BYTES;
    while (end >= 0 && bytes.getInt(end) != END) {
      end--;
    }
    if (end < 0) {
      throw new CheckpointException(
          file + " is cut off: it begins as a zip archive, but has no directory at its end");
    }
    long[] found = {
      bytes.getShort(end + 10) & 0xFFFF,
      bytes.getInt(end + 12) & 0xFFFFFFFFL,
      bytes.getInt(end + 16) & 0xFFFFFFFFL
    };
    if (end >= 20 && bytes.getInt(end - 20) == LOCATOR_64) {
      ByteBuffer end64 = file.slice(bytes.getLong(end - 12), 56);
      if (end64.getInt(0) != END_64) {
        throw new CheckpointException(file + " is damaged: its zip64 directory is not found");
      }
      found = new long[] {end64.getLong(32), end64.getLong(40), end64.getLong(48)};
    }
    if (found[2] < 0 || found[1] < 0 || found[1] > file.size() - found[2]) {
      throw new CheckpointException(file + " is damaged: its zip directory lies outside of it");
    }
    return found;
  }

  // The older container

  static Contents readLegacy(MappedFile file) throws IOException {
    ByteBuffer in = file.slice(0, Math.min(file.size(), MAX_PICKLE));
    String name = file.toString();
    if (!(new Pickle(in, name).run() instanceof PyValue.Int magic)
        || !magic.value().equals(MAGIC)) {
      throw new CheckpointException(
          name + " is a pickle, but not one of torch.save: it begins with another magic number");
    }
    if (!(new Pickle(in, name).run() instanceof PyValue.Int version)
        || version.value().longValue() != PROTOCOL) {
      throw new CheckpointException(
          name + " is of another version of torch.save's older format than " + PROTOCOL);
    }
    new Pickle(in, name).run(); // the sizes of C types on the machine that wrote it
    Pickle pickle = new Pickle(in, name);
    Object root = pickle.run();
    if (pickle.unsupported() != null) { // so that the place of the others is not known either
      throw new CheckpointException(
          "%s has tensors of the type %s, which is not supported"
              .formatted(name, pickle.unsupported()));
    }
    Pickle keyPickle = new Pickle(in, name);
    Object keys = keyPickle.run();
    if (!(keyPickle.freeze(keys, view -> unexpected(name)) instanceof PyValue.Sequence list)) {
      throw new CheckpointException(name + " is damaged: it has no list of storages");
    }
    Map<String, Long> starts = new HashMap<>();
    long at = in.position();
    for (PyValue item : list.items()) {
      Storage storage = item instanceof PyValue.Str key ? pickle.storages().get(key.value()) : null;
      if (storage == null) {
        throw new CheckpointException(name + " is damaged: it has a storage that nothing uses");
      }
      long count = file.slice(at, 8).getLong();
      long bytes = count * storage.type().bytes();
      if (count < storage.count() || bytes / storage.type().bytes() != count) {
        throw new CheckpointException(
            "%s is damaged: its storage '%s' should have %s elements, but has %s"
                .formatted(name, storage.key(), storage.count(), count));
      }
      if (bytes > file.size() - at - 8) {
        throw new CheckpointException(
            "%s is cut off: its storage '%s' should have %s bytes, but %s are left"
                .formatted(name, storage.key(), bytes, file.size() - at - 8));
      }
      starts.put(storage.key(), at + 8);
      at += 8 + bytes;
    }
    for (String key : pickle.storages().keySet()) {
      if (!starts.containsKey(key)) {
        throw new CheckpointException(name + " is damaged: its storage '" + key + "' is missing");
      }
    }
    // This container is little-endian on every machine.
    Budget budget = new Budget(file);
    return new Contents(
        pickle.freeze(
            root, view -> tensor(file, budget.charge(view), starts, ByteOrder.LITTLE_ENDIAN)),
        pickle.unknown());
  }

  /**
   * Bytes of all tensors together, against those of the file: strides of 0 let a few bytes stand
   * for gigabytes, which nobody wants to find out while converting or computing statistics.
   */
  private static final class Budget {
    private static final long FREE = 64 << 20;

    private final MappedFile file;
    private long bytes;

    Budget(MappedFile file) {
      this.file = file;
    }

    View charge(View view) {
      bytes += StoredTensor.byteCount(view.storage().type(), view.shape());
      if (bytes > FREE + 4 * file.size()) {
        throw new CheckpointException(
            "%s has tensors of more than %s bytes, though it has %s: they repeat their elements"
                .formatted(file, FREE + 4 * file.size(), file.size()));
      }
      return view;
    }
  }

  private static StoredTensor unexpected(String name) {
    throw new CheckpointException(name + " is damaged: a tensor is where a name should be");
  }

  // Tensors

  /**
   * A tensor of a view: mapped if its elements lie row by row, else copied when it is asked for.
   */
  private static StoredTensor tensor(
      MappedFile file, View view, Map<String, Long> starts, ByteOrder order) {
    Storage storage = view.storage();
    ElementType type = storage.type();
    Long start = starts.get(storage.key());
    if (start == null) {
      throw new AssertionError(storage.key());
    }
    long[] shape = view.shape();
    long[] strides = view.strides();
    // Elements from the first to the last, which the reader of the pickle found to be inside.
    long span = 1;
    boolean rows = true;
    long expected = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      span = shape[i] == 0 ? 0 : span + (span == 0 ? 0 : (shape[i] - 1) * strides[i]);
      rows &= shape[i] == 1 || strides[i] == expected;
      expected *= Math.max(1, shape[i]);
    }
    long count = StoredTensor.byteCount(type, shape) / type.bytes();
    if (count == 0) {
      return new StoredTensor(type, shape, ByteBuffer.allocate(0));
    }
    try {
      long position = start + (storage.first() + view.offset()) * type.bytes();
      ByteBuffer bytes = file.slice(position, span * type.bytes());
      if (rows && (order == ByteOrder.LITTLE_ENDIAN || type.bytes() == 1)) {
        return new StoredTensor(type, shape, bytes);
      }
      return StoredTensor.deferred(
          type, shape, () -> gather(bytes, type.bytes(), shape, strides, order));
    } catch (IOException e) {
      throw new CheckpointException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  /** Copies elements that lie anyhow into rows, little-endian. */
  private static ByteBuffer gather(
      ByteBuffer from, int bytes, long[] shape, long[] strides, ByteOrder order) {
    long count = 1;
    for (long size : shape) {
      count *= size;
    }
    ByteBuffer in = from.duplicate().order(order);
    ByteBuffer out =
        ByteBuffer.allocate(Math.toIntExact(count * bytes)).order(ByteOrder.LITTLE_ENDIAN);
    long[] index = new long[shape.length];
    long at = 0;
    for (long i = 0; i < count; i++) {
      int position = (int) at * bytes;
      switch (bytes) {
        case 1 -> out.put(in.get(position));
        case 2 -> out.putShort(in.getShort(position));
        case 4 -> out.putInt(in.getInt(position));
        default -> out.putLong(in.getLong(position));
      }
      for (int d = shape.length - 1; d >= 0; d--) {
        at += strides[d];
        if (++index[d] < shape[d]) {
          break;
        }
        at -= index[d] * strides[d];
        index[d] = 0;
      }
    }
    return out.flip();
  }

  // Writing

  /**
   * Writes a zip archive that {@code torch.load(weights_only=True)} accepts, whole or not at all.
   *
   * @throws CheckpointException when it cannot be written
   */
  static void write(Path file, PyValue root) {
    Pickler pickler = new Pickler();
    byte[] pickle = pickler.write(root);
    try {
      AtomicFile.write(
          file,
          channel -> {
            ZipWriter zip = new ZipWriter(channel);
            zip.add("archive/data.pkl", ByteBuffer.wrap(pickle));
            zip.add("archive/byteorder", ascii("little"));
            for (int i = 0; i < pickler.tensors.size(); i++) {
              zip.add("archive/data/" + i, pickler.tensors.get(i).data());
            }
            zip.add("archive/version", ascii("3\n"));
            zip.finish();
          });
    } catch (IOException e) {
      throw MappedFile.failure("write", file, e);
    }
  }

  private static ByteBuffer ascii(String text) {
    return StandardCharsets.US_ASCII.encode(text);
  }

  /** Writes protocol 2, in the few instructions that PyTorch's safe reader knows. */
  private static final class Pickler {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final List<StoredTensor> tensors = new ArrayList<>();

    byte[] write(PyValue root) {
      bytes.write(0x80);
      bytes.write(2);
      value(root);
      bytes.write('.');
      return bytes.toByteArray();
    }

    private void value(PyValue value) {
      switch (value) {
        case None none -> bytes.write('N');
        case PyValue.Bool truth -> bytes.write(truth.value() ? 0x88 : 0x89);
        case PyValue.Int whole -> whole(whole.value());
        case PyValue.Float real -> {
          bytes.write('G');
          bytes.writeBytes(ByteBuffer.allocate(8).putDouble(real.value()).array());
        }
        case PyValue.Str text -> text(text.value());
        case PyValue.PathName path -> text(path.value());
        case PyValue.Unknown unknown -> text("<" + unknown.name() + ">");
        case PyValue.Sequence sequence -> {
          boolean tuple = sequence.kind() == Kind.TUPLE;
          if (!tuple) {
            bytes.write(']');
          }
          bytes.write('(');
          sequence.items().forEach(this::value);
          bytes.write(tuple ? 't' : 'e');
        }
        case PyValue.Dictionary dictionary -> {
          bytes.write('}');
          bytes.write('(');
          dictionary
              .entries()
              .forEach(
                  (key, item) -> {
                    value(key);
                    value(item);
                  });
          bytes.write('u');
        }
        case PyValue.Array(StoredTensor tensor) -> tensor(tensor);
      }
    }

    private void whole(BigInteger number) {
      if (number.bitLength() < Integer.SIZE) {
        bytes.write('J');
        bytes.writeBytes(littleEndian(number.intValue()));
        return;
      }
      byte[] big = number.toByteArray();
      if (big.length > 255) {
        throw new CheckpointException("a number of " + big.length + " bytes cannot be written");
      }
      bytes.write(0x8A);
      bytes.write(big.length);
      for (int i = big.length - 1; i >= 0; i--) {
        bytes.write(big[i]);
      }
    }

    private void text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      bytes.write('X');
      bytes.writeBytes(littleEndian(utf8.length));
      bytes.writeBytes(utf8);
    }

    private static byte[] littleEndian(int number) {
      return ByteBuffer.allocate(4).putInt(Integer.reverseBytes(number)).array();
    }

    private void global(String module, String name) {
      bytes.write('c');
      bytes.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
    }

    private void numbers(long[] numbers) {
      bytes.write('(');
      for (long number : numbers) {
        whole(BigInteger.valueOf(number));
      }
      bytes.write('t');
    }

    /** {@code _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())}. */
    private void tensor(StoredTensor tensor) {
      long[] shape = tensor.shape();
      long[] strides = new long[shape.length];
      long stride = 1;
      for (int i = shape.length - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= Math.max(1, shape[i]);
      }
      global("torch._utils", "_rebuild_tensor_v2");
      bytes.write('(');
      bytes.write('(');
      text("storage");
      if (tensor.type().torchName() == null) {
        throw new CheckpointException(
            "tensors of type " + tensor.type() + " cannot be written to a .pt file");
      }
      global("torch", tensor.type().torchName() + "Storage");
      text(Integer.toString(tensors.size()));
      text("cpu");
      whole(BigInteger.valueOf(tensor.numel()));
      bytes.write('t');
      bytes.write('Q');
      whole(BigInteger.ZERO);
      numbers(shape);
      numbers(strides);
      bytes.write(0x89);
      global("collections", "OrderedDict");
      bytes.write(')');
      bytes.write('R');
      bytes.write('t');
      bytes.write('R');
      tensors.add(tensor);
    }
  }

  /** Writes uncompressed records whose bytes begin at multiples of 64, as PyTorch's do. */
  private static final class ZipWriter {
    private static final int ALIGNMENT = 64;

    /** PyTorch's own id of the extra field that pads a header. */
    private static final int PADDING_ID = 0x4246;

    private final FileChannel channel;
    private final ByteArrayOutputStream directory = new ByteArrayOutputStream();
    private int records;

    ZipWriter(FileChannel channel) {
      this.channel = channel;
    }

    void add(String name, ByteBuffer data) throws IOException {
      byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
      long at = channel.position();
      int size = data.remaining();
      if (at + size > 0xFFFF_0000L) {
        throw new IOException("a .pt file of more than 4 GiB is not supported: use .safetensors");
      }
      CRC32 crc = new CRC32();
      crc.update(data.duplicate());
      int unpadded = LOCAL_HEADER_BYTES + nameBytes.length + 4;
      int padding = (int) (-(at + unpadded) & (ALIGNMENT - 1));
      ByteBuffer header = header(LOCAL_HEADER, LOCAL_HEADER_BYTES, crc, size, nameBytes.length);
      header.putShort((short) (4 + padding));
      writeFully(header.flip());
      ByteBuffer rest = buffer(nameBytes.length + 4 + padding).put(nameBytes);
      rest.putShort((short) PADDING_ID)
          .putShort((short) padding)
          .put("Z".repeat(padding).getBytes(StandardCharsets.US_ASCII));
      writeFully(rest.flip());
      writeFully(data);

      ByteBuffer central =
          header(CENTRAL_HEADER, CENTRAL_HEADER_BYTES, crc, size, nameBytes.length);
      // No extra field, comment, disk number or attributes; then where the record is.
      central.position(CENTRAL_HEADER_BYTES - 4).putInt((int) at);
      directory.writeBytes(central.array());
      directory.writeBytes(nameBytes);
      records++;
    }

    /** What both headers of a record have in common, up to the length of its name. */
    private static ByteBuffer header(
        int signature, int length, CRC32 crc, int size, int nameLength) {
      ByteBuffer header = buffer(length).putInt(signature);
      if (signature == CENTRAL_HEADER) {
        header.putShort((short) 20); // made by version
      }
      return header
          .putShort((short) 20) // version needed
          .putShort((short) UTF8_NAMES)
          .putShort((short) 0) // stored
          .putShort((short) 0) // time
          .putShort((short) 0x21) // date: 1980-01-01, so that equal content gives equal files
          .putInt((int) crc.getValue())
          .putInt(size)
          .putInt(size)
          .putShort((short) nameLength);
    }

    void finish() throws IOException {
      long at = channel.position();
      if (records > 0xFFFE) {
        throw new IOException("a .pt file of more than 65534 tensors is not supported");
      }
      writeFully(ByteBuffer.wrap(directory.toByteArray()));
      ByteBuffer end = buffer(END_BYTES).putInt(END).putInt(0);
      end.putShort((short) records).putShort((short) records);
      end.putInt(directory.size()).putInt((int) at).putShort((short) 0);
      writeFully(end.flip());
    }

    private static ByteBuffer buffer(int length) {
      return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void writeFully(ByteBuffer data) throws IOException {
      SafeTensors.writeFully(channel, data);
    }
  }
}
