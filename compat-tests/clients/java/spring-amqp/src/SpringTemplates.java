import java.util.List;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageBuilder;
import org.springframework.amqp.core.ReturnedMessage;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.connection.CorrelationData.Confirm;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** RabbitTemplate: what it publishes, asks, commits and takes back. */
final class SpringTemplates {
    private static final int PATIENCE_MS = 50_000;

    private SpringTemplates() {}

    /** Publishes the input, its keys for routing keys, and tells each one's confirm or return. */
    static void publish(Command command) throws Exception {
        CachingConnectionFactory connections = SpringClient.connections(command);
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setMandatory(true);
        List<Input> messages = Input.messages();
        List<CorrelationData> published = messages.stream()
                .map(input -> {
                    CorrelationData correlation = new CorrelationData(Input.text(input.value()));
                    Message message = message(input);
                    template.send(SpringTopology.EXCHANGE, Input.text(input.key()), message, correlation);
                    return correlation;
                })
                .toList();
        for (CorrelationData correlation : published) {
            Confirm confirm = correlation.getFuture().get(PATIENCE_MS, TimeUnit.MILLISECONDS);
            ReturnedMessage returned = correlation.getReturned();
            if (returned != null) {
                Output.event("returned")
                        .field("code", returned.getReplyCode())
                        .field("text", returned.getReplyText())
                        .field("exchange", returned.getExchange())
                        .field("key", returned.getRoutingKey())
                        .field("value", returned.getMessage().getBody())
                        .print();
            }
            Output.event("confirmed")
                    .field("id", correlation.getId())
                    .json("ack", String.valueOf(confirm.isAck()))
                    .print();
        }
        SpringClient.close(connections);
    }

    private static Message message(Input input) {
        MessageBuilder message = MessageBuilder.withBody(input.value());
        input.headers().forEach(header -> message.setHeader(header.getKey(), Input.text(header.getValue())));
        return message.build();
    }

    /** Asks {@code queue} {@code count} times, for an answer by direct reply-to. */
    static void call(Command command) {
        CachingConnectionFactory connections = SpringClient.connections(command);
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setReplyTimeout(PATIENCE_MS);
        // Replies come to a consumer that stays, or to one for each request.
        template.setUseDirectReplyToContainer(command.text("consumer", "shared").equals("shared"));
        for (int number = 0; number < command.number("count", 1); number++) {
            Object answer = template.convertSendAndReceive("", command.text("queue"), "question " + number);
            Output.event("answered").field("text", (String) answer).print();
        }
        template.stop();
        SpringClient.close(connections);
    }

    /** Publishes to {@code queue} in two transactions, of which the second is rolled back. */
    static void transact(Command command) {
        CachingConnectionFactory connections = SpringClient.transacted(command);
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setChannelTransacted(true);
        String queue = command.text("queue");
        TransactionTemplate transaction = new TransactionTemplate(new RabbitTransactionManager(connections));
        for (String end : new String[] {"commit", "rollback"}) {
            transaction.executeWithoutResult(status -> {
                for (int number = 0; number < 3; number++) {
                    template.convertAndSend("", queue, end + " " + number);
                }
                if (end.equals("rollback")) {
                    // What was taken in a transaction comes back with it as well.
                    Message taken = template.receive(queue, PATIENCE_MS);
                    SpringClient.event("taken", taken).print();
                    status.setRollbackOnly();
                }
            });
            Output.event("ended").field("by", end).print();
        }
        SpringClient.close(connections);
    }
}
