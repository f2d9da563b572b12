import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Both sides of a request and its reply. */
final class RocketmqRequest {
    private RocketmqRequest() {}

    /** Sends each line as it comes as a request, and tells what it was answered with. */
    static void ask(Command command) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(command.text("group", "askers"));
        RocketmqClient.direct(producer, command, "asker");
        producer.start();
        String topic = command.text("topic");
        Output.event("ready").print();
        for (Input input = Input.next(); input != null; input = Input.next()) {
            try {
                Message answer = producer.request(
                        RocketmqClient.message(topic, input), command.number("patience", 15_000));
                Output.event("answered").field("value", answer.getBody()).print();
            } catch (Exception refused) {
                Output.event("lost").field("error", refused + ": " + refused.getCause()).print();
            }
        }
        producer.shutdown();
    }

    /** Answers every request with its own body behind "re: ", until the input ends. */
    static void answer(Command command) throws Exception {
        CountDownLatch finished = new CountDownLatch(1);
        Input.onEnd(finished::countDown);
        DefaultMQProducer producer = new DefaultMQProducer(command.text("group") + "-answers");
        RocketmqClient.direct(producer, command, "answers");
        producer.start();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(command.text("group"));
        RocketmqClient.direct(consumer, command, "answerer");
        consumer.subscribe(command.text("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    String body = "re: " + new String(message.getBody(), StandardCharsets.UTF_8);
                    producer.send(MessageUtil.createReplyMessage(message, body.getBytes(StandardCharsets.UTF_8)));
                    RocketmqClient.printReceived(message);
                } catch (Exception failure) {
                    Output.event("lost").field("error", failure.toString()).print();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Output.event("ready").print();
        finished.await();
        consumer.shutdown();
        producer.shutdown();
    }
}
