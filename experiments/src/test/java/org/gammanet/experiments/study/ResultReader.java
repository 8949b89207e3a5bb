package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.io.DataException;
import org.gammanet.testing.Mutations;

/** The readers of files that experiments get from users, or find in the folder of a run. */
public enum ResultReader implements Mutations.Target {
  /** Measured points, {@code --curve}. */
  CURVE {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          utf8("distance,response,se\n0,1,0.1\n1,0.6,0.1\n2.5,0.9,0.2\n"),
          utf8("# a\n\n1;2\n-3;1e-3"));
    }

    @Override
    public void read(byte[] input) throws IOException {
      try {
        ReferenceCurve.read(Mutations.file(input, ".csv"));
      } catch (IllegalArgumentException e) {
        // documented
      }
    }
  },
  /** A results file: where the network comes from, figures and the words of the report. */
  RESULTS {
    @Override
    public List<byte[]> seeds() {
      var findings =
          Findings.of(new Summary(3, 0.5))
              .overviewValue("measure", "0.5")
              .value("units", "3")
              .note("A sentence.");
      var root = Json.MAPPER.createObjectNode();
      var metadata = root.putObject("metadata");
      metadata.putObject("settings").put("mode", "own").put("seed", 4);
      metadata.put("complete", true).put("timesteps", 2);
      root.set("step", findings.json());
      return List.of(utf8(root.toPrettyString()));
    }

    @Override
    public void read(byte[] input) throws IOException {
      Path file = Mutations.file(input, ".json");
      try {
        var root = Study.read(file, "results.json");
        if (root.path("step") instanceof ObjectNode step) {
          Json.read(step, Summary.class);
          Findings.figures(step);
          Findings.highlights(step);
        }
        InSilico.source(file);
      } catch (IOException e) {
        if (!String.valueOf(e.getMessage()).contains(file.toString())) {
          throw e;
        }
      } catch (DataException e) {
        // documented
      }
    }
  },
  /** Work of a step that was not finished. */
  PARTIAL {
    @Override
    public List<byte[]> seeds() {
      return List.of(
          Mutations.written(
              file -> {
                Partial partial = Partial.open(file);
                partial
                    .put("responses", new float[] {1, 2, 3, 4}, 2, 2)
                    .put("at", 1, 0.5, 2)
                    .save();
              }));
    }

    @Override
    public void read(byte[] input) throws IOException {
      try {
        Partial partial = Partial.open(Mutations.file(input, ".safetensors"));
        ByteBuffer data = partial.tensor("responses").data();
        if (data.remaining() > input.length) {
          throw new AssertionError(data);
        }
        partial.doubles("at");
      } catch (CheckpointException e) {
        // documented
      }
    }
  };

  /** What a step has found. */
  public record Summary(int units, double measure) {}

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
