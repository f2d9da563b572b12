import java.util.ConcurrentModificationException;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageProperties;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;

/** Spring AMQP: its templates, its listener containers and its administration. */
public final class SpringClient {
    private SpringClient() {}

    public static void main(String[] arguments) {
        Output.reserve();
        Command.runAll(arguments, command -> {
            switch (command.verb()) {
                case "declare" -> SpringTopology.declare(command);
                case "count" -> SpringTopology.count(command);
                case "publish" -> SpringTemplates.publish(command);
                case "call" -> SpringTemplates.call(command);
                case "transact" -> SpringTemplates.transact(command);
                case "listen" -> SpringListeners.listen(command);
                case "answer" -> SpringListeners.answer(command);
                default -> throw command.unknown();
            }
        });
    }

    /** Closes them: Spring gives channels back to its cache behind an answer, and trips over that. */
    static void close(CachingConnectionFactory connections) {
        for (int left = 10; ; left--) {
            try {
                connections.destroy();
                return;
            } catch (ConcurrentModificationException race) {
                if (left == 0) {
                    throw race;
                }
            }
        }
    }

    /** Connections to the server, which confirms what is published and sends back what has no queue. */
    static CachingConnectionFactory connections(Command command) {
        CachingConnectionFactory factory = transacted(command);
        factory.setPublisherConfirmType(ConfirmType.CORRELATED);
        factory.setPublisherReturns(true);
        return factory;
    }

    /** Connections whose channels confirm nothing, as transactions want them. */
    static CachingConnectionFactory transacted(Command command) {
        CachingConnectionFactory factory = new CachingConnectionFactory();
        factory.setAddresses(command.text("amqp"));
        return factory;
    }

    /** An event with what there is of a message. */
    static Output event(String name, Message message) {
        MessageProperties properties = message.getMessageProperties();
        return Output.event(name)
                .field("exchange", properties.getReceivedExchange())
                .field("key", properties.getReceivedRoutingKey())
                .json("redelivered", String.valueOf(properties.isRedelivered()))
                .field("value", message.getBody());
    }
}
