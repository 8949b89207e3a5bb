package org.gammanet.cli;

import java.awt.Desktop;
import java.awt.GraphicsEnvironment;
import java.io.IOException;
import java.net.BindException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.nn.Resources;
import org.gammanet.torch.Device;
import org.gammanet.view.ViewServer;
import org.gammanet.view.ViewedNetwork;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A page to look inside a network. */
@Command(
    name = "view",
    header = "Look inside a network on a page in the browser.",
    description = {
      "Serves a page on this machine alone (127.0.0.1), under an address with a random token, until"
          + " Ctrl-C: edges and states timestep by timestep, what happens in a unit and what"
          + " reaches it, stimuli with sliders, lesions, light, and several networks side by side."
          + " The page loads nothing from elsewhere, and writes itself as one HTML file for others."
    },
    footer = {
      "Examples:",
      "  gammanet view photo.jpg",
      "  gammanet view photo.jpg --with random --with runs/mine --timesteps 8"
    })
final class ViewCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "IMAGE",
      arity = "0..1",
      description = "Image to begin with; default: a stimulus.")
  @Nullable Path image;

  @Option(
      names = "--with",
      paramLabel = "NETWORK",
      description =
          "Another network to compare with: bundled, random, a file, or the folder of a training"
              + " run. Repeatable.")
  List<String> others = new ArrayList<>();

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "0",
      description = "Port of the page; default: one that is free.")
  int port;

  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "320",
      description =
          "Working size at first: photos are shrunk until their longer side has N pixels; default:"
              + " ${DEFAULT-VALUE}.")
  int size = 320;

  @Option(
      names = "--open",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Open the page in the browser; default where there is a screen.")
  boolean open = true;

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions network = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final List<GammaNet> models = new ArrayList<>();
  private final Set<String> ids = new LinkedHashSet<>();

  @SuppressWarnings("NullAway.Init")
  ViewCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    console = new Console(spec);
    if (port < 0 || port > 65535) {
      throw new UsageException("--port must lie between 0 and 65535");
    }
    if (size < 32 || size > 1024) {
      throw new UsageException("--size must lie between 32 and 1024 pixels");
    }
    RgbImage photo = image == null ? null : Images.read(image);
    try (var interrupt = Interrupt.handle(stopped::countDown)) {
      try (ViewServer server = ViewServer.start(networks(), port, size)) {
        if (image != null && photo != null) {
          server.show(photo, String.valueOf(image.getFileName()));
        }
        console.print(server.address());
        console.note("the page is open until Ctrl-C");
        if (open) {
          open(server.address());
        }
        stopped.await();
      } catch (BindException e) {
        throw new CommandException("port %s is taken: choose another one".formatted(port));
      } finally {
        Resources.closeAll(models);
      }
      throw interrupt.exception("the page is closed");
    }
  }

  private List<ViewedNetwork> networks() {
    List<ViewedNetwork> networks = new ArrayList<>();
    GammaNet first = add(network.open(compute, console));
    String id =
        network.weights.random ? "random" : network.weights.checkpoint == null ? "bundled" : "";
    networks.add(
        new ViewedNetwork(
            id(id.isEmpty() ? network.title() : id),
            id.equals("bundled") ? "bundled network" : network.title(),
            first,
            network.trained()));
    for (String other : others) {
      networks.add(other(other, first.config(), first.network().device()));
    }
    return networks;
  }

  private ViewedNetwork other(String word, GammaNetConfig config, Device device) {
    return switch (word) {
      case PretrainedModel.BUNDLED, PretrainedModel.FULL ->
          new ViewedNetwork(
              id(word),
              word + " network",
              add(GammaNet.of(PretrainedModel.get(word), device)),
              true);
      case "random" ->
          new ViewedNetwork(
              id(word),
              "random weights",
              add(GammaNet.random(config, compute.seed(config), device)),
              false);
      default -> {
        Path file = NetworkOptions.checkpoint(Path.of(word));
        GammaNet model = add(GammaNet.load(file, GammaNetConfig.defaults(), device, console::note));
        yield new ViewedNetwork(id(String.valueOf(Path.of(word).getFileName())), word, model, true);
      }
    };
  }

  private GammaNet add(GammaNet model) {
    models.add(compute.applyTo(model));
    return model;
  }

  /** A name that no other network has. */
  private String id(String wanted) {
    String id = wanted.replaceAll("[^A-Za-z0-9._-]", "_");
    for (int n = 2; !ids.add(id); n++) {
      id = wanted.replaceAll("[^A-Za-z0-9._-]", "_") + "-" + n;
    }
    return id;
  }

  private static void open(URI page) {
    if (GraphicsEnvironment.isHeadless()
        || !Desktop.isDesktopSupported()
        || !Desktop.getDesktop().isSupported(Desktop.Action.BROWSE)) {
      return;
    }
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try {
                Desktop.getDesktop().browse(page);
              } catch (IOException | RuntimeException e) {
                System.getLogger(ViewCommand.class.getName())
                    .log(System.Logger.Level.DEBUG, "no browser opens", e);
              }
            });
  }
}
