//! Answers, encoded where they are made.

use crate::error::Refusal;
use bytes::{Bytes, BytesMut};
use gantry_connection::Outgoing;
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::{Answer, Request};
use std::future::Future;
use std::pin::Pin;

/// Room for an answer without its body.
const HEAD_BYTES: usize = 384;

/// One frame to write.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Everything before the body.
    pub head: Bytes,
    /// The body's slices, in order.
    pub body: Vec<Bytes>,
}

impl Frame {
    /// An answer without a body.
    pub(crate) fn answer(to: ReplyTo, answer: &Answer<'_>) -> Self {
        Self::with_body(to, answer, Vec::new())
    }

    /// An answer with `body` behind it.
    pub(crate) fn with_body(to: ReplyTo, answer: &Answer<'_>, body: Vec<Bytes>) -> Self {
        let mut head = BytesMut::with_capacity(HEAD_BYTES);
        let body_len = body.iter().map(Bytes::len).sum();
        to.answer(&answer.with_body(body_len), &mut head);
        Self {
            head: head.freeze(),
            body,
        }
    }

    /// A request of this broker's own with `body` behind it.
    pub(crate) fn request(request: Request<'_>, body: Vec<Bytes>) -> Self {
        let mut head = BytesMut::with_capacity(HEAD_BYTES);
        let body_len = body.iter().map(Bytes::len).sum();
        Request {
            body_len,
            ..request
        }
        .encode(&mut head);
        Self {
            head: head.freeze(),
            body,
        }
    }

    /// Hands the frame to the connection.
    pub(crate) fn write(self, out: &mut Outgoing) {
        out.push(self.head);
        for chunk in self.body {
            out.push(chunk);
        }
    }

    /// The answer to a request that fails.
    pub(crate) fn refusal(to: ReplyTo, refusal: &Refusal) -> Self {
        Self::answer(to, &Answer::refusal(refusal.code, &refusal.remark))
    }
}

/// An answer that takes its time; dropping it gives up.
pub type LaterFrame = Pin<Box<dyn Future<Output = Frame> + Send>>;

/// What a request is answered with.
pub(crate) enum Reply {
    /// At once.
    Ready(Frame),
    /// When there is something to say; a broker that stops does not wait for it.
    Held(LaterFrame),
}

impl From<Frame> for Reply {
    fn from(frame: Frame) -> Self {
        Self::Ready(frame)
    }
}
