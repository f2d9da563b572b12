import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultMQPushConsumer with a listener of either kind. */
final class RocketmqPush {
    /** How long a queue rests after an orderly listener refused a message. */
    private static final long SUSPENSION_MS = 200;

    private RocketmqPush() {}

    /**
     * Consumes until count messages came or standard input ends, telling each new assignment.
     * Messages with the tag {@code later} are refused the first time (or as often as {@code refusals}
     * says), to come again at the first delay level; with {@code orderly} they suspend their queue.
     * With {@code pop} the broker says who gets what, and messages it lets pop are invisible for so
     * many milliseconds. Each message takes {@code pause} milliseconds, after it was told.
     */
    static void consume(Command command) throws Exception {
        int count = command.number("count", Integer.MAX_VALUE);
        CountDownLatch finished = new CountDownLatch(1);
        if (count == Integer.MAX_VALUE) {
            Input.onEnd(finished::countDown);
        }
        boolean traced = command.text("trace", "false").equals("true");
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(
                command.text("group"),
                RocketmqClient.hook(command),
                new AllocateMessageQueueAveragely(),
                traced,
                null);
        RocketmqClient.direct(consumer, command, "push");
        setModel(consumer, command.text("model", "clustering"));
        setStart(consumer, command.text("from", "first"));
        // What was handed to the listener counts as consumed when the group is left.
        consumer.setAwaitTerminationMillisWhenShutdown(10_000);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        for (String topic : command.text("topic").split(",")) {
            consumer.subscribe(topic, RocketmqClient.selector(command));
        }
        if (command.number("pop", 0) > 0) {
            setPop(consumer, command.number("pop", 0));
        }
        int pause = command.number("pause", 0);
        String later = command.text("later", "");
        int refusals = command.number("refusals", 1);
        consumer.setMaxReconsumeTimes(command.number("max-attempts", -1));
        AtomicInteger seen = new AtomicInteger();
        // Whether all of them are taken.
        Predicate<List<MessageExt>> take = messages -> {
            boolean taken = true;
            for (MessageExt message : messages) {
                RocketmqClient.printReceived(message);
                pause(pause);
                taken &= !later.equals(message.getTags()) || message.getReconsumeTimes() >= refusals;
                if (seen.incrementAndGet() == count) {
                    finished.countDown();
                }
            }
            return taken;
        };
        if (command.text("orderly", "false").equals("true")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                if (take.test(messages)) {
                    return ConsumeOrderlyStatus.SUCCESS;
                }
                context.setSuspendCurrentQueueTimeMillis(SUSPENSION_MS);
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                if (take.test(messages)) {
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                }
                // Where messages are popped, level 0 of their own table is the shortest.
                context.setDelayLevelWhenNextConsume(command.number("pop", 0) > 0 ? 0 : 1);
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            });
        }
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

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // The 4.x line has none of it.
    static void setPop(DefaultMQPushConsumer consumer, long invisibleMillis) throws Exception {
        var type = consumer.getClass();
        type.getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        type.getMethod("setPopInvisibleTime", long.class).invoke(consumer, invisibleMillis);
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
