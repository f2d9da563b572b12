import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Reads topics from end to end without a group's progress, and tells all there is of a message. */
final class RocketmqDump {
    private static final int PULL_MAX = 32;

    private RocketmqDump() {}

    /**
     * Every message of every queue of the topics. Of each {@code view} messages one is asked for by
     * its offset id, too.
     */
    static void dump(Command command) throws Exception {
        DefaultMQPullConsumer consumer = start(command);
        int view = command.number("view", 0);
        long seen = 0;
        for (String topic : command.text("topic").split(",")) {
            for (MessageQueue queue : new TreeSet<>(consumer.fetchSubscribeMessageQueues(topic))) {
                long first = consumer.minOffset(queue);
                long end = consumer.maxOffset(queue);
                Output.event("queue")
                        .field("topic", queue.getTopic())
                        .field("partition", queue.getQueueId())
                        .field("first", first)
                        .field("end", end)
                        .print();
                for (long offset = first; offset < end; ) {
                    PullResult pulled = consumer.pull(queue, "*", offset, PULL_MAX);
                    if (pulled.getPullStatus() == PullStatus.FOUND) {
                        for (MessageExt message : pulled.getMsgFoundList()) {
                            print("message", message);
                            if (view > 0 && seen++ % view == 0) {
                                print("viewed", consumer.viewMessage(topic, offsetId(message)));
                            }
                        }
                    } else if (pulled.getNextBeginOffset() <= offset) {
                        throw new IllegalStateException(queue + " at " + offset + ": " + pulled);
                    }
                    offset = pulled.getNextBeginOffset();
                }
            }
        }
        consumer.shutdown();
    }

    /** The messages of a topic with a key, or the one with an id, the client's or the broker's. */
    static void query(Command command) throws Exception {
        DefaultMQPullConsumer consumer = start(command);
        String id = command.text("id", "");
        if (!id.isEmpty()) {
            print("found", consumer.viewMessage(command.text("topic"), id));
            consumer.shutdown();
            return;
        }
        var found = consumer.queryMessage(
                command.text("topic"), command.text("key"), PULL_MAX, 0, System.currentTimeMillis());
        found.getMessageList().forEach(message -> print("found", message));
        consumer.shutdown();
    }

    private static DefaultMQPullConsumer start(Command command) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(command.text("group"), RocketmqClient.hook(command));
        RocketmqClient.direct(consumer, command, "dump");
        consumer.start();
        return consumer;
    }

    /** Every field; of the properties those that the client itself adds are left out. */
    private static void print(String event, MessageExt message) {
        Map<String, String> properties = new TreeMap<>(message.getProperties());
        properties.remove("MIN_OFFSET");
        properties.remove("MAX_OFFSET");
        Output.event(event)
                .field("topic", message.getTopic())
                .field("partition", message.getQueueId())
                .field("offset", message.getQueueOffset())
                .field("position", message.getCommitLogOffset())
                .field("id", message.getMsgId())
                .field("offset_id", offsetId(message))
                .field("flag", message.getFlag())
                .field("sys_flag", message.getSysFlag())
                .field("born", message.getBornTimestamp())
                .field("born_host", message.getBornHostString())
                .field("stored", message.getStoreTimestamp())
                .field("store_host", String.valueOf(message.getStoreHost()))
                .field("attempt", message.getReconsumeTimes())
                .field("prepared", message.getPreparedTransactionOffset())
                .field("crc", message.getBodyCRC())
                .field("size", message.getStoreSize())
                .field("tags", message.getTags())
                .field("keys", message.getKeys())
                .field("value", message.getBody())
                .field("properties", properties)
                .print();
    }

    private static String offsetId(MessageExt message) {
        return org.apache.rocketmq.common.message.MessageDecoder.createMessageId(
                message.getStoreHost(), message.getCommitLogOffset());
    }
}
