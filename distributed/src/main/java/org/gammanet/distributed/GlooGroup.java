package org.gammanet.distributed;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.PrefixStore;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.gammanet.torch.Borrowed;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TorchException;
import org.gammanet.training.LostRankException;
import org.gammanet.training.ProcessGroup;
import org.gammanet.training.Rendezvous;
import org.gammanet.training.TrainingException;

/**
 * LibTorch's {@code ProcessGroupGloo}. LibTorch's C ABI can reduce tensors in a group, but not make
 * one; the JNI library of {@code org.bytedeco:pytorch} can. It is loaded beside the LibTorch that
 * is loaded already, whose C++ classes it must agree with to the byte: so both are of one version.
 */
final class GlooGroup implements ProcessGroup {
  /** The version that the JNI library was made for. */
  private static final String VERSION = "2.13.0";

  /** How long the ranks wait for the last of them to arrive. */
  private static final long ARRIVAL_MILLIS = 300_000;

  /**
   * How long a rank waits for the others, such as for the validation by rank 0. One that has been
   * killed is noticed at once, since its connections are closed.
   */
  private static final long PATIENCE_MILLIS = 6 * 3_600_000L;

  /** The pointer to a tensor that is LibTorch's already. */
  private static final class Address extends Pointer {
    Address(long value) {
      address = value;
    }
  }

  /** What native code refers to must not be collected. */
  private static final List<Object> KEPT = new ArrayList<>();

  private final Rendezvous rendezvous;
  private final ProcessGroupGloo group;

  private GlooGroup(Rendezvous rendezvous, ProcessGroupGloo group) {
    this.rendezvous = rendezvous;
    this.group = group;
  }

  private static synchronized void load() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    if (!os.contains("linux") || !arch.matches("amd64|x86_64")) {
      throw new TrainingException("process groups are there for linux-x86_64 only");
    }
    if (!LibTorch.version().equals(VERSION)) {
      throw new TrainingException(
          "process groups need LibTorch %s, and this is %s: unset GAMMANET_LIBTORCH"
              .formatted(VERSION, LibTorch.version()));
    }
    // Else JavaCPP would unpack and load another copy of LibTorch.
    System.setProperty("org.bytedeco.javacpp.loadlibraries", "false");
    try {
      LibTorch.loadMore(
          List.of(
              "org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so",
              "org/bytedeco/pytorch/linux-x86_64/libjnitorch.so",
              "org/bytedeco/pytorch/linux-x86_64/libjnitorch_gloo.so"));
    } catch (TorchException e) {
      throw new TrainingException("there are no process groups: " + e.getMessage(), e);
    }
  }

  static synchronized GlooGroup join(Rendezvous r) {
    load();
    if (r.port() < 1 || r.port() > 65_535) {
      throw new TrainingException("MASTER_PORT must be from 1 to 65535, not " + r.port());
    }
    try {
      String own = ownAddress(r); // names that there are not are told at once
      var options = new TCPStoreOptions();
      options.port((short) r.port());
      options.isServer(r.hostsStore());
      options.waitWorkers(false);
      options.timeout(new Milliseconds(ARRIVAL_MILLIS));
      var store = new TCPStore(r.address(), options);
      var named = new PrefixStore("gammanet/" + r.name(), store);
      ProcessGroupGloo.Options gloo =
          ProcessGroupGloo.Options.create(new Milliseconds(ARRIVAL_MILLIS));
      var devices = new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname(own));
      gloo.devices(devices);
      var group = new ProcessGroupGloo(named, r.rank(), r.size(), gloo);
      group.setTimeout(new Milliseconds(PATIENCE_MILLIS));
      KEPT.addAll(List.of(options, store, named, gloo, devices, group));
      return new GlooGroup(r, group);
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s of %s: the ranks have not met at %s, port %s: %s"
              .formatted(r.rank(), r.size(), r.address(), r.port(), reason(e)),
          e);
    }
  }

  /** The address of this machine on the way to rank 0; a host's name may stand for 127.0.1.1. */
  private static String ownAddress(Rendezvous r) throws IOException {
    InetAddress first = InetAddress.getByName(r.address());
    try (var socket = new DatagramSocket()) {
      socket.connect(new InetSocketAddress(first, r.port()));
      return socket.getLocalAddress().getHostAddress();
    }
  }

  /** What the engine says, without the places in its sources. */
  private static String reason(Exception e) {
    if (e instanceof UnknownHostException) {
      return "there is no machine of this name";
    }
    String message = String.valueOf(e.getMessage()).strip().lines().findFirst().orElse("");
    return message
        .replaceFirst("^\\[[^\\]]*\\] ?", "")
        .replaceFirst("\\. This is typically caused.*|\\. Check the logs.*|\\(function .*", "")
        .strip();
  }

  @Override
  public int rank() {
    return rendezvous.rank();
  }

  @Override
  public int size() {
    return rendezvous.size();
  }

  @Override
  public void allReduce(Tensor values) {
    try (var borrowed = new Borrowed()) {
      var address = new Address(borrowed.of(values).address());
      try (var list = new TensorVector(new org.bytedeco.pytorch.Tensor(address));
          Work work = group.allreduce(list)) {
        work._wait();
      }
    } catch (RuntimeException e) {
      throw new LostRankException("another rank is lost (" + reason(e) + ")", e);
    }
  }

  /** The engine's threads end with the process, which belongs to one group as long as it lives. */
  @Override
  public void close() {}
}
