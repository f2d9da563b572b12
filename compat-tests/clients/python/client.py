"""client.py confluent|kafka-python VERB key=value ...: the Python clients under test."""

import importlib
import sys

from lines import tell


def main() -> None:
    library, verb, *pairs = sys.argv[1:]
    arguments = dict(pair.split("=", 1) for pair in pairs)
    module = importlib.import_module({"confluent": "with_confluent", "kafka-python": "with_kafka_python"}[library])
    try:
        {"produce": module.produce, "consume": module.consume}[verb](arguments)
    except Exception as failure:
        tell("failed", error=repr(failure))
        raise
    tell("done", command=verb)


main()
