"""confluent-kafka, that is librdkafka."""

import threading

from confluent_kafka import Consumer, KafkaException, Producer

from lines import encode_headers, messages, stop_at_end_of_input, tell

TIMESTAMP_TYPES = {0: "NoTimestampType", 1: "CreateTime", 2: "LogAppendTime"}


def settings(arguments: dict) -> dict:
    """Arguments whose name has a dot are settings of the client."""
    own = {name: value for name, value in arguments.items() if "." in name}
    return {"bootstrap.servers": arguments["bootstrap"]} | own


def produce(arguments: dict) -> None:
    producer = Producer(settings(arguments))
    sent = {}

    def report(index):
        def on_delivery(error, message):
            sent[index] = error or message

        return on_delivery

    count = 0
    for index, message in enumerate(messages()):
        optional = {}
        if message.partition is not None:
            optional["partition"] = message.partition
        if message.timestamp is not None:
            optional["timestamp"] = message.timestamp
        producer.produce(
            arguments["topic"],
            value=message.value,
            key=message.key,
            headers=message.headers,
            on_delivery=report(index),
            **optional,
        )
        count += 1
    producer.flush()
    for index in range(count):
        result = sent[index]
        if not hasattr(result, "offset"):
            raise KafkaException(result)
        tell("sent", topic=result.topic(), partition=result.partition(), offset=result.offset())


def consume(arguments: dict) -> None:
    """Reads as a group member until count records came or standard input ends."""
    defaults = {"auto.offset.reset": "earliest", "enable.auto.commit": "false"}
    consumer = Consumer(defaults | settings(arguments) | {"group.id": arguments["group"]})
    count = int(arguments.get("count", 0))
    stop = threading.Event() if count else stop_at_end_of_input()

    def names(partitions):
        return sorted(f"{partition.topic}-{partition.partition}" for partition in partitions)

    def assigned(consumer, partitions):
        tell("assigned", partitions=names(partitions))

    def revoked(consumer, partitions):
        tell("revoked", partitions=names(partitions))

    consumer.subscribe(arguments["topic"].split(","), on_assign=assigned, on_revoke=revoked)
    seen = 0
    while not stop.is_set() and not (count and seen >= count):
        record = consumer.poll(0.2)
        if record is None:
            continue
        if record.error():
            raise KafkaException(record.error())
        seen += 1
        kind, timestamp = record.timestamp()
        tell(
            "received",
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            timestamp=timestamp,
            timestamp_type=TIMESTAMP_TYPES[kind],
            key=record.key(),
            value=record.value(),
            headers=encode_headers(record.headers()),
        )
    if seen and arguments.get("commit", "true") == "true":
        consumer.commit(asynchronous=False)
    consumer.close()
