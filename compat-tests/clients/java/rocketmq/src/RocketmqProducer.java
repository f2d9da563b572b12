import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultMQProducer in each way it can send. */
final class RocketmqProducer {
    private RocketmqProducer() {}

    /** Sends the input in the way {@code mode} names. */
    static void produce(Command command) throws Exception {
        DefaultMQProducer producer = start(command);
        String topic = command.text("topic");
        List<Input> inputs = Input.messages();
        switch (command.text("mode", "sync")) {
            case "sync" -> {
                for (Input input : inputs) {
                    printSent(producer.send(RocketmqClient.message(topic, input)));
                }
            }
            case "async" -> sendAsync(producer, topic, inputs);
            case "oneway" -> {
                for (Input input : inputs) {
                    producer.sendOneway(RocketmqClient.message(topic, input));
                }
            }
            case "batch" -> {
                List<Message> batch = new ArrayList<>();
                inputs.forEach(input -> batch.add(RocketmqClient.message(topic, input)));
                printSent(producer.send(batch));
            }
            case "selector" -> {
                for (Input input : inputs) {
                    printSent(producer.send(
                            RocketmqClient.message(topic, input), RocketmqProducer::choose, input.partition()));
                }
            }
            default -> throw new IllegalArgumentException("no such mode");
        }
        producer.shutdown();
    }

    /**
     * Sends each line as it comes, one at a time and once, and tells its fate before the next: a
     * test then knows exactly what was acknowledged. A line may name its queue.
     */
    static void stream(Command command) throws Exception {
        DefaultMQProducer producer = start(command);
        producer.setRetryTimesWhenSendFailed(0);
        String topic = command.text("topic");
        Output.event("ready").print();
        for (Input input = Input.next(); input != null; input = Input.next()) {
            try {
                Message message = RocketmqClient.message(topic, input);
                printSent(
                        input.partition() < 0
                                ? producer.send(message)
                                : producer.send(message, RocketmqProducer::choose, input.partition()));
            } catch (Exception refused) {
                Output.event("lost").field("error", refused + ": " + refused.getCause()).print();
            }
        }
        producer.shutdown();
    }

    private static DefaultMQProducer start(Command command) throws Exception {
        boolean traced = command.text("trace", "false").equals("true");
        DefaultMQProducer producer = new DefaultMQProducer(
                command.text("group", "compat-producer"), RocketmqClient.hook(command), traced, null);
        RocketmqClient.direct(producer, command, "producer");
        producer.setCompressMsgBodyOverHowmuch(command.number("compress-over", 4096));
        producer.setSendMsgTimeout(command.number("timeout", 10_000));
        // Of a topic that comes to be with its first message.
        producer.setDefaultTopicQueueNums(command.number("queues", 4));
        producer.start();
        return producer;
    }

    private static void sendAsync(DefaultMQProducer producer, String topic, List<Input> inputs) throws Exception {
        List<CompletableFuture<SendResult>> results = new ArrayList<>();
        for (Input input : inputs) {
            var result = new CompletableFuture<SendResult>();
            results.add(result);
            producer.send(RocketmqClient.message(topic, input), new SendCallback() {
                @Override
                public void onSuccess(SendResult sent) {
                    result.complete(sent);
                }

                @Override
                public void onException(Throwable failure) {
                    result.completeExceptionally(failure);
                }
            });
        }
        for (CompletableFuture<SendResult> result : results) {
            printSent(result.get(30, TimeUnit.SECONDS));
        }
    }

    private static MessageQueue choose(List<MessageQueue> queues, Message message, Object wanted) {
        for (MessageQueue queue : queues) {
            if (queue.getQueueId() == (Integer) wanted) {
                return queue;
            }
        }
        throw new IllegalArgumentException("no queue " + wanted);
    }

    private static void printSent(SendResult sent) {
        Output.event("sent")
                .field("topic", sent.getMessageQueue().getTopic())
                .field("partition", sent.getMessageQueue().getQueueId())
                .field("offset", sent.getQueueOffset())
                .field("status", sent.getSendStatus().toString())
                .field("id", sent.getMsgId())
                .field("offset_id", sent.getOffsetMsgId())
                .print();
    }
}
