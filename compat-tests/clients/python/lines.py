"""Messages on standard input, JSON lines on standard output; clients/README.md has the format."""

import base64
import json
import sys
import threading
from typing import Iterator, NamedTuple, Optional


class Message(NamedTuple):
    partition: Optional[int]
    timestamp: Optional[int]
    key: Optional[bytes]
    value: Optional[bytes]
    headers: list


def _bytes(field: str) -> Optional[bytes]:
    return None if field == "-" else base64.b64decode(field)


def messages() -> Iterator[Message]:
    for line in sys.stdin:
        line = line.rstrip("\n")
        if not line:
            return
        partition, timestamp, key, value, headers = line.split("\t")
        pairs = [pair.split(":") for pair in headers.split(",")] if headers else []
        yield Message(
            None if partition == "-1" else int(partition),
            None if timestamp == "-1" else int(timestamp),
            _bytes(key),
            _bytes(value),
            [(_bytes(name).decode(), _bytes(value)) for name, value in pairs],
        )


def _encode(value):
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value


def tell(event: str, **fields) -> None:
    line = {"event": event} | {name: _encode(value) for name, value in fields.items()}
    # In one piece: some clients call back from threads of their own.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def encode_headers(headers) -> list:
    return [[name, _encode(value)] for name, value in headers or []]


def stop_at_end_of_input() -> threading.Event:
    """Set once standard input ends: that is how the test says "leave"."""
    stop = threading.Event()

    def wait():
        for _ in sys.stdin:
            pass
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop
