//! The way of questions to whoever knows the producers, and of what became of them back.

use crate::Client;
use crate::model::QueueOffset;
use crate::transactions::{CheckAnswer, HalfCheck};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Questions on their way, and answers.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    asker: Mutex<Option<mpsc::Sender<Arc<HalfCheck>>>>,
    /// Not more than there were questions since they were last taken.
    answers: Mutex<Vec<(Arc<HalfCheck>, CheckAnswer)>>,
}

/// Whether a question is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posed {
    Yes,
    /// As many are as may be; one that is answered wakes the relay.
    Full,
    /// Nobody takes any.
    NoAsker,
}

impl Checks {
    pub(super) fn pose(&self, check: HalfCheck) -> Posed {
        let asker = self.asker.lock().clone();
        let Some(asker) = asker else {
            return Posed::NoAsker;
        };
        match asker.try_send(Arc::new(check)) {
            Ok(()) => Posed::Yes,
            Err(TrySendError::Full(_)) => Posed::Full,
            Err(TrySendError::Closed(_)) => Posed::NoAsker,
        }
    }

    pub(super) fn has_asker(&self) -> bool {
        let asker = self.asker.lock();
        asker.as_ref().is_some_and(|asker| !asker.is_closed())
    }

    pub(super) fn take_answers(&self) -> Vec<(Arc<HalfCheck>, CheckAnswer)> {
        std::mem::take(&mut *self.answers.lock())
    }
}

impl Client {
    /// The half messages whose producers are to be asked, from now on; who called this before
    /// gets no more. Each is to be answered with [`Client::answer_check`].
    #[must_use]
    pub fn transaction_checks(&self) -> mpsc::Receiver<Arc<HalfCheck>> {
        let room = self.shared.config.transactions.checks_pending_max.max(1);
        let (sender, receiver) = mpsc::channel(room);
        *self.shared.checks.asker.lock() = Some(sender);
        self.shared.relay.wake();
        receiver
    }

    /// Says what became of a question.
    pub fn answer_check(&self, check: Arc<HalfCheck>, answer: CheckAnswer) {
        self.shared.checks.answers.lock().push((check, answer));
        self.shared.relay.wake();
    }

    /// How often somebody was asked how the transaction of the half message at `offset` ended.
    #[must_use]
    pub fn check_count(&self, offset: QueueOffset) -> u32 {
        let state = self.shared.state.read();
        let number = self.shared.half_queue().map(|(_, queue)| queue.number());
        let counts = number.and_then(|number| state.checks.get(&number));
        counts.map_or(0, |counts| counts.of(offset.get()))
    }
}
