"""client.py LIBRARY VERB key=value ... -- VERB key=value ...: the Python clients under test."""

import importlib
import itertools
import sys

from lines import tell

MODULES = {
    "aio-pika": "with_aio_pika",
    "celery": "with_celery",
    "confluent": "with_confluent",
    "kafka-python": "with_kafka_python",
    "kombu": "with_kombu",
    "pika": "with_pika",
    "rocketmq": "with_rocketmq",
}
VERBS = ("produce", "consume", "stream", "push", "dump", "session", "worker", "call")


def main() -> None:
    library, *rest = sys.argv[1:]
    module = importlib.import_module(MODULES[library])
    for is_end, command in itertools.groupby(rest, lambda argument: argument == "--"):
        if not is_end:
            run(module, *command)


def run(module, verb: str, *pairs: str) -> None:
    if verb not in VERBS:
        raise ValueError(f"no such command: {verb}")
    try:
        getattr(module, verb)(dict(pair.split("=", 1) for pair in pairs))
    except Exception as failure:
        tell("failed", error=repr(failure))
        raise
    tell("done", command=verb)


main()
