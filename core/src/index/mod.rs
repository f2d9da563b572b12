//! RocketMQ's consume queue, without a file a queue: the log is indexed in stretches. While a
//! stretch is open each queue holds its part of the index in memory; when it closes, all parts
//! go into one immutable file.

mod entry;
mod file;
mod run;
mod stretch;
mod stretches;

pub(crate) use entry::{Entry, INNER_NONE, TAG_UNKNOWN};
pub(crate) use file::{IndexFile, key_hash};
pub(crate) use run::{Lane, OpenRun, RunView};
pub(crate) use stretch::{ClosedStretch, KeyEntry};
pub(crate) use stretches::Stretches;
