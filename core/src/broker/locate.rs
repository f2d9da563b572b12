//! Finding a message by where it stands in the log.

use super::{MessageView, StoredRecord, Topic};
use crate::index::{Lane, RunView};
use crate::model::PhysicalOffset;
use crate::record::RecordView;
use crate::{Client, Error};

impl Client {
    /// The message whose physical offset is `position`. Those of a batch but its first are found
    /// only with the `topic` they are in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is none.
    pub fn message_at(
        &self,
        position: PhysicalOffset,
        topic: Option<&Topic>,
    ) -> Result<MessageView, Error> {
        let none = || Error::Invalid(format!("no message stands at {position}"));
        let stored = match (self.record_at(position), topic) {
            (Err(_), Some(topic)) => self.record_around(topic, position).ok_or_else(none)?,
            (stored, _) => stored?,
        };
        let views = self.views(&stored)?;
        let found = views.iter().find(|view| {
            RecordView::parse(&view.bytes).is_ok_and(|message| message.position() == position)
        });
        found.cloned().ok_or_else(none)
    }

    /// The record of a topic within which a position lies.
    fn record_around(&self, topic: &Topic, position: PhysicalOffset) -> Option<StoredRecord> {
        let store = &self.shared.store;
        for queue in topic.queues().iter() {
            // In this order: a run that closes meanwhile is seen twice rather than not at all.
            let mut runs = vec![queue.open_run()];
            runs.extend(queue.closing_run());
            runs.extend(store.stretches.runs(queue.number(), Lane::Main));
            runs.extend(store.forwarded_runs(queue));
            let found = runs.iter().find_map(|run| entry_around(run, position));
            if let Some(start) = found {
                return self.record_at(start).ok();
            }
        }
        None
    }
}

/// Where the record of a run starts that a position lies in.
fn entry_around(run: &RunView, position: PhysicalOffset) -> Option<PhysicalOffset> {
    let after = run.partition_point(|entry| entry.position <= position);
    let entry = run.entry(after.checked_sub(1)?)?;
    (position < entry.position.advance(u64::from(entry.size))).then_some(entry.position)
}
