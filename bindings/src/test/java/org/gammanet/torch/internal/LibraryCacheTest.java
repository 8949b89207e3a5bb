package org.gammanet.torch.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is taken from the cache, and what is not. */
class LibraryCacheTest {
  @TempDir Path temp;
  private Path root;
  private Path source;

  @BeforeEach
  void open() throws IOException {
    root = temp.resolve("cache").resolve("gammanet");
    System.setProperty("gammanet.cache", root.toString());
    source = Files.writeString(temp.resolve("source"), "the library");
  }

  @AfterEach
  void close() {
    System.clearProperty("gammanet.cache");
  }

  private Path unpack() throws IOException {
    URL url = source.toUri().toURL();
    return LibraryCache.unpack("the libraries", "test", Map.of("library", url)).resolve("library");
  }

  private static boolean posix() {
    return Path.of("").getFileSystem().supportedFileAttributeViews().contains("unix");
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static void allowAll(Path path) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwxrwx"));
  }

  /** Writes like someone who hides it: same size, same time of last change. */
  private static void damage(Path file) throws IOException {
    FileTime time = Files.getLastModifiedTime(file);
    Files.writeString(file, "THE LIBRARY");
    Files.setLastModifiedTime(file, time);
  }

  @Test
  void aLibraryIsUnpackedOnceAndForItsOwnerAlone() throws IOException {
    Path file = unpack();
    assertEquals("the library", Files.readString(file));
    FileTime time = Files.getLastModifiedTime(file);
    Object inode = posix() ? Files.getAttribute(file, "unix:ino") : "";
    assertEquals(file, unpack());
    assertEquals(time, Files.getLastModifiedTime(file));
    if (posix()) {
      assertEquals(inode, Files.getAttribute(file, "unix:ino"), "the same file");
      assertEquals("rw-------", permissions(file));
      assertEquals("rwx------", permissions(file.getParent()));
      assertEquals("rwx------", permissions(root));
    }
    try (Stream<Path> files = Files.list(file.getParent())) {
      assertEquals(
          List.of("library", "library.sha256"),
          files.map(f -> f.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void aDamagedLibraryIsUnpackedAgain() throws IOException {
    Path file = unpack();
    damage(file);
    assertEquals("the library", Files.readString(unpack()));
    Files.writeString(file, "the lib");
    assertEquals("the library", Files.readString(unpack()));
    Files.delete(file.resolveSibling("library.sha256"));
    damage(file);
    assertEquals("the library", Files.readString(unpack()), "without a record");
    Files.writeString(file.resolveSibling("library.sha256"), "");
    damage(file);
    assertEquals("the library", Files.readString(unpack()), "with an empty record");
  }

  @Test
  void anUnchangedLibraryWithANewTimeIsKept() throws IOException {
    Path file = unpack();
    Files.setLastModifiedTime(file, FileTime.fromMillis(0));
    unpack();
    assertEquals(FileTime.fromMillis(0), Files.getLastModifiedTime(file));
  }

  @Test
  void whatOthersCouldHaveWrittenIsUnpackedAgain() throws IOException {
    assumeTrue(posix());
    Path file = unpack();
    damage(file);
    allowAll(file);
    assertEquals("the library", Files.readString(unpack()));
    assertEquals("rw-------", permissions(file));
    damage(file);
    allowAll(file.getParent());
    assertEquals("the library", Files.readString(unpack()));
    assertEquals("rwx------", permissions(file.getParent()));
  }

  @Test
  void aLinkInPlaceOfALibraryIsReplaced() throws IOException {
    assumeTrue(posix());
    Path file = unpack();
    Path other = Files.writeString(temp.resolve("other"), "THE LIBRARY");
    Files.delete(file);
    Files.createSymbolicLink(file, other);
    assertEquals("the library", Files.readString(unpack()));
    assertFalse(Files.isSymbolicLink(file));
    assertEquals("THE LIBRARY", Files.readString(other));
  }

  private void refused(String part) {
    IOException e = assertThrows(IOException.class, this::unpack);
    assertTrue(e.getMessage().contains(part), e.getMessage());
    assertTrue(e.getMessage().contains("GAMMANET_CACHE"), e.getMessage());
  }

  @Test
  void aFolderThatEveryoneMayWriteToIsRefusedUnlessItIsSticky() throws IOException {
    assumeTrue(posix());
    unpack();
    allowAll(root);
    refused("can be written by every user");
    Files.setAttribute(root, "unix:mode", 01777);
    assertEquals("the library", Files.readString(unpack()));
  }

  @Test
  void aFolderOrALibraryOfAnotherUserIsRefused() throws IOException {
    assumeTrue(posix() && CLibrary.effectiveUser() == 0, "only root can give files away");
    Path file = unpack();
    Files.setAttribute(file, "unix:uid", 65534);
    refused("library belongs to ");
    Files.delete(file);
    unpack();
    Files.setAttribute(file.getParent(), "unix:uid", 65534);
    refused("belongs to ");
    Files.setAttribute(file.getParent(), "unix:uid", 0);
    Files.setAttribute(root, "unix:uid", 65534);
    refused("gammanet belongs to ");
  }

  @Test
  void aLinkToAnotherFolderIsRefused() throws IOException {
    assumeTrue(posix());
    Path folder = unpack().getParent();
    Path moved = Files.move(folder, temp.resolve("moved"));
    Files.createSymbolicLink(folder, moved);
    refused("is not a folder");
  }

  @Test
  void aFileInPlaceOfTheFolderIsNamed() throws IOException {
    Files.createDirectories(root.getParent());
    Files.writeString(root, "");
    refused("(" + root + " is a file)");
  }
}
