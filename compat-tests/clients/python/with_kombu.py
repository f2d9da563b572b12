"""kombu, over py-amqp."""

import socket

from kombu import Connection, Consumer, Exchange, Producer, Queue

from lines import encode_headers, messages, tell


def place(arguments: dict) -> Queue:
    """A durable queue, bound to a durable topic exchange."""
    exchange = Exchange(arguments["exchange"], type="topic", durable=True)
    return Queue(arguments["queue"], exchange, routing_key=arguments["key"], durable=True)


def connect(arguments: dict) -> Connection:
    url = f"pyamqp://guest:guest@{arguments['amqp']}//"
    return Connection(url, transport_options={"confirm_publish": True})


def produce(arguments: dict) -> None:
    """Publishes each line, its key the routing key, and tells it once it is confirmed."""
    queue = place(arguments)
    with connect(arguments) as connection:
        producer = Producer(connection, queue.exchange, serializer=None)
        for message in messages():
            producer.publish(
                message.value,
                routing_key=message.key.decode(),
                headers={name: value.decode() for name, value in message.headers},
                content_type="application/data",
                content_encoding="binary",
                declare=[queue],
                retry=True,
                delivery_mode=2,
            )
            tell("sent")


def consume(arguments: dict) -> None:
    """Takes count messages; refuses the first of them once, and gets it again."""
    seen, refused = 0, arguments.get("refuse") != "true"

    def take(body, message):
        nonlocal seen, refused
        info = message.delivery_info
        tell(
            "received",
            key=info["routing_key"],
            exchange=info["exchange"],
            redelivered=info["redelivered"],
            value=bytes(message.body),
            headers=encode_headers((name, value.encode()) for name, value in message.headers.items()),
        )
        if not refused:
            refused = True
            return message.requeue()
        message.ack()
        seen += 1

    with connect(arguments) as connection:
        consumer = Consumer(
            connection.channel(),
            [place(arguments)],
            callbacks=[take],
            prefetch_count=1,
            accept=["application/data"],
        )
        with consumer:
            while seen < int(arguments["count"]):
                try:
                    connection.drain_events(timeout=60)
                except socket.timeout:
                    raise RuntimeError("no message comes")
