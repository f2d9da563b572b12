//! Messages that a group is done with by what is made of them: one record is both, so that after
//! a crash either both are true or neither.

use super::doors::Doors;
use super::produce::{Durability, ProduceItem, Receipt};
use crate::leases::{GroupLeases, LeaseReceipt};
use crate::model::{GroupName, Message, Properties, property};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::state::State;
use crate::vhosts::WorkQueue;
use crate::{Client, Error};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Most runs of messages that one record is to name.
const NOTES_MAX: usize = 64;
/// Room that what else is added to a record needs in the property area.
const ADDED_BYTES_MAX: usize = 256;
/// What the name of each further queue takes of it.
const FURTHER_BYTES: usize = 16;

/// A message of a work queue that is done with once a record is in the log.
#[derive(Clone, Debug)]
pub struct Consumed {
    /// The queue.
    pub queue: Arc<WorkQueue>,
    /// The lease.
    pub receipt: LeaseReceipt,
    /// Which of the items becomes that record.
    pub by: usize,
}

/// What one record is to say of a group's messages in one queue.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) group: GroupName,
    pub(super) queue: Arc<Queue>,
    pub(super) offsets: RangeInclusive<u64>,
    /// Which of the items becomes that record.
    pub(super) by: usize,
}

impl Client {
    /// As [`Client::produce_routed`]; each record says as well which messages are done with by it.
    /// [`Client::ack`] is for those of which none could say so: their record or one before it was
    /// not kept, there were more than find room in it, or their lease is over.
    ///
    /// # Errors
    /// As [`Client::produce`].
    pub fn produce_consuming(
        &self,
        items: Vec<ProduceItem>,
        consumed: &[Consumed],
        durability: Durability,
    ) -> Vec<Result<Receipt, Error>> {
        let groups: BTreeMap<&GroupName, Arc<GroupLeases>> = consumed
            .iter()
            .map(|one| {
                (
                    one.queue.group(),
                    self.shared.leases.group(one.queue.group()),
                )
            })
            .collect();
        // In order of name, as everybody does who locks more than one.
        let mut locked: BTreeMap<_, _> = groups
            .iter()
            .map(|(name, leases)| (*name, leases.lock()))
            .collect();
        let opened_at = self.shared.leases.opened_at();
        let mut notes = Vec::new();
        for one in consumed {
            let (receipt, offset) = (&one.receipt, one.receipt.offset.get());
            let key = (receipt.topic.clone(), receipt.queue);
            let ledgers = locked.get(one.queue.group());
            let ledger = ledgers.and_then(|ledgers| ledgers.by_queue.get(&key));
            if ledger.is_some_and(|ledger| ledger.is_held(offset, receipt.token, opened_at))
                && let Ok(queue) = one.queue.topic().queue(receipt.queue)
            {
                put(&mut notes, one, queue);
            }
        }
        let doors = Doors::new(durability, None);
        let (receipts, kept) = self.produce_noting(doors, items, notes);
        for note in kept {
            let key = (note.queue.topic().clone(), note.queue.id());
            let ledgers = locked.get_mut(&note.group);
            if let Some(ledger) = ledgers.and_then(|ledgers| ledgers.by_queue.get_mut(&key)) {
                note.offsets.for_each(|offset| ledger.settle(offset));
            }
        }
        for (name, mut ledgers) in locked {
            if let Some(leases) = groups.get(name) {
                let of = consumed.iter().filter(|one| one.queue.group() == name);
                self.after_settling(name, leases, &mut ledgers, of.map(|one| &one.receipt));
            }
        }
        receipts
    }

    /// Appends items whose records say what is done with by them; which of the notes are in the
    /// log. The caller holds the leases of the notes' groups, and settles those in their ledgers.
    pub(super) fn produce_noting(
        &self,
        doors: Doors<'_>,
        items: Vec<ProduceItem>,
        mut notes: Vec<Note>,
    ) -> (Vec<Result<Receipt, Error>>, Vec<Note>) {
        let (staged, pending) = self.stage(doors, items, &notes);
        // A snapshot has the record with what it says of the group, or neither.
        let mut state = (!notes.is_empty()).then(|| self.shared.state_mut());
        let placed = self.shared.store.append(pending);
        let kept = staged.noting(&placed);
        notes.retain(|note| kept.contains(&note.by));
        if let Some(state) = &mut state {
            for note in &notes {
                let queue = (note.queue.topic().as_str(), note.queue.id().get());
                state.consume(note.group.as_str(), queue, note.offsets.clone());
            }
        }
        drop(state);
        (self.conclude(staged, placed), notes)
    }
}

/// Notes a message, with the run that it continues if it does.
fn put(notes: &mut Vec<Note>, one: &Consumed, queue: Arc<Queue>) {
    let (offset, by) = (one.receipt.offset.get(), one.by);
    if let Some(last) = notes.last_mut()
        && last.by == by
        && Arc::ptr_eq(&last.queue, &queue)
        && last.offsets.end().checked_add(1) == Some(offset)
    {
        last.offsets = *last.offsets.start()..=offset;
    } else if notes.iter().filter(|note| note.by == by).count() < NOTES_MAX {
        notes.push(Note {
            group: one.queue.group().clone(),
            queue,
            offsets: offset..=offset,
            by,
        });
    }
}

impl Note {
    /// Writes what the record of item `by`, which is in so many further queues, is to say; whether
    /// it says anything now.
    pub(super) fn write(notes: &[Self], by: usize, message: &mut Message, further: usize) -> bool {
        let (mut text, mut group) = (String::new(), None);
        for note in notes.iter().filter(|note| note.by == by) {
            let separator = if text.is_empty() { "" } else { "," };
            let (first, last) = (note.offsets.start(), note.offsets.end());
            // Text takes all that is written.
            let _ = write!(text, "{separator}{}:{first}-{last}", note.queue.number());
            group = (note.group.as_str() != note.queue.topic().as_str()).then_some(&note.group);
        }
        let taken = message.properties.as_bytes().len() + text.len() + further * FURTHER_BYTES;
        if text.is_empty() || taken + ADDED_BYTES_MAX > Properties::BYTES_MAX {
            return false;
        }
        let added = [
            (property::CONSUMES, text.as_str()),
            (property::CONSUMES_FOR, group.map_or("", GroupName::as_str)),
        ];
        let count = 1 + usize::from(group.is_some());
        let added = added.get(..count).unwrap_or_default();
        match message.properties.rewritten(|_| false, added) {
            Ok(properties) => message.properties = properties,
            Err(_) => return false,
        }
        true
    }
}

/// Tells `state` what a record says of who is done with what; `queue_of` knows queues by number.
pub(super) fn replay(
    state: &mut State,
    record: &RecordView,
    queue_of: impl Fn(u32) -> Option<Arc<Queue>>,
) {
    let properties = record.properties();
    let group = properties.value(property::CONSUMES_FOR);
    let runs = properties.value(property::CONSUMES).unwrap_or_default();
    for (number, offsets) in runs.split(',').filter_map(run) {
        if let Some(queue) = queue_of(number) {
            let topic = queue.topic().as_str();
            let of = (topic, queue.id().get());
            state.consume(group.unwrap_or(topic), of, offsets);
        }
    }
}

/// Reads one run of [`property::CONSUMES`].
fn run(text: &str) -> Option<(u32, RangeInclusive<u64>)> {
    let (queue, offsets) = text.split_once(':')?;
    let (first, last) = offsets.split_once('-')?;
    Some((
        queue.parse().ok()?,
        first.parse().ok()?..=last.parse().ok()?,
    ))
}
