//! The consume queues: files of 20-byte units, from which only the offset is wanted at which a
//! queue goes on. The log says that, too, as long as it has a record of the queue.

use super::Warnings;
use gantry_core::model::{PhysicalOffset, QueueId, QueueOffset, TopicName};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A unit: position 8, size 4, tag's hash 8.
const UNIT_BYTES: u64 = 20;
/// Largest file that is read; RocketMQ's own have 6,000,000 bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// By topic and queue.
pub(crate) type QueueEnds = BTreeMap<TopicName, BTreeMap<QueueId, QueueEnd>>;

/// Where a queue goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueEnd {
    /// The offset the next message gets.
    pub(crate) next: QueueOffset,
    /// Where the last message was in the log.
    pub(crate) last_at: PhysicalOffset,
}

/// Reads the last unit of every queue below the directory `consumequeue`.
pub(super) fn ends(directory: &Path, warnings: &mut Warnings) -> QueueEnds {
    let mut ends = QueueEnds::new();
    for topic in directories(directory, warnings) {
        let name = name_of(&topic).and_then(|name| TopicName::new(name).ok());
        let Some(name) = name else {
            warnings.add(format!("{} is no topic's", topic.display()));
            continue;
        };
        for queue in directories(&topic, warnings) {
            let id = name_of(&queue).and_then(|name| name.parse().ok());
            let end = match (id, end_of(&queue)) {
                (Some(id), Ok(end)) => end.map(|end| (QueueId::new(id), end)),
                (None, _) => {
                    warnings.add(format!("{} is no queue's", queue.display()));
                    None
                }
                (_, Err(why)) => {
                    let queue = queue.display();
                    warnings.add(format!("the consume queue {queue} is not used: {why}"));
                    None
                }
            };
            ends.entry(name.clone()).or_default().extend(end);
        }
    }
    ends
}

fn directories(directory: &Path, warnings: &mut Warnings) -> Vec<PathBuf> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            // A broker with another kind of consume queue has none.
            if error.kind() != ErrorKind::NotFound {
                warnings.add(format!("{}: {error}", directory.display()));
            }
            return Vec::new();
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    paths.sort_unstable();
    paths
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The end of one queue; none where it never had a message.
fn end_of(queue: &Path) -> Result<Option<QueueEnd>, String> {
    let entries = fs::read_dir(queue).map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let base = name_of(&path).and_then(|name| name.parse::<u64>().ok());
        let base = base.filter(|base| base.is_multiple_of(UNIT_BYTES));
        files.push((base.ok_or("it has a file of another kind")?, path));
    }
    files.sort_unstable();
    for (base, path) in files.iter().rev() {
        let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
        if bytes > FILE_BYTES_MAX {
            return Err("it has a file that is too long".to_owned());
        }
        let units = fs::read(path).map_err(|error| error.to_string())?;
        // What has not been written yet is zeros.
        let units = units.as_chunks::<20>().0;
        let written = units
            .iter()
            .rposition(|unit| unit.iter().any(|byte| *byte != 0));
        if let Some((index, unit)) = written.and_then(|index| Some((index, units.get(index)?))) {
            let (position, _) = unit.split_at(8);
            let position = position.try_into().map_or(0, u64::from_be_bytes);
            return Ok(Some(QueueEnd {
                next: QueueOffset::new(base / UNIT_BYTES + index as u64 + 1),
                last_at: PhysicalOffset::new(position),
            }));
        }
    }
    Ok(None)
}
