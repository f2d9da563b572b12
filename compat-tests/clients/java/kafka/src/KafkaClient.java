import java.time.Duration;
import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The stock Java client: produce, consume; administration is in {@link KafkaAdministration}. */
public final class KafkaClient {
    private KafkaClient() {}

    public static void main(String[] arguments) {
        Output.reserve();
        Command.runAll(arguments, command -> {
            switch (command.verb()) {
                case "produce" -> produce(command);
                case "consume" -> consume(command);
                case "many-topics" -> KafkaManyTopics.run(command);
                default -> KafkaAdministration.run(command);
            }
        });
    }

    /** Arguments whose name has a dot are settings of the client. */
    static Properties settings(Command command) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.text("bootstrap"));
        command.arguments().forEach((name, value) -> {
            if (name.contains(".")) {
                settings.put(name, value);
            }
        });
        return settings;
    }

    private static void produce(Command command) throws Exception {
        String topic = command.text("topic");
        try (var producer =
                new KafkaProducer<>(settings(command), new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Input message : Input.messages()) {
                var record = new ProducerRecord<>(
                        topic,
                        message.partition() < 0 ? null : message.partition(),
                        message.timestamp() < 0 ? null : message.timestamp(),
                        message.key(),
                        message.value());
                message.headers().forEach(header -> record.headers().add(header.getKey(), header.getValue()));
                sent.add(producer.send(record));
            }
            producer.flush();
            for (Future<RecordMetadata> future : sent) {
                RecordMetadata metadata = future.get();
                Output.event("sent")
                        .field("topic", metadata.topic())
                        .field("partition", metadata.partition())
                        .field("offset", metadata.offset())
                        .field("timestamp", metadata.timestamp())
                        .print();
            }
        }
    }

    /** Reads as a group member until count records came or standard input ends. */
    private static void consume(Command command) {
        Properties settings = settings(command);
        settings.put("group.id", command.text("group"));
        settings.putIfAbsent("auto.offset.reset", "earliest");
        settings.putIfAbsent("enable.auto.commit", "false");
        int count = command.number("count", Integer.MAX_VALUE);
        AtomicBoolean stop = new AtomicBoolean();
        if (count == Integer.MAX_VALUE) {
            Input.onEnd(() -> stop.set(true));
        }
        try (var consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(Arrays.asList(command.text("topic").split(",")), new Listener(consumer));
            int seen = 0;
            while (seen < count && !stop.get()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    seen++;
                    print(record);
                }
            }
            if (command.text("commit", "true").equals("true")) {
                consumer.commitSync();
            }
        }
    }

    private static void print(ConsumerRecord<byte[], byte[]> record) {
        List<Map.Entry<String, byte[]>> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(new SimpleEntry<>(header.key(), header.value()));
        }
        Output.event("received")
                .field("topic", record.topic())
                .field("partition", record.partition())
                .field("offset", record.offset())
                .field("timestamp", record.timestamp())
                .field("timestamp_type", record.timestampType().name)
                .field("key", record.key())
                .field("value", record.value())
                .pairs("headers", headers)
                .print();
    }

    /** Tells the whole assignment after each change. */
    private record Listener(KafkaConsumer<byte[], byte[]> consumer) implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            var now = new TreeSet<>(
                    consumer.assignment().stream().map(TopicPartition::toString).collect(Collectors.toSet()));
            Output.event("assigned").field("partitions", now).print();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            var gone = new TreeSet<>(
                    partitions.stream().map(TopicPartition::toString).collect(Collectors.toSet()));
            Output.event("revoked").field("partitions", gone).print();
        }
    }
}
