import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultMQPushConsumer with a concurrent listener. */
final class RocketmqPush {
    private RocketmqPush() {}

    /** Consumes until count messages came or standard input ends, telling each new assignment. */
    static void consume(Command command) throws Exception {
        int count = command.number("count", Integer.MAX_VALUE);
        CountDownLatch finished = new CountDownLatch(1);
        if (count == Integer.MAX_VALUE) {
            Input.onEnd(finished::countDown);
        }
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(command.text("group"));
        consumer.setNamesrvAddr(command.text("namesrv"));
        consumer.setInstanceName("push-" + System.nanoTime());
        consumer.setVipChannelEnabled(command.text("vip", "false").equals("true"));
        setModel(consumer, command.text("model", "clustering"));
        setStart(consumer, command.text("from", "first"));
        // What was handed to the listener counts as consumed when the group is left.
        consumer.setAwaitTerminationMillisWhenShutdown(10_000);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        for (String topic : command.text("topic").split(",")) {
            consumer.subscribe(topic, command.text("tags", "*"));
        }
        AtomicInteger seen = new AtomicInteger();
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                RocketmqClient.printReceived(message);
                if (seen.incrementAndGet() == count) {
                    finished.countDown();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Output.event("ready").print();
        Set<MessageQueue> before = Set.of();
        while (!finished.await(20, TimeUnit.MILLISECONDS)) {
            Set<MessageQueue> now = Set.copyOf(consumer.getDefaultMQPushConsumerImpl()
                    .getRebalanceImpl()
                    .getProcessQueueTable()
                    .keySet());
            if (!now.equals(before)) {
                RocketmqClient.printAssigned(now);
                before = now;
            }
        }
        consumer.shutdown();
    }

    // The enumerations moved between the two client lines: they are named by value of a string.
    private static void setModel(DefaultMQPushConsumer consumer, String model) {
        var wanted = model.equals("broadcasting") ? "BROADCASTING" : "CLUSTERING";
        for (var candidate : consumer.getMessageModel().getDeclaringClass().getEnumConstants()) {
            if (candidate.name().equals(wanted)) {
                consumer.setMessageModel(candidate);
            }
        }
    }

    private static void setStart(DefaultMQPushConsumer consumer, String from) {
        var wanted = from.equals("first") ? "CONSUME_FROM_FIRST_OFFSET" : "CONSUME_FROM_LAST_OFFSET";
        for (var candidate : consumer.getConsumeFromWhere().getDeclaringClass().getEnumConstants()) {
            if (candidate.name().equals(wanted)) {
                consumer.setConsumeFromWhere(candidate);
            }
        }
    }
}
