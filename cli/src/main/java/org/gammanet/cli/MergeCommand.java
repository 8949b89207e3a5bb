package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.FolderLock;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Joins the parts of a run that several processes have done. */
@Command(
    name = "merge",
    header = "Join the parts of a run that --shard has made.",
    description = {
      "Joins the shards of detect, evaluate, insilico or ablate: the results are those of one run."
          + " All shards must be there, complete, and parts of the same run: of the same inputs,"
          + " settings and weights. They stay as they are; their files are linked into the output,"
          + " or copied where the file system has no links."
    },
    footer = {
      "Examples:",
      "  gammanet merge eval_results",
      "  gammanet merge -o edges a/shard-1-of-2 b/shard-2-of-2"
    })
final class MergeCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "DIR",
      arity = "1..*",
      description = "Folders of shards, or the folder in which all shard-K-of-N lie.")
  List<Path> given = new ArrayList<>();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      description = "Folder for the results; default: the folder in which the shards lie.")
  @Nullable Path output;

  @Option(
      names = {"-f", "--force"},
      description = "Replace the results of another run in the output.")
  boolean force;

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  MergeCommand() {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    List<Path> folders = new ArrayList<>();
    for (Path folder : given) {
      if (!Files.isDirectory(folder)) {
        throw new CommandException("there is no folder " + folder);
      }
      List<Path> inside = inside(folder);
      folders.addAll(inside.isEmpty() ? List.of(folder) : inside);
    }
    Path to = output;
    if (to == null) {
      if (given.size() > 1 || folders.equals(given)) {
        throw new UsageException("say where the results go: --output DIR");
      }
      to = given.getFirst();
    }
    try (FolderLock lock = FolderLock.take(to)) {
      return merge(folders, to);
    } catch (IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
  }

  private static List<Path> inside(Path folder) throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(
              f ->
                  Files.isDirectory(f)
                      && f.getFileName().toString().matches("shard-[0-9]+-of-[0-9]+"))
          .sorted()
          .toList();
    }
  }

  private int merge(List<Path> folders, Path to) throws IOException {
    Study.Existing existing = force ? Study.Existing.REPLACE : Study.Existing.CONTINUE;
    Path first = folders.getFirst();
    if (Study.exists(first, DetectShard.RECORD)) {
      return DetectShard.merge(Shards.read(folders, DetectShard.RECORD), to, force, console);
    }
    if (Study.exists(first, AblateCommand.FILE)) {
      return AblateCommand.merge(Shards.read(folders, AblateCommand.FILE), to, existing, console);
    }
    if (InSilico.holdsResults(first)) {
      InSilico run = InSilico.merge(folders, to, existing, Progress.NONE);
      console.print(run.file());
      console.print(run.report());
      return 0;
    }
    EvaluationOutcome outcome =
        EvaluationShard.merge(Shards.read(folders, Evaluation.FILE), to, existing, console);
    outcome.print(console);
    console.print(to.resolve("report.html"));
    return outcome.status();
  }
}
