package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Augmentation;
import org.gammanet.data.BatchSource;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks that share each batch, threads of this process here, train as one does. */
class RanksTest {
  private static final int SIDE = 24;
  private static final int UPDATES = 20;

  @TempDir Path folder = Path.of("");
  private final Map<String, float[]> initial = new TreeMap<>();

  @BeforeEach
  void pictures() throws IOException {
    LibTorch.setThreads(1);
    var random = new Random(7);
    Files.createDirectories(folder.resolve("data/images"));
    Files.createDirectories(folder.resolve("data/edges"));
    for (int i = 0; i < 9; i++) {
      byte[] photo = new byte[3 * SIDE * SIDE];
      random.nextBytes(photo);
      float[] edges = new float[SIDE * SIDE];
      for (int k = 0; k < edges.length; k++) {
        edges[k] = random.nextInt(5) == 0 ? 1 : 0;
      }
      String name = "i" + i + ".png";
      Images.writePng(folder.resolve("data/images").resolve(name), new RgbImage(SIDE, SIDE, photo));
      Images.writePng8(folder.resolve("data/edges").resolve(name), new EdgeMap(SIDE, SIDE, edges));
    }
  }

  private GammaNetConfig config(String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "model.layers=[conv1_1, conv1_2]",
                "model.hidden_channels=4",
                "model.timesteps=3",
                "data.train_path='" + folder.resolve("data") + "'",
                "data.augmentation.random_crop=16",
                "training.samples_per_epoch=40",
                "training.batch_size=4",
                "training.num_workers=1",
                "training.optimizer=adamw",
                "training.learning_rate=1e-3",
                "training.vgg_learning_rate=1e-5",
                "training.num_epochs=2",
                "logging.tensorboard=false"));
    all.addAll(List.of(more));
    return GammaNetConfig.shipped("default", all);
  }

  private static Map<String, float[]> weights(Network network) {
    Map<String, float[]> weights = new TreeMap<>();
    for (Parameter parameter : network.parameters()) {
      weights.put(parameter.name(), parameter.tensor().toFloatArray());
    }
    return weights;
  }

  private static double distance(Map<String, float[]> a, Map<String, float[]> b) {
    double sum = 0;
    for (Map.Entry<String, float[]> entry : a.entrySet()) {
      float[] other = b.get(entry.getKey());
      for (int i = 0; i < other.length; i++) {
        sum += Math.pow(entry.getValue()[i] - other[i], 2);
      }
    }
    return Math.sqrt(sum);
  }

  private static double norm(Map<String, float[]> a) {
    double sum = 0;
    for (float[] values : a.values()) {
      for (float v : values) {
        sum += v * v;
      }
    }
    return Math.sqrt(sum);
  }

  private interface Rank<T> {
    T run(ProcessGroup group) throws Exception;
  }

  /** Ranks that are threads of this process. */
  private static final class Threads {
    private final int size;
    private final CyclicBarrier barrier;
    private final Tensor[] tensors;
    private volatile boolean left;

    Threads(int size) {
      this.size = size;
      tensors = new Tensor[size];
      barrier = new CyclicBarrier(size, this::add);
    }

    private void add() {
      double[] sum = new double[(int) tensors[0].numel()];
      for (Tensor tensor : tensors) {
        double[] values = tensor.toDoubleArray();
        for (int i = 0; i < sum.length; i++) {
          sum[i] += values[i];
        }
      }
      try (var scope = TensorScope.open()) {
        for (Tensor tensor : tensors) {
          tensor.copy_(Tensor.of(sum, sum.length));
        }
      }
    }

    ProcessGroup rank(int rank) {
      return new ProcessGroup() {
        @Override
        public int rank() {
          return rank;
        }

        @Override
        public int size() {
          return size;
        }

        @Override
        public void allReduce(Tensor values) {
          tensors[rank] = values;
          try {
            if (left) {
              throw new BrokenBarrierException("a rank has left");
            }
            barrier.await(60, TimeUnit.SECONDS);
          } catch (BrokenBarrierException | TimeoutException | InterruptedException e) {
            throw new LostRankException("another rank is lost", e);
          }
        }

        @Override
        public void close() {
          left = true;
          barrier.reset();
        }
      };
    }
  }

  /** Runs ranks, and gives what each of them returns. */
  private static <T> List<T> ranks(int size, Rank<T> work) throws Exception {
    var group = new Threads(size);
    try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
      List<Future<T>> running = new ArrayList<>();
      for (int r = 0; r < size; r++) {
        int rank = r;
        running.add(
            threads.submit(
                () -> {
                  LibTorch.setThreads(1);
                  try (ProcessGroup own = group.rank(rank)) {
                    return work.run(own);
                  }
                }));
      }
      List<T> out = new ArrayList<>();
      for (Future<T> f : running) {
        out.add(f.get(120, TimeUnit.SECONDS));
      }
      return out;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    }
  }

  @Test
  void sumsAreThoseOfAllRanks() throws Exception {
    List<double[]> sums =
        ranks(
            3,
            group -> {
              double[] sum = group.sum(group.rank(), 1, group.rank() == 2 ? Double.NaN : 0);
              return new double[] {
                sum[0], sum[1], sum[2], group.ofFirst(10 + group.rank())[0], group.size()
              };
            });
    for (double[] sum : sums) {
      assertArrayEquals(new double[] {3, 3, Double.NaN, 10, 3}, sum);
    }
  }

  /** Plain gradient descent, in which an error of a gradient stays as large as it is. */
  private Map<String, float[]> descend(GammaNetConfig config, ProcessGroup group) {
    try (Network network = Network.create(config.model(), 3)) {
      network.train();
      var data = TrainingData.open(config.data());
      var source =
          new BatchSource(data.train(), Augmentation.of(config.data()), config.seed(), 80, 4);
      var trained = new LinkedHashMap<String, Tensor>();
      for (Parameter p : network.parameters()) {
        p.tensor().requiresGrad(true);
        trained.put(p.name(), p.tensor());
      }
      List<Optimizer.Group> groups = Optimizer.groups(trained, 1, 1);
      var loss = EdgeLoss.of(config.training(), 0.3, true);
      var gradients = new BatchGradients(config, network, loss, Recompute.NONE, null, null);
      var reducer = new GradientReducer(group, groups, false);
      int share = 4 / group.size();
      for (int step = 0; step < UPDATES; step++) {
        trained.values().forEach(Tensor::zeroGrad);
        gradients.add(
            source.batch(step, share * group.rank(), share * (group.rank() + 1)),
            Curriculum.of(config).at(0),
            1.0 / group.size());
        reducer.reduce();
        try (var scope = TensorScope.open();
            var silent = Autograd.noGrad()) {
          for (Tensor p : trained.values()) {
            Tensor gradient = p.grad();
            if (gradient != null) {
              Tensor rate = Tensor.full(-1e-4, p.dtype(), p.device());
              p.copy_(Ops.add(p, Ops.mul(gradient, rate)));
            }
          }
        }
      }
      trained.values().forEach(Tensor::zeroGrad);
      return weights(network);
    }
  }

  @Test
  void gradientDescentIsThatOfOneProcess() throws Exception {
    GammaNetConfig config = config();
    try (Network network = Network.create(config.model(), 3)) {
      initial.putAll(weights(network));
    }
    Map<String, float[]> one = descend(config, ProcessGroup.ALONE);
    double moved = distance(initial, one);
    assertTrue(moved > 1e-4 * norm(initial), "moved by " + moved);
    for (Map<String, float[]> rank : ranks(2, group -> descend(config, group))) {
      double distance = distance(rank, one);
      assertTrue(distance < 1e-5 * norm(one), distance + " of " + norm(one));
      assertTrue(distance < 1e-3 * moved, distance + " of " + moved);
    }
  }

  private record Trained(Map<String, float[]> weights, List<Double> losses, long bytes) {}

  private Trained train(
      GammaNetConfig config, ProcessGroup group, String output, int updates, boolean resume)
      throws InterruptedException {
    List<Double> losses = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void step(Step step) {
            losses.add(step.loss());
          }
        };
    Path to = folder.resolve(output);
    try (Network network = Network.create(config.model(), 3);
        var trainer =
            new Trainer(config, network, TrainingData.open(config.data()), to, listener, group)) {
      if (resume) {
        trainer.resume(Checkpoint.load(to.resolve("checkpoints/last.safetensors")), output);
      }
      trainer.run(updates);
      return new Trained(weights(network), losses, trainer.bytesReduced());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void adamwIsThatOfOneProcessAndOnlyTheFirstRankWrites(int size) throws Exception {
    GammaNetConfig config = config();
    try (Network network = Network.create(config.model(), 3)) {
      initial.putAll(weights(network));
    }
    Trained one = train(config, ProcessGroup.ALONE, "one", UPDATES, false);
    double moved = distance(one.weights, initial);
    List<Trained> all =
        ranks(size, group -> train(config, group, "out" + group.rank(), UPDATES, false));
    for (Trained rank : all) {
      double distance = distance(rank.weights, one.weights);
      assertTrue(distance < 1e-3 * moved, distance + " of " + moved);
      assertEquals(0, distance(rank.weights, all.getFirst().weights), "ranks are alike");
      assertEquals(UPDATES, rank.losses.size());
      for (int i = 0; i < UPDATES; i++) {
        assertEquals(one.losses.get(i), rank.losses.get(i), 1e-4 * one.losses.get(i), "loss");
      }
      assertTrue(rank.bytes > 1000, "bytes");
    }
    assertTrue(Files.exists(folder.resolve("out0/checkpoints/last.safetensors")));
    assertTrue(Files.exists(folder.resolve("out0/metrics.jsonl")));
    assertTrue(Files.notExists(folder.resolve("out1")), "the second rank writes nothing");
  }

  /**
   * Rounding grows from update to update where rates are high: activations change their sign, and
   * gradients jump. Sums that do not depend on how the batch is divided leave nothing to grow.
   */
  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void exactSumsAreThoseOfOneProcessAtHighRates(int size) throws Exception {
    GammaNetConfig config = config("training.vgg_learning_rate=1e-3", "training.exact_sums=true");
    try (Network network = Network.create(config.model(), 3)) {
      initial.putAll(weights(network));
    }
    Trained one = train(config, ProcessGroup.ALONE, "one", UPDATES, false);
    double moved = distance(one.weights, initial);
    for (Trained rank :
        ranks(size, group -> train(config, group, "out" + group.rank(), UPDATES, false))) {
      double distance = distance(rank.weights, one.weights);
      assertTrue(distance < 1e-6 * moved, distance + " of " + moved);
    }
  }

  @Test
  void aRunGoesOnWithAnotherNumberOfRanks() throws Exception {
    GammaNetConfig config = config("training.ema_decay=0.9");
    Trained whole = train(config, ProcessGroup.ALONE, "whole", UPDATES, false);
    ranks(4, group -> train(config, group, "run", 7, false));
    Trained one = train(config, ProcessGroup.ALONE, "run", 12, true);
    assertEquals(5, one.losses.size());
    for (Trained rank : ranks(2, group -> train(config, group, "run", UPDATES, true))) {
      assertEquals(8, rank.losses.size());
      assertTrue(distance(rank.weights, whole.weights) < 1e-4 * norm(whole.weights));
    }
  }

  /** The first rank leaves after some updates, as if its process had ended. */
  @Test
  void aLostRankEndsTheOthersAndTheCheckpointStays() throws Exception {
    GammaNetConfig config = config();
    List<String> ends =
        ranks(
            2,
            group -> {
              if (group.rank() == 1) {
                train(config, group, "run", 5, false); // and no more
                return "";
              }
              TrainingException e =
                  assertThrows(
                      TrainingException.class, () -> train(config, group, "run", UPDATES, false));
              return e.getMessage();
            });
    assertTrue(ends.getFirst().contains("rank 0 of 2: another rank is lost"), ends.getFirst());
    assertTrue(ends.getFirst().contains("the checkpoint of update 5"), ends.getFirst());
    Trained rest = train(config, ProcessGroup.ALONE, "run", UPDATES, true);
    assertEquals(UPDATES - 5, rest.losses.size());
    assertTrue(
        distance(rest.weights, train(config, ProcessGroup.ALONE, "whole", UPDATES, false).weights)
            < 1e-4 * norm(rest.weights));
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    GammaNetConfig config = config("training.batch_size=1");
    for (String message :
        ranks(
            2,
            group ->
                assertThrows(TrainingException.class, () -> train(config, group, "run", 1, false))
                    .getMessage())) {
      assertEquals("a batch of 1 cannot be divided among 2 processes", message);
    }
    GammaNetConfig four = config();
    for (String message :
        ranks(
            2,
            group -> {
              try (Network network = Network.create(four.model(), group.rank());
                  var trainer =
                      new Trainer(
                          four,
                          network,
                          TrainingData.open(four.data()),
                          folder.resolve("other"),
                          new TrainingListener() {},
                          group)) {
                return assertThrows(TrainingException.class, () -> trainer.run(1)).getMessage();
              }
            })) {
      assertTrue(message.contains("do not begin with the same weights"), message);
    }
    assertTrue(Files.notExists(folder.resolve("other")), "nothing is written");
  }

  @Test
  void placesOfTheProgramsThatStartProcesses() {
    assertEquals(Rendezvous.ALONE, Rendezvous.of(Map.of()));
    assertEquals(
        new Rendezvous(3, 4, 1, 2, "node7", 1234, false, "x/2"),
        Rendezvous.of(
            Map.of(
                "RANK", "3",
                "WORLD_SIZE", "4",
                "LOCAL_RANK", "1",
                "LOCAL_WORLD_SIZE", "2",
                "MASTER_ADDR", "node7",
                "MASTER_PORT", "1234",
                "TORCHELASTIC_RUN_ID", "x",
                "TORCHELASTIC_RESTART_COUNT", "2")));
    assertEquals(
        new Rendezvous(0, 4, 0, 2, "node03x", 20_017, true, "0"),
        Rendezvous.of(
            Map.of(
                "SLURM_PROCID", "0",
                "SLURM_STEP_NUM_TASKS", "4",
                "SLURM_LOCALID", "0",
                "SLURM_STEP_TASKS_PER_NODE", "2(x2)",
                "SLURM_STEP_NODELIST", "node[03-05,9]x,other",
                "SLURM_JOB_ID", "40017")));
    assertEquals("a", Rendezvous.firstHost("a,b[1-2]"));
    assertEquals(
        new Rendezvous(1, 2, 1, 2, "127.0.0.1", 29500, false, "0"),
        Rendezvous.of(
            Map.of(
                "OMPI_COMM_WORLD_RANK", "1",
                "OMPI_COMM_WORLD_SIZE", "2",
                "OMPI_COMM_WORLD_LOCAL_RANK", "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE", "2")));
    for (Map<String, String> wrong :
        List.of(
            Map.of("RANK", "1"),
            Map.of("RANK", "2", "WORLD_SIZE", "2"),
            Map.of("RANK", "x", "WORLD_SIZE", "2"),
            Map.of("OMPI_COMM_WORLD_RANK", "0", "OMPI_COMM_WORLD_SIZE", "2"))) {
      assertThrows(TrainingException.class, () -> Rendezvous.of(wrong), wrong.toString());
    }
  }
}
