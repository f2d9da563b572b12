import com.rabbitmq.client.Channel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.amqp.core.AcknowledgeMode;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.MessageProperties;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;
import org.springframework.amqp.rabbit.listener.api.ChannelAwareMessageListener;

/** SimpleMessageListenerContainer, and what it does with what its listener does. */
final class SpringListeners {
    /** The body of a message that no listener can do anything with. */
    private static final String POISON = "poison";

    private SpringListeners() {}

    /**
     * Takes {@code count} messages of {@code queue}, or all until standard input ends. With {@code ack=manual} the listener acknowledges,
     * and requeues what is called {@code refuse} the first time it comes; with {@code ack=auto} the
     * container does, and what the listener fails with is rejected.
     */
    static void listen(Command command) throws Exception {
        CachingConnectionFactory connections = SpringClient.connections(command);
        SimpleMessageListenerContainer container = container(connections, command.text("queue"));
        boolean isManual = command.text("ack", "auto").equals("manual");
        container.setAcknowledgeMode(isManual ? AcknowledgeMode.MANUAL : AcknowledgeMode.AUTO);
        int count = command.number("count", Integer.MAX_VALUE);
        CountDownLatch finished = new CountDownLatch(1);
        if (count == Integer.MAX_VALUE) {
            Input.onEnd(finished::countDown);
        }
        AtomicInteger seen = new AtomicInteger();
        Runnable take = () -> {
            if (seen.incrementAndGet() == count) {
                finished.countDown();
            }
        };
        container.setMessageListener(isManual ? manual(command, take) : automatic(take));
        container.start();
        Output.event("ready").print();
        finished.await();
        // Stopped, it has told the server of all it took.
        container.stop();
        SpringClient.close(connections);
    }

    private static SimpleMessageListenerContainer container(CachingConnectionFactory connections, String queue) {
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        container.setQueueNames(queue);
        container.setPrefetchCount(10);
        container.setDefaultRequeueRejected(false);
        container.setRecoveryInterval(100);
        return container;
    }

    private static ChannelAwareMessageListener manual(Command command, Runnable take) {
        String refuse = command.text("refuse", "");
        return (Message message, Channel channel) -> {
            tell(message);
            MessageProperties properties = message.getMessageProperties();
            String body = Input.text(message.getBody());
            if (body.equals(refuse) && !properties.isRedelivered()) {
                channel.basicNack(properties.getDeliveryTag(), false, true);
            } else {
                channel.basicAck(properties.getDeliveryTag(), false);
            }
            take.run();
        };
    }

    private static MessageListener automatic(Runnable take) {
        return message -> {
            tell(message);
            take.run();
            if (Input.text(message.getBody()).equals(POISON)) {
                throw new IllegalArgumentException(POISON);
            }
        };
    }

    private static void tell(Message message) {
        List<Map<String, ?>> deaths = message.getMessageProperties().getXDeathHeader();
        Output event = SpringClient.event("received", message);
        if (deaths != null) {
            Map<String, ?> death = deaths.get(0);
            event.field("reason", (String) death.get("reason"))
                    .field("queue", (String) death.get("queue"))
                    .field("deaths", (Long) death.get("count"))
                    .field("keys", (List<?>) death.get("routing-keys"));
        }
        event.print();
    }

    /** Answers what comes to {@code queue} until standard input ends. */
    static void answer(Command command) throws Exception {
        CachingConnectionFactory connections = SpringClient.connections(command);
        String queue = command.text("queue");
        new RabbitAdmin(connections).declareQueue(new Queue(queue, false));
        SimpleMessageListenerContainer container = container(connections, queue);
        container.setMessageListener(new MessageListenerAdapter(new Answerer(), "answer"));
        CountDownLatch finished = new CountDownLatch(1);
        Input.onEnd(finished::countDown);
        container.start();
        Output.event("ready").print();
        finished.await();
        container.stop();
        SpringClient.close(connections);
    }

    /** What Spring calls with the body of a request. */
    public static final class Answerer {
        public String answer(String question) {
            return "answer to " + question;
        }
    }
}
