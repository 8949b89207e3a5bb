package org.gammanet.cli;

import org.gammanet.experiments.study.Shard;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The part of a run that a command does. */
final class ShardOption {
  @Option(
      names = "--shard",
      paramLabel = "K/N",
      converter = Converter.class,
      description =
          "Do only part K of N, from 1, in the folder shard-K-of-N of the output; 'gammanet merge'"
              + " joins all parts. slurm: K and N are those of a task of a Slurm array.")
  @Nullable Shard shard;

  /** Says how the parts become a run. */
  static void done(Shard shard, Console console) {
    console.print(shard.of() + " shards make a run: gammanet merge joins them");
  }

  private static final class Converter implements ITypeConverter<Shard> {
    @Override
    public Shard convert(String text) {
      try {
        return Shard.parse(text, System.getenv());
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
