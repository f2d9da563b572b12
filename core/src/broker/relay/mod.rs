//! Relays: they read a waiting topic and append what is due to its own topic. The record appended
//! names the one it settles, so that both are one write, and a crash neither loses a message nor
//! delivers it twice.

mod batches;
mod checks;
mod ends;
mod halves;
mod recall;
mod route;
mod settle;
mod signal;
mod timers;
mod transactions;

pub(super) use checks::Checks;
pub use ends::Ended;
pub use halves::OpenTransactions;
pub(super) use signal::Signal;

use super::shared::Shared;
use crate::model::Timestamp;
use signal::Pause;
use std::sync::{Arc, Weak};
use timers::TimerRelay;
use transactions::TransactionRelay;

/// Everything that waits for an outcome.
#[derive(Debug)]
pub(super) struct Relay {
    shared: Weak<Shared>,
    timers: TimerRelay,
    transactions: TransactionRelay,
}

/// When a relay has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Now.
    Now,
    /// Then, unless it is woken before.
    At(Timestamp),
    /// When it is woken.
    Woken,
}

impl Next {
    /// What comes first.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(one), Self::At(another)) => Self::At(one.min(another)),
            (Self::At(time), Self::Woken) | (Self::Woken, Self::At(time)) => Self::At(time),
            (Self::Woken, Self::Woken) => Self::Woken,
        }
    }
}

impl Relay {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let (config, now) = (&shared.config, shared.clock.now());
        Self {
            timers: TimerRelay::new(config.timers.window_entries_max),
            transactions: TransactionRelay::new(now, &config.transactions),
            shared: Arc::downgrade(shared),
        }
    }

    /// The thread's body.
    pub(super) fn run(mut self, signal: &Signal) {
        loop {
            let next = self.step();
            let pause = match (next, self.shared.upgrade()) {
                (_, None) => return,
                (Next::Now, _) => Pause::None,
                (Next::Woken, _) => Pause::UntilWoken,
                (Next::At(time), Some(shared)) => {
                    Pause::Millis(time.millis_since(shared.clock.now()), time)
                }
            };
            if !signal.pause(pause) {
                return;
            }
        }
    }

    /// Does a part of what is due; a broker that stops has nothing to do.
    pub(super) fn step(&mut self) -> Next {
        match self.shared.upgrade() {
            Some(shared) if shared.check_running().is_ok() => {
                let delivered = self.timers.step(&shared);
                delivered.or(self.transactions.step(&shared))
            }
            _ => Next::Woken,
        }
    }
}
