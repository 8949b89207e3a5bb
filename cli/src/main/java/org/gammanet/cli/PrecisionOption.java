package org.gammanet.cli;

import org.gammanet.GammaNet;
import org.gammanet.kernels.Precision;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** How a network multiplies. */
final class PrecisionOption {
  @Option(
      names = "--precision",
      paramLabel = "WORD",
      defaultValue = "float32",
      description = {
        "float32, or bf16: products of numbers rounded to bfloat16, which is faster and less exact;"
            + " default: float32."
      })
  String precision = "float32";

  @Spec(Target.MIXEE)
  CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  PrecisionOption() {}

  Precision value() {
    return switch (precision) {
      case "float32" -> Precision.FLOAT32;
      case "bf16" -> Precision.BFLOAT16;
      default ->
          throw new ParameterException(
              spec.commandLine(), "--precision must be float32 or bf16, not " + precision);
    };
  }

  /** Sets it; what is passed in is closed when that fails. */
  GammaNet applyTo(GammaNet net) {
    try {
      net.network().setPrecision(value());
      return net;
    } catch (UnsupportedOperationException e) {
      net.close();
      throw new CommandException(String.valueOf(e.getMessage()));
    } catch (RuntimeException e) {
      net.close();
      throw e;
    }
  }
}
