//! What a producer hears of its send.

use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::{Bytes, BytesMut};
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::{Error, Receipt};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::SendResponse;
use gantry_remoting_protocol::record::MessageId;
use gantry_remoting_protocol::{Answer, ResponseCode};
use smallvec::SmallVec;
use std::sync::Arc;

/// A send, as far as its answer needs it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) reply_to: ReplyTo,
    pub(super) queue: QueueId,
    pub(super) unique_key: Option<Bytes>,
}

/// Receipts of one send: one, or one for each message of a batch.
pub(super) type Receipts = SmallVec<[Receipt; 1]>;

/// Where the records of one send stand.
#[derive(Debug)]
struct Stored {
    base_offset: QueueOffset,
    ids: SmallVec<[MessageId; 1]>,
}

impl Sent {
    /// The answer, once the records are as durable as was asked.
    pub(super) fn reply(
        self,
        role: &Arc<BrokerRole>,
        receipts: Receipts,
        scratch: &mut BytesMut,
    ) -> Reply {
        let stored = Stored {
            base_offset: receipts
                .first()
                .map_or(QueueOffset::ZERO, |first| first.base_offset),
            ids: receipts
                .iter()
                .map(|receipt| message_id(role, receipt))
                .collect(),
        };
        // The log is flushed in order, so the last one speaks for all.
        let waits = receipts
            .into_iter()
            .next_back()
            .filter(|last| !last.is_durable());
        let Some(last) = waits else {
            return self
                .frame(role, &stored, ResponseCode::Success, scratch)
                .into();
        };
        let role = Arc::clone(role);
        Reply::Pending(Box::pin(async move {
            let code = match last.durable().await {
                Ok(_) => ResponseCode::Success,
                Err(Error::FlushTimeout) => ResponseCode::FlushDiskTimeout,
                Err(error) => return Frame::refusal(self.reply_to, &error.into()),
            };
            self.frame(&role, &stored, code, &mut BytesMut::new())
        }))
    }

    fn frame(
        &self,
        role: &BrokerRole,
        stored: &Stored,
        code: ResponseCode,
        scratch: &mut BytesMut,
    ) -> Frame {
        let unique_key = self.unique_key.as_deref();
        let header = SendResponse {
            message_ids: &stored.ids,
            queue_id: self.queue.to_wire(),
            queue_offset: stored.base_offset.to_wire(),
            transaction_id: unique_key.and_then(|key| std::str::from_utf8(key).ok()),
            region: &role.config.region,
            is_traced: role.config.trace_on,
        };
        let answer = Answer::of(code).with_fields(&header);
        self.reply_to.answer(&answer, scratch);
        Frame {
            head: scratch.split().freeze(),
            body: Vec::new(),
        }
    }
}

fn message_id(role: &BrokerRole, receipt: &Receipt) -> MessageId {
    MessageId {
        host: role.config.advertised_address,
        offset: receipt.position.get().cast_signed(),
    }
}
