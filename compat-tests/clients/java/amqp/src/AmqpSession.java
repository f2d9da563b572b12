import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A connection, and its channels by name. */
final class AmqpSession {
    private Connection connection;
    private final Map<String, Channel> channels = new HashMap<>();
    private final Set<String> confirming = new HashSet<>();

    void run(Command command) throws Exception {
        switch (command.verb()) {
            case "connect" -> connect(command);
            case "disconnect" -> disconnect();
            case "open" -> open(command);
            default -> {
                Channel channel = channels.get(name(command));
                if (!declare(channel, command) && !settle(channel, command)) {
                    message(channel, command);
                }
            }
        }
    }

    void disconnect() throws Exception {
        if (connection != null && connection.isOpen()) {
            connection.close();
        }
    }

    private void connect(Command command) throws Exception {
        String[] address = command.text("amqp").split(":");
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(address[0]);
        factory.setPort(Integer.parseInt(address[1]));
        factory.setRequestedHeartbeat(command.number("heartbeat", 60));
        boolean recovers = command.text("recovery", "").equals("true");
        factory.setAutomaticRecoveryEnabled(recovers);
        factory.setNetworkRecoveryInterval(100);
        connection = factory.newConnection();
        connection.addShutdownListener(cause -> tellClosed("connection", cause));
        channels.clear();
        if (recovers) {
            ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
                @Override
                public void handleRecovery(Recoverable recovered) {
                    Output.event("recovered").print();
                }

                @Override
                public void handleRecoveryStarted(Recoverable recovering) {}
            });
        }
    }

    private void open(Command command) throws IOException {
        String name = name(command);
        Channel channel = connection.createChannel();
        channel.addShutdownListener(cause -> {
            if (!cause.isHardError()) {
                tellClosed("channel", cause);
            }
        });
        channel.addReturnListener((code, text, exchange, key, properties, body) ->
                AmqpTables.event("returned", new Envelope(0, false, exchange, key), properties, body)
                        .field("code", code)
                        .field("text", text)
                        .print());
        confirming.remove(name);
        switch (command.text("mode", "plain")) {
            case "confirm" -> {
                channel.confirmSelect();
                confirming.add(name);
            }
            case "transaction" -> channel.txSelect();
            default -> { }
        }
        channels.put(name, channel);
    }

    private static void tellClosed(String scope, ShutdownSignalException cause) {
        if (cause.isInitiatedByApplication()) {
            return;
        }
        Method reason = cause.getReason();
        int code = 0;
        String text = cause.getMessage();
        if (reason instanceof AMQP.Connection.Close close) {
            code = close.getReplyCode();
            text = close.getReplyText();
        } else if (reason instanceof AMQP.Channel.Close close) {
            code = close.getReplyCode();
            text = close.getReplyText();
        }
        Output.event("closed").field("scope", scope).field("code", code).field("text", text).print();
    }

    private static String name(Command command) {
        return command.text("channel", "main");
    }

    private static boolean flag(Command command, String name) {
        return command.text(name, "").equals("true");
    }

    private static String text(Command command, String name) {
        return command.text(name, "");
    }

    /** What is about exchanges, queues and bindings; whether it is. */
    private boolean declare(Channel channel, Command command) throws Exception {
        String name = text(command, "name");
        String queue = text(command, "queue");
        String exchange = text(command, "exchange");
        String key = text(command, "key");
        Map<String, Object> arguments = AmqpTables.table(command, "arguments");
        switch (command.verb()) {
            case "close" -> channel.close();
            case "declare-exchange" -> declareExchange(channel, command, arguments);
            case "delete-exchange" -> channel.exchangeDelete(name);
            case "bind-exchange" -> channel.exchangeBind(text(command, "to"), exchange, key, arguments);
            case "declare-queue" -> declareQueue(channel, command, arguments);
            case "delete-queue" -> tellCount("deleted", channel.queueDelete(name).getMessageCount());
            case "purge" -> tellCount("purged", channel.queuePurge(queue).getMessageCount());
            case "bind" -> channel.queueBind(queue, exchange, key, arguments);
            case "unbind" -> channel.queueUnbind(queue, exchange, key, arguments);
            default -> {
                return false;
            }
        }
        return true;
    }

    private static void tellCount(String event, int messages) {
        Output.event(event).field("messages", messages).print();
    }

    private static void declareExchange(Channel channel, Command command, Map<String, Object> arguments)
            throws IOException {
        String name = text(command, "name");
        if (flag(command, "passive")) {
            channel.exchangeDeclarePassive(name);
        } else {
            channel.exchangeDeclare(
                    name,
                    command.text("type", "direct"),
                    flag(command, "durable"),
                    flag(command, "auto_delete"),
                    flag(command, "internal"),
                    arguments);
        }
    }

    private static void declareQueue(Channel channel, Command command, Map<String, Object> arguments)
            throws IOException {
        String name = text(command, "name");
        AMQP.Queue.DeclareOk declared = flag(command, "passive")
                ? channel.queueDeclarePassive(name)
                : channel.queueDeclare(
                        name,
                        flag(command, "durable"),
                        flag(command, "exclusive"),
                        flag(command, "auto_delete"),
                        arguments);
        Output.event("declared")
                .field("name", declared.getQueue())
                .field("messages", declared.getMessageCount())
                .field("consumers", declared.getConsumerCount())
                .print();
    }

    /** What is about messages that came; whether it is. */
    private boolean settle(Channel channel, Command command) throws IOException {
        long delivery = command.number("delivery", 0);
        boolean multiple = flag(command, "multiple");
        boolean requeue = flag(command, "requeue");
        switch (command.verb()) {
            case "ack" -> channel.basicAck(delivery, multiple);
            case "nack" -> channel.basicNack(delivery, multiple, requeue);
            case "reject" -> channel.basicReject(delivery, requeue);
            case "recover" -> channel.basicRecover(true);
            case "commit" -> channel.txCommit();
            case "rollback" -> channel.txRollback();
            default -> {
                return false;
            }
        }
        return true;
    }

    private void message(Channel channel, Command command) throws Exception {
        switch (command.verb()) {
            case "publish" -> publish(channel, command);
            case "get" -> {
                GetResponse got = channel.basicGet(text(command, "queue"), flag(command, "auto_ack"));
                if (got == null) {
                    Output.event("empty").print();
                } else {
                    AmqpTables.event("got", got.getEnvelope(), got.getProps(), got.getBody())
                            .field("left", got.getMessageCount())
                            .print();
                }
            }
            case "qos" -> channel.basicQos(command.number("prefetch", 0), flag(command, "global"));
            case "consume" -> consume(channel, command);
            case "cancel" -> channel.basicCancel(text(command, "tag"));
            default -> throw command.unknown();
        }
    }

    private void publish(Channel channel, Command command) throws Exception {
        List<byte[]> bodies = new ArrayList<>();
        for (int number = 0; number < command.number("count", 0); number++) {
            bodies.add(String.valueOf(number).getBytes(StandardCharsets.UTF_8));
        }
        if (command.text("count", "").isEmpty()) {
            bodies.add(Base64.getDecoder().decode(text(command, "body")));
        }
        BasicProperties properties = AmqpTables.properties(command);
        for (byte[] body : bodies) {
            channel.basicPublish(
                    text(command, "exchange"), text(command, "key"), flag(command, "mandatory"), properties, body);
        }
        if (confirming.contains(name(command)) && channel.waitForConfirms()) {
            Output.event("confirmed").field("count", bodies.size()).print();
        }
    }

    private static void consume(Channel channel, Command command) throws IOException {
        DefaultConsumer consumer = new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(String tag, Envelope envelope, BasicProperties properties, byte[] body) {
                AmqpTables.event("received", envelope, properties, body).field("tag", tag).print();
            }

            @Override
            public void handleCancel(String tag) {
                Output.event("cancelled").field("tag", tag).print();
            }
        };
        String tag = channel.basicConsume(
                text(command, "queue"),
                flag(command, "auto_ack"),
                text(command, "tag"),
                false,
                flag(command, "exclusive"),
                AmqpTables.table(command, "arguments"),
                consumer);
        Output.event("consuming").field("tag", tag).print();
    }
}
