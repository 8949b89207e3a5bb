package org.gammanet.experiments.study;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.AnnotatedMember;
import com.fasterxml.jackson.databind.introspect.AnnotatedParameter;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import org.gammanet.io.DataException;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * Records as JSON: names in snake case, enum constants in lower case, and null for numbers that are
 * not finite, for which JSON has no word.
 */
public final class Json {
  /** Writes records and reads them back. */
  public static final ObjectMapper MAPPER = mapper();

  private Json() {}

  @SuppressWarnings("rawtypes") // Jackson registers serializers by raw class
  private static ObjectMapper mapper() {
    var numbers = new SimpleModule();
    var writer =
        new JsonSerializer<Double>() {
          @Override
          public void serialize(Double v, JsonGenerator out, SerializerProvider p)
              throws IOException {
            if (Double.isFinite(v)) {
              out.writeNumber(v);
            } else {
              out.writeNull();
            }
          }
        };
    numbers.addSerializer(Double.class, writer);
    numbers.addSerializer(double.class, writer);
    numbers.addSerializer(
        double[].class,
        new JsonSerializer<double[]>() {
          @Override
          public void serialize(double[] values, JsonGenerator out, SerializerProvider p)
              throws IOException {
            out.writeStartArray();
            for (double v : values) {
              writer.serialize(v, out, p);
            }
            out.writeEndArray();
          }
        });
    numbers.addSerializer(
        Enum.class,
        new JsonSerializer<Enum>() {
          @Override
          public void serialize(Enum value, JsonGenerator out, SerializerProvider p)
              throws IOException {
            out.writeString(name(value));
          }
        });
    numbers.addDeserializer(double.class, new NumberReader());
    numbers.addDeserializer(
        double[].class,
        new StdDeserializer<double[]>(double[].class) {
          @Override
          public double[] deserialize(JsonParser in, DeserializationContext context)
              throws IOException {
            if (in.currentToken() != JsonToken.START_ARRAY) {
              return (double[]) context.handleUnexpectedToken(double[].class, in);
            }
            List<Double> out = new ArrayList<>();
            while (in.nextToken() != JsonToken.END_ARRAY) {
              out.add(in.currentToken() == JsonToken.VALUE_NULL ? Double.NaN : in.getDoubleValue());
            }
            return out.stream().mapToDouble(v -> v).toArray();
          }
        });
    return JsonMapper.builder()
        .addModule(numbers)
        .propertyNamingStrategy(new SnakeCase())
        .annotationIntrospector(new Required())
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .visibility(PropertyAccessor.GETTER, JsonAutoDetect.Visibility.NONE)
        .visibility(PropertyAccessor.IS_GETTER, JsonAutoDetect.Visibility.NONE)
        .visibility(PropertyAccessor.FIELD, JsonAutoDetect.Visibility.ANY)
        .build();
  }

  /** A number; NaN for null. */
  private static final class NumberReader extends StdDeserializer<Double> {
    NumberReader() {
      super(double.class);
    }

    @Override
    public Double deserialize(JsonParser in, DeserializationContext context) throws IOException {
      return in.getDoubleValue();
    }

    @Override
    public Double getNullValue(DeserializationContext context) {
      return Double.NaN;
    }

    @Override
    public Object getAbsentValue(DeserializationContext context) {
      return Double.NaN;
    }
  }

  /** Components of records have to be there, unless they are nullable or primitive. */
  private static final class Required extends JacksonAnnotationIntrospector {
    private static boolean is(Annotated member) {
      return member instanceof AnnotatedParameter parameter
          && parameter.getOwner().getAnnotated() instanceof Constructor<?> constructor
          && constructor.getDeclaringClass().isRecord()
          && !parameter.getRawType().isPrimitive()
          && !constructor.getAnnotatedParameterTypes()[parameter.getIndex()].isAnnotationPresent(
              Nullable.class);
    }

    @Override
    public @Nullable Boolean hasRequiredMarker(AnnotatedMember member) {
      return is(member) ? Boolean.TRUE : super.hasRequiredMarker(member);
    }

    @Override
    public JsonSetter.Value findSetterInfo(Annotated member) {
      return is(member) ? JsonSetter.Value.forValueNulls(Nulls.FAIL) : super.findSetterInfo(member);
    }
  }

  /** A record as a JSON object. */
  public static ObjectNode object(Object record) {
    return MAPPER.valueToTree(record);
  }

  /**
   * Reads a record; where they are not there, nullable components are null, and numbers NaN.
   *
   * @throws DataException for JSON that is no such record, or lacks other components
   */
  public static <T> T read(JsonNode node, Class<T> type) {
    T record;
    try {
      record = MAPPER.treeToValue(node, type);
    } catch (JsonProcessingException e) {
      throw new DataException("the results are damaged: " + e.getOriginalMessage(), e);
    }
    if (record == null) {
      throw new DataException("the results are damaged: they have no " + type.getSimpleName());
    }
    return record;
  }

  /** The SHA-256 of a JSON value, whatever the order of its keys. */
  public static String digest(JsonNode node) {
    var digest = Sha256.digest();
    digest.update(sorted(node).toString().getBytes(StandardCharsets.UTF_8));
    return Sha256.hex(digest);
  }

  private static JsonNode sorted(JsonNode node) {
    if (!node.isObject()) {
      return node;
    }
    var fields = new TreeMap<String, JsonNode>();
    node.fields().forEachRemaining(f -> fields.put(f.getKey(), sorted(f.getValue())));
    ObjectNode out = MAPPER.createObjectNode();
    fields.forEach(out::set);
    return out;
  }

  /** The name of a record component in JSON and CSV: {@code halfWidthDeg} is half_width_deg. */
  public static String name(String component) {
    return component
        .replaceAll("([a-z0-9])([A-Z])", "$1_$2")
        .replaceAll("([A-Z])([A-Z][a-z])", "$1_$2")
        .toLowerCase(Locale.ROOT);
  }

  /** As Jackson's, but with a word of its own for a single letter: fit_r_squared. */
  private static final class SnakeCase extends PropertyNamingStrategies.NamingBase {
    @Override
    public String translate(String component) {
      return name(component);
    }
  }

  /** A JSON value as the cell of a table or a line of a report. */
  static String text(JsonNode value) {
    return value.isNull() ? "" : value.isValueNode() ? value.asText() : value.toString();
  }

  /** The name of an enum constant as it is written everywhere. */
  public static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
