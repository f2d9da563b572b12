//! What `x-queue-type` allows: RabbitMQ's kinds of queues differ in their arguments, and here in
//! little else.

use super::{Named, Topology};
use crate::codec::method::queue;
use crate::codec::{ReplyCode, TableView, Value};
use crate::fault::Fault;

/// Arguments of any queue that only some kinds take.
const CLASSIC_ONLY: [&str; 3] = ["x-max-priority", "x-queue-mode", "x-queue-version"];
const QUORUM_ONLY: [&str; 6] = [
    "x-delivery-limit",
    "x-quorum-initial-group-size",
    "x-dead-letter-strategy",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-queue-leader-locator",
];
const STREAM_ONLY: [&str; 3] = [
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
];

impl Topology {
    /// # Errors
    /// The kind of queue that is declared cannot be so.
    pub(super) fn check_kind(&self, name: &str, method: &queue::Declare) -> Result<(), Fault> {
        let refuse = |text: String| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        let table = method.arguments.view();
        let is_quorum = table.get("x-queue-type").and_then(Value::text) == Some("quorum");
        let what = self.describe(Named::Queue(name));
        let (kind, foreign): (_, &[&str]) = if is_quorum {
            ("quorum", &CLASSIC_ONLY)
        } else {
            ("classic", &QUORUM_ONLY)
        };
        if let Some(argument) = first_of(table, foreign).or_else(|| first_of(table, &STREAM_ONLY)) {
            return refuse(format!(
                "invalid arg '{argument}' for {what} of queue type rabbit_{kind}_queue"
            ));
        }
        if !is_quorum {
            return Ok(());
        }
        if method.queue.as_str().is_empty() {
            let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
            return refuse(text.to_owned());
        }
        let flaws = [
            ("non-durable", !method.durable),
            ("exclusive-owner", method.exclusive),
            ("auto-delete", method.auto_delete),
        ];
        match flaws.iter().find(|(_, is_so)| *is_so) {
            Some((flaw, _)) => refuse(format!("invalid property '{flaw}' for {what}")),
            None => Ok(()),
        }
    }
}

fn first_of<'a>(table: TableView<'_>, names: &[&'a str]) -> Option<&'a str> {
    let mut given = names.iter().filter(|name| table.get(name).is_some());
    given.next().copied()
}
