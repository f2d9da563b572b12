"""pika: a blocking connection, used by one thread."""

import queue
import ssl
import threading

import pika
from pika.credentials import ExternalCredentials
from pika.exceptions import AMQPError, NackError, UnroutableError

from amqp_lines import Command, commands, plain, tell_done, tell_refused
from lines import tell

PROPERTIES = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
)


def session(arguments: dict) -> None:
    """Does what standard input says until it ends, and tells what the server sends meanwhile."""
    waiting = queue.Queue()
    client = Session()
    threading.Thread(target=read, args=(waiting, client), daemon=True).start()
    while True:
        try:
            command = waiting.get(block=not client.is_connected())
        except queue.Empty:
            client.listen()
            continue
        if command is None:
            return client.disconnect(None)
        client.run(command)


def read(waiting: queue.Queue, client) -> None:
    for command in commands():
        waiting.put(command)
        client.wake()
    waiting.put(None)
    client.wake()


class Session:
    def __init__(self):
        self.connection = None
        self.channels = {}
        self.confirming = set()

    def is_connected(self) -> bool:
        return self.connection is not None and self.connection.is_open

    def wake(self) -> None:
        try:
            if self.connection is not None:
                self.connection.add_callback_threadsafe(lambda: None)
        except AMQPError:
            pass  # It is closed, so nobody listens to it.

    def listen(self) -> None:
        try:
            self.connection.process_data_events(time_limit=None)
        except AMQPError as failure:
            self.tell_closed(failure)
        self.forget_closed()

    def run(self, command: Command) -> None:
        try:
            getattr(self, command.verb)(command)
            tell_done(command)
        except AMQPError as failure:
            self.tell_closed(failure)
            tell_refused(command)
        self.forget_closed()

    def tell_closed(self, failure) -> None:
        scope = "channel" if self.is_connected() else "connection"
        code, text = getattr(failure, "reply_code", 0), getattr(failure, "reply_text", repr(failure))
        tell("closed", scope=scope, code=code, text=text)

    def forget_closed(self) -> None:
        self.channels = {name: channel for name, channel in self.channels.items() if channel.is_open}

    def channel(self, command: Command):
        return self.channels[command.text("channel", "main")]

    def connect(self, command: Command) -> None:
        host, port = command.text("amqp").rsplit(":", 1)
        parameters = pika.ConnectionParameters(host, int(port), heartbeat=command.number("heartbeat", 60))
        if authority := command.text("authority"):
            context = ssl.create_default_context(cafile=authority)
            if certificate := command.text("certificate"):
                context.load_cert_chain(certificate, command.text("key"))
            parameters.ssl_options = pika.SSLOptions(context, "localhost")
        if command.flag("external"):
            parameters.credentials = ExternalCredentials()
        self.connection = pika.BlockingConnection(parameters)

    def disconnect(self, command) -> None:
        if self.is_connected():
            self.connection.close()

    def open(self, command: Command) -> None:
        name = command.text("channel", "main")
        channel = self.connection.channel()
        mode = command.text("mode", "plain")
        if mode == "confirm":
            channel.confirm_delivery()
            self.confirming.add(name)
        elif mode == "transaction":
            channel.tx_select()
        if mode != "confirm":
            self.confirming.discard(name)
            channel.add_on_return_callback(lambda _, *returned: tell_returned(*returned))
        channel.add_on_cancel_callback(lambda frame: tell("cancelled", tag=frame.method.consumer_tag))
        self.channels[name] = channel

    def close(self, command: Command) -> None:
        self.channel(command).close()

    def declare_exchange(self, command: Command) -> None:
        self.channel(command).exchange_declare(
            command.text("name"),
            command.text("type", "direct"),
            passive=command.flag("passive"),
            durable=command.flag("durable"),
            auto_delete=command.flag("auto_delete"),
            internal=command.flag("internal"),
            arguments=command.table("arguments"),
        )

    def delete_exchange(self, command: Command) -> None:
        self.channel(command).exchange_delete(command.text("name"))

    def bind_exchange(self, command: Command) -> None:
        channel = self.channel(command)
        channel.exchange_bind(command.text("to"), command.text("exchange"), command.text("key"))

    def declare_queue(self, command: Command) -> None:
        declared = self.channel(command).queue_declare(
            command.text("name"),
            passive=command.flag("passive"),
            durable=command.flag("durable"),
            exclusive=command.flag("exclusive"),
            auto_delete=command.flag("auto_delete"),
            arguments=command.table("arguments"),
        )
        method = declared.method
        tell("declared", name=method.queue, messages=method.message_count, consumers=method.consumer_count)

    def delete_queue(self, command: Command) -> None:
        deleted = self.channel(command).queue_delete(command.text("name"))
        tell("deleted", messages=deleted.method.message_count)

    def purge(self, command: Command) -> None:
        purged = self.channel(command).queue_purge(command.text("queue"))
        tell("purged", messages=purged.method.message_count)

    def bind(self, command: Command) -> None:
        channel = self.channel(command)
        arguments = command.table("arguments")
        channel.queue_bind(command.text("queue"), command.text("exchange"), command.text("key"), arguments)

    def unbind(self, command: Command) -> None:
        channel = self.channel(command)
        arguments = command.table("arguments")
        channel.queue_unbind(command.text("queue"), command.text("exchange"), command.text("key"), arguments)

    def publish(self, command: Command) -> None:
        channel = self.channel(command)
        confirmed = 0
        for body in command.bodies():
            try:
                channel.basic_publish(
                    command.text("exchange"),
                    command.text("key"),
                    body,
                    pika.BasicProperties(**properties_of(command)),
                    mandatory=command.flag("mandatory"),
                )
                confirmed += 1
            except UnroutableError as unroutable:
                for message in unroutable.messages:
                    tell_returned(message.method, message.properties, message.body)
                confirmed += 1
            except NackError:
                tell("refused-message")
        if command.text("channel", "main") in self.confirming:
            tell("confirmed", count=confirmed)

    def get(self, command: Command) -> None:
        channel = self.channel(command)
        method, properties, body = channel.basic_get(command.text("queue"), auto_ack=command.flag("auto_ack"))
        if method is None:
            tell("empty")
        else:
            tell_message("got", method, properties, body, left=method.message_count)

    def qos(self, command: Command) -> None:
        channel = self.channel(command)
        channel.basic_qos(prefetch_count=command.number("prefetch"), global_qos=command.flag("global"))

    def consume(self, command: Command) -> None:
        def take(channel, method, properties, body):
            tell_message("received", method, properties, body, tag=method.consumer_tag)

        tag = self.channel(command).basic_consume(
            command.text("queue"),
            take,
            auto_ack=command.flag("auto_ack"),
            exclusive=command.flag("exclusive"),
            consumer_tag=command.text("tag") or None,
            arguments=command.table("arguments"),
        )
        tell("consuming", tag=tag)

    def cancel(self, command: Command) -> None:
        self.channel(command).basic_cancel(command.text("tag"))

    def ack(self, command: Command) -> None:
        self.channel(command).basic_ack(command.number("delivery"), command.flag("multiple"))

    def nack(self, command: Command) -> None:
        channel = self.channel(command)
        channel.basic_nack(command.number("delivery"), command.flag("multiple"), command.flag("requeue"))

    def reject(self, command: Command) -> None:
        self.channel(command).basic_reject(command.number("delivery"), command.flag("requeue"))

    def recover(self, command: Command) -> None:
        self.channel(command).basic_recover(requeue=True)

    def commit(self, command: Command) -> None:
        self.channel(command).tx_commit()

    def rollback(self, command: Command) -> None:
        self.channel(command).tx_rollback()


def properties_of(command: Command) -> dict:
    properties = command.table("properties")
    return {name: properties[name] for name in PROPERTIES if name in properties}


def tell_returned(method, properties, body) -> None:
    tell(
        "returned",
        code=method.reply_code,
        text=method.reply_text,
        exchange=method.exchange,
        key=method.routing_key,
        value=body,
        properties=plain_properties(properties),
    )


def tell_message(event: str, method, properties, body, **fields) -> None:
    tell(
        event,
        delivery=method.delivery_tag,
        redelivered=method.redelivered,
        exchange=method.exchange,
        key=method.routing_key,
        value=body,
        properties=plain_properties(properties),
        **fields,
    )


def plain_properties(properties) -> dict:
    given = {name: getattr(properties, name) for name in PROPERTIES}
    return {name: plain(value) for name, value in given.items() if value is not None}
