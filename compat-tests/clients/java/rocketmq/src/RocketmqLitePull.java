import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultLitePullConsumer. */
final class RocketmqLitePull {
    private RocketmqLitePull() {}

    /** Polls as a group member until count messages came, then commits. */
    static void consume(Command command) throws Exception {
        DefaultLitePullConsumer consumer = create(command);
        for (String topic : command.text("topic").split(",")) {
            consumer.subscribe(topic, RocketmqClient.selector(command));
        }
        consumer.start();
        Output.event("ready").print();
        int count = command.number("count", 1);
        int seen = 0;
        while (seen < count) {
            for (MessageExt message : consumer.poll(500)) {
                RocketmqClient.printReceived(message);
                seen++;
            }
        }
        if (command.text("commit", "true").equals("true")) {
            consumer.commitSync();
        }
        consumer.shutdown();
    }

    /** What the group has committed in each queue of the topic; -1 where nothing. */
    static void offsets(Command command) throws Exception {
        DefaultLitePullConsumer consumer = create(command);
        consumer.start();
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(command.text("topic"));
        consumer.assign(queues);
        for (MessageQueue queue : new TreeSet<>(queues)) {
            Output.event("committed")
                    .field("topic", queue.getTopic())
                    .field("partition", queue.getQueueId())
                    .field("offset", consumer.committed(queue))
                    .print();
        }
        consumer.shutdown();
    }

    /** Sets the group back, or forward, to what was stored from a time on. */
    static void reset(Command command) throws Exception {
        DefaultLitePullConsumer consumer = create(command);
        consumer.start();
        long time = Long.parseLong(command.text("time"));
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(command.text("topic"));
        consumer.assign(queues);
        Map<MessageQueue, Long> offsets = new HashMap<>();
        for (MessageQueue queue : queues) {
            offsets.put(queue, consumer.offsetForTimestamp(queue, time));
        }
        consumer.commitSync(offsets, true);
        consumer.shutdown();
    }

    private static DefaultLitePullConsumer create(Command command) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(command.text("group"), RocketmqClient.hook(command));
        RocketmqClient.direct(consumer, command, "litepull");
        consumer.setAutoCommit(false);
        consumer.setPullThreadNums(2);
        var wanted = "CONSUME_FROM_FIRST_OFFSET";
        for (var candidate : consumer.getConsumeFromWhere().getDeclaringClass().getEnumConstants()) {
            if (candidate.name().equals(wanted)) {
                consumer.setConsumeFromWhere(candidate);
            }
        }
        return consumer;
    }
}
