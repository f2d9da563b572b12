"""rocketmq, that is Apache RocketMQ's C++ client, which its wheel brings along."""

import itertools
import threading

from rocketmq.client import Message, Producer, PullConsumer, PushConsumer

from lines import messages, stop_at_end_of_input, tell

# The client gives a property by its name only: those that somebody looks for.
PROPERTIES = ("TAGS", "colour")


def message_of(topic: str, line) -> Message:
    message = Message(topic)
    message.set_body(line.value)
    if line.key is not None:
        message.set_keys(line.key)
    for name, value in line.headers:
        if name == "TAGS":
            message.set_tags(value)
        elif name == "DELAY":
            message.set_delay_time_level(int(value))
        else:
            message.set_property(name, value)
    return message


def producer_of(arguments: dict) -> Producer:
    producer = Producer(arguments.get("group", "compat-producer"), timeout=10_000)
    producer.set_namesrv_addr(arguments["namesrv"])
    producer.start()
    return producer


def tell_sent(sent) -> None:
    """The client does not say which queue it chose."""
    status = "SEND_OK" if sent.status.name == "OK" else sent.status.name
    tell("sent", status=status, id=sent.msg_id, offset=sent.offset)


def tell_message(event: str, message) -> None:
    properties = {name: message[name] for name in PROPERTIES}
    tell(
        event,
        topic=message.topic,
        partition=message.queue_id,
        offset=message.queue_offset,
        id=message.id,
        born=message.born_timestamp,
        stored=message.store_timestamp,
        size=message.store_size,
        attempt=message.reconsume_times,
        tags=text(message.tags),
        keys=text(message.keys),
        value=message.body,
        properties={name: text(value) for name, value in properties.items() if value},
    )


def text(value):
    return value.decode() if value else None


def produce(arguments: dict) -> None:
    """Sends the input in the way of mode."""
    producer = producer_of(arguments)
    lines = list(messages())
    outgoing = [message_of(arguments["topic"], line) for line in lines]
    mode = arguments.get("mode", "sync")
    if mode == "sync":
        for message in outgoing:
            tell_sent(producer.send_sync(message))
    elif mode == "async":
        send_async(producer, outgoing)
    elif mode == "oneway":
        for message in outgoing:
            producer.send_oneway(message)
    elif mode == "selector":
        for line, message in zip(lines, outgoing):
            tell_sent(producer.send_orderly(message, line.partition))
    else:
        raise ValueError(f"no such mode: {mode}")
    producer.shutdown()


def send_async(producer: Producer, outgoing: list) -> None:
    fates = {}
    fated = threading.Semaphore(0)

    def keep(index):
        def told(fate):
            fates[index] = fate
            fated.release()

        return told

    for index, message in enumerate(outgoing):
        producer.send_async(message, keep(index), keep(index))
    for _ in outgoing:
        fated.acquire()
    for index in range(len(outgoing)):
        if isinstance(fates[index], Exception):
            raise fates[index]
        tell_sent(fates[index])


def stream(arguments: dict) -> None:
    """Sends each line as it comes, to the queue it names, and tells its fate before the next."""
    producer = producer_of(arguments)
    tell("ready")
    for line in messages():
        message = message_of(arguments["topic"], line)
        try:
            if line.partition is None:
                tell_sent(producer.send_sync(message))
            else:
                tell_sent(producer.send_orderly(message, line.partition, retry_times=0))
        except Exception as failure:
            tell("lost", error=repr(failure))
    producer.shutdown()


def push(arguments: dict) -> None:
    """Consumes until count messages came or standard input ends."""
    consumer = PushConsumer(arguments["group"])
    consumer.set_namesrv_addr(arguments["namesrv"])
    count = int(arguments.get("count", 0))
    finished = threading.Event() if count else stop_at_end_of_input()
    seen = itertools.count(1)

    def take(message):
        tell_message("received", message)
        if next(seen) == count:
            finished.set()

    consumer.subscribe(arguments["topic"], take, arguments.get("tags", "*"))
    consumer.start()
    tell("ready")
    finished.wait()
    consumer.shutdown()


def dump(arguments: dict) -> None:
    """Pulls every queue from its beginning, until count messages came."""
    consumer = PullConsumer(arguments["group"])
    consumer.set_namesrv_addr(arguments["namesrv"])
    consumer.start()
    wanted = int(arguments.get("count", 1))
    seen = 0
    while seen < wanted:
        for message in consumer.pull(arguments["topic"]):
            tell_message("message", message)
            seen += 1
    consumer.shutdown()
