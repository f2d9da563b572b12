import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One command of a program: a verb and its key=value arguments. Commands are separated by "--". */
record Command(String verb, Map<String, String> arguments) {
    interface Action {
        void run(Command command) throws Exception;
    }

    /** Runs the commands in turn; the first that fails ends the program with status 1. */
    static void runAll(String[] arguments, Action action) {
        try {
            for (Command command : parse(arguments)) {
                action.run(command);
                Output.event("done").field("command", command.verb()).print();
            }
        } catch (Throwable failure) {
            failure.printStackTrace();
            Output.event("failed").field("error", failure.toString()).print();
            Runtime.getRuntime().halt(1);
        }
        // Clients leave threads behind; what had to be closed is closed.
        Runtime.getRuntime().halt(0);
    }

    private static List<Command> parse(String[] arguments) {
        List<Command> commands = new ArrayList<>();
        Command current = null;
        for (String argument : arguments) {
            if (argument.equals("--")) {
                current = null;
            } else if (current == null) {
                current = new Command(argument, new LinkedHashMap<>());
                commands.add(current);
            } else {
                int equals = argument.indexOf('=');
                current.arguments.put(argument.substring(0, equals), argument.substring(equals + 1));
            }
        }
        return commands;
    }

    String text(String name) {
        String value = arguments.get(name);
        if (value == null) {
            throw new IllegalArgumentException(verb + " needs " + name + "=");
        }
        return value;
    }

    String text(String name, String otherwise) {
        return arguments.getOrDefault(name, otherwise);
    }

    int number(String name, int otherwise) {
        String value = arguments.get(name);
        return value == null ? otherwise : Integer.parseInt(value);
    }

    IllegalArgumentException unknown() {
        return new IllegalArgumentException("no such command: " + verb);
    }
}
