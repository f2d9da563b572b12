//! Delayed messages that a RocketMQ store had not delivered go on waiting here. Which those are its
//! broker kept apart from the log.

use super::plan::ImportedLog;
use crate::broker::shared::Shared;
use crate::broker::{Durability, Payload, ProduceItem, Topic};
use crate::model::{Message, QueueId, QueueOffset, Timestamp, property};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::timers::due_of;
use crate::{Client, Error};
use std::collections::HashMap;
use std::sync::Arc;

/// Where RocketMQ keeps the messages of its delay levels, a queue each.
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// A timer message of this property takes back the one it names.
const CANCEL: &str = "TIMER_DEL_UNIQKEY";

/// Has everything wait on; how many messages of delay levels and timers that are.
///
/// # Errors
/// A record cannot be read, or a failed store.
pub(super) fn carry_over(log: &ImportedLog, shared: &Arc<Shared>) -> Result<u64, Error> {
    let client = Client {
        shared: Arc::clone(shared),
    };
    let timers = settle_timers(log, &client)?;
    Ok(timers + schedule_levels(log, &client)?)
}

/// A timer message with the same name and time is the same one, put off once more.
#[derive(PartialEq, Eq, Hash)]
struct TimerName {
    topic: String,
    unique_key: String,
    due: Timestamp,
}

fn settle_timers(log: &ImportedLog, client: &Client) -> Result<u64, Error> {
    let Some(queue) = queue_of(client, property::TIMER_TOPIC, 0) else {
        return Ok(0);
    };
    let mut waiting: HashMap<TimerName, QueueOffset> = HashMap::new();
    let mut settled = Vec::new();
    each_record(client, &queue, QueueOffset::ZERO, |record| {
        let properties = record.properties();
        let offset = record.queue_offset();
        let due = due_of(&properties);
        let text = |name| properties.value(name).unwrap_or_default().to_owned();
        let name = |unique_key| TimerName {
            topic: text(property::REAL_TOPIC),
            unique_key,
            due,
        };
        if let Some(key) = properties.value(CANCEL) {
            // Newer brokers put the topic before it.
            let key = key.rsplit('+').next().unwrap_or(key).to_owned();
            settled.extend(waiting.remove(&name(key)));
            settled.push(offset);
        } else if due <= log.timers_read_until {
            settled.push(offset);
        } else if !text(property::UNIQ_KEY).is_empty() {
            settled.extend(waiting.insert(name(text(property::UNIQ_KEY)), offset));
        }
    })?;
    let mut state = client.shared.state.write();
    for offset in settled {
        state.settle(queue.number(), offset.get());
    }
    Ok(waiting.len() as u64)
}

/// Messages of delay levels wait in the timer topic from now on.
fn schedule_levels(log: &ImportedLog, client: &Client) -> Result<u64, Error> {
    let levels = client.shared.config.timers.delay_levels.clone();
    let mut count = 0;
    let queues = client
        .topic(SCHEDULE_TOPIC)
        .map_or(0, |topic| topic.queue_count());
    for id in 0..queues {
        let Some(queue) = queue_of(client, SCHEDULE_TOPIC, id) else {
            continue;
        };
        let next = log.delays.get(&(id + 1)).copied().unwrap_or_default();
        let delay = levels.millis(i64::from(id) + 1).unwrap_or_default();
        let mut items = Vec::new();
        each_record(client, &queue, next, |record| {
            items.extend(rescheduled(client, record, delay));
        })?;
        for item in items {
            let receipts = client.produce(vec![item], Durability::Appended);
            receipts.into_iter().next().transpose()?;
            count += 1;
        }
    }
    Ok(count)
}

/// A message of a delay level as its producer would send it now; `None` when its topic is no more.
fn rescheduled(client: &Client, record: &RecordView, delay: u64) -> Option<ProduceItem> {
    let mut message: Message = record.to_message();
    let properties = &message.properties;
    let topic: Arc<Topic> = client.topic(properties.value(property::REAL_TOPIC)?)?;
    let id: u32 = properties.value(property::REAL_QUEUE)?.parse().ok()?;
    let due = record.stored_at().plus_millis(delay).millis().to_string();
    let is_said_anew = |name: &str| {
        property::is_delay(name)
            || property::is_internal(name)
            || matches!(name, property::REAL_TOPIC | property::REAL_QUEUE)
    };
    let due = [(property::TIMER_DELIVER_MS, due.as_str())];
    message.properties = properties.rewritten(is_said_anew, &due).ok()?;
    Some(ProduceItem {
        queue: QueueId::new(id.checked_rem(topic.queue_count())?),
        topic,
        payload: Payload::Message(message),
        also: Vec::new(),
    })
}

fn queue_of(client: &Client, topic: &str, id: u32) -> Option<Arc<Queue>> {
    client.topic(topic)?.queue(QueueId::new(id)).ok()
}

fn each_record(
    client: &Client,
    queue: &Queue,
    from: QueueOffset,
    mut take: impl FnMut(&RecordView),
) -> Result<(), Error> {
    let end = queue.range(client.shared.store.appended()).end;
    let mut failed = None;
    let start = from.max(queue.start());
    client.shared.store.entries(queue, start, |entry| {
        if entry.base >= end {
            return false;
        }
        let stored = client.stored(&entry);
        let record = stored.and_then(|stored| {
            RecordView::parse(&stored.bytes).map_err(|error| Error::Storage(error.to_string()))
        });
        match record {
            Ok(record) => take(&record),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    });
    failed.map_or(Ok(()), Err)
}
