//! The state machine's commands, as JSON in the log. Names are persisted: add, never change.

use crate::broker::CommittedOffset;
use crate::model::TopicSpec;
use serde::{Deserialize, Serialize};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    /// A topic appears. Its queues get the next numbers.
    CreateTopic {
        name: String,
        uuid: [u8; 16],
        spec: TopicSpec,
    },
    /// A topic's settings change; more queues get the next numbers.
    AlterTopic { name: String, spec: TopicSpec },
    /// A topic goes, and every group's progress in it.
    DeleteTopic { name: String },
    /// A group's progress.
    CommitOffsets {
        group: String,
        offsets: Vec<OffsetChange>,
    },
    /// A group's progress in one topic goes.
    DeleteOffsets { group: String, topic: String },
    /// A group goes.
    DeleteGroup { group: String },
    /// Producer ids below this are given out.
    ReserveProducerIds { below: i64 },
    /// A fact of an adapter's own; `None` removes it.
    PutDocument {
        namespace: String,
        key: String,
        value: Option<String>,
    },
}

/// One queue's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetChange {
    pub(crate) topic: String,
    pub(crate) queue: u32,
    #[serde(flatten)]
    pub(crate) committed: CommittedOffset,
}
