//! Stored records as a reader of one protocol wants them.

use super::{Fetched, StoredRecord};
use crate::batch::{BatchBuilder, Codec, LEADER_EPOCH, RecordBatch, TimestampKind};
use crate::convert::{message_of_view, push_message};
use crate::filter::Filter;
use crate::model::{QueueOffset, TopicName};
use crate::record::{Draft, Placement, RecordView};
use crate::{Client, Error};
use bytes::Bytes;
use std::sync::Arc;

/// A message in RocketMQ's layout, ready for a native reader.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// Its queue offset.
    pub offset: QueueOffset,
    /// The record in RocketMQ's commit log layout: a message's own bytes, or those made of one
    /// record of a batch, whose physical offset is the batch's plus the record's number in it.
    pub bytes: Bytes,
}

impl Client {
    /// `fetched` as Kafka record batches in order: stored batches verbatim (base offset patched),
    /// runs of messages as batches made of them. Made batches are cached by position, so that the
    /// readers of the tail convert once.
    ///
    /// # Errors
    /// [`Error::Storage`] when a stored record does not parse.
    pub fn batches(&self, fetched: &Fetched) -> Result<Vec<Bytes>, Error> {
        let mut batches = Vec::with_capacity(fetched.records.len());
        let mut rest = fetched.records.as_slice();
        while let [first, ..] = rest {
            if first.is_batch && first.inner.is_none() {
                batches.push(parse(&first.bytes)?.body());
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let follows = |pair: &[StoredRecord]| {
                matches!(pair, [a, b] if (!b.is_batch || b.inner.is_some())
                    && a.base_offset.advance(u64::from(a.count)) == b.base_offset)
            };
            let length = 1 + rest.windows(2).take_while(|pair| follows(pair)).count();
            let (run, after) = rest.split_at(length);
            batches.push(self.made_batch(run)?);
            rest = after;
        }
        Ok(batches)
    }

    /// `fetched` as RocketMQ messages from `offset` on: stored messages verbatim, records of
    /// batches as messages made of them (cached). At most `messages_max` that pass `filter`;
    /// the second value is where to go on reading.
    ///
    /// # Errors
    /// [`Error::Storage`] when a stored record does not parse.
    pub fn messages(
        &self,
        fetched: &Fetched,
        offset: QueueOffset,
        messages_max: u32,
        filter: Option<&Filter>,
    ) -> Result<(Vec<MessageView>, QueueOffset), Error> {
        let limit = usize::try_from(messages_max).unwrap_or(usize::MAX).max(1);
        let mut messages: Vec<MessageView> = Vec::new();
        for record in &fetched.records {
            for view in self
                .views(record)?
                .iter()
                .filter(|view| view.offset >= offset)
            {
                if messages.len() == limit {
                    return Ok((messages, view.offset));
                }
                let passes = filter.is_none_or(|filter| {
                    parse(&view.bytes).is_ok_and(|record| filter.matches(&record.properties()))
                });
                if passes {
                    messages.push(view.clone());
                }
            }
        }
        Ok((messages, fetched.next_offset))
    }

    pub(super) fn views(&self, record: &StoredRecord) -> Result<Arc<[MessageView]>, Error> {
        if !record.is_batch {
            let view = MessageView {
                offset: record.base_offset,
                bytes: record.bytes.clone(),
            };
            return Ok(Arc::from([view]));
        }
        let key = (
            record.base_offset.get(),
            record.position.get(),
            record.inner,
        );
        if let Some(views) = self.shared.cache.messages(&key) {
            return Ok(views);
        }
        let views: Arc<[MessageView]> = message_views(record)?.into();
        self.shared.cache.put_messages(key, &views);
        Ok(views)
    }

    fn made_batch(&self, run: &[StoredRecord]) -> Result<Bytes, Error> {
        let [first, ..] = run else {
            return Err(Error::Internal("an empty run".to_owned()));
        };
        let last = run.last().unwrap_or(first);
        let key = (
            first.base_offset.get(),
            first.position.get(),
            last.position.get(),
        );
        if let Some(batch) = self.shared.cache.batch(&key) {
            return Ok(batch);
        }
        let bytes = run.iter().map(|record| record.bytes.len()).sum();
        let mut builder = BatchBuilder::with_capacity(bytes);
        for stored in run {
            push(&mut builder, stored)?;
        }
        let batch = builder
            .build(
                first.base_offset,
                LEADER_EPOCH,
                TimestampKind::Create,
                Codec::None,
            )
            .map_err(|error| damaged(first, &error))?;
        self.shared.cache.put_batch(key, &batch);
        Ok(batch)
    }
}

fn push(builder: &mut BatchBuilder, stored: &StoredRecord) -> Result<(), Error> {
    let damaged = |error| damaged(stored, &error);
    let record = parse(&stored.bytes)?;
    let Some(inner) = stored.inner else {
        return push_message(builder, &record.to_message()).map_err(damaged);
    };
    let batch = RecordBatch::stored(record.body()).map_err(damaged)?;
    let records = batch.records().map_err(damaged)?;
    let view = records.record(inner).map_err(damaged)?;
    builder.push(&view.to_record()).map_err(damaged)
}

/// A batch's records as messages. Records that do not parse are passed over: nobody looked at
/// them on the way in, and a reader must not be stuck at them.
fn message_views(stored: &StoredRecord) -> Result<Vec<MessageView>, Error> {
    let record = parse(&stored.bytes)?;
    let topic = TopicName::new(record.topic()).map_err(|error| damaged(stored, &error))?;
    let batch = RecordBatch::stored(record.body()).map_err(|error| damaged(stored, &error))?;
    let mut views = Vec::new();
    let records = match batch.records() {
        Ok(_) if batch.header().is_control() => return Ok(views),
        Ok(records) => records,
        Err(error) => {
            tracing::debug!(position = %stored.position, %error, "a batch's records are unreadable");
            return Ok(views);
        }
    };
    for (index, view) in (0_u32..).zip(records.iter()) {
        if stored.inner.is_some_and(|inner| inner != index) {
            continue;
        }
        let Ok(view) = view else { break };
        let delta = if stored.inner.is_some() {
            0
        } else {
            u64::from(view.offset_delta)
        };
        let offset = stored.base_offset.advance(delta);
        let Ok(draft) = Draft::message(&topic, record.queue(), message_of_view(&view), &[]) else {
            continue;
        };
        let place = Placement {
            position: stored.position.advance(u64::from(index)),
            queue_offset: offset,
            also: &[],
            stored_at: stored.stored_at,
            store_host: record.store_host(),
        };
        views.push(MessageView {
            offset,
            bytes: draft.encode(&place).into_bytes(),
        });
    }
    Ok(views)
}

fn parse(bytes: &Bytes) -> Result<RecordView, Error> {
    RecordView::parse(bytes).map_err(|error| Error::Storage(error.to_string()))
}

fn damaged(stored: &StoredRecord, error: &dyn std::fmt::Display) -> Error {
    Error::Storage(format!(
        "the record at {} is damaged: {error}",
        stored.position
    ))
}
