package org.gammanet.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What other people's checkpoints look like, written by hand. */
class CheckpointTest {
  @TempDir Path folder;

  private static Checkpoint load(byte[] bytes) {
    return Checkpoint.load("a.pt", bytes);
  }

  private static String error(byte[] bytes) {
    CheckpointException e = assertThrows(CheckpointException.class, () -> load(bytes));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.startsWith("a.pt") && !message.contains("\n"), message);
    return message;
  }

  private static PickleBytes pickle() {
    return new PickleBytes(8);
  }

  @Test
  void weightsLieUnderAnySingleKey() {
    for (String key :
        List.of("state_dict", "model", "net", "params_ema", "G", "encoder", "my_weights")) {
      byte[] file =
          pickle().raw('}').text("epoch").number(7).raw('s').text(key).weights("a").raw('s').zip();
      Checkpoint checkpoint = load(file);
      assertEquals(Set.of("a"), checkpoint.weights().keySet(), key);
      assertEquals(7, checkpoint.epoch().orElseThrow());
      assertTrue(checkpoint.remarks().toString().contains("'" + key + "'"));
    }
    byte[] two = // the usual key is meant
        pickle()
            .raw('}')
            .text("ema")
            .weights("b")
            .raw('s')
            .text("state_dict")
            .weights("a")
            .raw('s')
            .zip();
    assertEquals(Set.of("a"), load(two).weights().keySet());
    byte[] unclear =
        pickle().raw('}').text("G").weights("b").raw('s').text("D").weights("a").raw('s').zip();
    assertTrue(error(unclear).contains("several dictionaries of tensors"));
    byte[] none = pickle().raw('}').text("epoch").number(7).raw('s').zip();
    assertTrue(error(none).contains("no dictionary of tensors, but the keys epoch"));
    assertTrue(error(pickle().raw('}').zip()).contains("its dictionary is empty"));
  }

  @Test
  void weightsMayLieInADictionaryInADictionary() {
    PickleBytes file = pickle().raw('}').text("epoch").number(7).raw('s').text("ema").raw('}');
    Checkpoint inner = load(file.text("shadow").weights("a").raw('s', 's').zip());
    assertEquals(Set.of("a"), inner.weights().keySet());
    assertEquals("7", inner.metadata().get("epoch"));
    PickleBytes both = pickle().raw('}');
    for (String network : List.of("generator", "critic")) {
      both.text(network).raw('}').text("weights").weights("a").raw('s', 's');
    }
    assertTrue(error(both.zip()).contains("but the keys generator, critic"));
  }

  @Test
  void prefixesOfWrappersAreLeftOut() {
    for (String prefix :
        List.of(
            "",
            "module.",
            "_orig_mod.",
            "model.",
            "net.",
            "module._orig_mod.",
            "_orig_mod.module.",
            "module.module.",
            "model._orig_mod.")) {
      byte[] file = pickle().weights(prefix + "a.weight", prefix + "a.bias").zip();
      assertEquals(Set.of("a.weight", "a.bias"), load(file).weights().keySet(), prefix);
    }
    assertTrue(error(pickle().weights("module.a", "a").zip()).contains("'a' twice"));
  }

  /** Whatever a trainer has put in front of all names, as long as a network follows. */
  @Test
  void whatAllNamesBeginWithIsLeftOut() {
    for (String prefix : List.of("student.", "_forward_module.", "a.b-c.", "self.model.net.")) {
      for (String landmark : List.of("fgru_0.W_exc", "fgru_layers.fgru_0.W_exc")) {
        Checkpoint found = load(pickle().weights(prefix + "head.bias", prefix + landmark).zip());
        assertEquals(Set.of("head.bias", landmark), found.weights().keySet(), prefix);
        assertTrue(found.remarks().toString().contains(prefix.replace("self.model.net.", "self.")));
      }
    }
    // Two networks in one file: neither is left out.
    assertEquals(
        Set.of("student.fgru_0.W_exc", "teacher.fgru_0.W_exc"),
        load(pickle().weights("student.fgru_0.W_exc", "teacher.fgru_0.W_exc").zip())
            .weights()
            .keySet());
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void devicesAndPipesAreNamedAndNotWaitedFor() {
    CheckpointException e =
        assertThrows(CheckpointException.class, () -> Checkpoint.load(Path.of("/dev/null")));
    assertTrue(String.valueOf(e.getMessage()).startsWith("/dev/null is a device"), e.getMessage());
  }

  @Test
  void valuesOfPythonItselfAreNoAttack() {
    PickleBytes words = open().raw(']', '(').global("__builtin__", "Ellipsis");
    words.global("builtins", "NotImplemented");
    words.global("__builtin__", "xrange").raw('K', 0, 'K', 3, 'K', 1, 0x87, 'R');
    words.global("types", "SimpleNamespace").raw(')', 'R', '}', 'b', 'e');
    assertEquals(Set.of("a"), beside(words).weights().keySet());
  }

  @Test
  void quantizedTensorsBesideTheWeightsAreLeftOut() {
    PickleBytes file = open().global("torch._utils", "_rebuild_qtensor").raw('(', '(');
    file.text("storage").global("torch", "QInt8Storage").text("1").text("cpu").number(3);
    file.raw('t', 'Q').number(0).raw('t', 'R');
    Checkpoint found = beside(file);
    assertEquals(Set.of("a"), found.weights().keySet());
    assertTrue(found.remarks().toString().contains("QInt8Storage"), found.remarks().toString());
  }

  /** A dictionary with weights, and beside them what {@code value} pushes. */
  private static Checkpoint beside(PickleBytes value) {
    return load(value.raw('s').text("model_state_dict").weights("a").raw('s').zip());
  }

  private static PickleBytes open() {
    return pickle().raw('}').text("other");
  }

  @Test
  void unknownObjectsAreInertPlaceholders() {
    Map<String, PickleBytes> values = new LinkedHashMap<>();
    values.put(
        "argparse.Namespace",
        open()
            .global("argparse", "Namespace")
            .raw(')', 0x81, '}')
            .text("lr")
            .number(1)
            .raw('s', 'b'));
    values.put(
        "my.Config",
        open().global("my", "Config").raw('(', 'K', 1, 't', 'R', '(', 'K', 1, 'K', 2, 'u'));
    values.put("my.Named", open().global("my", "Named").raw(')', '}', 0x92));
    values.put("my.Old", open().raw('(').raw('i').raw("my\nOld\n".chars().toArray()));
    values.put("my.Older", open().raw('(').global("my", "Older").raw('o'));
    values.put("my.List", open().global("my", "List").raw(')', 'R', 'K', 1, 'a'));
    values.put(
        "numpy._core.multiarray._reconstruct",
        open().global("numpy._core.multiarray", "_reconstruct").raw(')', 'R', 'N', 'b'));
    values.forEach(
        (name, value) -> {
          Checkpoint checkpoint = beside(value);
          assertEquals(Set.of("a"), checkpoint.weights().keySet(), name);
          assertTrue(
              checkpoint.remarks().toString().contains(name), checkpoint.remarks().toString());
          assertEquals("<" + name + ">", checkpoint.metadata().get("other"));
        });
  }

  @Test
  void whatPyTorchItselfAdmitsIsRead() {
    Map<String, PickleBytes> values = new LinkedHashMap<>();
    values.put("[1]", open().global("builtins", "frozenset").raw(']', 'K', 1, 'a', 0x85, 'R'));
    values.put(
        "{\"x\":2}",
        open().global("collections", "Counter").raw('}').text("x").raw('K', 2, 's', 0x85, 'R'));
    values.put(
        "{\"x\":1}",
        open()
            .global("collections", "defaultdict")
            .global("builtins", "list")
            .raw(0x85, 'R')
            .text("x")
            .raw('K', 1, 's'));
    values.put("<torch.float16>", open().global("torch", "float16"));
    values.put(
        "torch.strided",
        open().global("torch.serialization", "_get_layout").text("torch.strided").raw(0x85, 'R'));
    values.put("<3 bytes>", open().raw('C', 3, 1, 2, 3));
    values.forEach((json, value) -> assertEquals(json, beside(value).metadata().get("other")));
    // A parameter, and a tensor of the third kind: bytes with a type.
    byte[] parameter =
        pickle()
            .raw('}')
            .text("a")
            .global("torch._utils", "_rebuild_parameter_with_state")
            .raw('(')
            .tensor(2, new int[] {2}, 1)
            .raw(0x88)
            .raw('}', '}', 't', 'R', 's')
            .zip();
    assertEquals("F32[2]", String.valueOf(load(parameter).weights().get("a")));
    byte[] typed =
        pickle()
            .raw('}')
            .text("a")
            .global("torch._utils", "_rebuild_tensor_v3")
            .raw('(', '(')
            .text("storage")
            .global("torch.storage", "UntypedStorage")
            .text("0")
            .text("cpu")
            .number(8)
            .raw('t', 'Q')
            .number(0)
            .raw('(')
            .number(4)
            .raw('t', '(')
            .number(1)
            .raw('t', 0x89, '}')
            .global("torch", "bfloat16")
            .raw('}', 't', 'R', 's')
            .zip();
    assertEquals("BF16[4]", String.valueOf(load(typed).weights().get("a")));
  }

  @Test
  void attacksAreStillRefused() {
    for (String[] name :
        new String[][] {
          {"os", "system"},
          {"posix", "system"},
          {"nt", "system"},
          {"subprocess", "Popen"},
          {"builtins", "eval"},
          {"builtins", "exec"},
          {"__builtin__", "getattr"},
          {"importlib", "import_module"},
          {"torch.hub", "load"},
          {"shutil", "rmtree"}
        }) {
      String message =
          error(open().global(name[0], name[1]).text("x").raw(0x85, 'R', 's').weights("a").zip());
      assertTrue(message.contains(name[0] + "." + name[1]), message);
      assertTrue(message.contains("nothing was executed"), message);
    }
  }

  @Test
  void copiesOfTheMemoAreCounted() {
    // torch.Size(list of 1000) again and again; a path and a text doubled each time.
    PickleBytes sizes = open().raw(']', 'q', 0, '(');
    for (int i = 0; i < 1000; i++) {
      sizes.raw('K', 1);
    }
    sizes.raw('e', '0', '(');
    for (int i = 0; i < 5000; i++) {
      sizes.global("torch", "Size").raw('h', 0, 0x85, 'R');
    }
    assertTrue(error(sizes.raw('t', 's', '.').zip()).contains("copies more than"));
    PickleBytes path = open().text("x".repeat(1000)).raw('q', 0, '0');
    for (int i = 0; i < 40; i++) {
      path.global("pathlib", "PosixPath").raw('h', 0, 'h', 0, 0x86, 'R', '0');
      path.global("torch", "device").raw('h', 0, 'K', 1, 0x86, 'R', 'q', 0, '0');
    }
    path.raw('(');
    for (int i = 0; i < 40_000; i++) {
      path.global("_codecs", "encode").raw('h', 0).text("latin1").raw(0x86, 'R', '0');
    }
    assertTrue(error(path.raw('t', 's', '.').zip()).contains("copies more than"));
  }

  @Test
  void repeatedElementsDoNotBecomeGigabytes() {
    byte[] one =
        pickle().raw('}').text("a").tensor(2, new int[] {20_000, 5_000}, 0, 0).raw('s').zip();
    assertTrue(error(one).contains("repeat their elements"));
    PickleBytes many = pickle().raw('}');
    for (int i = 0; i < 100; i++) {
      many.text("a" + i).tensor(2, new int[] {1000, 1000}, 0, 0).raw('s');
    }
    assertTrue(error(many.zip()).contains("repeat their elements"));
    byte[] expanded = pickle().raw('}').text("a").tensor(2, new int[] {3, 2}, 0, 1).raw('s').zip();
    assertEquals("F32[3, 2]", String.valueOf(load(expanded).weights().get("a")));
  }

  @Test
  void torchScriptIsToldAsWhatItIs() {
    byte[] file = pickle().weights("a").zip("archive/code/__torch__.py", "archive/constants.pkl");
    assertTrue(error(file).contains("TorchScript"));
    byte[] module = pickle().global("my", "Net").raw(')', 0x81, '}', 'b').zip();
    assertTrue(error(module).contains("my.Net") && error(module).contains("save its state_dict"));
  }

  private static byte[] safetensors(String header, int dataBytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer out = ByteBuffer.allocate(8 + json.length + dataBytes);
    return out.putLong(Long.reverseBytes(json.length)).put(json).array();
  }

  @Test
  void allTypesOfSafetensorsAreShown() {
    Map<String, Integer> bits =
        Map.ofEntries(
            Map.entry("U16", 16),
            Map.entry("U32", 32),
            Map.entry("U64", 64),
            Map.entry("C64", 64),
            Map.entry("F8_E4M3", 8),
            Map.entry("F8_E5M2", 8),
            Map.entry("F8_E8M0", 8),
            Map.entry("F4", 4),
            Map.entry("F6_E2M3", 6),
            Map.entry("F6_E3M2", 6));
    bits.forEach(
        (type, size) -> {
          String json =
              "{\"a\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%d]}}"
                  .formatted(type, size / 2);
          Checkpoint checkpoint = load(safetensors(json, size / 2));
          assertEquals(type + "[4]", String.valueOf(checkpoint.weights().get("a")));
          checkpoint
              .weights()
              .get("a")
              .forEach(value -> assertEquals(type.equals("F8_E8M0") ? 0x1p-127 : 0, value));
        });
    assertEquals(
        Set.of("a"),
        load(safetensors(
                "{\"__metadata__\":null,"
                    + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                1))
            .weights()
            .keySet());
  }

  @Test
  void smallFloatsHaveTheirValues() {
    ByteBuffer codes = ByteBuffer.wrap(new byte[] {0x01, 0x08, 0x38, 0x7E, (byte) 0xB8, 0x7F});
    double[] values = {0x1p-9, 0x1p-6, 1, 448, -1, Double.NaN};
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], ElementType.F8_E4M3.get(codes, i));
    }
    assertEquals(1, ElementType.F8_E5M2.get(ByteBuffer.wrap(new byte[] {0x3C}), 0));
    assertEquals(2, ElementType.F8_E8M0.get(ByteBuffer.wrap(new byte[] {(byte) 128}), 0));
    assertEquals(
        0x1p64,
        ElementType.U64.get(ByteBuffer.wrap(new byte[] {-1, -1, -1, -1, -1, -1, -1, -1}), 0));
  }

  @Test
  void aMisfitIsShortAndTakesNoMemory() throws IOException {
    // The recurrent kernels claim 1024 channels of 63 × 63, but have no elements.
    String json =
        "{\"fgru_0.W_exc\":{\"dtype\":\"F32\",\"shape\":[0,1,63,63],\"data_offsets\":[0,0]},"
            + "\"fgru_0.in_proj.weight\":{\"dtype\":\"F32\",\"shape\":[0,1,1,1],\"data_offsets\":[0,0]},"
            + "\"block1_conv.layers.0.weight\":"
            + "{\"dtype\":\"F32\",\"shape\":[1024,0,3,3],\"data_offsets\":[0,0]}}";
    Path file = Files.write(folder.resolve("a.safetensors"), safetensors(json, 0));
    CheckpointException e =
        assertThrows(CheckpointException.class, () -> GammaNet.load(file, Device.CPU));
    assertTrue(String.valueOf(e.getMessage()).length() < 1000, e.getMessage());
    long live = Tensor.liveHandles();
    Checkpoint checkpoint = Checkpoint.load(file);
    e =
        assertThrows(
            CheckpointException.class,
            () -> GammaNet.of(checkpoint, GammaNetConfig.defaults(), Device.CPU));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.matches("(?s).*[0-9]+ missing: .*…; .*"), message);
    assertTrue(message.length() < 1000, message);
    assertTrue(e.details().size() > 50);
    assertEquals(live, Tensor.liveHandles());
  }

  @Test
  void theFolderOfARunIsItsBestNetwork() throws IOException {
    assertTrue(
        String.valueOf(
                assertThrows(CheckpointException.class, () -> Checkpoint.load(folder)).getMessage())
            .contains("folder without a checkpoint"));
    Files.createDirectories(folder.resolve("checkpoints"));
    String json = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    Files.write(folder.resolve("checkpoints/last.safetensors"), safetensors(json, 1));
    assertTrue(Checkpoint.load(folder).source().endsWith("last.safetensors"));
    Files.write(folder.resolve("checkpoints/best_model.safetensors"), safetensors(json, 1));
    assertTrue(Checkpoint.load(folder).source().endsWith("best_model.safetensors"));
  }

  @Test
  void aFileThatIsTruncatedWhileItIsMappedEndsInASentence() throws IOException {
    String json = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1000000],\"data_offsets\":[0,4000000]}}";
    Path file = Files.write(folder.resolve("a.safetensors"), safetensors(json, 4_000_000));
    StoredTensor tensor = Checkpoint.load(file).weights().get("a");
    try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
      opened.setLength(5000);
    }
    long live = Tensor.liveHandles();
    assertThrows(CheckpointException.class, () -> tensor.toTensor());
    assertThrows(CheckpointException.class, () -> tensor.forEach(value -> {}));
    assertEquals(live, Tensor.liveHandles());
  }
}
