//! Messages on their way in: one, or many with one append.

use crate::cloudevent;
use crate::error::Refusal;
use crate::head::Head;
use crate::headers;
use crate::names;
use crate::routes::parse;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use crate::transaction::handle;
use crate::window::{Claim, Claimed};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use gantry_core::model::{GroupName, Message, QueueId, Timestamp, TopicName, key_hash, property};
use gantry_core::record::RecordView;
use gantry_core::{Durability, Error, MessageView, Payload, ProduceItem, Receipt, Topic};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) partition: u32,
    /// Not of a message that waits for its time, or for the end of its transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    pub(crate) store_timestamp: i64,
    /// Takes back a message that waits for its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recall_handle: Option<String>,
    /// Ends the transaction of a message that waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transaction_handle: Option<String>,
    /// It had been sent before, and was not appended again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) duplicate: bool,
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
        if let Some(handle) = self
            .transaction_handle
            .as_deref()
            .and_then(headers::encoded)
        {
            fields.insert(headers::TRANSACTION, handle);
        }
        if self.duplicate {
            let yes = HeaderValue::from_static("true");
            fields.insert(headers::DUPLICATE, yes);
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

/// A message whose record is staged.
#[derive(Debug)]
struct Staged<'a> {
    id: String,
    queue: QueueId,
    /// The producer's group, of a half message.
    group: Option<GroupName>,
    /// Of an id that its producer gave.
    claimed: Option<Claimed<'a>>,
}

/// What a message becomes: a record, or where it went when it had been sent before.
type Stage<'a> = Result<(Staged<'a>, ProduceItem), Sent>;

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
            let stage = message.and_then(|(head, body)| {
                durability = stronger(durability, head.wanted_durability()?);
                self.stage(topic, shared, &head, body, peer)
            });
            staged.push(match stage {
                Ok(Ok((new, item))) => {
                    items.push(item);
                    Ok(new)
                }
                Ok(Err(sent)) => Err(Ok(sent)),
                Err(refusal) => Err(Err(refusal)),
            });
        }
        let mut receipts = self.client.produce(items, durability).into_iter();
        let mut outcomes = Vec::with_capacity(staged.len());
        for staged in staged {
            outcomes.push(match staged {
                Ok(staged) => match receipts.next() {
                    Some(receipt) => self.sent(topic, staged, receipt).await,
                    None => Err(Error::Internal("a message has no outcome".to_owned()).into()),
                },
                Err(outcome) => outcome,
            });
        }
        outcomes
    }

    /// Appends the message of a request.
    ///
    /// # Errors
    /// Its body is too long or does not come, or what [`OpenMessaging::send`] says of it.
    pub(crate) async fn send_one(
        &self,
        topic: &TopicName,
        head: Head<'_>,
        body: Body,
        peer: SocketAddr,
    ) -> Result<Sent, Refusal> {
        let mut body = self.body(body, self.config.message_bytes_max).await?;
        let head = if head.is_structured() {
            let (event, data) = cloudevent::opened(parse(&body)?)?;
            body = data;
            head.with_event(event)
        } else {
            head
        };
        let topic = self.client.topic_or_create(topic, None)?;
        let mut sent = self.send(&topic, vec![Ok((head, body))], peer).await;
        let none = || Refusal::new(OmsStatus::Server, "the message has no outcome");
        sent.pop().ok_or_else(none)?
    }

    fn stage<'a>(
        &'a self,
        topic: &Arc<Topic>,
        shared: QueueId,
        head: &Head<'_>,
        body: Bytes,
        peer: SocketAddr,
    ) -> Result<Stage<'a>, Refusal> {
        let (size, limit) = (body.len(), self.config.message_bytes_max);
        if size > limit {
            return Err(Error::MessageTooLarge { size, limit }.into());
        }
        let transaction = head.transaction_id.as_deref();
        let group = transaction.filter(|id| !id.is_empty()).map(|_| {
            let namespace = names::namespace_of(topic.name());
            names::producer(namespace, head.producer_group.as_deref())
        });
        let group = group.transpose()?;
        let id = head.message_id.as_deref();
        let id = id.map_or_else(|| self.next_id(), str::to_owned);
        let claimed = match &head.message_id {
            Some(id) if self.config.dedup_window_ms > 0 => match self.claim(topic, id)? {
                Ok(claimed) => Some(claimed),
                Err(sent) => return Ok(Err(sent)),
            },
            _ => None,
        };
        let queue = queue_of(topic, head)?.unwrap_or(shared);
        let message = head.to_message(&id, body, (peer, self.clock.now()))?;
        let payload = match &group {
            Some(group) => Payload::Half(half(message, group)?),
            None => Payload::Message(message),
        };
        let item = ProduceItem {
            topic: Arc::clone(topic),
            queue,
            payload,
            also: Vec::new(),
        };
        let staged = Staged {
            id,
            queue,
            group,
            claimed,
        };
        Ok(Ok((staged, item)))
    }

    /// Claims an id; where its message went when it has been sent. Until the window is as old as
    /// it is long, the log is asked as well.
    fn claim(&self, topic: &Topic, id: &str) -> Result<Result<Claimed<'_>, Sent>, Refusal> {
        let now = self.clock.now();
        let before = |sent| Sent {
            duplicate: true,
            ..sent
        };
        let claimed = match self.window.claim(topic.name(), id, now) {
            Claim::New(claimed) => claimed,
            Claim::Sent(sent) => return Ok(Err(before(sent))),
            Claim::Sending => {
                let text = format!("a message of the id {id} is being sent");
                return Err(Refusal::new(OmsStatus::BadRequest, text).with(StatusCode::CONFLICT));
            }
        };
        if self.window.reaches_before_start(now) {
            let times = self.window.begin(now)..Timestamp::from_millis(i64::MAX);
            let name = topic.name().as_str();
            let mut found = self.client.query_key(name, id, &times, 1).into_iter();
            let found = found.find_map(|view| kept(&view, id));
            if let Some(sent) = found {
                claimed.done(&sent);
                return Ok(Err(before(sent)));
            }
        }
        Ok(Ok(claimed))
    }

    async fn sent(
        &self,
        topic: &Topic,
        staged: Staged<'_>,
        receipt: Result<Receipt, Error>,
    ) -> Result<Sent, Refusal> {
        let receipt = receipt?.durable().await?;
        let due = receipt.due;
        let group = staged.group.as_ref();
        let handle = group.map(|group| handle(group, receipt.position, receipt.base_offset));
        let is_there = due.is_none() && handle.is_none();
        let sent = Sent {
            duplicate: false,
            partition: staged.queue.get(),
            offset: is_there.then(|| receipt.base_offset.get()),
            transaction_handle: handle,
            store_timestamp: receipt.stored_at.millis(),
            recall_handle: due.map(|due| recall_handle(topic.name(), &staged.id, due)),
            message_id: staged.id,
        };
        if let Some(claimed) = staged.claimed {
            claimed.done(&sent);
        }
        Ok(sent)
    }
}

/// A message that waits for the end of its transaction, which a producer of the group says.
fn half(message: Message, group: &GroupName) -> Result<Message, Refusal> {
    let added = [
        (property::TRANSACTION_PREPARED, "true"),
        (property::PRODUCER_GROUP, group.as_str()),
    ];
    let properties = message.properties.rewritten(|_| false, &added);
    Ok(Message {
        properties: properties.map_err(|error| Refusal::parameter(error.to_string()))?,
        ..message
    })
}

/// Where a message went that the log has, when `id` is its own.
fn kept(view: &MessageView, id: &str) -> Option<Sent> {
    let record = RecordView::parse(&view.bytes).ok()?;
    let properties = record.properties();
    (properties.value(property::UNIQ_KEY) == Some(id)).then(|| Sent {
        message_id: id.to_owned(),
        partition: record.queue().get(),
        offset: Some(view.offset.get()),
        store_timestamp: record.stored_at().millis(),
        recall_handle: None,
        transaction_handle: None,
        duplicate: true,
    })
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
    let key = head.key_bytes()?;
    Ok(key.map(|key| {
        let hash = key_hash(&key) & 0x7fff_ffff;
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
