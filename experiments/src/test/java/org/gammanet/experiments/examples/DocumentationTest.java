package org.gammanet.experiments.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples for users of the library compile as they are printed, with their imports alone. */
class DocumentationTest {
  private static final Pattern BLOCK = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL);

  static Path root() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("README.md"))) {
      root = Objects.requireNonNull(root.getParent(), "no README.md above");
    }
    return root;
  }

  /** The pages with an example. */
  static List<String> pages() throws IOException {
    List<String> pages = new ArrayList<>();
    try (Stream<Path> files = Files.walk(root(), 2)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".md")).sorted().toList()) {
        if (BLOCK.matcher(Files.readString(file)).find()) {
          pages.add(root().relativize(file).toString());
        }
      }
    }
    return pages;
  }

  /** A class around an example: around its statements, or around its members. */
  private static String program(String example) {
    StringBuilder imports = new StringBuilder();
    StringBuilder body = new StringBuilder();
    example.lines().forEach(l -> (l.startsWith("import ") ? imports : body).append(l).append('\n'));
    boolean members = body.toString().strip().matches("(?s)(static|public|record) .*");
    return members
        ? "%sclass Example {\n%s}\n".formatted(imports, body)
        : "%sclass Example {\nvoid run() throws Exception {\n%s}\n}\n".formatted(imports, body);
  }

  @ParameterizedTest
  @MethodSource("pages")
  void theExamplesCompile(String page, @TempDir Path classes) throws IOException {
    Matcher blocks = BLOCK.matcher(Files.readString(root().resolve(page)));
    while (blocks.find()) {
      String source = program(blocks.group(1));
      JavaFileObject file =
          new SimpleJavaFileObject(
              URI.create("string:///Example.java"), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
              return source;
            }
          };
      StringWriter messages = new StringWriter();
      List<String> options =
          List.of(
              "-proc:none",
              "-d",
              classes.toString(),
              "-cp",
              System.getProperty(
                  "surefire.test.class.path", System.getProperty("java.class.path")));
      boolean compiled =
          ToolProvider.getSystemJavaCompiler()
              .getTask(messages, null, null, options, null, List.of(file))
              .call();
      assertTrue(compiled, page + ":\n" + source + messages);
    }
  }
}
