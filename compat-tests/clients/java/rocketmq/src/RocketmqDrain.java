import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/**
 * Consumes a number of messages as fast as the push consumer can, for measuring; with {@code pop}
 * messages are popped, and invisible for so many milliseconds.
 */
final class RocketmqDrain {
    private RocketmqDrain() {}

    static void drain(Command command) throws Exception {
        long count = command.number("count", 1);
        AtomicLong seen = new AtomicLong();
        AtomicLong first = new AtomicLong();
        CountDownLatch finished = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(command.text("group"));
        consumer.setNamesrvAddr(command.text("namesrv"));
        consumer.setVipChannelEnabled(false);
        // Servers that are measured may leave little of the machine to a client that starts.
        consumer.setMqClientApiTimeout(30_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPullBatchSize(64);
        consumer.setConsumeMessageBatchMaxSize(64);
        consumer.subscribe(command.text("topic"), "*");
        if (command.number("pop", 0) > 0) {
            RocketmqPush.setPop(consumer, command.number("pop", 0));
        }
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            first.compareAndSet(0, System.nanoTime());
            if (seen.addAndGet(messages.size()) >= count) {
                finished.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        finished.await();
        long micros = (System.nanoTime() - first.get()) / 1000;
        Output.event("drained").field("count", seen.get()).field("micros", micros).print();
        consumer.shutdown();
    }
}
