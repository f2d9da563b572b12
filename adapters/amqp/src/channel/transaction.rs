//! What waits for `tx.commit`.

use crate::codec::method::basic;
use crate::codec::{Content, ReplyCode};
use crate::config::Config;
use crate::consuming::Taken;
use crate::fault::Fault;
use crate::publishing::Routed;

/// A transaction of one channel.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) published: Vec<((basic::Publish, Content), Routed)>,
    bytes: usize,
    pub(crate) settled: Taken,
    pub(crate) requeued: Taken,
    pub(crate) rejected: Taken,
}

impl Transaction {
    /// # Errors
    /// It gets too large.
    pub(super) fn publish(
        &mut self,
        message: (basic::Publish, Content),
        routed: Routed,
        limits: &Config,
    ) -> Result<(), Fault> {
        self.bytes += message.1.body.len();
        if self.published.len() >= limits.transaction_messages_max
            || self.bytes > limits.transaction_bytes_max
        {
            let text = format!(
                "a transaction is limited to {} messages and {} bytes",
                limits.transaction_messages_max, limits.transaction_bytes_max
            );
            return Err(Fault::new(ReplyCode::PreconditionFailed, text));
        }
        self.published.push((message, routed));
        Ok(())
    }

    pub(super) fn settle(&mut self, taken: Taken) {
        self.settled.extend(taken);
    }

    pub(super) fn reject(&mut self, taken: Taken) {
        self.rejected.extend(taken);
    }

    pub(super) fn requeue(&mut self, taken: Taken) {
        self.requeued.extend(taken);
    }

    /// Nothing of it happens; what it had taken.
    pub(super) fn abandon(&mut self) -> Taken {
        let Self {
            settled,
            requeued,
            rejected,
            ..
        } = std::mem::take(self);
        let all = [settled, requeued, rejected];
        all.into_iter().flatten().collect()
    }
}
