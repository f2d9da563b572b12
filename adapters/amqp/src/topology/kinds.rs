//! What `x-queue-type` allows: RabbitMQ's kinds of queues differ in their arguments.

use super::{Named, Topology};
use crate::codec::method::queue;
use crate::codec::{ReplyCode, TableView, Value};
use crate::fault::Fault;
use gantry_core::vhosts::WorkQueue;

/// Arguments of any queue that only some kinds take.
const CLASSIC_ONLY: [&str; 3] = ["x-max-priority", "x-queue-mode", "x-queue-version"];
const QUORUM_ONLY: [&str; 5] = [
    "x-delivery-limit",
    "x-quorum-initial-group-size",
    "x-dead-letter-strategy",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
];
const STREAM_ONLY: [&str; 4] = [
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
];
const REPLICATED_ONLY: [&str; 1] = ["x-queue-leader-locator"];
const NOT_OF_STREAMS: [&str; 7] = [
    "x-single-active-consumer",
    "x-message-ttl",
    "x-expires",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-overflow",
];
const CLASSIC: Kind = Kind {
    name: "classic",
    foreign: &[&QUORUM_ONLY, &REPLICATED_ONLY, &STREAM_ONLY],
};
const KINDS: [Kind; 3] = [
    CLASSIC,
    Kind {
        name: "quorum",
        foreign: &[&CLASSIC_ONLY, &STREAM_ONLY],
    },
    Kind {
        name: "stream",
        foreign: &[&NOT_OF_STREAMS, &CLASSIC_ONLY, &QUORUM_ONLY],
    },
];

/// One of RabbitMQ's kinds of queues.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Arguments that only others take.
    foreign: &'static [&'static [&'static str]],
}

impl Kind {
    fn of(arguments: TableView<'_>) -> Self {
        let named = arguments.get("x-queue-type").and_then(Value::text);
        let known = KINDS.iter().find(|kind| Some(kind.name) == named);
        known.copied().unwrap_or(CLASSIC)
    }
}

impl Topology {
    /// # Errors
    /// An argument is none of the kind of queue that is declared.
    pub(super) fn check_kind(&self, name: &str, method: &queue::Declare) -> Result<(), Fault> {
        let table = method.arguments.view();
        let kind = Kind::of(table);
        let mut foreign = kind.foreign.iter().copied().flatten();
        match foreign.find(|argument| table.get(argument).is_some()) {
            Some(argument) => Err(self.of_another_kind(argument, name, kind.name)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// The kind of queue that is declared cannot be so.
    pub(super) fn check_flags(&self, name: &str, method: &queue::Declare) -> Result<(), Fault> {
        let refuse = |text: String| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        let kind = Kind::of(method.arguments.view()).name;
        if kind == CLASSIC.name {
            return Ok(());
        }
        if method.queue.as_str().is_empty() {
            let text = format!("Cannot declare a server-named queue for type rabbit_{kind}_queue");
            return refuse(text);
        }
        let flaws = [
            ("non-durable", !method.durable),
            ("exclusive-owner", method.exclusive),
            ("auto-delete", method.auto_delete),
        ];
        match flaws.iter().find(|(_, is_so)| *is_so) {
            Some((flaw, _)) => {
                let what = self.describe(Named::Queue(name));
                refuse(format!("invalid property '{flaw}' for {what}"))
            }
            None => Ok(()),
        }
    }

    /// What cannot be done to a stream, whose messages nobody takes out.
    ///
    /// # Errors
    /// The queue is one.
    pub fn check_not_stream(&self, queue: &WorkQueue, method: &str) -> Result<(), Fault> {
        if !queue.rules().is_stream() {
            return Ok(());
        }
        let what = self.describe(Named::Queue(queue.name()));
        let text = format!("{method} not supported by stream queues {what}");
        Err(Fault::new(ReplyCode::NotImplemented, text))
    }

    fn of_another_kind(&self, argument: &str, name: &str, kind: &str) -> Fault {
        let what = self.describe(Named::Queue(name));
        let text = format!("invalid arg '{argument}' for {what} of queue type rabbit_{kind}_queue");
        Fault::new(ReplyCode::PreconditionFailed, text)
    }
}
