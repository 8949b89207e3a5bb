package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What goes wrong before the page is there; the page itself is tested in its own module. */
class ViewCommandTest {
  private final StringWriter err = new StringWriter();

  private int run(String... words) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(new StringWriter(), true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words);
  }

  @Test
  void wrongUsage() {
    assertEquals(2, run("view", "--port", "70000"));
    assertEquals(2, run("view", "--size", "5"));
    assertEquals(2, run("view", "a.png", "b.png"));
  }

  @Test
  void anImageThatIsMissingOrBroken(@TempDir Path folder) throws IOException {
    assertEquals(1, run("view", folder.resolve("no.png").toString()));
    assertTrue(err.toString().contains("there is no file"), err.toString());
    Path broken = Files.writeString(folder.resolve("broken.png"), "no image");
    assertEquals(1, run("view", broken.toString()));
    assertTrue(err.toString().contains("broken.png"), err.toString());
  }

  @Test
  void aPortThatIsTakenAndANetworkThatIsMissing() throws IOException {
    String[] small = {
      "view",
      "--no-open",
      "--random",
      "--set",
      "model.layers=[conv1_1, conv1_2]",
      "--set",
      "model.base_channels=4"
    };
    long before = Tensor.liveHandles();
    try (var taken = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
      assertEquals(1, run(with(small, "--port", "" + taken.getLocalPort())));
      assertTrue(err.toString().contains("is taken"), err.toString());
    }
    assertEquals(1, run(with(small, "--with", "no-such-file.safetensors")));
    assertTrue(err.toString().contains("no-such-file"), err.toString());
    assertEquals(before, Tensor.liveHandles());
  }

  private static String[] with(String[] words, String... more) {
    String[] all = java.util.Arrays.copyOf(words, words.length + more.length);
    System.arraycopy(more, 0, all, words.length, more.length);
    return all;
  }
}
