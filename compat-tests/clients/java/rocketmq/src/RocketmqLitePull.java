import java.util.Collection;
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
            consumer.subscribe(topic, command.text("tags", "*"));
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

    private static DefaultLitePullConsumer create(Command command) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(command.text("group"));
        consumer.setNamesrvAddr(command.text("namesrv"));
        consumer.setInstanceName("litepull-" + System.nanoTime());
        consumer.setVipChannelEnabled(command.text("vip", "false").equals("true"));
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
