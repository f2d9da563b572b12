//! What a pop is answered with.

use super::Pop;
use super::redelivery::again;
use crate::error::Refusal;
use crate::message::addressed;
use crate::reply::Frame;
use bytes::Bytes;
use gantry_core::{Delivery, Leased};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::PopResponse;
use gantry_remoting_protocol::pop::{OffsetInfo, ReceiptHandle};
use gantry_remoting_protocol::{Answer, ResponseCode};

/// Fields without which clients do not read an answer.
pub(super) const fn no_fields(invisible_ms: i64) -> PopResponse<'static> {
    PopResponse {
        pop_time: 0,
        invisible_ms,
        revive_queue: 0,
        rest: 0,
        start_offsets: Some(""),
        message_offsets: Some(""),
        order_counts: None,
    }
}

pub(super) fn refusal(to: ReplyTo, refusal: &Refusal) -> Frame {
    let fields = no_fields(0);
    let answer = Answer::refusal(refusal.code, &refusal.remark).with_fields(&fields);
    Frame::answer(to, &answer)
}

/// Nothing has come.
pub(super) fn timed_out(to: ReplyTo, invisible_ms: i64) -> Frame {
    let fields = no_fields(invisible_ms);
    let answer = Answer::refusal(ResponseCode::PollingTimeout, "NO_MESSAGE_IN_QUEUE");
    Frame::answer(to, &answer.with_fields(&fields))
}

impl Pop {
    pub(super) fn found(&self, leased: &Leased) -> Frame {
        let mut info = OffsetInfo::default();
        let mut messages = Vec::with_capacity(leased.deliveries.len());
        for of_queue in leased.deliveries.chunk_by(|a, b| a.at == b.at) {
            let Some(queue_id) = self.queue_id(of_queue) else {
                continue;
            };
            let places: Vec<_> = of_queue.iter().map(place).collect();
            info.add(queue_id, &places);
            let start_offset = places.first().map_or(0, |(offset, _)| *offset);
            for delivery in of_queue {
                messages.push(self.message(leased, delivery, queue_id, start_offset));
            }
        }
        let fields = PopResponse {
            pop_time: leased.token.leased_at.millis(),
            invisible_ms: self.invisible_ms,
            revive_queue: i32::try_from(leased.token.serial).unwrap_or(0),
            rest: i64::try_from(leased.rest).unwrap_or(i64::MAX),
            start_offsets: Some(&info.start_offsets),
            message_offsets: Some(&info.message_offsets),
            order_counts: self.is_ordered.then_some(info.order_counts.as_str()),
        };
        let answer = Answer {
            remark: Some("FOUND"),
            ..Answer::OK.with_fields(&fields)
        };
        Frame::with_body(self.reply_to, &answer, messages)
    }

    fn queue_id(&self, deliveries: &[Delivery]) -> Option<i32> {
        let first = deliveries.first()?;
        let queue = self.lease.queues.get(first.at)?.queue;
        i32::try_from(queue.get()).ok()
    }

    /// The message as it is stored; one that comes again says so, with its receipt.
    fn message(
        &self,
        leased: &Leased,
        delivery: &Delivery,
        queue_id: i32,
        start_offset: i64,
    ) -> Bytes {
        let (offset, times) = place(delivery);
        let bytes = match self.lease.queues.get(delivery.at) {
            Some(of) => addressed(&delivery.message, &of.topic, of.queue),
            None => delivery.message.bytes.clone(),
        };
        if times == 0 {
            return bytes;
        }
        let handle = ReceiptHandle {
            start_offset,
            pop_time: leased.token.leased_at.millis(),
            invisible_ms: self.invisible_ms,
            revive_queue: i32::try_from(leased.token.serial).unwrap_or(0),
            retry: ReceiptHandle::of_topic_itself(),
            broker_name: self.broker_name.clone(),
            queue_id,
            offset,
        };
        again(&bytes, times, &handle, &self.lease.group)
    }
}

/// A message's offset, and how often it was popped before.
fn place(delivery: &Delivery) -> (i64, i32) {
    let times = delivery.attempt.saturating_sub(1);
    let offset = delivery.message.offset.to_wire();
    (offset, i32::try_from(times).unwrap_or(i32::MAX))
}
