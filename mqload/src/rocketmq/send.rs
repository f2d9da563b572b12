//! Sends: one message (310), or a batch of them for one queue (320).

use super::{GROUP, connection};
use crate::body::{Bodies, MessageId};
use crate::clock;
use crate::delay::Delay;
use crate::load::{Flight, Settled, Verdict};
use anyhow::{Context as _, Result};
use bytes::{BufMut as _, BytesMut};
use gantry_remoting_protocol::header::SendRequest;
use gantry_remoting_protocol::{Command, Request, RequestCode, ResponseCode, Text};
use std::fmt::Write as _;

/// Bytes of a batch's message besides body and properties.
const SUB_MESSAGE_BYTES: usize = 22;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) topic: String,
    /// How long the broker is to hold each message back.
    pub(crate) delay: Delay,
}

impl Sending {
    /// Appends the request; `crcs` gets the CRC-32 of each body.
    pub(crate) fn put(
        &self,
        flight: &Flight,
        bodies: &Bodies,
        out: &mut BytesMut,
        crcs: &mut Vec<u32>,
    ) {
        let is_batch = flight.count > 1;
        let mut properties = properties(flight.first);
        if !self.delay.is_none() {
            let born = clock::millis(flight.invoked_ns).unsigned_abs();
            let due = born.saturating_add(self.delay.millis(flight.first));
            // A string takes all that is written.
            let _ = write!(properties, "\u{2}TIMER_DELIVER_MS\u{1}{due}");
        }
        let message_bytes = SUB_MESSAGE_BYTES
            .saturating_add(bodies.body_bytes())
            .saturating_add(properties.len());
        let body_len = if is_batch {
            let count = usize::try_from(flight.count).unwrap_or(0);
            message_bytes.saturating_mul(count)
        } else {
            bodies.body_bytes()
        };
        let header = SendRequest {
            producer_group: GROUP,
            topic: &self.topic,
            default_topic: "TBW102",
            default_topic_queues: 4,
            queue_id: i32::try_from(flight.queue).unwrap_or(-1),
            born_timestamp: clock::millis(flight.invoked_ns),
            properties: Text::from(properties),
            is_batch,
            ..SendRequest::default()
        };
        let code = if is_batch {
            RequestCode::SendBatchMessage
        } else {
            RequestCode::SendMessageV2
        };
        let request = Request {
            code,
            opaque: flight.correlation,
            is_oneway: false,
            fields: Some(&header),
            body_len,
        };
        request.encode(out);
        for id in flight.ids() {
            if is_batch {
                put_sub_message(id, message_bytes, bodies, out, crcs);
            } else {
                crcs.push(bodies.put(id, out));
            }
        }
    }

    /// Takes an answer off the front of `input`.
    pub(crate) fn take(input: &mut BytesMut) -> Result<Option<Settled>> {
        while let Some(command) = connection::take(input)? {
            if command.flag.is_response() {
                return Ok(Some(Settled {
                    correlation: command.opaque,
                    verdict: verdict(&command)?,
                }));
            }
        }
        Ok(None)
    }
}

/// What every client's producer says of a message: its own id of it, in 32 digits.
pub(super) fn properties(id: MessageId) -> String {
    let mut text = String::with_capacity(56);
    // A string takes all that is written.
    let _ = write!(
        text,
        "UNIQ_KEY\u{1}6D716C64{:08X}{:016X}\u{2}WAIT\u{1}true",
        id.producer, id.sequence
    );
    text
}

/// As `gantry_remoting_protocol::record::SubMessage` does, without a copy of the body.
fn put_sub_message(
    id: MessageId,
    message_bytes: usize,
    bodies: &Bodies,
    out: &mut BytesMut,
    crcs: &mut Vec<u32>,
) {
    let properties = properties(id);
    out.put_i32(i32::try_from(message_bytes).unwrap_or(0));
    out.put_u64(0);
    out.put_i32(0);
    out.put_i32(i32::try_from(bodies.body_bytes()).unwrap_or(0));
    crcs.push(bodies.put(id, out));
    out.put_i16(i16::try_from(properties.len()).unwrap_or(0));
    out.put_slice(properties.as_bytes());
}

fn verdict(answer: &Command) -> Result<Verdict> {
    Ok(match answer.response_code() {
        ResponseCode::Success => {
            let offset: Option<i64> = answer.fields.value("queueOffset")?;
            Verdict::Stored {
                offset: offset.context("stored at no offset")?,
            }
        }
        // Turned away before anything was appended.
        ResponseCode::SystemBusy
        | ResponseCode::RequestCodeNotSupported
        | ResponseCode::MessageIllegal
        | ResponseCode::NoPermission
        | ResponseCode::TopicNotExist
        | ResponseCode::FlowControl
        | ResponseCode::GoAway => Verdict::Refused { code: answer.code },
        // Stored, but not as safely as it should be; or nobody knows.
        _ => Verdict::Open { code: answer.code },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gantry_remoting_protocol::header::SendResponse;
    use gantry_remoting_protocol::record::sub_messages;
    use gantry_remoting_protocol::{Answer, FRAME_BYTES_MAX, decode};

    fn sent(count: u32) -> Command {
        let sending = Sending {
            topic: "topic".to_owned(),
            delay: Delay::default(),
        };
        let flight = Flight {
            correlation: 77,
            first: MessageId {
                producer: 1,
                sequence: 9,
            },
            count,
            queue: 2,
            ..Flight::default()
        };
        let (mut out, mut crcs) = (BytesMut::new(), Vec::new());
        sending.put(&flight, &Bodies::new(20, 0), &mut out, &mut crcs);
        assert_eq!(crcs.len(), usize::try_from(count).unwrap());
        let command = decode(&mut out, FRAME_BYTES_MAX).unwrap().unwrap();
        assert!(out.is_empty());
        assert_eq!(command.opaque, 77);
        let header = SendRequest::of(&command).unwrap();
        assert_eq!((header.topic, header.queue_id), ("topic", 2));
        assert_eq!(header.is_batch, count > 1);
        command
    }

    #[test]
    fn a_server_reads_the_request() {
        let one = sent(1);
        assert_eq!(one.request_code(), RequestCode::SendMessageV2);
        assert_eq!(MessageId::of(&one.body).sequence, 9);
        let batch = sent(3);
        assert_eq!(batch.request_code(), RequestCode::SendBatchMessage);
        let messages: Vec<_> = sub_messages(batch.body).map(Result::unwrap).collect();
        let sequences: Vec<_> = messages
            .iter()
            .map(|message| MessageId::of(&message.body).sequence)
            .collect();
        assert_eq!(sequences, [9, 10, 11]);
        assert!(messages[0].properties.contains("UNIQ_KEY\u{1}6D716C64"));
    }

    #[test]
    fn a_server_s_answer_is_read() {
        let to = sent(1).reply_to();
        let mut out = BytesMut::new();
        let header = SendResponse {
            message_ids: &[],
            queue_id: 2,
            queue_offset: 40,
            transaction_id: None,
            region: "DefaultRegion",
            is_traced: true,
            recall_handle: None,
        };
        to.answer(&Answer::OK.with_fields(&header), &mut out);
        to.answer(&Answer::of(ResponseCode::SystemBusy), &mut out);
        to.answer(&Answer::of(ResponseCode::FlushDiskTimeout), &mut out);
        let mut verdicts = std::iter::from_fn(|| Sending::take(&mut out).unwrap());
        let stored = verdicts.next().unwrap();
        assert_eq!(stored.correlation, 77);
        assert_eq!(stored.verdict, Verdict::Stored { offset: 40 });
        assert_eq!(
            verdicts.next().unwrap().verdict,
            Verdict::Refused { code: 2 }
        );
        assert_eq!(verdicts.next().unwrap().verdict, Verdict::Open { code: 10 });
        assert!(verdicts.next().is_none());
    }
}
