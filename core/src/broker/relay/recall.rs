//! Taking a message back that waits for its time.

use crate::index::key_hash;
use crate::model::{QueueId, Timestamp, property};
use crate::record::RecordView;
use crate::timers::due_of;
use crate::{Client, Error};

impl Client {
    /// Takes back the message of `topic` with that `UNIQ_KEY` that is due at `due`: it will never
    /// be delivered. `false` when none waits.
    ///
    /// # Errors
    /// A failed store.
    pub fn recall(&self, topic: &str, unique_key: &str, due: Timestamp) -> Result<bool, Error> {
        let Some(waiting) = self.topic(property::TIMER_TOPIC) else {
            return Ok(false);
        };
        let queue = waiting.queue(QueueId::new(0))?;
        let hash = key_hash(property::TIMER_TOPIC, unique_key);
        let is_meant = |record: &RecordView| {
            let properties = record.properties();
            record.topic() == property::TIMER_TOPIC
                && properties.value(property::UNIQ_KEY) == Some(unique_key)
                && properties.value(property::REAL_TOPIC) == Some(topic)
                && due_of(&properties) == due
        };
        let _settling = self.shared.settling.lock();
        for position in self.shared.store.positions_of_key(hash) {
            let Ok(stored) = self.record_at(position) else {
                continue;
            };
            let record = RecordView::parse(&stored.bytes);
            let Some(record) = record.ok().filter(is_meant) else {
                continue;
            };
            let offset = record.queue_offset().get();
            if !self.shared.state.read().is_settled(queue.number(), offset) {
                self.shared.drop_waiting(&queue, vec![offset])?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
