import com.rabbitmq.client.ShutdownSignalException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** RabbitMQ's Java client: it does what standard input says. */
public final class AmqpClient {
    private AmqpClient() {}

    public static void main(String[] arguments) {
        Output.reserve();
        Command.runAll(arguments, command -> {
            if (!command.verb().equals("session")) {
                throw command.unknown();
            }
            session();
        });
    }

    private static void session() throws Exception {
        AmqpSession session = new AmqpSession();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Command command = command(line);
            try {
                session.run(command);
                Output.event("done").field("command", command.verb()).print();
            } catch (IOException | ShutdownSignalException refused) {
                // Why is told by the listeners of what is closed.
                Output.event("refused").field("command", command.verb()).print();
            }
        }
        session.disconnect();
    }

    private static Command command(String line) {
        String[] fields = line.split("\t");
        Map<String, String> arguments = new LinkedHashMap<>();
        for (int at = 1; at < fields.length; at++) {
            String[] pair = fields[at].split("=", 2);
            arguments.put(pair[0], pair[1]);
        }
        return new Command(fields[0], arguments);
    }
}
