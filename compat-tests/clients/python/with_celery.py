"""Celery: tasks by AMQP, and their results in queues of who asked (rpc://)."""

import threading
import uuid

from celery import Celery, chain, group, signals
from celery.exceptions import TaskRevokedError

from lines import tell

# How long an answer may take.
PATIENCE_S = 50


def application(arguments: dict) -> Celery:
    app = Celery("compat", broker=f"pyamqp://guest:guest@{arguments['amqp']}//", backend="rpc://")
    app.conf.update(
        broker_connection_retry_on_startup=True,
        result_persistent=True,
        task_acks_late=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_prefetch_multiplier=1,
    )

    @app.task(name="add")
    def add(one, other):
        return one + other

    @app.task(name="fail")
    def fail():
        raise ValueError("as it is meant to")

    @app.task(name="insist", bind=True, max_retries=3)
    def insist(self):
        if self.request.retries < 2:
            raise self.retry(countdown=0.1)
        return self.request.retries

    @app.task(name="hold", bind=True)
    def hold(self):
        is_again = self.request.delivery_info["redelivered"]
        tell("started", again=is_again)
        if not is_again:
            threading.Event().wait()
        return "held again"

    return app


def worker(arguments: dict) -> None:
    """Works until it is killed or told to end."""
    app = application(arguments)
    signals.worker_ready.connect(lambda **_: tell("ready"), weak=False)
    app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING", f"--hostname={arguments['name']}@%h"])


def call(arguments: dict) -> None:
    """Asks for what is to be done, and tells what comes of it."""
    app = application(arguments)
    for what in arguments["what"].split(","):
        tell("result", what=what, value=CALLS[what](app))
    app.close()


def result_of(signature) -> object:
    return signature.apply_async().get(timeout=PATIENCE_S)


def failure(app: Celery) -> str:
    try:
        return result_of(app.signature("fail"))
    except ValueError as expected:
        return str(expected)


def countdown(app: Celery) -> int:
    return app.signature("add", (1, 2)).apply_async(countdown=1).get(timeout=PATIENCE_S)


def revoked(app: Celery) -> str:
    """The worker says that it knows before it gets the task."""
    task = str(uuid.uuid4())
    told = app.control.revoke(task, reply=True, limit=1, timeout=PATIENCE_S)
    if not told:
        return "no worker answers"
    try:
        return app.signature("add", (1, 2)).apply_async(task_id=task, countdown=0.5).get(timeout=PATIENCE_S)
    except TaskRevokedError:
        return "revoked"


def ping(app: Celery) -> list:
    answers = app.control.ping(limit=1, timeout=PATIENCE_S)
    return [next(iter(answer.values()))["ok"] for answer in answers]


def queues(app: Celery) -> list:
    """What a worker says it consumes from."""
    inspected = app.control.inspect(limit=1, timeout=PATIENCE_S).active_queues()
    return [queue["name"] for queues in inspected.values() for queue in queues]


CALLS = {
    "add": lambda app: result_of(app.signature("add", (2, 3))),
    "group": lambda app: result_of(group(app.signature("add", (n, n)) for n in range(10))),
    "chain": lambda app: result_of(chain(app.signature("add", (1, 1)), app.signature("add", (5,)))),
    "fail": failure,
    "insist": lambda app: result_of(app.signature("insist")),
    "hold": lambda app: result_of(app.signature("hold")),
    "countdown": countdown,
    "revoked": revoked,
    "ping": ping,
    "queues": queues,
}
