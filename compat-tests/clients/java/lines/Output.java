import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collection;
import java.util.Map;

/** One JSON line on standard output. Bytes are base64, absent ones null. */
final class Output {
    private static final PrintStream OUT = System.out;
    private final StringBuilder line = new StringBuilder("{");

    /** Loggers may print to standard output: from now on that is standard error. */
    static void reserve() {
        System.setOut(System.err);
    }

    static Output event(String name) {
        return new Output().field("event", name);
    }

    Output field(String name, String value) {
        key(name);
        text(value);
        return this;
    }

    Output field(String name, long value) {
        key(name);
        line.append(value);
        return this;
    }

    /** A field whose value is JSON already. */
    Output json(String name, String value) {
        key(name);
        line.append(value);
        return this;
    }

    Output field(String name, byte[] value) {
        return field(name, value == null ? null : Base64.getEncoder().encodeToString(value));
    }

    Output field(String name, Collection<?> values) {
        key(name);
        line.append('[');
        String separator = "";
        for (Object value : values) {
            line.append(separator);
            if (value instanceof Number) {
                line.append(value);
            } else {
                text(value.toString());
            }
            separator = ",";
        }
        line.append(']');
        return this;
    }

    Output field(String name, Map<String, String> values) {
        key(name);
        line.append('{');
        String separator = "";
        for (Map.Entry<String, String> value : values.entrySet()) {
            line.append(separator);
            text(value.getKey());
            line.append(':');
            text(value.getValue());
            separator = ",";
        }
        line.append('}');
        return this;
    }

    /** A list of [name, base64 or null]. */
    Output pairs(String name, Iterable<Map.Entry<String, byte[]>> values) {
        key(name);
        line.append('[');
        String separator = "";
        for (Map.Entry<String, byte[]> value : values) {
            line.append(separator).append('[');
            text(value.getKey());
            line.append(',');
            byte[] bytes = value.getValue();
            text(bytes == null ? null : Base64.getEncoder().encodeToString(bytes));
            line.append(']');
            separator = ",";
        }
        line.append(']');
        return this;
    }

    void print() {
        byte[] bytes = line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
        synchronized (OUT) {
            OUT.write(bytes, 0, bytes.length);
            OUT.flush();
        }
    }

    private void key(String name) {
        if (line.length() > 1) {
            line.append(',');
        }
        text(name);
        line.append(':');
    }

    private void text(String value) {
        if (value == null) {
            line.append("null");
            return;
        }
        line.append('"');
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                line.append('\\').append(c);
            } else if (c < ' ') {
                line.append(String.format("\\u%04x", (int) c));
            } else {
                line.append(c);
            }
        }
        line.append('"');
    }
}
