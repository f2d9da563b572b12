import java.util.Collection;
import java.util.TreeSet;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;

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
                case "transact" -> RocketmqTransaction.transact(command);
                case "ask" -> RocketmqRequest.ask(command);
                case "answer" -> RocketmqRequest.answer(command);
                case "push" -> RocketmqPush.consume(command);
                case "litepull" -> RocketmqLitePull.consume(command);
                case "offsets" -> RocketmqLitePull.offsets(command);
                case "reset" -> RocketmqLitePull.reset(command);
                case "drain" -> RocketmqDrain.drain(command);
                case "dump" -> RocketmqDump.dump(command);
                case "query" -> RocketmqDump.query(command);
                default -> throw command.unknown();
            }
        });
    }

    /** Tells a client of either role where its servers are, and keeps it apart from others here. */
    static void direct(ClientConfig client, Command command, String role) {
        client.setNamesrvAddr(command.text("namesrv"));
        client.setInstanceName(role + "-" + System.nanoTime());
        client.setVipChannelEnabled(command.text("vip", "false").equals("true"));
        // Tests share their machine, and this is for the NameServer's answer, too.
        client.setMqClientApiTimeout(command.number("timeout", 10_000));
    }

    /** A line of input as a message: the headers are its properties, among them TAGS and DELAY. */
    static Message message(String topic, Input input) {
        Message message = new Message(topic, input.value());
        if (input.key() != null) {
            message.setKeys(Input.text(input.key()));
        }
        input.headers().forEach(header -> {
            String value = Input.text(header.getValue());
            switch (header.getKey()) {
                case "TAGS" -> message.setTags(value);
                case "DELAY" -> message.setDelayTimeLevel(Integer.parseInt(value));
                default -> {
                    if (header.getKey().startsWith("TIMER_")) {
                        // The older line has no method of its own for it.
                        MessageAccessor.putProperty(message, header.getKey(), value);
                    } else {
                        message.putUserProperty(header.getKey(), value);
                    }
                }
            }
        });
        return message;
    }

    /** What signs each request for {@code access-key} with {@code secret-key}; none for none. */
    static RPCHook hook(Command command) {
        String name = command.text("access-key", "");
        return name.isEmpty()
                ? null
                : new AclClientRPCHook(new SessionCredentials(name, command.text("secret-key")));
    }

    /** What a consumer wants: the expression {@code sql}, or else the tags {@code tags}. */
    static MessageSelector selector(Command command) {
        String sql = command.text("sql", "");
        return sql.isEmpty() ? MessageSelector.byTag(command.text("tags", "*")) : MessageSelector.bySql(sql);
    }

    static void printReceived(MessageExt message) {
        Output.event("received")
                .field("topic", message.getTopic())
                .field("partition", message.getQueueId())
                .field("offset", message.getQueueOffset())
                .field("id", message.getMsgId())
                .field("born", message.getBornTimestamp())
                .field("stored", message.getStoreTimestamp())
                .field("size", message.getStoreSize())
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
