//! Answers, encoded where they are made.

use crate::error::Refusal;
use bytes::{Bytes, BytesMut};
use gantry_remoting_protocol::Answer;
use gantry_remoting_protocol::codec::ReplyTo;
use std::fmt;
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

    /// The answer to a request that fails.
    pub(crate) fn refusal(to: ReplyTo, refusal: &Refusal) -> Self {
        Self::answer(to, &Answer::refusal(refusal.code, &refusal.remark))
    }
}

/// What a request is answered with.
pub enum Reply {
    /// At once.
    Ready(Frame),
    /// Later; other requests of the connection may be answered before. Dropping it gives up.
    Pending(Pin<Box<dyn Future<Output = Frame> + Send>>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(frame) => f.debug_tuple("Ready").field(frame).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

impl From<Frame> for Reply {
    fn from(frame: Frame) -> Self {
        Self::Ready(frame)
    }
}
