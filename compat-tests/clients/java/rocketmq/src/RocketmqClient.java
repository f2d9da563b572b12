import java.util.Collection;
import java.util.TreeSet;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The stock Java client: its producer, its push consumer and its lite pull consumer. */
public final class RocketmqClient {
    private RocketmqClient() {}

    public static void main(String[] arguments) {
        Output.reserve();
        // Both client lines log to files in the home directory unless told otherwise.
        System.setProperty("rocketmq.client.logUseSlf4j", "true");
        Command.runAll(arguments, command -> {
            switch (command.verb()) {
                case "produce" -> RocketmqProducer.produce(command);
                case "stream" -> RocketmqProducer.stream(command);
                case "push" -> RocketmqPush.consume(command);
                case "litepull" -> RocketmqLitePull.consume(command);
                case "offsets" -> RocketmqLitePull.offsets(command);
                case "drain" -> RocketmqDrain.drain(command);
                default -> throw command.unknown();
            }
        });
    }

    /** A line of input as a message: the headers are its properties, among them TAGS and KEYS. */
    static Message message(String topic, Input input) {
        Message message = new Message(topic, input.value());
        if (input.key() != null) {
            message.setKeys(Input.text(input.key()));
        }
        input.headers().forEach(header -> {
            String value = Input.text(header.getValue());
            switch (header.getKey()) {
                case "TAGS" -> message.setTags(value);
                default -> message.putUserProperty(header.getKey(), value);
            }
        });
        return message;
    }

    static void printReceived(MessageExt message) {
        Output.event("received")
                .field("topic", message.getTopic())
                .field("partition", message.getQueueId())
                .field("offset", message.getQueueOffset())
                .field("id", message.getMsgId())
                .field("born", message.getBornTimestamp())
                .field("stored", message.getStoreTimestamp())
                .field("attempt", message.getReconsumeTimes())
                .field("tags", message.getTags())
                .field("keys", message.getKeys())
                .field("value", message.getBody())
                .field("properties", message.getProperties())
                .print();
    }

    /** The group's own retry topic, which comes and goes on its own, is left out. */
    static void printAssigned(Collection<MessageQueue> queues) {
        var names = new TreeSet<String>();
        for (MessageQueue queue : queues) {
            if (!queue.getTopic().startsWith("%RETRY%")) {
                names.add(queue.getTopic() + "-" + queue.getQueueId());
            }
        }
        Output.event("assigned").field("partitions", names).print();
    }
}
