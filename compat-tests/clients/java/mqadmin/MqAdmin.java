import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs mqadmin's commands in one machine, as each start of Java costs seconds: a line of input is a
 * command with its arguments, blanks between them (none within). After each, "== end" on a line of
 * its own says that its output is complete.
 */
public final class MqAdmin {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        System.setErr(out);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                MQAdminStartup.main0(line.trim().split(" +"), null);
            } catch (Throwable failure) {
                out.println("== failed " + failure);
            }
            out.println();
            out.println("== end");
            out.flush();
        }
        // Some commands leave threads behind.
        System.exit(0);
    }
}
