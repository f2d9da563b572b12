//! Messages on their way in: one, or many with one append.

use crate::error::Refusal;
use crate::head::Head;
use crate::headers;
use crate::server::OpenMessaging;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use gantry_core::model::{QueueId, Timestamp, TopicName, key_hash};
use gantry_core::{Durability, Error, Payload, ProduceItem, Receipt, Topic};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) partition: u32,
    /// Not of a message that waits for its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    pub(crate) store_timestamp: i64,
    /// Takes back a message that waits for its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recall_handle: Option<String>,
}

impl Sent {
    /// As header fields.
    pub(crate) fn write(&self, fields: &mut HeaderMap) {
        if let Some(id) = headers::encoded(&self.message_id) {
            fields.insert(headers::MESSAGE_ID, id);
        }
        fields.insert(headers::STORED_AT, self.store_timestamp.into());
        fields.insert(headers::PARTITION, self.partition.into());
        if let Some(offset) = self.offset {
            fields.insert(headers::OFFSET, offset.into());
        }
        if let Some(handle) = self.recall_handle.as_deref().and_then(headers::encoded) {
            fields.insert(headers::RECALL, handle);
        }
    }
}

/// What names a message that waits for its time, in a recall handle:
/// base64url of due, a colon, the topic, a colon, the id.
pub(crate) fn recall_handle(topic: &TopicName, id: &str, due: Timestamp) -> String {
    let name = topic.as_str();
    URL_SAFE_NO_PAD.encode(format!("{due}:{}:{name}{id}", name.len()))
}

/// The parts of a recall handle: topic, id and due.
pub(crate) fn read_recall_handle(handle: &str) -> Option<(String, String, Timestamp)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
    let mut parts = text.splitn(3, ':');
    let due = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let length: usize = parts.next()?.parse().ok()?;
    let (topic, id) = parts.next()?.split_at_checked(length)?;
    Some((topic.to_owned(), id.to_owned(), due))
}

/// What is to be sent.
#[derive(Debug)]
struct Staged {
    id: String,
    queue: QueueId,
}

impl OpenMessaging {
    /// Appends messages to a topic with one write, each with its own outcome; those without key
    /// and partition go to one queue, one behind the other.
    pub(crate) async fn send(
        &self,
        topic: &Arc<Topic>,
        messages: Vec<Result<(Head<'_>, Bytes), Refusal>>,
        peer: SocketAddr,
    ) -> Vec<Result<Sent, Refusal>> {
        let shared = QueueId::new(self.turn(topic.spec().write_queues.max(1)));
        let mut durability = Durability::Configured;
        let mut items = Vec::with_capacity(messages.len());
        let mut staged = Vec::with_capacity(messages.len());
        for message in messages {
            let stage = || {
                let (head, body) = message?;
                let (staged, item) = self.stage(topic, shared, &head, body, peer)?;
                let wanted = head.wanted_durability()?;
                Ok((staged, item, wanted))
            };
            staged.push(stage().map(|(staged, item, wanted)| {
                durability = stronger(durability, wanted);
                items.push(item);
                staged
            }));
        }
        let mut receipts = self.client.produce(items, durability).into_iter();
        let mut outcomes = Vec::with_capacity(staged.len());
        for staged in staged {
            outcomes.push(match staged {
                Ok(staged) => match receipts.next() {
                    Some(receipt) => self.sent(topic, staged, receipt).await,
                    None => Err(Error::Internal("a message has no outcome".to_owned()).into()),
                },
                Err(refusal) => Err(refusal),
            });
        }
        outcomes
    }

    fn stage(
        &self,
        topic: &Arc<Topic>,
        shared: QueueId,
        head: &Head<'_>,
        body: Bytes,
        peer: SocketAddr,
    ) -> Result<(Staged, ProduceItem), Refusal> {
        let (size, limit) = (body.len(), self.config.message_bytes_max);
        if size > limit {
            return Err(Error::MessageTooLarge { size, limit }.into());
        }
        let id = head.message_id.as_deref();
        let id = id.map_or_else(|| self.next_id(), str::to_owned);
        let queue = queue_of(topic, head)?.unwrap_or(shared);
        let message = head.to_message(&id, body, (peer, self.clock.now()))?;
        let item = ProduceItem {
            topic: Arc::clone(topic),
            queue,
            payload: Payload::Message(message),
            also: Vec::new(),
        };
        Ok((Staged { id, queue }, item))
    }

    async fn sent(
        &self,
        topic: &Topic,
        staged: Staged,
        receipt: Result<Receipt, Error>,
    ) -> Result<Sent, Refusal> {
        let receipt = receipt?.durable().await?;
        let due = receipt.due;
        Ok(Sent {
            partition: staged.queue.get(),
            offset: due.is_none().then(|| receipt.base_offset.get()),
            store_timestamp: receipt.stored_at.millis(),
            recall_handle: due.map(|due| recall_handle(topic.name(), &staged.id, due)),
            message_id: staged.id,
        })
    }
}

/// The queue a message asks for, or that its key is of as for Kafka's producers.
fn queue_of(topic: &Topic, head: &Head<'_>) -> Result<Option<QueueId>, Refusal> {
    let count = topic.spec().write_queues;
    if let Some(partition) = head.partition {
        if partition >= count {
            return Err(Error::QueueNotFound {
                topic: topic.name().clone(),
                queue: QueueId::new(partition),
            }
            .into());
        }
        return Ok(Some(QueueId::new(partition)));
    }
    let key = head.message_key.as_deref();
    Ok(key.map(|key| {
        let hash = key_hash(key.as_bytes()) & 0x7fff_ffff;
        QueueId::new(hash.checked_rem(count).unwrap_or(0))
    }))
}

/// One append has one durability: the strongest that is wanted.
const fn stronger(one: Durability, other: Durability) -> Durability {
    match (one, other) {
        (Durability::Flushed, _) | (_, Durability::Flushed) => Durability::Flushed,
        (Durability::Configured, other) => other,
        (one, _) => one,
    }
}
