import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/** The stock Java AdminClient. */
final class KafkaAdministration {
    private KafkaAdministration() {}

    static void run(Command command) throws Exception {
        try (AdminClient admin = AdminClient.create(KafkaClient.settings(command))) {
            switch (command.verb()) {
                case "create-topic" -> {
                    var topic = new NewTopic(command.text("topic"), command.number("partitions", 1), (short) 1);
                    admin.createTopics(List.of(topic)).all().get();
                }
                case "delete-topic" -> admin.deleteTopics(List.of(command.text("topic"))).all().get();
                case "list-topics" -> Output.event("topics")
                        .field("names", new TreeSet<>(admin.listTopics().names().get()))
                        .print();
                case "end-offset" -> {
                    var partition = new TopicPartition(command.text("topic"), command.number("partition", 0));
                    long offset = admin.listOffsets(java.util.Map.of(partition, OffsetSpec.latest()))
                            .partitionResult(partition)
                            .get()
                            .offset();
                    Output.event("end").field("offset", offset).print();
                }
                case "group-offsets" -> groupOffsets(admin, command.text("group"));
                case "describe-group" -> describeGroup(admin, command.text("group"));
                case "delete-group" -> admin.deleteConsumerGroups(Arrays.asList(command.text("group"))).all().get();
                default -> throw command.unknown();
            }
        }
    }

    private static void groupOffsets(AdminClient admin, String group) throws Exception {
        var offsets =
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        offsets.forEach((partition, offset) -> Output.event("committed")
                .field("topic", partition.topic())
                .field("partition", partition.partition())
                .field("offset", offset.offset())
                .print());
    }

    private static void describeGroup(AdminClient admin, String group) throws Exception {
        ConsumerGroupDescription description =
                admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        Output.event("group")
                .field("state", description.state().toString())
                .field("members", description.members().size())
                .print();
    }
}
