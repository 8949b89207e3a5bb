package org.gammanet.torch.internal;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a shared library says of itself.
 *
 * @param name its own name: SONAME, last part of the install name, or name in the export table
 * @param needed the libraries that it is linked with
 * @param runPaths folders where it looks for them (macOS)
 */
record Dependencies(@Nullable String name, List<String> needed, List<String> runPaths) {
  private static final int ELF = 0x7F454C46;
  private static final int MACH_O_64 = 0xCFFAEDFE;

  static Dependencies of(byte[] file) throws IOException {
    ByteBuffer data = ByteBuffer.wrap(file);
    try {
      int magic = data.getInt(0);
      data.order(ByteOrder.LITTLE_ENDIAN);
      return switch (magic) {
        case ELF -> elf(data);
        case MACH_O_64 -> machO(data);
        default -> pe(data);
      };
    } catch (BufferUnderflowException | IndexOutOfBoundsException e) {
      throw new IOException("not a shared library", e);
    }
  }

  private static String text(ByteBuffer data, long offset) {
    int start = Math.toIntExact(offset);
    int end = start;
    while (data.get(end) != 0) {
      end++;
    }
    return new String(data.array(), start, end - start, StandardCharsets.UTF_8);
  }

  /** System V ABI, 64 bits: the dynamic section, and its string table by the program headers. */
  private static Dependencies elf(ByteBuffer data) {
    long headers = data.getLong(32);
    int size = data.getShort(54);
    int count = data.getShort(56);
    long dynamic = 0;
    long entries = 0;
    List<long[]> segments = new ArrayList<>(); // address, size, offset
    for (int i = 0; i < count; i++) {
      int header = Math.toIntExact(headers + (long) i * size);
      long offset = data.getLong(header + 8);
      int type = data.getInt(header);
      if (type == 1) { // PT_LOAD
        segments.add(new long[] {data.getLong(header + 16), data.getLong(header + 32), offset});
      } else if (type == 2) { // PT_DYNAMIC
        dynamic = offset;
        entries = data.getLong(header + 32) / 16;
      }
    }
    long strings = 0;
    for (long i = 0; i < entries; i++) {
      if (data.getLong((int) (dynamic + 16 * i)) == 5) { // DT_STRTAB
        long address = data.getLong((int) (dynamic + 16 * i + 8));
        for (long[] segment : segments) {
          if (address >= segment[0] && address < segment[0] + segment[1]) {
            strings = address - segment[0] + segment[2];
          }
        }
      }
    }
    String name = null;
    List<String> needed = new ArrayList<>();
    for (long i = 0; i < entries; i++) {
      long tag = data.getLong((int) (dynamic + 16 * i));
      long value = data.getLong((int) (dynamic + 16 * i + 8));
      if (tag == 0) {
        break;
      } else if (tag == 1) { // DT_NEEDED
        needed.add(text(data, strings + value));
      } else if (tag == 14) { // DT_SONAME
        name = text(data, strings + value);
      }
    }
    return new Dependencies(name, needed, List.of());
  }

  /** The load commands of a 64-bit Mach-O file. */
  private static Dependencies machO(ByteBuffer data) {
    String name = null;
    List<String> needed = new ArrayList<>();
    List<String> runPaths = new ArrayList<>();
    int at = 32;
    for (int i = data.getInt(16); i > 0; i--) {
      int command = data.getInt(at);
      if (command == 0xD) { // LC_ID_DYLIB
        String path = text(data, at + data.getInt(at + 8));
        name = path.substring(path.lastIndexOf('/') + 1);
      } else if (command == 0xC || command == 0x80000018) { // LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB
        needed.add(text(data, at + data.getInt(at + 8)));
      } else if (command == 0x8000001C) { // LC_RPATH
        String path = text(data, at + data.getInt(at + 8));
        runPaths.add(path.equals("@loader_path/.") ? "@loader_path" : path);
      }
      at += data.getInt(at + 4);
    }
    return new Dependencies(name, needed, runPaths);
  }

  /** The import directory of a 64-bit PE file. */
  private static Dependencies pe(ByteBuffer data) throws IOException {
    int header = data.getInt(0x3C);
    if (data.getShort(0) != 0x5A4D || data.getInt(header) != 0x4550) {
      throw new IOException("neither ELF nor Mach-O nor PE");
    }
    int sections = header + 24 + data.getShort(header + 20);
    int count = data.getShort(header + 6);
    int directories = header + 24 + 112;
    List<String> needed = new ArrayList<>();
    int imports = offset(data, sections, count, data.getInt(directories + 8));
    for (int at = imports; data.getInt(at + 12) != 0; at += 20) {
      needed.add(text(data, offset(data, sections, count, data.getInt(at + 12))));
    }
    int exports = offset(data, sections, count, data.getInt(directories));
    String name = text(data, offset(data, sections, count, data.getInt(exports + 12)));
    return new Dependencies(name.toLowerCase(java.util.Locale.ROOT), needed, List.of());
  }

  private static int offset(ByteBuffer data, int sections, int count, int address)
      throws IOException {
    for (int i = 0; i < count; i++) {
      int section = sections + 40 * i;
      int start = data.getInt(section + 12);
      if (address >= start && address < start + data.getInt(section + 16)) {
        return address - start + data.getInt(section + 20);
      }
    }
    throw new IOException("an address outside of all sections");
  }
}
