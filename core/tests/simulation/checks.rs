//! What a broker must look like, given what the ledger says.

use crate::ledger::{Body, Model, Stored};
use bytes::Bytes;
use gantry_core::batch::BatchHeader;
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::record::RecordView;
use gantry_core::{Client, Error, FetchQueue, Fetched, StoredRecord, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is wrong, or nothing.
pub type Verdict = Result<(), String>;

pub const NAMESPACE: &str = "simulation";

macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err(format!($($message)*));
        }
    };
}
pub(crate) use ensure;

/// Everything the model has is there, and nothing else.
pub fn everything(client: &Client, model: &Model, damaged: &BTreeSet<u64>) -> Verdict {
    let topics = client.topics();
    let found: BTreeSet<&str> = topics.iter().map(|topic| topic.name().as_str()).collect();
    let expected: BTreeSet<&str> = model.topics.keys().map(String::as_str).collect();
    ensure!(found == expected, "topics are {found:?}, not {expected:?}");
    for topic in &topics {
        let wanted = &model.topics[topic.name().as_str()];
        let name = topic.name();
        ensure!(
            topic.uuid() == wanted.uuid,
            "topic {name} is another incarnation"
        );
        let note = topic
            .spec()
            .attributes
            .get("note")
            .cloned()
            .unwrap_or_default();
        ensure!(
            note == wanted.note,
            "topic {name} has note {note:?}, not {:?}",
            wanted.note
        );
        let count = topic.queue_count() as usize;
        ensure!(
            count == wanted.queues.len(),
            "topic {name} has {count} queues"
        );
        for (queue, stored) in (0..).zip(&wanted.queues) {
            queue_is(client, topic, queue, stored, damaged)
                .map_err(|text| format!("{name} queue {queue}: {text}"))?;
        }
    }
    facts(client, model)
}

/// Group progress and documents.
fn facts(client: &Client, model: &Model) -> Verdict {
    let groups = client.groups();
    let found: BTreeMap<String, BTreeMap<(String, u32), u64>> = groups
        .iter()
        .map(|group| {
            let progress = client.committed_offsets(group);
            let progress = progress.into_iter().map(|(topic, queue, committed)| {
                ((topic.as_str().to_owned(), queue.get()), committed.offset)
            });
            (group.as_str().to_owned(), progress.collect())
        })
        .collect();
    ensure!(
        found == model.groups,
        "progress is {found:?}, not {:?}",
        model.groups
    );
    let found: BTreeMap<_, _> = client.documents(NAMESPACE).into_iter().collect();
    ensure!(
        found == model.documents,
        "documents are {found:?}, not {:?}",
        model.documents
    );
    Ok(())
}

/// A queue holds what it should, record by record.
pub fn queue_is(
    client: &Client,
    topic: &Arc<Topic>,
    queue: u32,
    stored: &[Stored],
    damaged: &BTreeSet<u64>,
) -> Verdict {
    let is_damaged = |stored: &Stored| damaged.contains(&stored.position);
    let end = stored.last().map_or(0, Stored::end);
    let at_end = fetch(client, topic, queue, end).map_err(|error| error.to_string())?;
    let range = at_end.range;
    ensure!(
        range.start.get() == 0 && range.end.get() == end,
        "range is {range}, not 0..{end}"
    );
    let mut expected = stored.iter().peekable();
    let mut offset = 0;
    while offset < end {
        match fetch(client, topic, queue, offset) {
            Ok(fetched) => {
                ensure!(!fetched.records.is_empty(), "nothing at {offset} of {end}");
                for record in &fetched.records {
                    // What is damaged may be missing, if nobody knew its place any more.
                    while expected
                        .next_if(|next| is_damaged(next) && next.base != record.base_offset.get())
                        .is_some()
                    {}
                    let next = expected.next().ok_or("more records than were written")?;
                    is_record(record, next)?;
                }
                offset = fetched.next_offset.get();
            }
            Err(Error::Damaged(position)) => {
                let next = expected.next().ok_or("an error after the last record")?;
                ensure!(
                    is_damaged(next),
                    "the record at offset {} is damaged, {position} {next:?}",
                    next.base
                );
                offset = offset.max(next.end());
            }
            Err(error) => return Err(format!("fetching at {offset}: {error}")),
        }
    }
    let missing = expected.find(|next| !is_damaged(next));
    ensure!(
        missing.is_none(),
        "offset {} is missing",
        missing.unwrap().base
    );
    Ok(())
}

fn is_record(found: &StoredRecord, expected: &Stored) -> Verdict {
    let (base, count) = (found.base_offset.get(), found.count);
    ensure!(
        (base, count) == (expected.base, expected.count),
        "offset {base} holds {count} messages where {} holds {}",
        expected.base,
        expected.count
    );
    let view = RecordView::parse(&found.bytes).map_err(|error| error.to_string())?;
    ensure!(
        view.verify().is_ok(),
        "the damaged record at offset {base} is served"
    );
    let body = body_of(&view.body(), view.is_batch());
    ensure!(body == expected.body, "another body at offset {base}");
    let said = BatchHeader::read(&view.body()).map_or(0, |header| header.base_offset);
    let is_right = !view.is_batch() || u64::try_from(said) == Ok(base);
    ensure!(is_right, "the batch at offset {base} says {said}");
    Ok(())
}

pub fn body_of(bytes: &Bytes, is_batch: bool) -> Body {
    if is_batch {
        Body::Batch(bytes.slice(21..))
    } else {
        Body::Message(bytes.clone())
    }
}

pub fn fetch(
    client: &Client,
    topic: &Arc<Topic>,
    queue: u32,
    offset: u64,
) -> Result<Fetched, Error> {
    let wanted = FetchQueue {
        topic: Arc::clone(topic),
        queue: QueueId::new(queue),
        offset: QueueOffset::new(offset),
        bytes_max: 1 << 30,
        messages_max: u32::MAX,
        filter: None,
    };
    client.fetch_now(&[wanted], 1 << 30).remove(0)
}
