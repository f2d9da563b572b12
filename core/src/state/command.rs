//! The state machine's commands, as JSON in the log. Names are persisted: add, never change.

use super::packed::PackedState;
use crate::broker::CommittedOffset;
use crate::leases::Progress;
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
    /// A group's progress by leases.
    LeaseProgress {
        group: String,
        committed_at: i64,
        queues: Vec<LeaseChange>,
    },
    /// A group's progress in one topic goes.
    DeleteOffsets { group: String, topic: String },
    /// A group goes.
    DeleteGroup { group: String },
    /// Producer ids below this are given out.
    ReserveProducerIds { below: i64 },
    /// The oldest messages of a topic's queues go: queue ids and their new starts.
    RaiseStarts {
        name: String,
        starts: Vec<(u32, u64)>,
    },
    /// Waiting records have an outcome that is in no queue: dropped, rolled back.
    Settle { queue: u32, offsets: Vec<u64> },
    /// Somebody was asked how the transactions of half messages ended.
    CountChecks { queue: u32, offsets: Vec<u64> },
    /// The whole state, because the log before it may go: what it was made from is not needed
    /// any more.
    Checkpoint { state: PackedState },
    /// Facts that come and go together.
    PutDocuments { changes: Vec<DocumentChange> },
    /// A fact of an adapter's own; `None` removes it.
    PutDocument {
        namespace: String,
        key: String,
        value: Option<String>,
    },
}

/// One fact; no value removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DocumentChange {
    pub(crate) namespace: String,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// One queue's progress by leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseChange {
    pub(crate) topic: String,
    pub(crate) queue: u32,
    pub(crate) progress: Progress,
}

/// One queue's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetChange {
    pub(crate) topic: String,
    pub(crate) queue: u32,
    #[serde(flatten)]
    pub(crate) committed: CommittedOffset,
}
