package org.gammanet.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.kernels.Precision;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Values of options: their ranges, and the words that stand for them. */
final class Converters {
  private Converters() {}

  private static int whole(String text, int most) {
    try {
      int value = Integer.parseInt(text);
      if (value >= 1 && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new TypeConversionException(
        "must be a whole number from 1 to " + most + ", not '" + text + "'");
  }

  /** A number of things, from 1. */
  static final class Count implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return whole(text, Integer.MAX_VALUE);
    }
  }

  /** Pixels of a side, of which a square still is an image. */
  static final class Pixels implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return whole(text, 10_000);
    }
  }

  /** Timesteps: more than this neither ends nor fits in memory. */
  static final class Timesteps implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return whole(text, 10_000);
    }
  }

  /** Threads: OpenMP crashes where it cannot start as many as it is asked for. */
  static final class Threads implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return whole(text, 1024);
    }
  }

  /** Number types of products. */
  static final class PrecisionWord implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "float32" -> Precision.FLOAT32;
        case "bf16" -> Precision.BFLOAT16;
        default -> throw new TypeConversionException("must be float32 or bf16, not '" + text + "'");
      };
    }
  }

  /** The words of {@link PrecisionWord}. */
  static final class PrecisionWords extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    PrecisionWords() {
      super(List.of("float32", "bf16"));
    }
  }

  /** Constants of an enumeration in small letters, as users write them. */
  static List<String> words(Enum<?>[] values) {
    return Arrays.stream(values).map(v -> v.name().toLowerCase(Locale.ROOT)).toList();
  }
}
