//! What a producer hears of its send.

use crate::connection::BrokerConnection;
use crate::reply::Frame;
use crate::role::BrokerRole;
use bytes::{Bytes, BytesMut};
use gantry_connection::Replies;
use gantry_core::model::{QueueId, QueueOffset, Timestamp};
use gantry_core::{Error, Receipt, Topic};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::SendResponse;
use gantry_remoting_protocol::record::{MessageId, RecallHandle};
use gantry_remoting_protocol::{Answer, ResponseCode};
use smallvec::SmallVec;
use std::sync::Arc;

/// A send, as far as its answer needs it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) reply_to: ReplyTo,
    pub(super) queue: QueueId,
    pub(super) unique_key: Option<Bytes>,
    /// Of a message that is to be delivered later.
    pub(super) topic: Option<Arc<Topic>>,
}

/// Receipts of one send: one, or one for each message of a batch.
pub(super) type Receipts = SmallVec<[Receipt; 1]>;

/// Where the records of one send stand.
#[derive(Debug)]
struct Stored {
    base_offset: QueueOffset,
    ids: SmallVec<[MessageId; 1]>,
    /// When the message is due, if that is later.
    due: Option<Timestamp>,
}

impl Sent {
    /// Answers once the records are as durable as was asked.
    pub(super) fn answer(
        self,
        role: &Arc<BrokerRole>,
        receipts: Receipts,
        replies: &mut Replies<BrokerConnection>,
    ) {
        let base_offset = receipts.first().map(|first| first.base_offset);
        let stored = Stored {
            base_offset: base_offset.unwrap_or_default(),
            due: receipts.first().and_then(|first| first.due),
            ids: receipts
                .iter()
                .map(|r| role.message_id(r.position))
                .collect(),
        };
        // The log is flushed in order, so the last one speaks for all.
        let last = receipts.into_iter().next_back();
        let Some(last) = last.filter(|last| !last.is_durable()) else {
            let out = replies.ready().head();
            return self.encode(role, &stored, ResponseCode::Success, out);
        };
        let role = Arc::clone(role);
        replies.pending(Box::pin(async move {
            let code = match last.durable().await {
                Ok(_) => ResponseCode::Success,
                Err(Error::FlushTimeout) => ResponseCode::FlushDiskTimeout,
                Err(error) => return Frame::refusal(self.reply_to, &error.into()),
            };
            let mut head = BytesMut::new();
            self.encode(&role, &stored, code, &mut head);
            Frame {
                head: head.freeze(),
                body: Vec::new(),
            }
        }));
    }

    fn encode(&self, role: &BrokerRole, stored: &Stored, code: ResponseCode, out: &mut BytesMut) {
        let unique_key = self.unique_key.as_deref();
        let unique_key = unique_key.and_then(|key| std::str::from_utf8(key).ok());
        let recall = match (&self.topic, stored.due, unique_key) {
            (Some(topic), Some(due), Some(unique_key)) => Some(RecallHandle {
                topic: topic.name().as_str(),
                broker: &role.config.broker_name,
                due: due.millis(),
                unique_key,
            }),
            _ => None,
        };
        let header = SendResponse {
            recall_handle: recall.map(|handle| handle.to_text()),
            message_ids: &stored.ids,
            queue_id: self.queue.to_wire(),
            queue_offset: stored.base_offset.to_wire(),
            transaction_id: unique_key,
            region: &role.config.region,
            is_traced: role.config.trace_on,
        };
        self.reply_to
            .answer(&Answer::of(code).with_fields(&header), out);
    }
}
