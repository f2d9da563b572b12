//! Walks a commit log record by record, each checked, and says what it holds.

use super::log::LogFile;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use gantry_core::model::{
    PhysicalOffset, Properties, QueueId, QueueOffset, SysFlag, Timestamp, property,
};
use gantry_core::record::{BLANK_BYTES, MAGIC_BLANK, RecordError, RecordView};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};

const READ_AHEAD_BYTES: usize = 1 << 20;
/// How the topics begin whose queues are indexes alone: records of other topics are dispatched
/// to their queue 0 (`MixAll.LMQ_PREFIX`).
const LIGHT_PREFIX: &str = "%LMQ%";

/// What a log holds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// One past the last record.
    pub(crate) end: PhysicalOffset,
    /// Records of each topic's queues. Of a topic that was deleted and made again it is the
    /// newest's.
    pub(crate) topics: BTreeMap<String, BTreeMap<QueueId, QueueSurvey>>,
    /// Where such a topic's records begin.
    pub(crate) made_again: BTreeMap<String, PhysicalOffset>,
    /// Records, whatever becomes of them.
    pub(crate) records: u64,
    /// When the first one was stored.
    pub(crate) first_stored_at: Option<Timestamp>,
    /// Records RocketMQ gives no queue entry (sent as prepared or rolled back by a client that is
    /// no transactional producer): their queue offset means nothing.
    pub(crate) unqueued: u64,
    /// Records whose body is many messages (topics with `queue.type=BatchCQ`).
    pub(crate) inner_batches: u64,
    /// Why the last record is the last, where that is not the log's clean end.
    pub(crate) torn: Option<String>,
}

/// What one queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueSurvey {
    /// The offset of the first record there is.
    pub(crate) first: QueueOffset,
    /// The offset the next record gets.
    pub(crate) next: QueueOffset,
    pub(crate) records: u64,
    /// Where the first record is, or where the offsets began anew because the topic was deleted
    /// and made again.
    pub(crate) begins_at: PhysicalOffset,
    /// Where the last record is.
    last_at: PhysicalOffset,
    /// The offsets have begun anew.
    is_made_again: bool,
}

/// What stands at a position.
enum Found {
    Record(RecordView),
    /// The file holds no more; the next one goes on.
    Filler,
    /// The log ends, or is broken.
    End {
        error: RecordError,
        /// Bytes that what stands there claims, read all the same.
        size: u64,
    },
}

impl Survey {
    /// Walks the whole log; `read` hears how many bytes further it is.
    ///
    /// # Errors
    /// A file cannot be read, or records follow a place where none can be read.
    pub(super) fn of(files: &[LogFile], read: &dyn Fn(u64)) -> Result<Self> {
        let mut survey = Self::default();
        for (index, file) in files.iter().enumerate() {
            survey.end = file.base;
            let ended = survey
                .walk(file, read)
                .with_context(|| file.path.display().to_string())?;
            let Some(error) = ended else {
                continue;
            };
            // Files after the end have been made ahead and hold nothing.
            for later in files.iter().skip(index + 1) {
                ensure!(
                    is_unused(later)?,
                    "the log is broken at {}: {error}; yet {} has records",
                    survey.end,
                    later.path.display()
                );
            }
            break;
        }
        survey.forget_deleted();
        Ok(survey)
    }

    /// Walks one file; what stands after the last record where that is no filler.
    fn walk(&mut self, file: &LogFile, read: &dyn Fn(u64)) -> Result<Option<RecordError>> {
        let input = File::open(&file.path)?;
        let mut input = BufReader::with_capacity(READ_AHEAD_BYTES, input);
        loop {
            let rest = self.end.distance_to(file.end());
            match next(&mut input, self.end, rest)? {
                Found::Record(record) => {
                    self.add(&record);
                    let bytes = record.bytes().len() as u64;
                    self.end = self.end.advance(bytes);
                    read(bytes);
                }
                Found::Filler => {
                    self.end = file.end();
                    return Ok(None);
                }
                Found::End { error, size } => {
                    if error != RecordError::Magic(0) {
                        self.refuse_records_after(&mut input, error, size, rest)?;
                        self.torn = Some(error.to_string());
                    }
                    return Ok(Some(error));
                }
            }
        }
    }

    /// A broken record is the log's torn end only where no other follows it. `RocketMQ` itself
    /// steps over one, such as a record whose flags tell of addresses it does not have.
    fn refuse_records_after(
        &self,
        input: &mut impl Read,
        error: RecordError,
        size: u64,
        rest: u64,
    ) -> Result<()> {
        let after = self.end.advance(size);
        let follows = next(input, after, rest.saturating_sub(size))?;
        ensure!(
            !matches!(follows, Found::Record(_)),
            "the log is broken at {}: {error}; yet a record follows at {after}",
            self.end
        );
        Ok(())
    }

    fn add(&mut self, record: &RecordView) {
        let flag = record.sys_flag();
        self.records += 1;
        self.first_stored_at
            .get_or_insert_with(|| record.stored_at());
        if flag.is_unqueued() {
            self.unqueued += 1;
            return;
        }
        let properties = record.properties();
        let mut messages = 1;
        if flag.has(SysFlag::INNER_BATCH) {
            self.inner_batches += 1;
            let count = properties.value(property::INNER_NUM).map(str::parse);
            messages = count.and_then(Result::ok).unwrap_or(1);
        }
        let place = (record.queue(), record.queue_offset(), messages);
        self.enter(record.topic(), place, record.position());
        for (name, offset) in light_queues(&properties) {
            self.enter(name, (QueueId::new(0), offset, 1), record.position());
        }
    }

    fn enter(&mut self, topic: &str, place: (QueueId, QueueOffset, u64), at: PhysicalOffset) {
        let (queue, offset, messages) = place;
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), BTreeMap::new());
        }
        let Some(queues) = self.topics.get_mut(topic) else {
            return;
        };
        let fresh = QueueSurvey {
            first: offset,
            next: offset,
            records: 0,
            begins_at: at,
            last_at: at,
            is_made_again: false,
        };
        let queue = queues.entry(queue).or_insert(fresh);
        if offset < queue.next {
            *queue = QueueSurvey {
                is_made_again: true,
                ..fresh
            };
        }
        queue.next = offset.advance(messages);
        queue.records += 1;
        queue.last_at = at;
    }

    /// Leaves out what is a topic's that was deleted: a queue of its successor began anew after.
    fn forget_deleted(&mut self) {
        for (topic, queues) in &mut self.topics {
            let again = queues.values().filter(|queue| queue.is_made_again);
            let Some(begins_at) = again.map(|queue| queue.begins_at).min() else {
                continue;
            };
            queues.retain(|_, queue| queue.last_at >= begins_at);
            self.made_again.insert(topic.clone(), begins_at);
        }
    }
}

/// The light queues a record is in, too, and its offset in each (`MultiDispatchUtils`).
fn light_queues(properties: &Properties) -> Vec<(&str, QueueOffset)> {
    let (Some(names), Some(offsets)) = (
        properties.value(property::INNER_MULTI_DISPATCH),
        properties.value(property::INNER_MULTI_QUEUE_OFFSET),
    ) else {
        return Vec::new();
    };
    let offsets = offsets.split(',').map(|offset| offset.parse().ok());
    names
        .split(',')
        .zip(offsets)
        .filter(|(name, _)| name.starts_with(LIGHT_PREFIX))
        .filter_map(|(name, offset)| Some((name, QueueOffset::new(offset?))))
        .collect()
}

/// Reads on at `position`, `rest` bytes before the file's end.
fn next(input: &mut impl Read, position: PhysicalOffset, rest: u64) -> Result<Found> {
    // A file always ends with room for a filler.
    if rest < BLANK_BYTES {
        return Ok(Found::Filler);
    }
    let mut bytes = Vec::new();
    input.by_ref().take(BLANK_BYTES).read_to_end(&mut bytes)?;
    let (size, magic) = match bytes.as_chunks::<4>() {
        ([size, magic], []) => (u32::from_be_bytes(*size), u32::from_be_bytes(*magic)),
        _ => bail!("the file became shorter"),
    };
    if magic == MAGIC_BLANK {
        return Ok(Found::Filler);
    }
    // Grows with what is there, not with what the size claims.
    let body = u64::from(size).min(rest).saturating_sub(BLANK_BYTES);
    if magic != 0 {
        input.by_ref().take(body).read_to_end(&mut bytes)?;
    }
    let record = RecordView::parse(&Bytes::from(bytes)).and_then(|record| {
        record.verify()?;
        (record.position() == position)
            .then_some(record)
            .ok_or(RecordError::Checksum)
    });
    let size = u64::from(size);
    Ok(record.map_or_else(|error| Found::End { error, size }, Found::Record))
}

/// Whether a file begins as one that was made ahead.
fn is_unused(file: &LogFile) -> Result<bool> {
    let mut start = Vec::new();
    let input = File::open(&file.path).with_context(|| file.path.display().to_string())?;
    input.take(BLANK_BYTES).read_to_end(&mut start)?;
    Ok(start.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_made_again_has_the_records_since() {
        let mut survey = Survey::default();
        let mut enter = |queue: u32, offset: u64, at: u64| {
            let place = (QueueId::new(queue), QueueOffset::new(offset), 1);
            survey.enter("t", place, PhysicalOffset::new(at));
        };
        enter(0, 0, 10);
        enter(0, 1, 20);
        enter(1, 0, 30);
        enter(2, 0, 40);
        // Deleted and made again.
        enter(1, 0, 50);
        enter(3, 0, 60);
        enter(0, 0, 70);
        survey.forget_deleted();
        let queues = survey.topics["t"].iter();
        let found: Vec<_> = queues
            .map(|(queue, found)| (queue.get(), found.first.get(), found.next.get()))
            .collect();
        assert_eq!(found, [(0, 0, 1), (1, 0, 1), (3, 0, 1)]);
        assert_eq!(survey.made_again["t"].get(), 50);
    }
}
