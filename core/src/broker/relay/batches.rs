//! Kafka batches with records that are to be delivered later.

use crate::batch::{BatchError, Codec, HEADER_BYTES, RecordBatch, RecordView};
use crate::broker::Topic;
use crate::convert::message_of_view;
use crate::model::{Message, QueueId, property};
use crate::store::Pending;
use crate::timers::{delay_headers, may_have_delay};
use crate::{Client, Error};
use smallvec::SmallVec;

impl Client {
    /// What is left of a batch without the records that are to be delivered later, and the
    /// messages that wait in their place, to be appended with it. Its records are read only when
    /// there seem to be such.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a delay that is none, for records that do not parse, and for a
    /// delayed one that no message can hold; [`Error::MessageTooLarge`] when they have too many
    /// bytes; or a failed store.
    pub(in crate::broker) fn without_delayed(
        &self,
        topic: &Topic,
        id: QueueId,
        batch: RecordBatch,
    ) -> Result<(RecordBatch, Vec<Pending>), Error> {
        let mut waiting = Vec::new();
        if !is_looked_into(topic, &batch) {
            return Ok((batch, waiting));
        }
        let limit = self.shared.config.timers.batch_bytes_max;
        let records = batch.records().map_err(|error| unreadable(&error))?;
        let (mut taken, mut size) = (Vec::new(), 0);
        for record in &records {
            let record = record.map_err(|error| unreadable(&error))?;
            let Some(mut message) = delayed_message(&record)? else {
                continue;
            };
            self.check_size(message.body.len())?;
            let Some((_, waits_in)) = self.delayed(topic, id, &mut message)? else {
                continue;
            };
            let pending =
                Pending::of_message(&waits_in, QueueId::new(0), message, SmallVec::new())?;
            size += pending.draft.size(&self.shared.config.store_host);
            if size > limit {
                return Err(Error::MessageTooLarge { size, limit });
            }
            taken.push(record.offset_delta);
            waiting.push(pending);
        }
        if taken.is_empty() {
            return Ok((batch, waiting));
        }
        let rest = batch.without(&records, &taken);
        Ok((rest.map_err(|error| unreadable(&error))?, waiting))
    }
}

/// Whether a batch's records are to be read. Decompressing all batches would double the cost of
/// producing, so the topic has to ask for it.
fn is_looked_into(topic: &Topic, batch: &RecordBatch) -> bool {
    match batch.header().codec() {
        Ok(Codec::None) => may_have_delay(batch.bytes().get(HEADER_BYTES..).unwrap_or_default()),
        _ => topic.rules().expects_delays,
    }
}

/// The message of a record that asks to be delivered later, whole.
fn delayed_message(record: &RecordView<'_>) -> Result<Option<Message>, Error> {
    let names = delay_headers(record)?;
    if names.is_empty() {
        return Ok(None);
    }
    let message = message_of_view(record);
    let has = |name: &str| message.properties.value(name).is_some();
    let is_cut = has(property::HEADERS_CUT) || has(property::KEY_CUT);
    if is_cut || !names.iter().all(|name| has(name)) {
        let text = "the key and headers of a delayed record are more than a message can hold";
        return Err(Error::Invalid(text.to_owned()));
    }
    Ok(Some(message))
}

fn unreadable(error: &BatchError) -> Error {
    Error::Invalid(format!("delayed records were looked for: {error}"))
}
