import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Creates many topics, sends a record to each and reads it back. */
final class KafkaManyTopics {
    private static final int A_REQUEST = 500;
    private static final int SENDERS = 128;

    private KafkaManyTopics() {}

    static void run(Command command) throws Exception {
        List<String> topics = new ArrayList<>();
        for (int n = 0; n < command.number("count", 1); n++) {
            topics.add(command.text("prefix") + n);
        }
        Properties settings = KafkaClient.settings(command);
        create(settings, topics);
        tell("created", topics.size());
        tell("sent", send(settings, topics));
        tell("received", receive(settings, topics));
    }

    private static void create(Properties settings, List<String> topics) throws Exception {
        try (AdminClient admin = AdminClient.create(settings)) {
            for (int from = 0; from < topics.size(); from += A_REQUEST) {
                List<NewTopic> some = new ArrayList<>();
                for (String name : topics.subList(from, Math.min(topics.size(), from + A_REQUEST))) {
                    some.add(new NewTopic(name, 1, (short) 1));
                }
                admin.createTopics(some).all().get();
            }
        }
    }

    /** Many threads, since each waits for its topic's metadata, and one answer can serve many. */
    private static int send(Properties settings, List<String> topics) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(SENDERS);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Callable<RecordMetadata>> sends = new ArrayList<>();
            for (String topic : topics) {
                sends.add(() -> producer.send(new ProducerRecord<>(topic, topic.getBytes())).get());
            }
            for (Future<RecordMetadata> sent : threads.invokeAll(sends)) {
                if (sent.get().offset() != 0) {
                    throw new IllegalStateException("not the first record of " + sent.get().topic());
                }
            }
            return sends.size();
        } finally {
            threads.shutdown();
        }
    }

    private static int receive(Properties settings, List<String> topics) {
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        List<TopicPartition> partitions = new ArrayList<>();
        topics.forEach(topic -> partitions.add(new TopicPartition(topic, 0)));
        var seen = new TreeSet<String>();
        try (var consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (seen.size() < topics.size()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (!record.topic().equals(new String(record.value())) || !seen.add(record.topic())) {
                        throw new IllegalStateException("not the record of " + record.topic());
                    }
                }
            }
        }
        return seen.size();
    }

    private static void tell(String what, int count) {
        Output.event(what).field("count", count).print();
    }
}
