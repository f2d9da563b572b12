"""aio-pika: asyncio, with connections that come back by themselves where recovery=true."""

import asyncio
import threading

import aio_pika
import aiormq
from aio_pika.exceptions import ChannelInvalidStateError, MessageProcessError
from aiormq.channel import EXCEPTION_MAPPING

from amqp_lines import Command, commands, plain, tell_done, tell_refused
from lines import tell

TEXTS = (
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "message_id",
    "type",
    "user_id",
    "app_id",
)


def session(arguments: dict) -> None:
    """Does what standard input says until it ends, and tells what the server sends meanwhile."""
    asyncio.run(converse())


async def converse() -> None:
    client = Session()
    waiting = asyncio.Queue()
    threading.Thread(target=read, args=(waiting, asyncio.get_running_loop()), daemon=True).start()
    while (command := await waiting.get()) is not None:
        try:
            await getattr(client, command.verb)(command)
            tell_done(command)
        except MessageProcessError:
            raise
        except (aiormq.exceptions.AMQPError, ChannelInvalidStateError):
            # Why is told by the callbacks of what is closed.
            tell_refused(command)
    await client.disconnect(None)


def read(waiting: asyncio.Queue, loop) -> None:
    for command in commands():
        loop.call_soon_threadsafe(waiting.put_nowait, command)
    loop.call_soon_threadsafe(waiting.put_nowait, None)


def tell_closed(scope: str, reason) -> None:
    """Codes that the library has a class for are in no other way to be had."""
    codes = {kind: code for code, kind in EXCEPTION_MAPPING.items()}
    code = codes.get(type(reason), 0)
    text = str(reason.args[-1]) if reason.args else repr(reason)
    tell("closed", scope=scope, code=int(code), text=text)


class Session:
    def __init__(self):
        self.connection = None
        self.channels = {}
        self.transactions = {}
        # What came, by channel and delivery.
        self.messages = {}
        # What was declared, by channel and name: these are made again with a connection.
        self.declared = {}

    def channel(self, command: Command):
        return self.channels[command.text("channel", "main")]

    async def connect(self, command: Command) -> None:
        connect = aio_pika.connect_robust if command.flag("recovery") else aio_pika.connect
        heartbeat = command.number("heartbeat", 60)
        settings = f"heartbeat={heartbeat}&reconnect_interval=0.1&fail_fast=0"
        connection = await connect(f"amqp://guest:guest@{command.text('amqp')}/?{settings}")
        connection.close_callbacks.add(self.connection_closed)
        if command.flag("recovery"):
            connection.reconnect_callbacks.add(lambda _: tell("recovered"))
        self.connection = connection
        self.channels = {}

    def connection_closed(self, connection, reason) -> None:
        if connection is self.connection:
            tell_closed("connection", reason)

    async def disconnect(self, command) -> None:
        connection, self.connection = self.connection, None
        if connection is not None and not connection.is_closed:
            await connection.close()

    async def open(self, command: Command) -> None:
        name, mode = command.text("channel", "main"), command.text("mode", "plain")
        channel = await self.connection.channel(publisher_confirms=mode == "confirm")
        channel.close_callbacks.add(self.channel_closed)
        # Its own callbacks get the message without why it comes back.
        underlay = await channel.get_underlay_channel()
        underlay.on_return_callbacks.add(tell_returned)
        self.channels[name] = channel
        self.messages[name] = {}
        self.declared = {place: kept for place, kept in self.declared.items() if place[0] != name}
        if mode == "transaction":
            self.transactions[name] = channel.transaction()
            await self.transactions[name].select()

    def channel_closed(self, channel, reason) -> None:
        if isinstance(reason, aiormq.exceptions.AMQPChannelError):
            tell_closed("channel", reason)

    async def close(self, command: Command) -> None:
        await self.channel(command).close()

    async def declare_exchange(self, command: Command) -> None:
        self.declared[self.place(command, "name")] = await self.channel(command).declare_exchange(
            command.text("name"),
            command.text("type", "direct"),
            passive=command.flag("passive"),
            durable=command.flag("durable"),
            auto_delete=command.flag("auto_delete"),
            internal=command.flag("internal"),
            arguments=command.table("arguments"),
        )

    async def delete_exchange(self, command: Command) -> None:
        await self.channel(command).exchange_delete(command.text("name"))

    def place(self, command: Command, name: str) -> tuple:
        return command.text("channel", "main"), command.text(name)

    async def exchange(self, command: Command, name: str):
        exchange = self.declared.get(self.place(command, name))
        return exchange or await self.channel(command).get_exchange(command.text(name), ensure=False)

    async def queue(self, command: Command):
        queue = self.declared.get(self.place(command, "queue"))
        return queue or await self.channel(command).get_queue(command.text("queue"), ensure=False)

    async def bind_exchange(self, command: Command) -> None:
        to, source = await self.exchange(command, "to"), await self.exchange(command, "exchange")
        await to.bind(source, command.text("key"), arguments=command.table("arguments"))

    async def declare_queue(self, command: Command) -> None:
        queue = await self.channel(command).declare_queue(
            command.text("name") or None,
            passive=command.flag("passive"),
            durable=command.flag("durable"),
            exclusive=command.flag("exclusive"),
            auto_delete=command.flag("auto_delete"),
            arguments=command.table("arguments"),
        )
        self.declared[command.text("channel", "main"), queue.name] = queue
        result = queue.declaration_result
        tell("declared", name=queue.name, messages=result.message_count, consumers=result.consumer_count)

    async def delete_queue(self, command: Command) -> None:
        deleted = await self.channel(command).queue_delete(command.text("name"))
        tell("deleted", messages=deleted.message_count)

    async def purge(self, command: Command) -> None:
        purged = await (await self.queue(command)).purge()
        tell("purged", messages=purged.message_count)

    async def bind(self, command: Command) -> None:
        queue, exchange = await self.queue(command), await self.exchange(command, "exchange")
        await queue.bind(exchange, command.text("key"), arguments=command.table("arguments"))

    async def unbind(self, command: Command) -> None:
        queue, exchange = await self.queue(command), await self.exchange(command, "exchange")
        await queue.unbind(exchange, command.text("key"), arguments=command.table("arguments"))

    async def publish(self, command: Command) -> None:
        channel = self.channel(command)
        exchange = channel.default_exchange
        if command.text("exchange"):
            exchange = await self.exchange(command, "exchange")
        sent = [
            exchange.publish(
                aio_pika.Message(body, **properties_of(command)),
                command.text("key"),
                mandatory=command.flag("mandatory"),
            )
            for body in command.bodies()
        ]
        confirmed = await asyncio.gather(*sent)
        if channel.publisher_confirms:
            tell("confirmed", count=len(confirmed))

    async def get(self, command: Command) -> None:
        queue = await self.queue(command)
        message = await queue.get(no_ack=command.flag("auto_ack"), fail=False)
        if message is None:
            tell("empty")
        else:
            self.keep(command, message)
            tell_message("got", message, left=message.message_count)

    async def qos(self, command: Command) -> None:
        channel = self.channel(command)
        await channel.set_qos(command.number("prefetch"), global_=command.flag("global"))

    async def consume(self, command: Command) -> None:
        def take(message):
            self.keep(command, message)
            tell_message("received", message, tag=message.consumer_tag)

        queue = await self.queue(command)
        tag = await queue.consume(
            take,
            no_ack=command.flag("auto_ack"),
            exclusive=command.flag("exclusive"),
            consumer_tag=command.text("tag") or None,
            arguments=command.table("arguments"),
        )
        tell("consuming", tag=tag)

    def keep(self, command: Command, message) -> None:
        self.messages[command.text("channel", "main")][message.delivery_tag] = message

    async def cancel(self, command: Command) -> None:
        channel = await self.channel(command).get_underlay_channel()
        await channel.basic_cancel(command.text("tag"))

    def message(self, command: Command):
        return self.messages[command.text("channel", "main")][command.number("delivery")]

    async def ack(self, command: Command) -> None:
        await self.message(command).ack(multiple=command.flag("multiple"))

    async def nack(self, command: Command) -> None:
        multiple, requeue = command.flag("multiple"), command.flag("requeue")
        await self.message(command).nack(multiple=multiple, requeue=requeue)

    async def reject(self, command: Command) -> None:
        await self.message(command).reject(requeue=command.flag("requeue"))

    async def recover(self, command: Command) -> None:
        channel = await self.channel(command).get_underlay_channel()
        await channel.basic_recover(requeue=True)

    async def commit(self, command: Command) -> None:
        await self.transactions[command.text("channel", "main")].commit()

    async def rollback(self, command: Command) -> None:
        await self.transactions[command.text("channel", "main")].rollback()


def of_the_library(value):
    """It sends bytes as such only where they are a bytearray."""
    if isinstance(value, bytes):
        return bytearray(value)
    if isinstance(value, list):
        return [of_the_library(item) for item in value]
    if isinstance(value, dict):
        return {name: of_the_library(item) for name, item in value.items()}
    return value


def properties_of(command: Command) -> dict:
    properties = of_the_library(command.table("properties"))
    if "expiration" in properties:
        # Its is in seconds.
        properties["expiration"] = int(properties["expiration"]) / 1_000
    return properties


def plain_properties(message) -> dict:
    given = {name: getattr(message, name) for name in TEXTS}
    given["headers"] = plain(message.headers) or None
    given["delivery_mode"] = message.delivery_mode and int(message.delivery_mode)
    given["priority"] = message.priority
    given["timestamp"] = message.timestamp and int(message.timestamp.timestamp())
    if message.expiration is not None:
        given["expiration"] = str(round(message.expiration * 1_000))
    return {name: value for name, value in given.items() if value is not None}


def tell_message(event: str, message, **fields) -> None:
    tell(
        event,
        delivery=message.delivery_tag,
        redelivered=message.redelivered,
        exchange=message.exchange,
        key=message.routing_key,
        value=message.body,
        properties=plain_properties(message),
        **fields,
    )


def tell_returned(returned) -> None:
    message = aio_pika.IncomingMessage(returned, no_ack=True)
    tell_message(
        "returned",
        message,
        code=returned.delivery.reply_code,
        text=returned.delivery.reply_text,
    )
