import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.Declarables;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.core.QueueInformation;
import org.springframework.amqp.core.TopicExchange;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.context.support.GenericApplicationContext;

/** Orders, and those that failed: declared by RabbitAdmin whenever a connection opens. */
final class SpringTopology {
    static final String EXCHANGE = "orders";
    static final String QUEUE = "orders.new";
    static final String FAILED = "orders.failed";

    private SpringTopology() {}

    /** Declares it with a queue of this connection's own, and tells what there is then. */
    static void declare(Command command) {
        CachingConnectionFactory connections = SpringClient.connections(command);
        GenericApplicationContext context = new GenericApplicationContext();
        context.registerBean(Declarables.class, SpringTopology::topology);
        context.registerBean(RabbitAdmin.class, () -> new RabbitAdmin(connections));
        context.refresh();
        RabbitAdmin admin = context.getBean(RabbitAdmin.class);
        // The connection opens, and with it all is declared.
        Queue own = admin.declareQueue();
        for (String queue : new String[] {own.getName(), QUEUE, FAILED}) {
            tell(admin, queue);
        }
        admin.deleteQueue(own.getName());
        tell(admin, own.getName());
        SpringClient.close(connections);
        context.close();
    }

    /** Tells what is in the {@code queue}. */
    static void count(Command command) {
        CachingConnectionFactory connections = SpringClient.connections(command);
        tell(new RabbitAdmin(connections), command.text("queue"));
        SpringClient.close(connections);
    }

    private static void tell(RabbitAdmin admin, String queue) {
        QueueInformation found = admin.getQueueInfo(queue);
        if (found == null) {
            Output.event("missing").field("name", queue).print();
            return;
        }
        Output.event("declared")
                .field("name", found.getName())
                .field("messages", found.getMessageCount())
                .field("consumers", found.getConsumerCount())
                .print();
    }

    private static Declarables topology() {
        TopicExchange orders = new TopicExchange(EXCHANGE);
        DirectExchange dead = new DirectExchange("orders.dead");
        Queue queue = QueueBuilder.durable(QUEUE)
                .deadLetterExchange(dead.getName())
                .deadLetterRoutingKey("failed")
                .build();
        Queue failed = QueueBuilder.durable(FAILED).build();
        return new Declarables(
                orders,
                dead,
                queue,
                failed,
                BindingBuilder.bind(queue).to(orders).with("order.#"),
                BindingBuilder.bind(failed).to(dead).with("failed"));
    }
}
