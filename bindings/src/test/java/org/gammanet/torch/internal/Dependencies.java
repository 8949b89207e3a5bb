package org.gammanet.torch.internal;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a shared library says of itself.
 *
 * @param name its own name: SONAME, last part of the install name, or name in the export table
 * @param needed the libraries that it is linked with
 * @param runPaths folders where it looks for them (macOS)
 * @param exports the functions that it offers
 * @param minimum the oldest system that it runs on: a version of macOS, or of glibc
 */
record Dependencies(
    @Nullable String name,
    List<String> needed,
    List<String> runPaths,
    Set<String> exports,
    @Nullable String minimum) {
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
    Set<String> exports = new TreeSet<>();
    List<String> versions = new ArrayList<>();
    elfSections(data, exports, versions);
    String minimum =
        versions.stream()
            .filter(v -> v.startsWith("GLIBC_2."))
            .max(
                Comparator.comparing(v -> Integer.parseInt(v.substring(8).replaceAll("\\..*", ""))))
            .map(v -> v.substring(6))
            .orElse(null);
    return new Dependencies(name, needed, List.of(), exports, minimum);
  }

  /** The defined dynamic symbols, and the names of the versions that are asked of others. */
  private static void elfSections(ByteBuffer data, Set<String> exports, List<String> versions) {
    int sections = Math.toIntExact(data.getLong(40));
    for (int i = 0; i < data.getShort(60); i++) {
      int section = sections + 64 * i;
      int offset = Math.toIntExact(data.getLong(section + 24));
      long size = data.getLong(section + 32);
      int link = sections + 64 * data.getInt(section + 40);
      int type = data.getInt(section + 4);
      if (type == 11) { // SHT_DYNSYM
        long strings = data.getLong(link + 24);
        for (int at = offset; at < offset + size; at += 24) {
          if (data.getShort(at + 6) != 0 && data.get(at + 4) >> 4 != 0) { // defined, not local
            exports.add(text(data, strings + data.getInt(at)));
          }
        }
      } else if (type == 0x6FFFFFFE) { // SHT_GNU_verneed
        long strings = data.getLong(link + 24);
        int at = offset;
        for (int next = -1; next != 0; at += next) {
          int auxiliary = at + data.getInt(at + 8);
          for (int k = data.getShort(at + 2); k > 0; k--) {
            versions.add(text(data, strings + data.getInt(auxiliary + 8)));
            auxiliary += data.getInt(auxiliary + 12);
          }
          next = data.getInt(at + 12);
        }
      }
    }
  }

  /** The load commands of a 64-bit Mach-O file. */
  private static Dependencies machO(ByteBuffer data) {
    String name = null;
    List<String> needed = new ArrayList<>();
    List<String> runPaths = new ArrayList<>();
    Set<String> exports = new TreeSet<>();
    String minimum = null;
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
      } else if (command == 2) { // LC_SYMTAB
        int symbols = data.getInt(at + 8);
        long strings = data.getInt(at + 16);
        for (int k = 0; k < data.getInt(at + 12); k++) {
          int type = data.get(symbols + 16 * k + 4);
          // External, in a section, neither private nor for a debugger.
          if ((type & 0x1) != 0 && (type & 0xE) == 0xE && (type & 0xF0) == 0) {
            exports.add(text(data, strings + data.getInt(symbols + 16 * k) + 1)); // after "_"
          }
        }
      } else if (command == 0x32) { // LC_BUILD_VERSION
        int version = data.getInt(at + 12);
        minimum = (version >> 16) + "." + (version >> 8 & 0xFF);
      }
      at += data.getInt(at + 4);
    }
    return new Dependencies(name, needed, runPaths, exports, minimum);
  }

  /**
   * Whether a Mach-O file is signed and its signature holds: the SHA-256 of every page. (macOS on
   * ARM loads no other; the signature may be anybody's.)
   */
  static boolean isSigned(byte[] file) throws NoSuchAlgorithmException {
    ByteBuffer data = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int at = 32;
    for (int i = data.getInt(16); i > 0; i--) {
      if (data.getInt(at) == 0x1D) { // LC_CODE_SIGNATURE
        int start = data.getInt(at + 8);
        data.order(ByteOrder.BIG_ENDIAN);
        for (int k = 0; k < data.getInt(start + 8); k++) {
          int directory = start + data.getInt(start + 16 + 8 * k);
          if (data.getInt(directory) == 0xFADE0C02) {
            return pagesMatch(data, directory);
          }
        }
        return false;
      }
      at += data.getInt(at + 4);
    }
    return false;
  }

  private static boolean pagesMatch(ByteBuffer data, int directory)
      throws NoSuchAlgorithmException {
    int hashes = directory + data.getInt(directory + 16);
    int pages = data.getInt(directory + 28);
    int limit = data.getInt(directory + 32);
    int hashSize = data.get(directory + 36);
    int page = 1 << data.get(directory + 39);
    MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    for (int i = 0; i < pages; i++) {
      sha256.update(data.array(), i * page, Math.min(page, limit - i * page));
      byte[] found = sha256.digest();
      int stored = hashes + i * hashSize;
      if (!Arrays.equals(found, 0, hashSize, data.array(), stored, stored + hashSize)) {
        return false;
      }
    }
    return pages > 0 && hashSize == 32;
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
    int table = offset(data, sections, count, data.getInt(directories));
    String name = text(data, offset(data, sections, count, data.getInt(table + 12)));
    int names = offset(data, sections, count, data.getInt(table + 32));
    Set<String> exports = new TreeSet<>();
    for (int k = 0; k < data.getInt(table + 24); k++) {
      exports.add(text(data, offset(data, sections, count, data.getInt(names + 4 * k))));
    }
    return new Dependencies(name.toLowerCase(Locale.ROOT), needed, List.of(), exports, null);
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
