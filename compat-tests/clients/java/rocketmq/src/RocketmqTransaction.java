import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** TransactionMQProducer: the input says how each transaction ends, and what is said when asked. */
final class RocketmqTransaction {
    private RocketmqTransaction() {}

    /**
     * Sends each line as it comes in a transaction of its own. Its header END says how it ends
     * (commit, rollback; unknown when there is none); CHECK says what is answered when the broker
     * asks, by whoever is asked. Answers questions until the input ends.
     */
    static void transact(Command command) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(command.text("group"));
        producer.setNamesrvAddr(command.text("namesrv"));
        producer.setInstanceName("transactions-" + System.nanoTime());
        producer.setVipChannelEnabled(false);
        producer.setSendMsgTimeout(command.number("timeout", 10_000));
        producer.setHeartbeatBrokerInterval(command.number("heartbeat", 1_000));
        producer.setPollNameServerInterval(1_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return state(message.getUserProperty("END"));
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                Output.event("checked")
                        .field("topic", message.getTopic())
                        .field("partition", message.getQueueId())
                        .field("id", message.getMsgId())
                        .field("transaction", message.getTransactionId())
                        .field("value", message.getBody())
                        .print();
                return state(message.getUserProperty("CHECK"));
            }
        });
        producer.start();
        String topic = command.text("topic");
        Output.event("ready").print();
        for (Input input = Input.next(); input != null; input = Input.next()) {
            try {
                Message message = RocketmqClient.message(topic, input);
                TransactionSendResult sent = producer.sendMessageInTransaction(message, null);
                Output.event("sent")
                        .field("status", sent.getSendStatus().toString())
                        .field("offset", sent.getQueueOffset())
                        .field("state", sent.getLocalTransactionState().toString())
                        .field("id", sent.getMsgId())
                        .field("transaction", sent.getTransactionId())
                        .print();
            } catch (Exception refused) {
                Output.event("lost").field("error", refused + ": " + refused.getCause()).print();
            }
        }
        producer.shutdown();
    }

    private static LocalTransactionState state(String name) {
        if (name == null) {
            return LocalTransactionState.UNKNOW;
        }
        return switch (name) {
            case "commit" -> LocalTransactionState.COMMIT_MESSAGE;
            case "rollback" -> LocalTransactionState.ROLLBACK_MESSAGE;
            default -> LocalTransactionState.UNKNOW;
        };
    }
}
