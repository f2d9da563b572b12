"""Commands on standard input for the AMQP clients, and tables as JSON; clients/README.md has the format."""

import base64
import calendar
import datetime
import decimal
import json
import sys
from typing import Iterator, NamedTuple

from lines import tell


class Command(NamedTuple):
    verb: str
    arguments: dict

    def text(self, name: str, otherwise: str = "") -> str:
        return self.arguments.get(name, otherwise)

    def number(self, name: str, otherwise: int = 0) -> int:
        return int(self.arguments.get(name, otherwise))

    def flag(self, name: str) -> bool:
        return self.arguments.get(name) == "true"

    def table(self, name: str) -> dict:
        return native(json.loads(self.arguments.get(name, "{}")))

    def bodies(self) -> list:
        """The body, or with count= so many numbers."""
        if "count" in self.arguments:
            return [str(number).encode() for number in range(self.number("count"))]
        return [base64.b64decode(self.text("body"))]


def commands() -> Iterator[Command]:
    for line in sys.stdin:
        verb, *pairs = line.rstrip("\n").split("\t")
        yield Command(verb.replace("-", "_"), dict(pair.split("=", 1) for pair in pairs))


def native(value):
    """JSON as what the client libraries take for it."""
    if isinstance(value, list):
        return [native(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "!bytes" in value:
        return base64.b64decode(value["!bytes"])
    if "!time" in value:
        return datetime.datetime.fromtimestamp(value["!time"], datetime.timezone.utc)
    if "!decimal" in value:
        scale, digits = value["!decimal"]
        return decimal.Decimal(digits).scaleb(-scale)
    return {name: native(item) for name, item in value.items()}


def plain(value):
    """The way back."""
    if isinstance(value, (bytes, bytearray)):
        return {"!bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"!time": calendar.timegm(value.utctimetuple())}
    if isinstance(value, decimal.Decimal):
        scale = -value.as_tuple().exponent
        return {"!decimal": [scale, int(value.scaleb(scale))]}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def tell_done(command: Command) -> None:
    tell("done", command=command.verb.replace("_", "-"))


def tell_refused(command: Command) -> None:
    """The command came to nothing, as the server closed what it was for."""
    tell("refused", command=command.verb.replace("_", "-"))
