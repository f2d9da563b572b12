//! Topics, groups, committed offsets and documents: one state machine whose commands are records
//! of a system topic. The same commands in the same order always make the same state.

mod command;
mod groups;
mod machine;
mod packed;
mod snapshot;

pub(crate) use command::{Command, DocumentChange, LeaseChange, OffsetChange};
pub(crate) use machine::{Bounds, State, TopicState};
pub(crate) use packed::{PackedState, Whole};
pub(crate) use snapshot::Snapshot;
