package org.gammanet.experiments.study;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.gammanet.experiments.export.RecordingExport;
import org.gammanet.experiments.export.StimulusTable;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.io.Npy;
import org.jspecify.annotations.Nullable;

/** Records an experiment in chunks, which are kept on disk until the experiment is done. */
final class ChunkRecorder implements RunContext.Recorder {
  /** Stimuli that are recorded before they are kept. */
  private static final int CHUNK = 32;

  private final Study study;
  private final Preparation preparation;
  private final Settings settings;

  private final String step;
  private final @Nullable String responses;
  private final Set<RecordingExport.Format> formats;
  private int records;
  private int stimuli;

  /**
   * Records for a step of a study.
   *
   * @param responses names the files of all responses; null where they are not wanted
   * @param formats in which they are written besides {@code .npy}
   */
  ChunkRecorder(
      Study study,
      Preparation preparation,
      Settings settings,
      String step,
      @Nullable String responses,
      Set<RecordingExport.Format> formats) {
    this.study = study;
    this.preparation = preparation;
    this.settings = settings;
    this.step = step;
    this.responses = responses;
    this.formats = formats;
  }

  @Override
  public <C> Responses record(Preparation from, Design<C> design) {
    List<Stimulus> all = new ArrayList<>(design.stimuli().stimuli());
    if (design.blank()) {
      all.add(new Blank(Frame.of(from.size(), from.size()), 0.5));
    }
    int before = stimuli;
    stimuli += all.size();
    records++;
    Responses out = null;
    try {
      for (int at = 0; at < all.size(); at += CHUNK) {
        StimulusSet part = StimulusSet.of(all.subList(at, Math.min(all.size(), at + CHUNK)));
        Responses chunk = chunk(from, design, part, before + at, all.size() > CHUNK);
        advance(before + at + part.size());
        out = out == null ? Responses.like(chunk, all.size()) : out;
        out.put(chunk, at);
      }
      if (out == null) {
        throw new AssertionError("a design has stimuli");
      }
      if (responses != null) {
        String name = "responses/" + responses + (records == 1 ? "" : "_" + records);
        out.writeNpy(study.folder().resolve(name)).forEach(study::noted);
        writeStimuli(name, from, all, design.conditions(), out);
      }
      return out;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** How many stimuli were recorded. */
  int stimuli() {
    return stimuli;
  }

  /** The stimuli of the rows of responses, and all of it for other programs. */
  private void writeStimuli(
      String name, Preparation from, List<Stimulus> all, List<?> conditions, Responses recorded)
      throws IOException {
    StimulusTable table = StimulusTable.of(all, conditions);
    var csv = new Csv().row(table.columns());
    table.rows().forEach(csv::row);
    study.write(name + "_stimuli.csv", csv.toString());
    float[] luminance = StimulusTable.luminance(all);
    Frame frame = all.getFirst().frame();
    Path file = study.folder().resolve(name + "_stimuli.npy");
    Npy.write(file, luminance, all.size(), frame.height(), frame.width());
    study.noted(file);
    Map<String, String> about = new LinkedHashMap<>();
    about.put("experiment", step);
    about.put("weights_sha256", from.digest());
    about.put("pixels_per_degree", String.valueOf(settings.pixelsPerDegree()));
    about.put("orientation_convention", InSilico.CONVENTION);
    var export =
        new RecordingExport(
            recorded, table, luminance, frame.height(), frame.width(), about, Instant.now());
    for (RecordingExport.Format format : formats) {
      Path exported = study.folder().resolve(name + format.ending());
      export.write(exported, format);
      study.noted(exported);
    }
  }

  private void advance(int done) {
    study.progress().advance(step, done, stimuli, "");
    study.checkCanceled();
  }

  private Responses chunk(
      Preparation from, Design<?> design, StimulusSet part, int offset, boolean keep)
      throws IOException {
    Partial kept =
        study.partial(
            step,
            records,
            offset,
            design.pooling(),
            design.scaling(),
            design.output(),
            part.stimuli());
    if (!kept.isEmpty()) {
      Responses chunk = like(from, design, part);
      if (chunk.setFlat(kept.floats("responses"))) {
        return chunk;
      }
    }
    Responses chunk =
        from.record(
            part,
            design.pooling(),
            design.scaling(),
            design.output(),
            done -> advance(offset + done));
    if (keep) {
      float[] flat = chunk.flat();
      kept.put("responses", flat, flat.length).save();
    }
    return chunk;
  }

  private static Responses like(Preparation from, Design<?> design, StimulusSet part) {
    int points = design.pooling() instanceof Pooling.Units units ? units.at().size() : 1;
    var out =
        new Responses(part.size(), IntStream.range(0, from.timesteps()).boxed().toList(), points);
    for (State state : from.states()) {
      out.add(from.layer(), state, from.channels() * points);
    }
    if (design.output()) {
      out.add("output", State.FEEDFORWARD, points);
    }
    return out;
  }

  @Override
  public @Nullable ReceptiveField gradient(State state, int after, int draws) {
    int before = stimuli;
    stimuli += draws;
    return preparation.gradient(
        state, after, draws, settings.seed(), done -> advance(before + done));
  }

  @Override
  public void write(String name, byte[] content) {
    try {
      study.write(name, content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void note(String sentence) {
    study.progress().note(sentence);
  }
}
