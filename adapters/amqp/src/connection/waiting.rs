//! Answers that wait for the disk, in the order they are given.

use crate::channel::Outcomes;
use crate::codec::ServerMethod;
use crate::codec::method::tx;
use bytes::BytesMut;
use futures_util::future::LocalBoxFuture;
use gantry_core::{Error, Receipt};
use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

/// What is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// What became of messages.
    Outcomes(Outcomes),
    /// That a channel's transaction is committed.
    Committed(u16),
}

impl Answer {
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Outcomes(outcomes) => outcomes.write(out),
            Self::Committed(channel) => {
                ServerMethod::from(tx::CommitOk {}).encode(*channel, out);
            }
        }
    }
}

impl Answer {
    /// Up to which message channels have heard with it.
    pub(super) fn answered(&self) -> impl Iterator<Item = (u16, u64)> {
        let outcomes = match self {
            Self::Outcomes(outcomes) => Some(outcomes),
            Self::Committed(_) => None,
        };
        outcomes.into_iter().flat_map(Outcomes::answered)
    }
}

/// All that wait.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<(Answer, Option<Durable>)>);

type Durable = LocalBoxFuture<'static, Result<Receipt, Error>>;

/// A channel whose transaction is not on the disk, and why.
pub(super) type NotCommitted = (u16, Error);

impl Waiting {
    /// Whether an answer may be given at once.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives an answer after those before it, once `receipt` is durable.
    pub(super) fn put(&mut self, answer: Answer, receipt: Option<Receipt>) {
        let durable = receipt.map(|receipt| -> Durable { Box::pin(receipt.durable()) });
        self.0.push_back((answer, durable));
    }

    /// A channel waits for nothing any more.
    pub(super) fn forget(&mut self, channel: u16) {
        for (answer, _) in &mut self.0 {
            match answer {
                Answer::Outcomes(outcomes) => outcomes.forget(channel),
                Answer::Committed(of) if *of == channel => {
                    *answer = Answer::Outcomes(Outcomes::default());
                }
                Answer::Committed(_) => {}
            }
        }
    }

    /// Writes the answers that can be given, and notes those that were.
    ///
    /// # Errors
    /// A transaction failed, whose channel cannot go on; to be called again.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        (out, given): (&mut BytesMut, &mut Vec<Answer>),
    ) -> Result<(), NotCommitted> {
        while let Some((answer, durable)) = self.0.front_mut() {
            let kept = match durable {
                Some(durable) => match durable.as_mut().poll(context) {
                    Poll::Ready(kept) => kept.map(drop),
                    Poll::Pending => return Ok(()),
                },
                None => Ok(()),
            };
            let failed = match (kept, &mut *answer) {
                (Ok(()), _) => None,
                (Err(error), Answer::Outcomes(outcomes)) => {
                    tracing::warn!(%error, "messages are not kept");
                    outcomes.fail();
                    None
                }
                (Err(error), Answer::Committed(channel)) => Some((*channel, error)),
            };
            let answered = self.0.pop_front();
            match (failed, answered) {
                (Some(failed), _) => return Err(failed),
                (None, Some((answer, _))) => {
                    answer.write(out);
                    given.push(answer);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.0.iter().map(|(answer, _)| answer);
        formatter.debug_list().entries(answers).finish()
    }
}
