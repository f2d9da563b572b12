import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/**
 * Standard input: messages, one a line, up to an empty line or the end.
 *
 * <pre>partition TAB timestamp TAB key TAB value TAB name:value,name:value,...</pre>
 *
 * Partition and timestamp are -1 when the client decides; everything else is base64, null a '-'.
 */
record Input(
        int partition, long timestamp, byte[] key, byte[] value, List<Map.Entry<String, byte[]>> headers) {
    private static final BufferedReader IN =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    static List<Input> messages() throws IOException {
        List<Input> messages = new ArrayList<>();
        for (Input message = next(); message != null; message = next()) {
            messages.add(message);
        }
        return messages;
    }

    /** The next message, null at an empty line or the end. */
    static Input next() throws IOException {
        String line = IN.readLine();
        if (line == null || line.isEmpty()) {
            return null;
        }
        String[] fields = line.split("\t", -1);
        List<Map.Entry<String, byte[]>> headers = new ArrayList<>();
        if (!fields[4].isEmpty()) {
            for (String header : fields[4].split(",")) {
                String[] pair = header.split(":", -1);
                headers.add(new SimpleEntry<>(text(bytes(pair[0])), bytes(pair[1])));
            }
        }
        return new Input(
                Integer.parseInt(fields[0]), Long.parseLong(fields[1]), bytes(fields[2]), bytes(fields[3]), headers);
    }

    /** Calls {@code stop} once standard input ends: that is how the test says "leave". */
    static void onEnd(Runnable stop) {
        Thread thread = new Thread(() -> {
            try {
                while (IN.readLine() != null) {
                    // Nothing more is expected.
                }
            } catch (IOException closed) {
                // As good as the end.
            }
            stop.run();
        });
        thread.setDaemon(true);
        thread.start();
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String field) {
        return field.equals("-") ? null : Base64.getDecoder().decode(field);
    }
}
