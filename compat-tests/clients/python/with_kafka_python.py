"""kafka-python, all of it in Python."""

import threading

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer

from lines import encode_headers, messages, stop_at_end_of_input, tell

TIMESTAMP_TYPES = {0: "CreateTime", 1: "LogAppendTime"}


def settings(arguments: dict) -> dict:
    """Arguments whose name has a dot are settings of the client, which has underscores."""
    own = {}
    for name, value in arguments.items():
        if "." in name:
            own[name.replace(".", "_")] = int(value) if value.isdigit() else value
    return {"bootstrap_servers": arguments["bootstrap"]} | own


def produce(arguments: dict) -> None:
    producer = KafkaProducer(**settings(arguments))
    futures = [
        producer.send(
            arguments["topic"],
            value=message.value,
            key=message.key,
            headers=message.headers,
            partition=message.partition,
            timestamp_ms=message.timestamp,
        )
        for message in messages()
    ]
    producer.flush()
    for future in futures:
        sent = future.get(timeout=30)
        tell("sent", topic=sent.topic, partition=sent.partition, offset=sent.offset, timestamp=sent.timestamp)
    producer.close()


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        tell("assigned", partitions=sorted(f"{p.topic}-{p.partition}" for p in assigned))

    def on_partitions_revoked(self, revoked):
        tell("revoked", partitions=sorted(f"{p.topic}-{p.partition}" for p in revoked))


def consume(arguments: dict) -> None:
    """Reads as a group member until count records came or standard input ends."""
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = KafkaConsumer(**(defaults | settings(arguments) | {"group_id": arguments["group"]}))
    consumer.subscribe(arguments["topic"].split(","), listener=Listener())
    count = int(arguments.get("count", 0))
    stop = threading.Event() if count else stop_at_end_of_input()
    seen = 0
    while not stop.is_set() and not (count and seen >= count):
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                seen += 1
                tell(
                    "received",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    timestamp=record.timestamp,
                    timestamp_type=TIMESTAMP_TYPES[record.timestamp_type],
                    key=record.key,
                    value=record.value,
                    headers=encode_headers(record.headers),
                )
    if seen and arguments.get("commit", "true") == "true":
        consumer.commit()
    consumer.close()
