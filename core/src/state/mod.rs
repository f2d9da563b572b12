//! Topics, groups, committed offsets and documents: one state machine whose commands are records
//! of a system topic. The same commands in the same order always make the same state.

mod command;
mod machine;
mod snapshot;

pub(crate) use command::{Command, OffsetChange};
pub(crate) use machine::{State, TopicState};
pub(crate) use snapshot::Snapshot;
